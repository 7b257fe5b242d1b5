// SPDX-License-Identifier: Apache-2.0

#include "models/operators/conv3d.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class Conv3dTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(Conv3dTest);

using Ints = std::vector<std::int64_t>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

struct ConvCase {
  Ints size;    // depth, height, width and channels
  Ints filter;  // [kd, kh, kw, C / groups, O]
  std::int64_t groups = 1;
  Ints strides = {1, 1, 1};
  Ints dilations = {1, 1, 1};
  Ints pads = {0, 0, 0, 0, 0, 0};
};

const std::vector<ConvCase>& Cases() {
  static const std::vector<ConvCase> cases = {
      {.size = {4, 5, 6, 3}, .filter = {2, 3, 2, 3, 5}},
      {.size = {4, 5, 6, 3}, .filter = {1, 3, 3, 3, 2}, .strides = {2, 1, 1}},
      {.size = {3, 4, 4, 2}, .filter = {1, 1, 1, 2, 3}, .pads = {1, 0, 0, 1, 0, 0}},
      {.size = {5, 6, 7, 4},
       .filter = {3, 3, 3, 4, 6},
       .strides = {2, 2, 1},
       .pads = {1, 1, 1, 1, 0, 2}},
      {.size = {6, 7, 8, 4},
       .filter = {2, 2, 3, 2, 6},
       .groups = 2,
       .dilations = {3, 2, 2},
       .pads = {2, 0, 1, 2, 1, 0}},
      {.size = {3, 5, 5, 6}, .filter = {3, 3, 3, 1, 12}, .groups = 6, .pads = {1, 1, 1, 1, 1, 1}},
      {.size = {2, 3, 3, 1}, .filter = {4, 1, 1, 1, 1}, .pads = {3, 0, 0, 3, 0, 0}},
      {.size = {2, 18, 18, 16}, .filter = {3, 3, 3, 16, 16}, .pads = {1, 1, 1, 1, 1, 1}},
  };
  return cases;
}

// The sums of products as they are defined, without the bias.
template <typename Sum, typename T>
std::vector<Sum> Sums(const ConvCase& c, std::int64_t rows, const std::vector<T>& x,
                      const std::vector<T>& filter) {
  Ints out;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::int64_t extent = (c.filter[i] - 1) * c.dilations[i] + 1;
    out.push_back((c.size[i] + c.pads[i] + c.pads[i + 3] - extent) / c.strides[i] + 1);
  }
  const std::int64_t inputs = c.filter[3];
  const std::int64_t outputs = c.filter[4];
  std::vector<Sum> result;
  for (std::int64_t i = 0; i < rows * NumElements(out) * outputs; ++i) {
    const std::int64_t channel = i % outputs;
    std::int64_t rest = i / outputs;
    Ints place(3);
    for (std::size_t axis = 3; axis-- > 0; rest /= out[axis]) place[axis] = rest % out[axis];
    Sum sum = 0;
    for (std::int64_t tap = 0; tap < c.filter[0] * c.filter[1] * c.filter[2]; ++tap) {
      const Ints taps = {tap / (c.filter[1] * c.filter[2]), tap / c.filter[2] % c.filter[1],
                         tap % c.filter[2]};
      std::int64_t at = rest;
      bool is_inside = true;
      for (std::size_t axis = 0; axis < 3; ++axis) {
        const std::int64_t position =
            place[axis] * c.strides[axis] - c.pads[axis] + taps[axis] * c.dilations[axis];
        is_inside = is_inside && position >= 0 && position < c.size[axis];
        at = at * c.size[axis] + position;
      }
      if (!is_inside) continue;
      const T* from = x.data() + at * c.size[3] + channel / (outputs / c.groups) * inputs;
      const T* weight = filter.data() + tap * inputs * outputs + channel;
      for (std::int64_t k = 0; k < inputs; ++k) {
        sum += static_cast<Sum>(from[k]) * static_cast<Sum>(weight[k * outputs]);
      }
    }
    result.push_back(sum);
  }
  return result;
}

std::vector<int> Less(const std::vector<std::int8_t>& values, int zero_point) {
  std::vector<int> result;
  for (const std::int8_t value : values) result.push_back(value - zero_point);
  return result;
}

OperatorRun WithWindow(OperatorRun run, const ConvCase& c) {
  run.With("groups", c.groups)
      .With("strides", c.strides)
      .With("dilations", c.dilations)
      .With("padding", "explicit")
      .With("pads", c.pads);
  return run;
}

Dims InputDims(const ConvCase& c, std::int64_t rows) {
  return {rows, c.size[0], c.size[1], c.size[2], c.size[3]};
}

OperatorRun Conv(const ConvCase& c, std::int64_t rows, const std::vector<float>& x,
                 const std::vector<float>& filter, const std::vector<float>& bias) {
  OperatorRun run(MakeConv3d());
  run.Input(Floats(InputDims(c, rows), x))
      .Constant(FloatConstant(c.filter, filter))
      .Absent()
      .Constant(FloatConstant({static_cast<std::int64_t>(bias.size())}, bias));
  return WithWindow(std::move(run), c);
}

TEST_P(Conv3dTest, EverySumIsAsTheDefinitionSays) {
  constexpr std::int64_t kRowCount = 2;
  for (const ConvCase& c : Cases()) {
    const auto x = Noise(static_cast<std::size_t>(kRowCount * NumElements(c.size)), 3);
    const auto filter = Noise(static_cast<std::size_t>(NumElements(c.filter)), 4);
    const auto bias = Noise(static_cast<std::size_t>(c.filter[4]), 5);
    std::vector<float> wanted;
    for (const double sum : Sums<double>(c, kRowCount, x, filter)) {
      wanted.push_back(static_cast<float>(sum) + bias[wanted.size() % bias.size()]);
    }
    ExpectNear(Conv(c, kRowCount, x, filter, bias).First(Kernels()), wanted, 2e-6F);
  }
}

// One scale for each output channel.
ConstantTensor Scales(const ConvCase& c) {
  std::vector<float> scales;
  for (std::int64_t i = 0; i < c.filter[4]; ++i) {
    scales.push_back(0.01F + 0.001F * static_cast<float>(i));
  }
  return FloatConstant({c.filter[4]}, scales);
}

TEST_P(Conv3dTest, StaticInt8IsExact) {
  constexpr int kZeroPoint = -9;
  for (const ConvCase& c : Cases()) {
    const auto x = Int8Noise(static_cast<std::size_t>(2 * NumElements(c.size)), 3);
    const auto filter = Int8Noise(static_cast<std::size_t>(NumElements(c.filter)), 4);
    std::vector<std::int32_t> bias;
    for (std::int32_t i = 0; i < c.filter[4]; ++i) bias.push_back(100 * i - 300);
    const ConstantTensor scales = Scales(c);
    const auto conv = [&] {
      OperatorRun run(MakeConv3d());
      run.Input(Int8s(InputDims(c, 2), x), Quantization(0.5F, kZeroPoint))
          .Constant(ConstantTensor::Copy(DataType::kInt8, c.filter, filter))
          .Constant(scales)
          .Constant(ConstantTensor::Copy(DataType::kInt32, {c.filter[4]}, bias))
          .With("activation_quantization", "static")
          .With("scale_convention", "multiply");
      return WithWindow(std::move(run), c);
    };
    std::vector<float> real;
    std::vector<std::int8_t> integers;
    for (const std::int64_t sum : Sums<std::int64_t>(c, 2, Less(x, kZeroPoint), Less(filter, 0))) {
      const std::size_t channel = real.size() % bias.size();
      const auto biased = static_cast<float>(sum + bias[channel]);
      const double product = 0.5 * static_cast<double>(scales.as<float>()[channel]);
      real.push_back(biased * static_cast<float>(product));
      const float stepped = std::nearbyint(biased * static_cast<float>(product / 2.0)) + 5.0F;
      integers.push_back(static_cast<std::int8_t>(std::clamp(stepped, -128.0F, 127.0F)));
    }
    EXPECT_EQ(conv().First(Kernels()), real);
    EXPECT_EQ(conv()
                  .With("output_scale", 2.0)
                  .With("output_zero_point", std::int64_t{5})
                  .First<std::int8_t>(Kernels()),
              integers);
  }
}

TEST_P(Conv3dTest, DynamicInt8QuantizesEachVolumeForItself) {
  for (const ConvCase& c : Cases()) {
    const auto size = static_cast<std::size_t>(NumElements(c.size));
    std::vector<float> x = Noise(2 * size, 3);
    for (std::size_t i = size; i < x.size(); ++i) x[i] *= 40.0F;
    const auto filter = Int8Noise(static_cast<std::size_t>(NumElements(c.filter)), 4);
    const auto bias = Noise(static_cast<std::size_t>(c.filter[4]), 5);
    const ConstantTensor scales = Scales(c);
    OperatorRun run(MakeConv3d());
    run.Input(Floats(InputDims(c, 2), x))
        .Constant(ConstantTensor::Copy(DataType::kInt8, c.filter, filter))
        .Constant(scales)
        .Constant(FloatConstant({c.filter[4]}, bias))
        .With("activation_quantization", "dynamic")
        .With("activation", "relu");
    std::vector<float> row_scale;
    std::vector<int> integers;
    for (std::size_t row = 0; row < 2; ++row) {
      float largest = 0;
      for (std::size_t i = 0; i < size; ++i)
        largest = std::max(largest, std::abs(x[row * size + i]));
      row_scale.push_back(127.0F / (largest + 1e-7F));
      for (std::size_t i = 0; i < size; ++i) {
        integers.push_back(static_cast<int>(std::nearbyint(x[row * size + i] * row_scale[row])));
      }
    }
    const auto sums = Sums<std::int64_t>(c, 2, integers, Less(filter, 0));
    std::vector<float> wanted;
    for (const std::int64_t sum : sums) {
      const std::size_t channel = wanted.size() % bias.size();
      const float scale = row_scale[wanted.size() / (sums.size() / 2)];
      wanted.push_back(std::max(
          static_cast<float>(sum) / (scale * scales.as<float>()[channel]) + bias[channel], 0.0F));
    }
    EXPECT_EQ(WithWindow(std::move(run), c).First(Kernels()), wanted);
  }
}

TEST_P(Conv3dTest, AnIntegerFilterAloneIsMultipliedOut) {
  const ConvCase& c = Cases()[4];
  const auto x = Noise(static_cast<std::size_t>(NumElements(c.size)), 3);
  const auto filter = Int8Noise(static_cast<std::size_t>(NumElements(c.filter)), 4);
  const ConstantTensor scales = Scales(c);
  std::vector<float> floats;
  for (const std::int8_t value : filter) {
    const float scale = scales.as<float>()[floats.size() % scales.as<float>().size()];
    floats.push_back(static_cast<float>(value) / scale);
  }
  OperatorRun run(MakeConv3d());
  run.Input(Floats(InputDims(c, 1), x))
      .Constant(ConstantTensor::Copy(DataType::kInt8, c.filter, filter))
      .Constant(scales);
  EXPECT_EQ(WithWindow(std::move(run), c).First(Kernels()),
            Conv(c, 1, x, floats, std::vector<float>(6, 0)).First(Kernels()));
}

TEST_P(Conv3dTest, NoBiasPaddingOfSameAndActivation) {
  OperatorRun run(MakeConv3d());
  run.Input(Floats({1, 2, 1, 1, 1}, {1, -2}))
      .Constant(FloatConstant({2, 1, 1, 1, 1}, {1, 10}))
      .With("padding", "same")
      .With("activation", "relu");
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{0, 0}));
  run.With("activation", "linear");
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{-19, -2}));
  OperatorRun softmax(MakeConv3d());
  softmax.Input(Floats({1, 1, 1, 1, 1}, {1}))
      .Constant(FloatConstant({1, 1, 1, 1, 2}, {3, 3}))
      .With("activation", "softmax");
  EXPECT_EQ(softmax.First(Kernels()), (std::vector<float>{0.5F, 0.5F}));
}

TEST(Conv3dRuleTest, RefusesWhatDoesNotFit) {
  const ConvCase plain = {.size = {2, 2, 2, 2}, .filter = {2, 2, 2, 2, 4}};
  const auto run = [&](auto change) {
    ConvCase changed = plain;
    change(changed);
    const auto filter =
        std::vector<float>(static_cast<std::size_t>(NumElements(changed.filter)), 1.0F);
    return Conv(changed, 1, std::vector<float>(16, 1), filter, std::vector<float>(4, 0))
        .InferStatus()
        .code();
  };
  EXPECT_EQ(run([](ConvCase&) {}), absl::StatusCode::kOk);
  EXPECT_EQ(run([](ConvCase& c) { c.filter = {2, 2, 2, 3, 4}; }), kInvalid);
  EXPECT_EQ(run([](ConvCase& c) { c.filter = {2, 2, 2, 4}; }), kInvalid);
  EXPECT_EQ(run([](ConvCase& c) { c.filter = {3, 2, 2, 2, 4}; }), kInvalid);
  EXPECT_EQ(run([](ConvCase& c) { c.filter = {2, 2, 2, 2, 5}; }), kInvalid);
  EXPECT_EQ(run([](ConvCase& c) { c.groups = 2; }), kInvalid);
  EXPECT_EQ(run([](ConvCase& c) { c.groups = 0; }), kInvalid);
  EXPECT_EQ(run([](ConvCase& c) { c.strides = {1, 1}; }), kInvalid);
  EXPECT_EQ(run([](ConvCase& c) { c.dilations = {2, 1, 1}; }), kInvalid);
  EXPECT_EQ(run([](ConvCase& c) { c.pads = {-1, 0, 0, 0, 0, 0}; }), kInvalid);
  OperatorRun int16(MakeConv3d());
  int16.Input(Int16s({1, 1, 1, 1, 1}, {1}), Quantization(1, 0))
      .Constant(ConstantTensor::Copy(DataType::kInt8, {1, 1, 1, 1, 1}, std::vector<std::int8_t>{1}))
      .Constant(FloatConstant({1}, {1}))
      .With("activation_quantization", "static");
  EXPECT_EQ(int16.InferStatus().code(), kInvalid);
  OperatorRun open = Conv(plain, 1, std::vector<float>(16, 1), std::vector<float>(64, 1),
                          std::vector<float>(4, 0));
  EXPECT_EQ(open.Open(0, 2).InferStatus().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace octet
