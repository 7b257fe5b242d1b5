// SPDX-License-Identifier: Apache-2.0

#include "models/operators/cast.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class CastTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(CastTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

OperatorRun Cast(Tensor x, const std::string& to) {
  OperatorRun run(MakeCast());
  run.Input(std::move(x)).With("to", to);
  return run;
}

TEST_P(CastTest, FloatToIntegerTruncatesAndSaturates) {
  const auto input = [] {
    return Floats({1, 6}, {-1.9F, 1.9F, 300, -300, std::numeric_limits<float>::quiet_NaN(), 1e30F});
  };
  EXPECT_EQ(Cast(input(), "INT8").First<std::int8_t>(Kernels()),
            (std::vector<std::int8_t>{-1, 1, 127, -128, 0, 127}));
  EXPECT_EQ(Cast(input(), "UINT8").First<std::uint8_t>(Kernels()),
            (std::vector<std::uint8_t>{0, 1, 255, 0, 0, 255}));
  EXPECT_EQ(Cast(input(), "INT32").First<std::int32_t>(Kernels()),
            (std::vector<std::int32_t>{-1, 1, 300, -300, 0, INT32_MAX}));
}

TEST_P(CastTest, BooleansAreZeroAndOne) {
  EXPECT_EQ(Cast(Bools({1, 3}, {0, 1, 9}), "FP32").First(Kernels()), (std::vector<float>{0, 1, 1}));
  EXPECT_EQ(Cast(Floats({1, 3}, {0, 0.5F, -2}), "BOOL").First<std::uint8_t>(Kernels()),
            (std::vector<std::uint8_t>{0, 1, 1}));
}

TEST(CastRuleTest, RefusesAnUnknownType) {
  EXPECT_EQ(Cast(Floats({1, 1}, {0}), "float").InferStatus().code(), kInvalid);
  EXPECT_EQ(Cast(Floats({1, 1}, {0}), "INT4").InferStatus().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace octet
