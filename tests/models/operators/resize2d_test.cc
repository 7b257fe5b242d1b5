// SPDX-License-Identifier: Apache-2.0

#include "models/operators/resize2d.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class Resize2dTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(Resize2dTest);

using Ints = std::vector<std::int64_t>;
using Reals = std::vector<double>;
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

// The row 0, 10, 20, ... of `size` pixels, to be resized.
OperatorRun Row(std::int64_t size, const std::string& interpolation) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < size; ++i) values.push_back(10.0F * static_cast<float>(i));
  OperatorRun run(MakeResize2d());
  run.Input(Floats({1, 1, size, 1}, values)).With("interpolation", interpolation);
  return run;
}

TEST_P(Resize2dTest, NearestTakesTheCoordinatesAndTheRoundingItIsTold) {
  const auto nearest = [](std::int64_t in, std::int64_t out, const char* coordinates,
                          const char* rounding) {
    OperatorRun run = Row(in, "nearest");
    run.With("size", Ints{1, out}).With("coordinates", coordinates).With("rounding", rounding);
    return run.First(Kernels());
  };
  using Pixels = std::vector<float>;
  EXPECT_EQ(nearest(4, 2, "half_pixel", "round_prefer_floor"), (Pixels{0, 20}));
  EXPECT_EQ(nearest(4, 2, "half_pixel", "round_prefer_ceil"), (Pixels{10, 30}));
  EXPECT_EQ(nearest(4, 2, "half_pixel", "floor"), (Pixels{0, 20}));
  EXPECT_EQ(nearest(4, 2, "half_pixel", "ceil"), (Pixels{10, 30}));
  EXPECT_EQ(nearest(4, 3, "asymmetric", "floor"), (Pixels{0, 10, 20}));
  EXPECT_EQ(nearest(4, 3, "asymmetric", "ceil"), (Pixels{0, 20, 30}));
  EXPECT_EQ(nearest(4, 2, "align_corners", "floor"), (Pixels{0, 30}));
  EXPECT_EQ(nearest(4, 2, "tf_half_pixel_for_nn", "floor"), (Pixels{10, 30}));
  EXPECT_EQ(nearest(3, 1, "pytorch_half_pixel", "floor"), (Pixels{0}));
  EXPECT_EQ(nearest(7, 1, "half_pixel", "floor"), (Pixels{30})) << "in float32 just below 3";
  EXPECT_EQ(nearest(3, 3, "tf_half_pixel_for_nn", "ceil"), (Pixels{0, 10, 20})) << "not resized";
}

TEST_P(Resize2dTest, CopiesIntegersByTables) {
  OperatorRun run(MakeResize2d());
  run.Input(Int8s({1, 1, 3, 2}, {1, -1, 2, -2, 3, -3}), Quantization(0.5F, 0))
      .With("size", Ints{2, 2})
      .With("coordinates", "align_corners");
  EXPECT_EQ(run.First<std::int8_t>(Kernels()),
            (std::vector<std::int8_t>{1, -1, 3, -3, 1, -1, 3, -3}));
}

TEST_P(Resize2dTest, LinearSpreadsTheCorners) {
  OperatorRun run = Row(3, "bilinear");
  run.With("size", Ints{1, 5}).With("coordinates", "align_corners");
  ExpectNear(run.First(Kernels()), {0, 5, 10, 15, 20}, 1e-5F);
  OperatorRun both(MakeResize2d());
  both.Input(Floats({1, 2, 2, 2}, {0, 1, 4, 5, 8, 9, 12, 13}))
      .With("size", Ints{3, 3})
      .With("interpolation", "bilinear")
      .With("coordinates", "align_corners");
  ExpectNear(both.First(Kernels()), {0, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13},
             1e-5F);
}

TEST_P(Resize2dTest, FactorsAreThoseBeforeTheSizesWereRounded) {
  OperatorRun run = Row(4, "bilinear");
  run.With("size", Ints{1, 2}).With("factors", Reals{1, 0.6});
  ExpectNear(run.First(Kernels()), {3.33333F, 20}, 1e-4F);
  OperatorRun symmetric = Row(4, "bilinear");
  symmetric.With("size", Ints{1, 2})
      .With("factors", Reals{1, 0.6})
      .With("coordinates", "half_pixel_symmetric");
  ExpectNear(symmetric.First(Kernels()), {6.66667F, 23.33333F}, 1e-4F);
}

TEST_P(Resize2dTest, CubicWeighsFourPixels) {
  // Those 1/4, 3/4, 5/4 and 7/4 away count 225/256, 67/256, -27/256 and -9/256.
  OperatorRun impulse(MakeResize2d());
  impulse.Input(Floats({1, 1, 4, 1}, {0, 256, 0, 0}))
      .With("size", Ints{1, 8})
      .With("interpolation", "bicubic");
  ExpectNear(impulse.First(Kernels()), {-27, 67, 225, 225, 67, -27, -9, 0}, 1e-3F);
}

// As one axis after the other, whichever is first.
TEST_P(Resize2dTest, GrowsOneAxisAndShrinksTheOther) {
  const auto resized = [](const Dims& dims, const std::vector<float>& x, std::int64_t height,
                          std::int64_t width) {
    OperatorRun run(MakeResize2d());
    run.Input(Floats(dims, x))
        .With("size", Ints{height, width})
        .With("interpolation", "bicubic")
        .With("antialias", 1);
    return run.First(Kernels());
  };
  const std::vector<float> image = Noise(2 * 3 * 11 * 2, 5);
  const Dims wide = {2, 3, 11, 2};
  const std::vector<float> higher = resized(wide, image, 13, 11);
  ExpectNear(resized(wide, image, 13, 4), resized({2, 13, 11, 2}, higher, 13, 4), 1e-5F);
  const Dims high = {2, 11, 3, 2};
  const std::vector<float> wider = resized(high, image, 11, 13);
  ExpectNear(resized(high, image, 4, 13), resized({2, 11, 13, 2}, wider, 4, 13), 1e-5F);
}

TEST_P(Resize2dTest, CubicCanLeaveOutWhatIsOutside) {
  OperatorRun run(MakeResize2d());
  run.Input(Floats({1, 1, 2, 1}, {1, 3}))
      .With("size", Ints{1, 4})
      .With("interpolation", "bicubic")
      .With("cubic_coefficient", -0.5)
      .With("exclude_outside", 1);
  // Weights of 111/128 and -9/128, and of 111/128 and 29/128, divided by their sums.
  ExpectNear(run.First(Kernels()),
             {1 + 2 * -9.0F / 102, 1 + 2 * 29.0F / 140, 3 - 2 * 29.0F / 140, 3 + 2 * 9.0F / 102},
             1e-5F);
}

TEST_P(Resize2dTest, AntialiasTakesAllPixelsThatBecomeOne) {
  OperatorRun run(MakeResize2d());
  run.Input(Floats({1, 1, 4, 1}, {8, 8, 0, 0}))
      .With("size", Ints{1, 2})
      .With("interpolation", "bilinear")
      .With("antialias", 1);
  // A triangle over 4 pixels: 1/8, 3/8, 3/8, 1/8; the edge stands for the pixel before it too.
  ExpectNear(run.First(Kernels()), {7, 1}, 1e-5F);
}

TEST_P(Resize2dTest, CropsARegionAndFillsWhatIsOutside) {
  for (const std::string interpolation : {"nearest", "bilinear", "bicubic"}) {
    OperatorRun run = Row(5, interpolation);
    run.With("size", Ints{1, 3})
        .With("coordinates", "tf_crop_and_resize")
        .With("region", Reals{0, 0.5, 1, 1.5})
        .With("outside_value", -7.0);
    ExpectNear(run.First(Kernels()), {20, 40, -7}, 1e-5F);
    OperatorRun tall(MakeResize2d());
    tall.Input(Floats({1, 1, 4, 1}, {0, 10, 20, 30}))
        .With("size", Ints{3, 2})
        .With("interpolation", interpolation)
        .With("coordinates", "tf_crop_and_resize")
        .With("region", Reals{0, 1.0 / 3, 0, 4.0 / 3})
        .With("outside_value", -7.0);
    ExpectNear(tall.First(Kernels()), {10, -7, 10, -7, 10, -7}, 1e-5F);
  }
}

TEST(Resize2dRuleTest, RefusesRulesThatDoNotFit) {
  const auto status = [](const std::string& key, const Attribute& value) {
    OperatorRun run = Row(4, "bilinear");
    run.With("size", Ints{1, 2}).With(key, value);
    return run.InferStatus();
  };
  EXPECT_TRUE(status("factors", Reals{1, 0.6}).ok());
  EXPECT_EQ(status("factors", Reals{1, 0.75}).code(), kInvalid) << "makes 3";
  EXPECT_EQ(status("factors", Reals{1, 1e-30}).code(), kInvalid);
  EXPECT_EQ(status("factors", Reals{1, -1}).code(), kInvalid);
  EXPECT_EQ(status("factors", Reals{1}).code(), kInvalid);
  EXPECT_EQ(status("factors", Ints{1, 1}).code(), kInvalid);
  EXPECT_EQ(status("factors", Reals{1, std::nan("")}).code(), kInvalid);
  EXPECT_EQ(status("region", Reals{0, 0, 1}).code(), kInvalid);
  EXPECT_EQ(status("coordinates", "corners").code(), kInvalid);
  EXPECT_EQ(status("rounding", "up").code(), kInvalid);
  EXPECT_EQ(status("antialias", std::int64_t{2}).code(), kInvalid);
  OperatorRun huge = Row(4, "bicubic");
  huge.With("size", Ints{1, (1 << 20) + 1});
  EXPECT_EQ(huge.InferStatus().code(), absl::StatusCode::kUnimplemented);
}

TEST(Resize2dRuleTest, RefusesWhatDoesNotFit) {
  const auto input = [] { return Floats({1, 1, 1, 1}, {0}); };
  EXPECT_EQ(OperatorRun(MakeResize2d()).Input(input()).InferStatus().code(), kInvalid);
  OperatorRun huge(MakeResize2d());
  huge.Input(input()).With("size", Ints{INT32_MAX, INT32_MAX});
  EXPECT_EQ(huge.InferStatus().code(), kInvalid);
  OperatorRun area(MakeResize2d());
  area.Input(input()).With("scale", Ints{1, 1}).With("interpolation", "area");
  EXPECT_EQ(area.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
