// SPDX-License-Identifier: Apache-2.0

#include "models/operators/conv2d.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;

class Conv2dTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(Conv2dTest);

using Ints = std::vector<std::int64_t>;

struct Layer {
  std::int64_t n = 2, h = 7, w = 6, c = 4;
  std::int64_t kh = 3, kw = 2, o = 6;
  Ints strides = {1, 1};
  Ints dilations = {1, 1};
  std::string padding = "valid";
  Ints pads = {};  // top, left, bottom, right of "explicit"
  std::int64_t groups = 1;

  struct Axis {
    std::int64_t before;
    std::int64_t out;
  };
  [[nodiscard]] Axis Extent(std::int64_t in, std::int64_t k, std::size_t i) const {
    const std::int64_t span = (k - 1) * dilations[i] + 1;
    if (padding == "same") {
      const std::int64_t out = (in + strides[i] - 1) / strides[i];
      const std::int64_t total = std::max<std::int64_t>((out - 1) * strides[i] + span - in, 0);
      return {total / 2, out};
    }
    const std::int64_t sum = pads.empty() ? 0 : pads[i] + pads[i + 2];
    return {pads.empty() ? 0 : pads[i], (in + sum - span) / strides[i] + 1};
  }
  // The sum over the window of (x - zero) * filter, in double: exact for integers.
  template <typename T, typename Filter>
  [[nodiscard]] std::vector<double> Sums(const std::vector<T>& x, const std::vector<Filter>& filter,
                                         double zero) const {
    const Axis rows = Extent(h, kh, 0);
    const Axis columns = Extent(w, kw, 1);
    const std::int64_t in_group = c / groups;
    const std::int64_t out_group = o / groups;
    std::vector<double> sums;
    for (std::int64_t image = 0; image < n; ++image) {
      for (std::int64_t oh = 0; oh < rows.out; ++oh) {
        for (std::int64_t ow = 0; ow < columns.out; ++ow) {
          for (std::int64_t oc = 0; oc < o; ++oc) {
            double sum = 0;
            for (std::int64_t i = 0; i < kh; ++i) {
              for (std::int64_t j = 0; j < kw; ++j) {
                const std::int64_t y = oh * strides[0] + i * dilations[0] - rows.before;
                const std::int64_t z = ow * strides[1] + j * dilations[1] - columns.before;
                if (y < 0 || y >= h || z < 0 || z >= w) continue;
                for (std::int64_t p = 0; p < in_group; ++p) {
                  const std::int64_t channel = oc / out_group * in_group + p;
                  const auto at = static_cast<std::size_t>(((image * h + y) * w + z) * c + channel);
                  const auto f = static_cast<std::size_t>(((i * kw + j) * in_group + p) * o + oc);
                  sum += (static_cast<double>(x[at]) - zero) * static_cast<double>(filter[f]);
                }
              }
            }
            sums.push_back(sum);
          }
        }
      }
    }
    return sums;
  }
  [[nodiscard]] std::size_t InSize() const { return static_cast<std::size_t>(n * h * w * c); }
  [[nodiscard]] std::size_t FilterSize() const {
    return static_cast<std::size_t>(kh * kw * c / groups * o);
  }
  void SetAttributes(OperatorRun& run, bool has_groups) const {
    run.With("strides", strides).With("dilations", dilations).With("padding", padding);
    if (!pads.empty()) run.With("pads", pads);
    if (has_groups) run.With("groups", groups);
  }
  // Depthwise where every channel is a group.
  [[nodiscard]] bool IsDepthwise() const { return groups == c; }
  [[nodiscard]] Dims FilterDims() const {
    return IsDepthwise() ? Dims{kh, kw, c, o / c} : Dims{kh, kw, c / groups, o};
  }
  [[nodiscard]] OperatorRun Node() const {
    return OperatorRun(IsDepthwise() ? MakeDepthwiseConv2d() : MakeConv2d());
  }
};

std::vector<Layer> Layers() {
  return {
      {},
      {.padding = "same"},
      {.strides = {2, 3}, .padding = "same"},
      {.dilations = {2, 2}, .padding = "same"},
      {.strides = {2, 1}, .padding = "explicit", .pads = {1, 0, 2, 1}},
      {.kh = 1, .kw = 1},
      {.padding = "same", .groups = 2},
      {.o = 4, .padding = "same", .groups = 4},
      {.o = 8, .strides = {2, 2}, .groups = 4},
  };
}

TEST_P(Conv2dTest, FloatIsTheCrossCorrelation) {
  for (const Layer& layer : Layers()) {
    const auto x = Noise(layer.InSize(), 1);
    const auto filter = Noise(layer.FilterSize(), 2);
    const auto bias = Noise(static_cast<std::size_t>(layer.o), 3);
    std::vector<float> want;
    for (const double sum : layer.Sums(x, filter, 0)) {
      const double y = sum + static_cast<double>(bias[want.size() % bias.size()]);
      want.push_back(static_cast<float>(std::max(y, 0.0)));
    }
    auto run = layer.Node();
    run.Input(Floats({layer.n, layer.h, layer.w, layer.c}, x))
        .Constant(FloatConstant(layer.FilterDims(), filter))
        .Absent()
        .Constant(FloatConstant({layer.o}, bias))
        .With("activation", "relu");
    layer.SetAttributes(run, !layer.IsDepthwise());
    ExpectNear(run.First(Kernels()), want, 2e-6F);
  }
}

TEST_P(Conv2dTest, StaticInt8IsExact) {
  for (const Layer& layer : Layers()) {
    const auto x = Int8Noise(layer.InSize(), 1);
    const auto filter = Int8Noise(layer.FilterSize(), 2);
    std::vector<float> scale;
    std::vector<std::int32_t> bias;
    for (std::int64_t i = 0; i < layer.o; ++i) {
      scale.push_back(0.01F + 0.001F * static_cast<float>(i));
      bias.push_back(static_cast<std::int32_t>(i * 50 - 100));
    }
    auto run = layer.Node();
    run.Input(Int8s({layer.n, layer.h, layer.w, layer.c}, x), Quantization(0.05F, 4))
        .Constant(ConstantTensor::Copy(DataType::kInt8, layer.FilterDims(), filter))
        .Constant(FloatConstant({layer.o}, scale))
        .Constant(ConstantTensor::Copy(DataType::kInt32, {layer.o}, bias))
        .With("activation_quantization", "static")
        .With("scale_convention", "multiply")
        .With("output_scale", 0.5)
        .With("output_zero_point", std::int64_t{7});
    layer.SetAttributes(run, !layer.IsDepthwise());
    const auto y = run.First<std::int8_t>(Kernels());
    const auto sums = layer.Sums(x, filter, 4);
    ASSERT_EQ(y.size(), sums.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t channel = i % static_cast<std::size_t>(layer.o);
      const auto m = static_cast<float>(static_cast<double>(0.05F) *
                                        static_cast<double>(scale[channel]) / 0.5);
      const auto acc = static_cast<std::int32_t>(sums[i]) + bias[channel];
      const float q = std::nearbyint(static_cast<float>(acc) * m) + 7.0F;
      ASSERT_EQ(y[i], std::min(127.0F, std::max(-128.0F, q))) << "element " << i;
    }
  }
}

TEST_P(Conv2dTest, StaticInt16IsExact) {
  for (const Layer& layer : Layers()) {
    const auto x = Int16Noise(layer.InSize(), 1);
    const auto filter = Int8Noise(layer.FilterSize(), 2);
    std::vector<float> scale;
    std::vector<std::int64_t> bias;
    for (std::int64_t i = 0; i < layer.o; ++i) {
      scale.push_back(0.01F + 0.001F * static_cast<float>(i));
      bias.push_back(i * 50000 - 100000);
    }
    auto run = layer.Node();
    run.Input(Int16s({layer.n, layer.h, layer.w, layer.c}, x), Quantization(0.001F, 0))
        .Constant(ConstantTensor::Copy(DataType::kInt8, layer.FilterDims(), filter))
        .Constant(FloatConstant({layer.o}, scale))
        .Constant(ConstantTensor::Copy(DataType::kInt64, {layer.o}, bias))
        .With("activation_quantization", "static")
        .With("scale_convention", "multiply")
        .With("activation", "relu")
        .With("output_scale", 0.03125);
    layer.SetAttributes(run, !layer.IsDepthwise());
    const auto y = run.First<std::int16_t>(Kernels());
    const auto sums = layer.Sums(x, filter, 0);
    ASSERT_EQ(y.size(), sums.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t channel = i % static_cast<std::size_t>(layer.o);
      const auto m = static_cast<float>(static_cast<double>(0.001F) *
                                        static_cast<double>(scale[channel]) / 0.03125);
      const double q =
          std::nearbyint((sums[i] + static_cast<double>(bias[channel])) * static_cast<double>(m));
      ASSERT_EQ(y[i], std::min(32767.0, std::max(0.0, q))) << "element " << i;
    }
  }
}

// An integer filter with the scales and zero points of its channels, as constants and as numbers.
struct AsymmetricFilter {
  ConstantTensor filter;
  ConstantTensor scale;
  std::optional<ConstantTensor> zero_point;
  std::vector<std::int32_t> difference;  // filter - zero point
  std::vector<float> scale_of;           // by channel

  void AppendTo(OperatorRun& run, std::optional<ConstantTensor> bias) const {
    run.Constant(filter).Constant(scale);
    if (bias.has_value()) {
      run.Constant(*bias);
    } else {
      run.Absent();
    }
    if (zero_point.has_value()) run.Constant(*zero_point);
  }
};

// For all of a tensor or by channel, of either type, and without a zero point.
std::vector<AsymmetricFilter> AsymmetricFilters(const Layer& layer) {
  const auto channels = static_cast<std::size_t>(layer.o);
  std::vector<AsymmetricFilter> forms;
  const auto add = [&](DataType type, auto values, auto zero_point, std::size_t num_scales) {
    AsymmetricFilter form;
    form.filter = ConstantTensor::Copy(type, layer.FilterDims(), values);
    std::vector<float> scale;
    for (std::size_t i = 0; i < num_scales; ++i) {
      scale.push_back(0.01F + 0.001F * static_cast<float>(i));
    }
    form.scale = FloatConstant({static_cast<std::int64_t>(num_scales)}, scale);
    for (std::size_t i = 0; i < channels; ++i) form.scale_of.push_back(scale[i % num_scales]);
    const auto num_zero_points = static_cast<std::int64_t>(zero_point.size());
    if (num_zero_points != 0) {
      form.zero_point = ConstantTensor::Copy(type, {num_zero_points}, zero_point);
    } else {
      zero_point = {0};
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      form.difference.push_back(values[i] - zero_point[i % channels % zero_point.size()]);
    }
    forms.push_back(std::move(form));
  };
  const auto bytes = Uint8Noise(layer.FilterSize(), 2);
  using Uint8s = std::vector<std::uint8_t>;
  for (const std::uint8_t zero_point : Uint8s{0, 121, 128, 255}) {
    add(DataType::kUint8, bytes, Uint8s{zero_point}, 1);
  }
  add(DataType::kUint8, bytes, Uint8s{}, channels);
  add(DataType::kUint8, bytes, Uint8Noise(channels, 5), channels);
  add(DataType::kInt8, Int8Noise(layer.FilterSize(), 2), Int8Noise(channels, 6), channels);
  add(DataType::kInt8, Int8Noise(layer.FilterSize(), 2), std::vector<std::int8_t>{-128}, 1);
  return forms;
}

// A layer of TensorFlow Lite's uint8 models: int8 with 128 subtracted from values and zero points.
TEST_P(Conv2dTest, StaticFiltersWithZeroPointsAreExact) {
  for (const Layer& layer : Layers()) {
    const auto x = Uint8Noise(layer.InSize(), 1);
    std::vector<std::int32_t> bias;
    for (std::int64_t i = 0; i < layer.o; ++i) {
      bias.push_back(static_cast<std::int32_t>(i * 50 - 100));
    }
    std::vector<std::int8_t> shifted;
    for (const std::uint8_t q : x) shifted.push_back(static_cast<std::int8_t>(q - 128));
    for (const AsymmetricFilter& form : AsymmetricFilters(layer)) {
      auto run = layer.Node();
      run.Input(Int8s({layer.n, layer.h, layer.w, layer.c}, shifted),
                Quantization(0.05F, 132 - 128));
      form.AppendTo(run, ConstantTensor::Copy(DataType::kInt32, {layer.o}, bias));
      run.With("activation_quantization", "static")
          .With("scale_convention", "multiply")
          .With("output_scale", 2.0)
          .With("output_zero_point", std::int64_t{135 - 128});
      layer.SetAttributes(run, !layer.IsDepthwise());
      const auto y = run.First<std::int8_t>(Kernels());
      const std::vector<std::int32_t> integers(x.begin(), x.end());
      const auto sums = layer.Sums(integers, form.difference, 132);
      ASSERT_EQ(y.size(), sums.size());
      for (std::size_t i = 0; i < y.size(); ++i) {
        const std::size_t channel = i % static_cast<std::size_t>(layer.o);
        const auto m = static_cast<float>(static_cast<double>(0.05F) *
                                          static_cast<double>(form.scale_of[channel]) / 2.0);
        const auto acc = static_cast<std::int32_t>(sums[i]) + bias[channel];
        const float q = std::nearbyint(static_cast<float>(acc) * m) + 135.0F;
        ASSERT_EQ(y[i] + 128, std::min(255.0F, std::max(0.0F, q))) << "element " << i;
      }
    }
  }
}

TEST_P(Conv2dTest, FloatImagesTakeFiltersWithZeroPoints) {
  for (const Layer& layer : Layers()) {
    const auto x = Noise(layer.InSize(), 1);
    for (const AsymmetricFilter& form : AsymmetricFilters(layer)) {
      std::vector<float> real;
      for (std::size_t i = 0; i < form.difference.size(); ++i) {
        real.push_back(static_cast<float>(form.difference[i]) *
                       form.scale_of[i % form.scale_of.size()]);
      }
      std::vector<float> want;
      for (const double sum : layer.Sums(x, real, 0)) want.push_back(static_cast<float>(sum));
      for (const std::string quantization : {"none", "dynamic"}) {
        auto run = layer.Node();
        run.Input(Floats({layer.n, layer.h, layer.w, layer.c}, x));
        form.AppendTo(run, std::nullopt);
        run.With("activation_quantization", quantization).With("scale_convention", "multiply");
        layer.SetAttributes(run, !layer.IsDepthwise());
        ExpectNear(run.First(Kernels()), want, quantization == "none" ? 2e-6F : 0.02F);
      }
    }
  }
}

TEST_P(Conv2dTest, DynamicInt8HasOneScaleAnImage) {
  for (const Layer& layer : Layers()) {
    auto x = Noise(layer.InSize(), 1);
    for (std::size_t i = 0; i < x.size() / 2; ++i) x[i] *= 10.0F;  // the first image
    const auto filter = Int8Noise(layer.FilterSize(), 2);
    const std::vector<float> scale(static_cast<std::size_t>(layer.o), 64.0F);
    std::vector<std::int8_t> q;
    std::vector<float> row_scale;
    const std::size_t image = x.size() / 2;
    for (std::size_t n = 0; n < 2; ++n) {
      float largest = 0;
      for (std::size_t i = 0; i < image; ++i) {
        largest = std::max(largest, std::abs(x[n * image + i]));
      }
      row_scale.push_back(127.0F / (largest + 1e-7F));
      for (std::size_t i = 0; i < image; ++i) {
        q.push_back(static_cast<std::int8_t>(std::nearbyint(x[n * image + i] * row_scale[n])));
      }
    }
    const auto sums = layer.Sums(q, filter, 0);
    std::vector<float> want;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      want.push_back(static_cast<float>(sums[i]) / (row_scale[i / (sums.size() / 2)] * 64.0F));
    }
    auto run = layer.Node();
    run.Input(Floats({layer.n, layer.h, layer.w, layer.c}, x))
        .Constant(ConstantTensor::Copy(DataType::kInt8, layer.FilterDims(), filter))
        .Constant(FloatConstant({layer.o}, scale))
        .With("activation_quantization", "dynamic");
    layer.SetAttributes(run, !layer.IsDepthwise());
    EXPECT_EQ(run.First(Kernels()), want);
  }
}

TEST_P(Conv2dTest, WeightOnlyInt8IsTheDequantizedFilter) {
  const Layer layer;
  const auto x = Noise(layer.InSize(), 1);
  const auto filter = Int8Noise(layer.FilterSize(), 2);
  std::vector<float> real;
  std::vector<float> scale;
  for (std::int64_t i = 0; i < layer.o; ++i) scale.push_back(20.0F + static_cast<float>(i));
  for (std::size_t i = 0; i < filter.size(); ++i) {
    real.push_back(static_cast<float>(filter[i]) / scale[i % scale.size()]);
  }
  std::vector<float> want;
  for (const double sum : layer.Sums(x, real, 0)) want.push_back(static_cast<float>(sum));
  auto run = layer.Node();
  run.Input(Floats({layer.n, layer.h, layer.w, layer.c}, x))
      .Constant(ConstantTensor::Copy(DataType::kInt8, layer.FilterDims(), filter))
      .Constant(FloatConstant({layer.o}, scale));
  ExpectNear(run.First(Kernels()), want, 2e-6F);
}

// Which axes of an image are open: the height, the width, both.
const std::vector<std::vector<std::size_t>>& OpenAxes() {
  static const std::vector<std::vector<std::size_t>> axes = {{1}, {2}, {1, 2}};
  return axes;
}

TEST_P(Conv2dTest, AnOpenSizeIsTheFixedOneToTheBit) {
  for (Layer layer : Layers()) {
    for (const std::int64_t size : {5, 6, 11, 40}) {
      layer.h = size;
      layer.w = size + 2;
      const auto filter = Noise(layer.FilterSize(), 2);
      const auto integers = Int8Noise(layer.FilterSize(), 3);
      const auto convolution = [&](bool is_dynamic) {
        auto run = layer.Node();
        run.Input(Floats({layer.n, layer.h, layer.w, layer.c}, Noise(layer.InSize(), 1)));
        layer.SetAttributes(run, !layer.IsDepthwise());
        if (!is_dynamic) {
          run.Constant(FloatConstant(layer.FilterDims(), filter));
          return run;
        }
        const std::vector<float> scale(static_cast<std::size_t>(layer.o), 64.0F);
        run.Constant(ConstantTensor::Copy(DataType::kInt8, layer.FilterDims(), integers))
            .Constant(FloatConstant({layer.o}, scale))
            .With("activation_quantization", "dynamic");
        return run;
      };
      for (const bool is_dynamic : {false, true}) {
        const auto want = convolution(is_dynamic).Run(Kernels());
        ASSERT_TRUE(want.ok()) << want.status();
        for (const auto& axes : OpenAxes()) {
          auto open = convolution(is_dynamic);
          for (const std::size_t axis : axes) open.Open(0, axis);
          const auto got = open.Run(Kernels());
          ASSERT_TRUE(got.ok()) << got.status();
          EXPECT_EQ((*got)[0].dims(), (*want)[0].dims());
          EXPECT_EQ(Elements<float>((*got)[0]), Elements<float>((*want)[0]));
        }
      }
    }
  }
}

TEST_P(Conv2dTest, AnOpenSizeIsExactInStaticInt8) {
  for (Layer layer : Layers()) {
    layer.h = 13;
    const auto convolution = [&] {
      auto run = layer.Node();
      run.Input(Int8s({layer.n, layer.h, layer.w, layer.c}, Int8Noise(layer.InSize(), 1)),
                Quantization(0.05F, 4))
          .Constant(ConstantTensor::Copy(DataType::kInt8, layer.FilterDims(),
                                         Int8Noise(layer.FilterSize(), 2)))
          .Constant(FloatConstant({layer.o},
                                  std::vector<float>(static_cast<std::size_t>(layer.o), 0.02F)))
          .With("activation_quantization", "static")
          .With("scale_convention", "multiply")
          .With("output_scale", 0.5)
          .With("output_zero_point", std::int64_t{7});
      layer.SetAttributes(run, !layer.IsDepthwise());
      return run;
    };
    auto open = convolution();
    open.Open(0, 1).Open(0, 2);
    EXPECT_EQ(open.First<std::int8_t>(Kernels()), convolution().First<std::int8_t>(Kernels()));
  }
}

TEST_P(Conv2dTest, AnOpenSizeThatIsTooSmallIsRefusedWhenItComes) {
  for (const std::int64_t height : {1, 2, 4}) {
    OperatorRun run(MakeConv2d());
    run.Input(Floats({1, height, 4, 2}, Noise(static_cast<std::size_t>(height) * 8, 1)))
        .Constant(FloatConstant({3, 3, 2, 2}, Noise(36, 2)))
        .With("strides", Ints{4, 1})
        .With("dilations", Ints{2, 1})
        .Open(0, 1);
    EXPECT_EQ(run.InferStatus(), absl::OkStatus());
    const auto outputs = run.Run(Kernels());
    EXPECT_EQ(outputs.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(
        outputs.status().message(),
        absl::StrCat("a kernel of 3 with dilation 2 spans 5, which does not fit into ", height));
  }
}

TEST(Conv2dRuleTest, AnOpenSizeIsAFunctionOfTheInputs) {
  const auto out_height = [](const std::string& padding, std::int64_t stride) {
    OperatorRun run(MakeConv2d());
    run.Input(Floats({1, 8, 8, 2}, Noise(128, 1)))
        .Constant(FloatConstant({3, 3, 2, 2}, Noise(36, 2)))
        .With("strides", Ints{stride, 1})
        .With("padding", padding)
        .Open(0, 1);
    return run.Infer().value()[0].shape[1];
  };
  const Dim height(Symbol{1});
  EXPECT_EQ(out_height("same", 1), height);
  EXPECT_EQ(out_height("same", 2), height.Plus(1).value().FloorDividedBy(2).value());
  EXPECT_EQ(out_height("valid", 1), height.Plus(-2).value());
  EXPECT_EQ(out_height("valid", 2), height.Plus(-1).value().FloorDividedBy(2).value());
}

TEST(Conv2dRuleTest, RefusesRowsAsASize) {
  OperatorRun run(MakeConv2d());
  run.Input(Floats({4, 4, 4, 2}, Noise(128, 1)))
      .Constant(FloatConstant({3, 3, 2, 2}, Noise(36, 2)))
      .OpenAs(0, 1, kRows);
  EXPECT_EQ(run.InferStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Conv2dRuleTest, RefusesZeroPointsThatDoNotFit) {
  const auto message = [](const ConstantTensor& filter, bool has_scale,
                          const ConstantTensor& zero_point) {
    OperatorRun run(MakeConv2d());
    run.Input(Floats({1, 4, 4, 2}, Noise(32, 1))).Constant(filter);
    if (has_scale) {
      run.Constant(FloatConstant({3}, {1, 1, 1}));
    } else {
      run.Absent();
    }
    run.Absent().Constant(zero_point);
    EXPECT_EQ(run.InferStatus().code(), absl::StatusCode::kInvalidArgument);
    return std::string(run.InferStatus().message());
  };
  const auto int8 = ConstantTensor::Copy(DataType::kInt8, {1, 1, 2, 3}, Int8Noise(6, 1));
  const auto uint8 = ConstantTensor::Copy(DataType::kUint8, {1, 1, 2, 3}, Uint8Noise(6, 1));
  const auto zero_points = [](DataType type, Dims dims, std::uint8_t value) {
    return ConstantTensor::Copy(
        type, dims, std::vector<std::uint8_t>(static_cast<std::size_t>(NumElements(dims)), value));
  };
  EXPECT_THAT(message(int8, true, FloatConstant({3}, {0, 0, 0})),
              HasSubstr("\"filter_zero_point\" is FP32, wants INT8 or UINT8"));
  EXPECT_THAT(message(int8, true, zero_points(DataType::kInt8, {2}, 0)),
              HasSubstr("\"filter_zero_point\" is INT8[2], wants INT8[3]"));
  EXPECT_THAT(message(int8, true, zero_points(DataType::kInt8, {1, 3}, 0)),
              HasSubstr("is INT8[1, 3]"));
  EXPECT_THAT(message(int8, true, zero_points(DataType::kUint8, {3}, 128)),
              HasSubstr("\"filter_zero_point\" holds 128 for INT8 weights, wants -128 to 127"));
  EXPECT_THAT(message(uint8, true, zero_points(DataType::kInt8, {1}, 255)),
              HasSubstr("\"filter_zero_point\" holds -1 for UINT8 weights, wants 0 to 255"));
  EXPECT_THAT(message(uint8, false, zero_points(DataType::kUint8, {1}, 3)),
              HasSubstr("an integer filter without a \"filter_scale\""));
  EXPECT_THAT(message(FloatConstant({1, 1, 2, 3}, Noise(6, 1)), false,
                      zero_points(DataType::kUint8, {1}, 3)),
              HasSubstr("a float32 filter with a \"filter_zero_point\""));
  OperatorRun activation(MakeConv2d());
  activation.Input(Floats({1, 4, 4, 2}, Noise(32, 1)))
      .Constant(int8)
      .Constant(FloatConstant({1}, {1}))
      .Absent()
      .Input(Int8s({3}, {1, 2, 3}));
  EXPECT_THAT(std::string(activation.InferStatus().message()), HasSubstr("is no constant"));
}

TEST(Conv2dRuleTest, RefusesWhatDoesNotFit) {
  const auto with = [](const std::string& key, Attribute value, Dims filter) {
    OperatorRun run(MakeConv2d());
    run.Input(Floats({1, 4, 4, 2}, Noise(32, 1)))
        .Constant(FloatConstant(filter, Noise(static_cast<std::size_t>(NumElements(filter)), 2)))
        .With(key, std::move(value));
    return run.InferStatus().code();
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(with("padding", "valid", {3, 3, 2, 2}), absl::StatusCode::kOk);
  EXPECT_EQ(with("padding", "some", {3, 3, 2, 2}), kInvalid);
  EXPECT_EQ(with("padding", "valid", {5, 3, 2, 2}), kInvalid);
  EXPECT_EQ(with("padding", "valid", {3, 3, 3, 2}), kInvalid);
  EXPECT_EQ(with("strides", Ints{0, 1}, {3, 3, 2, 2}), kInvalid);
  EXPECT_EQ(with("strides", Ints{1}, {3, 3, 2, 2}), kInvalid);
  EXPECT_EQ(with("dilations", Ints{INT64_MAX, 1}, {3, 3, 2, 2}), kInvalid);
  EXPECT_EQ(with("dilations", Ints{INT32_MAX, 1}, {3, 3, 2, 2}), kInvalid);
  EXPECT_EQ(with("groups", std::int64_t{3}, {3, 3, 2, 3}), kInvalid);
  EXPECT_EQ(with("groups", std::int64_t{0}, {3, 3, 2, 2}), kInvalid);
  EXPECT_EQ(with("activation_quantization", "dynamic", {3, 3, 2, 2}),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace octet
