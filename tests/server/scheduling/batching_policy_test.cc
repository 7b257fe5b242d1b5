// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/batching_policy.h"

#include "gtest/gtest.h"

#include "tests/support/fake_requests.h"

namespace octet {
namespace {

using std::chrono::microseconds;
using testing::FakeRequest;

class BatchingPolicyTest : public ::testing::Test {
 protected:
  FakeRequest Make(std::int64_t rows) { return {model_, metrics_, {.rows = rows}}; }

  const OperatorRegistry operators_ = testing::TinyOperators();
  const std::shared_ptr<const Executable> model_ = testing::TwiceModel(operators_, 8);
  const std::shared_ptr<ModelMetrics> metrics_ =
      std::make_shared<ModelMetrics>(ModelMetrics::Labels{"m", "1", "fp32"}, 1);
};

TEST_F(BatchingPolicyTest, RowsShareABatchUpToTheSmallerLimit) {
  const FakeRequest first = Make(3);
  EXPECT_TRUE(model_->takes_batches());
  EXPECT_EQ(FitOf({.max_rows = 64}, *first.request, {.rows = 3}, *Make(5).request), BatchFit::kFits);
  EXPECT_EQ(FitOf({.max_rows = 64}, *first.request, {.rows = 3}, *Make(6).request), BatchFit::kNoRoom);
  EXPECT_EQ(FitOf({.max_rows = 7}, *first.request, {.rows = 3}, *Make(5).request), BatchFit::kNoRoom);
}

TEST_F(BatchingPolicyTest, AnotherExecutableNeverJoins) {
  const FakeRequest other(testing::TwiceModel(operators_), metrics_, {});
  EXPECT_EQ(FitOf({}, *Make(1).request, {.rows = 1}, *other.request), BatchFit::kOtherExecutable);
}

TEST_F(BatchingPolicyTest, OtherDimensionsBeyondRowsNeverJoin) {
  const FakeRequest longer(model_, metrics_, {.length = 4});
  EXPECT_EQ(FitOf({}, *Make(1).request, {.rows = 1}, *longer.request), BatchFit::kOtherShape);
}

TEST_F(BatchingPolicyTest, ModelWithoutLeadingRowsTakesNoBatches) {
  Graph graph;
  const ValueId x = graph.AddValue("x", testing::FloatType({3, Dim(kRows)}));
  graph.inputs = {x};
  graph.outputs = {testing::Append(graph, "Twice", {x}, "y")};
  const auto model = Executable::Compile(graph, operators_, testing::TinyKernels());
  // Either refused at compile time, or known not to batch.
  if (model.ok()) {
    EXPECT_FALSE((*model)->takes_batches());
  }
}

TEST_F(BatchingPolicyTest, ModelWithoutInputsTakesNoBatches) {
  const auto model = testing::ModelWithoutInputs(operators_);
  EXPECT_FALSE(model->takes_batches());
}

TEST_F(BatchingPolicyTest, WakesAnotherForWaitingWorkOrALongBatchOnly) {
  const BatchingPolicy policy = {.hand_over_above = microseconds(100)};
  const HandOverCase quick = {.idle_workers = 1, .expected = microseconds(20)};
  EXPECT_FALSE(WakesAnother(policy, quick));
  HandOverCase now = quick;
  now.expected = microseconds(200);
  EXPECT_TRUE(WakesAnother(policy, now));
  now.polled = true;
  EXPECT_FALSE(WakesAnother(policy, now));
  now.work_is_waiting = true;
  EXPECT_TRUE(WakesAnother(policy, now));
  now.idle_workers = 0;
  EXPECT_FALSE(WakesAnother(policy, now));
  now = quick;
  now.expected = microseconds(0);  // not known
  EXPECT_TRUE(WakesAnother(policy, now));
}

struct PartRowsCase {
  const char* what;
  SplitCase now;
  std::int64_t part_rows;
};

// 200 us at least for a batch, 50 us for a part, four parts for each worker.
TEST(PartRowsTest, CutsWhatIsLongEnoughForThoseWhoHaveTime) {
  constexpr std::size_t kMegabyte = 1'000'000;  // 100 us, as the policy counts
  const PartRowsCase cases[] = {
      {"a time that nobody knows", {64, 64, 0, microseconds(0), 1}, 64},
      {"a short batch", {64, 64, 0, microseconds(199), 1}, 64},
      {"four parts of 50 us", {64, 64, 0, microseconds(200), 1}, 16},
      {"no more than four parts a worker", {64, 64, 0, microseconds(10'000), 1}, 8},
      {"more for more workers", {64, 64, 0, microseconds(10'000), 3}, 4},
      {"rows are not cut", {3, 64, 0, microseconds(10'000), 1}, 1},
      {"one row", {1, 64, 0, microseconds(10'000), 1}, 1},
      {"parts are alike: 2, 2, 2, 2, 1", {9, 64, 0, microseconds(10'000), 1}, 2},
      {"nobody has time", {64, 64, 0, microseconds(10'000), 0}, 64},
      {"nobody has time, but the steps run twice anyway",
       {100, 64, 0, microseconds(10'000), 0},
       50},
      {"and ten times", {640, 64, 0, microseconds(10'000), 0}, 64},
      {"and ten times, but each is short", {640, 64, 0, microseconds(200), 0}, 160},
      {"weights that take longer to read than the rows",
       {64, 64, 4 * kMegabyte, microseconds(500), 1},
       64},
      {"weights that take an eighth of the time", {64, 64, kMegabyte, microseconds(800), 1}, 16},
      {"weights that are read for each run of the steps anyway",
       {256, 64, 100 * kMegabyte, microseconds(10'000), 1},
       64},
      {"many rows in little time", {1'000'000, 64, 0, microseconds(200), 3}, 250'000},
      {"many rows in much time", {1'000'000, 64, 0, microseconds(10'000'000), 3}, 64},
  };
  for (const PartRowsCase& test : cases) {
    EXPECT_EQ(PartRows({}, test.now), test.part_rows) << test.what;
  }
}

TEST(PartRowsTest, ThePolicyMayCutAnything) {
  const BatchingPolicy policy = {.split_above = {}, .min_part = {}};
  EXPECT_EQ(
      PartRows(
          policy,
          {.rows = 8, .max_rows = 64, .expected = std::chrono::nanoseconds(1), .idle_workers = 1}),
      1);
}

}  // namespace
}  // namespace octet
