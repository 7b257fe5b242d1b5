// SPDX-License-Identifier: Apache-2.0

#include "models/operators/transpose.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class TransposeTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(TransposeTest);

using Ints = std::vector<std::int64_t>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(TransposeTest, PermutesEveryElementSize) {
  OperatorRun run(MakeTranspose());
  run.Input(Floats({1, 2, 3}, {1, 2, 3, 4, 5, 6})).With("permutation", Ints{0, 2, 1});
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  OperatorRun bytes(MakeTranspose());
  bytes.Input(Int8s({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), Quantization(1, 0))
      .With("permutation", Ints{0, 2, 1});
  EXPECT_EQ(bytes.First<std::int8_t>(Kernels()),
            (std::vector<std::int8_t>{1, 3, 2, 4, 5, 7, 6, 8}));
}

TEST(TransposeRuleTest, RefusesWhatDoesNotFit) {
  for (const Ints& permutation : {Ints{1, 0}, Ints{0, 0}, Ints{0}, Ints{0, 2}, Ints{0, -1}}) {
    OperatorRun run(MakeTranspose());
    run.Input(Floats({1, 2}, {1, 2})).With("permutation", permutation);
    EXPECT_EQ(run.InferStatus().code(), kInvalid) << ToString(permutation);
  }
}

}  // namespace
}  // namespace octet
