// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/legacy_names.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace octet::keras {
namespace {

using Names = std::vector<std::string>;

const LegacyNames& Example() {
  static const auto* const names = new LegacyNames(
      {"dense/kernel:0", "both/forward_lstm/lstm_cell/kernel:0", "dense/bias:0",
       "inner/norm/gamma:0", "both/backward_lstm/lstm_cell/kernel:0", "norm/beta:0", "bare:0"});
  return *names;
}

TEST(LegacyNamesTest, ALayersNamesAreThoseWithItsOwn) {
  EXPECT_EQ(Example().Within({{"dense"}}), (Names{"dense/kernel:0", "dense/bias:0"}));
  EXPECT_EQ(Example().Within({{"both"}, {"backward_"}}),
            Names{"both/backward_lstm/lstm_cell/kernel:0"});
  EXPECT_EQ(Example().Within({}).size(), 7);
}

TEST(LegacyNamesTest, TheNameOfAVariableIsNoScope) {
  EXPECT_TRUE(Example().Within({{"bare:0"}}).empty());
  EXPECT_TRUE(Example().Within({{"kernel:0"}}).empty());
}

TEST(LegacyNamesTest, AModelsNameCountsWhereItIsThere) {
  EXPECT_EQ(Example().Within({{"inner", false}, {"norm"}}), Names{"inner/norm/gamma:0"});
  EXPECT_EQ(Example().Within({{"outer", false}, {"dense"}}).size(), 2);
  // "inner" has no "dense": the model's name is that of another layer.
  EXPECT_EQ(Example().Within({{"inner", false}, {"dense"}}).size(), 2);
  EXPECT_TRUE(Example().Within({{"outer", true}, {"dense"}}).empty());
}

}  // namespace
}  // namespace octet::keras
