// SPDX-License-Identifier: Apache-2.0
#include "models/importers/importers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "models/operators/operators.h"

namespace octet {
namespace {

TEST(ImportersTest, AnUnknownEndingIsRefusedWithTheKnownOnes) {
  const OperatorRegistry operators = BuiltInOperators();
  const auto bundle = ImportModel("model.pb", {.operators = &operators});
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bundle.status().message()), ::testing::HasSubstr(".keras"));
  EXPECT_THAT(std::string(bundle.status().message()), ::testing::HasSubstr(".tflite"));
}

TEST(ImportersTest, TheEndingMayBeInCapitals) {
  const OperatorRegistry operators = BuiltInOperators();
  const auto bundle = ImportModel("/nowhere/model.KERAS", {.operators = &operators});
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kNotFound);
}

TEST(ImportersTest, AProfileIsForFormatsThatHaveSome) {
  const OperatorRegistry operators = BuiltInOperators();
  const auto error = [&](const char* path, const char* profile) {
    const auto bundle = ImportModel(path, {.operators = &operators, .profile = profile});
    EXPECT_EQ(bundle.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(bundle.status().message());
  };
  EXPECT_THAT(error("tests/fuzz/corpus/keras_importer/good.keras", "xnnpack"),
              ::testing::HasSubstr("got profile \"xnnpack\", wants none"));
}

}  // namespace
}  // namespace octet
