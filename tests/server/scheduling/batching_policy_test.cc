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
  EXPECT_TRUE(TakesBatches(*model_));
  EXPECT_TRUE(FitsBatch({.max_rows = 64}, *first.request, 3, *Make(5).request));
  EXPECT_FALSE(FitsBatch({.max_rows = 64}, *first.request, 3, *Make(6).request));
  EXPECT_FALSE(FitsBatch({.max_rows = 7}, *first.request, 3, *Make(5).request));
}

TEST_F(BatchingPolicyTest, AnotherExecutableNeverJoins) {
  const FakeRequest other(testing::TwiceModel(operators_), metrics_, {});
  EXPECT_FALSE(FitsBatch({}, *Make(1).request, 1, *other.request));
}

TEST_F(BatchingPolicyTest, ModelWithoutLeadingRowsTakesNoBatches) {
  Graph graph;
  const ValueId x = graph.AddValue("x", testing::FloatType({3, Dim(kRows)}));
  graph.inputs = {x};
  graph.outputs = {testing::Append(graph, "Twice", {x}, "y")};
  const auto model = Executable::Compile(graph, operators_, testing::TinyKernels());
  // Either refused at compile time, or known not to batch.
  if (model.ok()) {
    EXPECT_FALSE(TakesBatches(**model));
  }
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

}  // namespace
}  // namespace octet
