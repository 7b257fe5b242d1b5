// SPDX-License-Identifier: Apache-2.0

#include "models/operators/slice.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class SliceTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(SliceTest);

using Ints = std::vector<std::int64_t>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::vector<float> Slice(const kernels::KernelSet& kernels, std::int64_t start, std::int64_t end,
                         std::int64_t step) {
  OperatorRun run(MakeSlice());
  run.Input(Floats({2, 5}, {0, 1, 2, 3, 4, 10, 11, 12, 13, 14}))
      .With("axes", Ints{1})
      .With("starts", Ints{start})
      .With("ends", Ints{end})
      .With("steps", Ints{step});
  return run.First(kernels);
}

TEST_P(SliceTest, CountsAsNumPy) {
  EXPECT_EQ(Slice(Kernels(), 1, 3, 1), (std::vector<float>{1, 2, 11, 12}));
  EXPECT_EQ(Slice(Kernels(), -2, 100, 1), (std::vector<float>{3, 4, 13, 14}));
  EXPECT_EQ(Slice(Kernels(), 0, 5, 2), (std::vector<float>{0, 2, 4, 10, 12, 14}));
  EXPECT_EQ(Slice(Kernels(), INT64_MAX, INT64_MIN, -2), (std::vector<float>{4, 2, 0, 14, 12, 10}));
  EXPECT_EQ(Slice(Kernels(), -1, 2, -1), (std::vector<float>{4, 3, 14, 13}));
  EXPECT_EQ(Slice(Kernels(), 3, 3, 1), (std::vector<float>{}));
}

// Of 5 elements whose number is open.
OperatorRun OpenSlice(std::int64_t start, std::int64_t end) {
  OperatorRun run(MakeSlice());
  run.Input(Floats({2, 5}, {0, 1, 2, 3, 4, 10, 11, 12, 13, 14}))
      .Open(0, 1)
      .With("axes", Ints{1})
      .With("starts", Ints{start})
      .With("ends", Ints{end})
      .With("steps", Ints{1});
  return run;
}

TEST_P(SliceTest, OpenDimensions) {
  constexpr std::int64_t kEnd = INT64_MAX;
  EXPECT_EQ(OpenSlice(0, 1).First(Kernels()), (std::vector<float>{0, 10}));
  EXPECT_EQ(OpenSlice(4, 5).First(Kernels()), (std::vector<float>{4, 14}));
  EXPECT_EQ(OpenSlice(-1, kEnd).First(Kernels()), (std::vector<float>{4, 14}));
  EXPECT_EQ(OpenSlice(-3, -1).First(Kernels()), (std::vector<float>{2, 3, 12, 13}));
  EXPECT_EQ(OpenSlice(3, kEnd).First(Kernels()), (std::vector<float>{3, 4, 13, 14}));
  EXPECT_EQ(OpenSlice(1, -2).First(Kernels()), (std::vector<float>{1, 2, 11, 12}));
  for (const auto& [start, end] :
       {std::pair{4, std::int64_t{6}}, {-6, kEnd}, {-6, -2}, {6, kEnd}}) {
    const absl::Status status = OpenSlice(start, end).Run(Kernels()).status();
    EXPECT_EQ(status.code(), kInvalid) << start << ":" << end;
    EXPECT_THAT(std::string(status.message()),
                ::testing::HasSubstr("has size 5, wants at least 6"));
  }
}

TEST(SliceRuleTest, AnOpenLengthThatTakesTwoBoundsIsNotKnown) {
  EXPECT_EQ(OpenSlice(-2, 3).InferStatus().code(), absl::StatusCode::kUnimplemented);
}

TEST(SliceRuleTest, RefusesWhatDoesNotFit) {
  const auto code = [](const Ints& axes, const Ints& starts, const Ints& steps) {
    OperatorRun run(MakeSlice());
    run.Input(Floats({1, 2}, {0, 1}))
        .With("axes", axes)
        .With("starts", starts)
        .With("ends", Ints{1})
        .With("steps", steps);
    return run.InferStatus().code();
  };
  EXPECT_EQ(code({1}, {0}, {1}), absl::StatusCode::kOk);
  EXPECT_EQ(code({0}, {0}, {1}), kInvalid);
  EXPECT_EQ(code({1}, {0, 0}, {1}), kInvalid);
  EXPECT_EQ(code({1}, {0}, {0}), kInvalid);
  EXPECT_EQ(code({1}, {0}, {INT64_MIN}), kInvalid);
}

// Where a slice of [rows, 5, s2, 3] begins, as "axis:start" for an s2 of 10; "" if it is no part
// along one axis.
std::string PartOf(Ints axes, Ints starts, Ints ends, Ints steps) {
  Node node{"node", "Slice", {0}, {1}, {}};
  node.attributes = {{"axes", axes}, {"starts", starts}, {"ends", ends}, {"steps", steps}};
  const Shape input = {Dim(kRows), 5, Dim(Symbol{2}), 3};
  const auto part = MakeSlice()->PartOfInput(node, input);
  if (!part.has_value()) return "";
  return std::to_string(part->axis) + ":" + std::to_string(part->start.Evaluate(Ints{1, 1, 10}));
}

TEST(SlicePartTest, IsAlongOneAxisAndWithoutSteps) {
  constexpr std::int64_t kEnd = INT64_MAX;
  EXPECT_EQ(PartOf({1}, {2}, {4}, {1}), "1:2");
  EXPECT_EQ(PartOf({1}, {-2}, {kEnd}, {1}), "1:3");
  EXPECT_EQ(PartOf({-1}, {1}, {2}, {7}), "3:1");  // one element
  EXPECT_EQ(PartOf({1}, {4}, {3}, {-1}), "1:4");
  EXPECT_EQ(PartOf({2}, {3}, {kEnd}, {1}), "2:3");
  EXPECT_EQ(PartOf({2}, {-3}, {-1}, {1}), "2:7");
  EXPECT_EQ(PartOf({1, 2, 3}, {0, 0, 1}, {5, kEnd, 3}, {1, 1, 1}), "3:1");
  EXPECT_EQ(PartOf({1}, {0}, {4}, {2}), "");
  EXPECT_EQ(PartOf({1}, {3}, {1}, {-1}), "");
  EXPECT_EQ(PartOf({1}, {3}, {3}, {1}), "");                   // nothing
  EXPECT_EQ(PartOf({1, 3}, {1, 1}, {2, 2}, {1, 1}), "");       // two axes
  EXPECT_EQ(PartOf({2}, {INT64_MAX}, {INT64_MIN}, {-1}), "");  // reversed
}

}  // namespace
}  // namespace octet
