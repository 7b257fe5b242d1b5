// SPDX-License-Identifier: Apache-2.0
#include "models/importers/tflite/operator_names.h"

#include <gtest/gtest.h>

namespace octet::tflite {
namespace {

TEST(OperatorNamesTest, AreThoseOfTheirPublishedNumbers) {
  EXPECT_EQ(OperatorName(0), "ADD");
  EXPECT_EQ(OperatorName(9), "FULLY_CONNECTED");
  EXPECT_EQ(OperatorName(114), "QUANTIZE");
  EXPECT_EQ(OperatorName(150), "GELU");
}

TEST(OperatorNamesTest, ANumberThatNoneHasIsItsOwnName) {
  EXPECT_EQ(OperatorName(127), "builtin operator 127");
  EXPECT_EQ(OperatorName(4711), "builtin operator 4711");
  EXPECT_EQ(OperatorName(-1), "builtin operator -1");
}

}  // namespace
}  // namespace octet::tflite
