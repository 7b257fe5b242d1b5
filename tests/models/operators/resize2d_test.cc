// SPDX-License-Identifier: Apache-2.0

#include "models/operators/resize2d.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class Resize2dTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(Resize2dTest);

using Ints = std::vector<std::int64_t>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(Resize2dTest, NearestRepeatsPixels) {
  OperatorRun run(MakeResize2d());
  run.Input(Floats({1, 1, 2, 1}, {1, 2})).With("scale", Ints{2, 2});
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{1, 1, 2, 2, 1, 1, 2, 2}));
  OperatorRun down(MakeResize2d());
  down.Input(Floats({1, 1, 5, 1}, {1, 2, 3, 4, 5})).With("size", Ints{1, 2});
  EXPECT_EQ(down.First(Kernels()), (std::vector<float>{2, 4}));
}

TEST_P(Resize2dTest, BilinearHasHalfPixelCentres) {
  OperatorRun run(MakeResize2d());
  run.Input(Floats({1, 1, 2, 1}, {0, 4}))
      .With("scale", Ints{1, 2})
      .With("interpolation", "bilinear");
  ExpectNear(run.First(Kernels()), {0, 1, 3, 4}, 1e-6F);
}

TEST(Resize2dRuleTest, RefusesWhatDoesNotFit) {
  const auto input = [] { return Floats({1, 1, 1, 1}, {0}); };
  EXPECT_EQ(OperatorRun(MakeResize2d()).Input(input()).InferStatus().code(), kInvalid);
  OperatorRun huge(MakeResize2d());
  huge.Input(input()).With("size", Ints{INT32_MAX, INT32_MAX});
  EXPECT_EQ(huge.InferStatus().code(), kInvalid);
  OperatorRun cubic(MakeResize2d());
  cubic.Input(input()).With("scale", Ints{1, 1}).With("interpolation", "bicubic");
  EXPECT_EQ(cubic.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
