// SPDX-License-Identifier: Apache-2.0

#include "models/operators/pool3d.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class Pool3dTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(Pool3dTest);

using Ints = std::vector<std::int64_t>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

struct PoolCase {
  Ints size;       // depth, height, width and channels
  Ints pool_size;  // and the following: depth, height and width
  Ints strides = {1, 1, 1};
  Ints dilations = {1, 1, 1};
  Ints pads = {0, 0, 0, 0, 0, 0};  // those before, those behind
};

const std::vector<PoolCase>& Cases() {
  static const std::vector<PoolCase> cases = {
      {.size = {4, 5, 6, 3}, .pool_size = {2, 2, 2}},
      {.size = {4, 5, 6, 3}, .pool_size = {2, 3, 1}, .strides = {2, 1, 3}},
      {.size = {1, 5, 6, 2}, .pool_size = {1, 3, 2}, .strides = {1, 2, 2}},
      {.size = {5, 5, 5, 1},
       .pool_size = {3, 3, 3},
       .strides = {2, 2, 2},
       .pads = {1, 2, 0, 2, 1, 1}},
      {.size = {6, 7, 8, 4}, .pool_size = {2, 3, 2}, .dilations = {3, 2, 4}},
      {.size = {3, 4, 4, 2},
       .pool_size = {2, 2, 2},
       .dilations = {2, 1, 3},
       .pads = {1, 0, 2, 0, 1, 1}},
      {.size = {2, 1, 3, 17}, .pool_size = {3, 1, 4}, .pads = {2, 0, 3, 2, 0, 3}},
      {.size = {2, 3, 4, 5}, .pool_size = {1, 1, 1}},
      {.size = {4, 4, 4, 5}, .pool_size = {1, 1, 1}, .strides = {2, 3, 1}},
  };
  return cases;
}

// What a window at `place` of the result holds, as the definition says.
struct Wanted {
  Dims dims;
  std::vector<float> largest;
  std::vector<float> mean;
  std::vector<std::int64_t> row_major;
  std::vector<std::int64_t> column_major;
};

Wanted Expected(const PoolCase& c, std::int64_t rows, const std::vector<float>& x) {
  Wanted wanted;
  wanted.dims = {rows};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::int64_t extent = (c.pool_size[i] - 1) * c.dilations[i] + 1;
    wanted.dims.push_back((c.size[i] + c.pads[i] + c.pads[i + 3] - extent) / c.strides[i] + 1);
  }
  wanted.dims.push_back(c.size[3]);
  const std::int64_t channels = c.size[3];
  for (std::int64_t i = 0; i < NumElements(wanted.dims); ++i) {
    std::int64_t rest = i / channels;
    Ints place(3);
    for (std::size_t axis = 3; axis-- > 0; rest /= wanted.dims[axis + 1]) {
      place[axis] = rest % wanted.dims[axis + 1];
    }
    float largest = std::numeric_limits<float>::lowest();
    double sum = 0;
    std::int64_t count = 0;
    Ints best(3);
    for (std::int64_t tap = 0; tap < NumElements(c.pool_size); ++tap) {
      const Ints k = {tap / (c.pool_size[1] * c.pool_size[2]),
                      tap / c.pool_size[2] % c.pool_size[1], tap % c.pool_size[2]};
      Ints at(3);
      bool is_inside = true;
      for (std::size_t axis = 0; axis < 3; ++axis) {
        at[axis] = place[axis] * c.strides[axis] - c.pads[axis] + k[axis] * c.dilations[axis];
        is_inside = is_inside && at[axis] >= 0 && at[axis] < c.size[axis];
      }
      if (!is_inside) continue;
      const float value = x[static_cast<std::size_t>(
          (((rest * c.size[0] + at[0]) * c.size[1] + at[1]) * c.size[2] + at[2]) * channels +
          i % channels)];
      sum += static_cast<double>(value);
      ++count;
      if (value > largest) {
        largest = value;
        best = at;
      }
    }
    wanted.largest.push_back(largest);
    wanted.mean.push_back(static_cast<float>(sum / static_cast<double>(count)));
    const std::int64_t channel = i % channels * c.size[0] * c.size[1] * c.size[2];
    wanted.row_major.push_back(channel + (best[0] * c.size[1] + best[1]) * c.size[2] + best[2]);
    wanted.column_major.push_back(channel + (best[2] * c.size[1] + best[1]) * c.size[0] + best[0]);
  }
  return wanted;
}

OperatorRun Pool(std::unique_ptr<const Operator> op, const PoolCase& c, std::int64_t rows,
                 const std::vector<float>& x) {
  OperatorRun run(std::move(op));
  run.Input(Floats({rows, c.size[0], c.size[1], c.size[2], c.size[3]}, x))
      .With("pool_size", c.pool_size)
      .With("strides", c.strides)
      .With("dilations", c.dilations)
      .With("padding", "explicit")
      .With("pads", c.pads);
  return run;
}

TEST_P(Pool3dTest, EveryWindowIsAsTheDefinitionSays) {
  constexpr std::int64_t kRowCount = 2;
  for (const PoolCase& c : Cases()) {
    const auto x = Noise(static_cast<std::size_t>(kRowCount * NumElements(c.size)), 7);
    const Wanted wanted = Expected(c, kRowCount, x);
    EXPECT_EQ(Pool(MakeMaxPool3d(), c, kRowCount, x).FirstDims(Kernels()), wanted.dims);
    EXPECT_EQ(Pool(MakeMaxPool3d(), c, kRowCount, x).First(Kernels()), wanted.largest);
    ExpectNear(Pool(MakeAveragePool3d(), c, kRowCount, x).First(Kernels()), wanted.mean, 1e-6F);
    for (const bool is_row_major : {true, false}) {
      OperatorRun run = Pool(MakeMaxPool3d(), c, kRowCount, x);
      run.Outputs(2).With("position_order", is_row_major ? "row_major" : "column_major");
      const auto outputs = run.Run(Kernels());
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      EXPECT_EQ(Elements<float>((*outputs)[0]), wanted.largest);
      EXPECT_EQ(Elements<std::int64_t>((*outputs)[1]),
                is_row_major ? wanted.row_major : wanted.column_major);
    }
  }
}

TEST_P(Pool3dTest, MaximaOfInt8KeepTheQuantization) {
  for (const PoolCase& c : Cases()) {
    const auto integers = Int8Noise(static_cast<std::size_t>(NumElements(c.size)), 7);
    const std::vector<float> x(integers.begin(), integers.end());
    OperatorRun run(MakeMaxPool3d());
    run.Input(Int8s({1, c.size[0], c.size[1], c.size[2], c.size[3]}, integers),
              Quantization(0.5F, 3))
        .With("pool_size", c.pool_size)
        .With("strides", c.strides)
        .With("dilations", c.dilations)
        .With("padding", "explicit")
        .With("pads", c.pads);
    const auto types = run.Infer();
    ASSERT_TRUE(types.ok()) << types.status();
    EXPECT_EQ((*types)[0].quantization, Quantization(0.5F, 3));
    const auto got = run.First<std::int8_t>(Kernels());
    EXPECT_EQ(std::vector<float>(got.begin(), got.end()), Expected(c, 1, x).largest);
    EXPECT_EQ(run.Outputs(2).InferStatus().code(), kInvalid);
  }
}

TEST_P(Pool3dTest, OfEqualElementsTheFirstIsTheLargest) {
  const PoolCase c = {.size = {2, 2, 2, 1}, .pool_size = {2, 2, 2}};
  const auto outputs =
      Pool(MakeMaxPool3d(), c, 1, {1, 3, 3, 2, 3, 3, 1, 1}).Outputs(2).Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Elements<std::int64_t>((*outputs)[1]), (Ints{1}));
}

TEST_P(Pool3dTest, SamePutsWhatCannotBeHalvedBehind) {
  const auto pool = [](std::unique_ptr<const Operator> op) {
    OperatorRun run(std::move(op));
    run.Input(Floats({1, 1, 1, 3, 1}, {1, 2, 4}))
        .With("pool_size", Ints{1, 1, 2})
        .With("padding", "same");
    return run;
  };
  EXPECT_EQ(pool(MakeMaxPool3d()).First(Kernels()), (std::vector<float>{2, 4, 4}));
  EXPECT_EQ(pool(MakeAveragePool3d()).First(Kernels()), (std::vector<float>{1.5F, 3, 4}));
}

TEST_P(Pool3dTest, AMaximumOfNothingIsTheLowestNumber) {
  // Both elements under a window with gaps lie outside of the axis.
  const PoolCase c = {.size = {1, 1, 1, 1},
                      .pool_size = {1, 1, 2},
                      .dilations = {1, 1, 3},
                      .pads = {0, 0, 2, 0, 0, 2}};
  EXPECT_EQ(Pool(MakeMaxPool3d(), c, 1, {5}).First(Kernels()),
            (std::vector<float>(2, std::numeric_limits<float>::lowest())));
}

TEST(Pool3dRuleTest, RefusesWhatDoesNotFit) {
  const PoolCase plain = {.size = {2, 2, 2, 1}, .pool_size = {2, 2, 2}};
  const auto run = [&](auto change) {
    PoolCase changed = plain;
    change(changed);
    return Pool(MakeMaxPool3d(), changed, 1, std::vector<float>(8, 1)).InferStatus().code();
  };
  EXPECT_EQ(run([](PoolCase&) {}), absl::StatusCode::kOk);
  EXPECT_EQ(run([](PoolCase& c) { c.pool_size = {2, 2}; }), kInvalid);
  EXPECT_EQ(run([](PoolCase& c) { c.pool_size = {2, 2, 3}; }), kInvalid);
  EXPECT_EQ(run([](PoolCase& c) { c.pool_size = {2, 2, 0}; }), kInvalid);
  EXPECT_EQ(run([](PoolCase& c) { c.strides = {1, 0, 1}; }), kInvalid);
  EXPECT_EQ(run([](PoolCase& c) { c.dilations = {1, 1, 2}; }), kInvalid);
  EXPECT_EQ(run([](PoolCase& c) { c.pads = {0, 0, 0, 0}; }), kInvalid);
  EXPECT_EQ(run([](PoolCase& c) { c.pads = {0, 0, 2, 0, 0, 0}; }), kInvalid);
  EXPECT_EQ(run([](PoolCase& c) { c.pads = {0, 0, 0, 0, 2, 0}; }), kInvalid);
  // So many results that their number has no name.
  EXPECT_EQ(run([](PoolCase& c) {
              c.pool_size = Ints(3, 2147483647);
              c.pads = Ints(6, 2147483646);
            }),
            kInvalid);
  OperatorRun order = Pool(MakeMaxPool3d(), plain, 1, std::vector<float>(8, 1));
  EXPECT_EQ(order.Outputs(2).With("position_order", "random").InferStatus().code(), kInvalid);
  OperatorRun mean = Pool(MakeAveragePool3d(), plain, 1, std::vector<float>(8, 1));
  EXPECT_EQ(mean.Outputs(2).InferStatus().code(), kInvalid);
  OperatorRun image(MakeMaxPool3d());
  image.Input(Floats({1, 2, 2, 1}, std::vector<float>(4, 1))).With("pool_size", Ints{1, 1, 1});
  EXPECT_EQ(image.InferStatus().code(), kInvalid);
  OperatorRun open = Pool(MakeMaxPool3d(), plain, 1, std::vector<float>(8, 1));
  EXPECT_EQ(open.Open(0, 1).InferStatus().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace octet
