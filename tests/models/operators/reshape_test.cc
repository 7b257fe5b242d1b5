// SPDX-License-Identifier: Apache-2.0

#include "models/operators/reshape.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class ReshapeTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ReshapeTest);

using Ints = std::vector<std::int64_t>;

OperatorRun Reshape(const Ints& shape) {
  OperatorRun run(MakeReshape());
  run.With("shape", shape);
  return run;
}

TEST_P(ReshapeTest, KeepsTheBytesAndComputesTheOpenDimension) {
  const auto x = Noise(2 * 3 * 4, 1);
  for (const Ints& shape : {Ints{0, -1}, Ints{0, 12}, Ints{-1, 2, 6}, Ints{0, 4, 3}}) {
    EXPECT_EQ(Reshape(shape).Input(Floats({2, 3, 4}, x)).First(Kernels()), x);
  }
  EXPECT_EQ(Reshape({0, -1}).Input(Floats({2, 3, 4}, x)).FirstDims(Kernels()), (Dims{2, 12}));
  EXPECT_EQ(Reshape({-1, 2, 6}).Input(Floats({2, 3, 4}, x)).FirstDims(Kernels()), (Dims{2, 2, 6}));
  EXPECT_EQ(Reshape({0, 0, 2, 2}).Input(Floats({2, 3, 4}, x)).FirstDims(Kernels()),
            (Dims{2, 3, 2, 2}));
}

TEST_P(ReshapeTest, IdentityKeepsTypeAndQuantization) {
  OperatorRun run(MakeIdentity());
  run.Input(Int8s({2, 2}, {1, 2, 3, 4}), Quantization(0.5F, 1));
  EXPECT_EQ(run.First<std::int8_t>(Kernels()), (std::vector<std::int8_t>{1, 2, 3, 4}));
  EXPECT_EQ((*run.Infer())[0].quantization, Quantization(0.5F, 1));
}

TEST(ReshapeRuleTest, BothReinterpret) {
  EXPECT_TRUE(MakeReshape()->IsReinterpretation());
  EXPECT_TRUE(MakeIdentity()->IsReinterpretation());
}

TEST(ReshapeRuleTest, RefusesWhatDoesNotFit) {
  const std::vector<Ints> wrong = {{0, 5},
                                   {0, -1, -1},
                                   {0, -1, 5},
                                   {4, 3},
                                   {12, 0},
                                   {0, -2},
                                   {},
                                   {0, 0, 0, 0},
                                   {1, 1, 1, 1, 1, 1, 1, 1, 1},
                                   {0, INT64_MAX, INT64_MAX}};
  for (const Ints& shape : wrong) {
    EXPECT_EQ(Reshape(shape).Input(Floats({2, 6}, Noise(12, 1))).InferStatus().code(),
              absl::StatusCode::kInvalidArgument)
        << ToString(shape);
  }
}

}  // namespace
}  // namespace octet
