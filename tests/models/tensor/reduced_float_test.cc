// SPDX-License-Identifier: Apache-2.0
#include "models/tensor/reduced_float.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace octet {
namespace {

TEST(ReducedFloatTest, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(RoundedTo(kFloat16Form, 2049), 2048);
  EXPECT_EQ(RoundedTo(kFloat16Form, 2051), 2052);
  EXPECT_EQ(RoundedTo(kFloat16Form, -1.0 / 3), -0.333251953125);
  EXPECT_EQ(RoundedTo(kBfloat16Form, 257), 256);
  EXPECT_EQ(RoundedTo(kBfloat16Form, 259), 260);
  EXPECT_EQ(RoundedTo(kBfloat16Form, 1.0 / 3), 0.333984375);
}

TEST(ReducedFloatTest, SmallAndLargeNumbers) {
  EXPECT_EQ(RoundedTo(kFloat16Form, std::ldexp(1.0, -24)), std::ldexp(1.0, -24));
  EXPECT_EQ(RoundedTo(kFloat16Form, std::ldexp(1.0, -25)), 0.0);
  EXPECT_EQ(RoundedTo(kFloat16Form, std::ldexp(3.0, -26)), std::ldexp(1.0, -24));
  EXPECT_EQ(RoundedTo(kFloat16Form, 65519), 65504);
  EXPECT_EQ(RoundedTo(kFloat16Form, -65520), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(RoundedTo(kBfloat16Form, 3.4028235e38), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(RoundedTo(kFloat16Form, std::nan(""))));
}

}  // namespace
}  // namespace octet
