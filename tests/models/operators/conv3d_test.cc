// SPDX-License-Identifier: Apache-2.0

#include "models/operators/conv3d.h"

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

// The sum as it is defined.
std::vector<float> Expected(const ConvCase& c, std::int64_t rows, const std::vector<float>& x,
                            const std::vector<float>& filter, const std::vector<float>& bias) {
  Ints out;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::int64_t extent = (c.filter[i] - 1) * c.dilations[i] + 1;
    out.push_back((c.size[i] + c.pads[i] + c.pads[i + 3] - extent) / c.strides[i] + 1);
  }
  const std::int64_t inputs = c.filter[3];
  const std::int64_t outputs = c.filter[4];
  std::vector<float> result;
  for (std::int64_t i = 0; i < rows * NumElements(out) * outputs; ++i) {
    const std::int64_t channel = i % outputs;
    std::int64_t rest = i / outputs;
    Ints place(3);
    for (std::size_t axis = 3; axis-- > 0; rest /= out[axis]) place[axis] = rest % out[axis];
    double sum = static_cast<double>(bias[static_cast<std::size_t>(channel)]);
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
      const float* from = x.data() + at * c.size[3] + channel / (outputs / c.groups) * inputs;
      const float* weight = filter.data() + tap * inputs * outputs + channel;
      for (std::int64_t k = 0; k < inputs; ++k) {
        sum += static_cast<double>(from[k]) * static_cast<double>(weight[k * outputs]);
      }
    }
    result.push_back(static_cast<float>(sum));
  }
  return result;
}

OperatorRun Conv(const ConvCase& c, std::int64_t rows, const std::vector<float>& x,
                 const std::vector<float>& filter, const std::vector<float>& bias) {
  OperatorRun run(MakeConv3d());
  run.Input(Floats({rows, c.size[0], c.size[1], c.size[2], c.size[3]}, x))
      .Constant(FloatConstant(c.filter, filter))
      .Absent()
      .Constant(FloatConstant({static_cast<std::int64_t>(bias.size())}, bias))
      .With("groups", c.groups)
      .With("strides", c.strides)
      .With("dilations", c.dilations)
      .With("padding", "explicit")
      .With("pads", c.pads);
  return run;
}

TEST_P(Conv3dTest, EverySumIsAsTheDefinitionSays) {
  constexpr std::int64_t kRowCount = 2;
  for (const ConvCase& c : Cases()) {
    const auto x = Noise(static_cast<std::size_t>(kRowCount * NumElements(c.size)), 3);
    const auto filter = Noise(static_cast<std::size_t>(NumElements(c.filter)), 4);
    const auto bias = Noise(static_cast<std::size_t>(c.filter[4]), 5);
    ExpectNear(Conv(c, kRowCount, x, filter, bias).First(Kernels()),
               Expected(c, kRowCount, x, filter, bias), 2e-6F);
  }
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
  OperatorRun open = Conv(plain, 1, std::vector<float>(16, 1), std::vector<float>(64, 1),
                          std::vector<float>(4, 0));
  EXPECT_EQ(open.Open(0, 2).InferStatus().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace octet
