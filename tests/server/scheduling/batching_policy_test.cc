// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/batching_policy.h"

#include "gtest/gtest.h"

#include "tests/support/fake_requests.h"
#include "tests/support/sequence_model.h"

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
  EXPECT_EQ(FitOf({.max_rows = 64}, *first.request, {.rows = 3}, *Make(5).request),
            BatchFit::kFits);
  EXPECT_EQ(FitOf({.max_rows = 64}, *first.request, {.rows = 3}, *Make(6).request),
            BatchFit::kNoRoom);
  EXPECT_EQ(FitOf({.max_rows = 7}, *first.request, {.rows = 3}, *Make(5).request),
            BatchFit::kNoRoom);
}

TEST_F(BatchingPolicyTest, AnotherExecutableNeverJoins) {
  const FakeRequest other(testing::TwiceModel(operators_), metrics_, {});
  EXPECT_EQ(FitOf({}, *Make(1).request, {.rows = 1}, *other.request), BatchFit::kOtherExecutable);
}

TEST_F(BatchingPolicyTest, OtherDimensionsBeyondRowsNeverJoin) {
  const FakeRequest longer(model_, metrics_, {.length = 4});
  EXPECT_EQ(FitOf({}, *Make(1).request, {.rows = 1}, *longer.request), BatchFit::kOtherShape);
}

// Of a model that reads its weights once for sequences of all lengths.
class SequenceFitTest : public ::testing::Test {
 protected:
  std::unique_ptr<InferenceRequest> Make(std::int64_t rows, std::int64_t length,
                                         std::int64_t paying_rows) const {
    auto request = std::move(
        FakeRequest(model_, metrics_, {.rows = rows, .length = length, .width = 2}).request);
    request->max_batch_rows = paying_rows;
    return request;
  }

  const OperatorRegistry operators_ = testing::SequenceOperators();
  const std::shared_ptr<const Executable> model_ =
      testing::SequenceModel(operators_, {.max_rows = 16});
  const std::shared_ptr<ModelMetrics> metrics_ =
      std::make_shared<ModelMetrics>(ModelMetrics::Labels{"m", "1", "fp32"}, 1);
};

struct SequenceFitCase {
  const char* what;
  std::int64_t paying_rows;   // of 64 positions each
  std::int64_t rows, length;  // of the first request
  std::int64_t other_rows, other_length;
  BatchFit fit;
};

TEST_F(SequenceFitTest, LengthsShareABatchUpToThePositionsThatPay) {
  ASSERT_TRUE(model_->takes_lengths());
  const SequenceFitCase cases[] = {
      {"another length", 1, 1, 7, 1, 12, BatchFit::kFits},
      {"the same", 1, 1, 7, 1, 7, BatchFit::kFits},
      {"as many positions as pay", 1, 1, 40, 1, 24, BatchFit::kFits},
      {"one more", 1, 1, 40, 1, 25, BatchFit::kNoRoom},
      {"short rows are more than pay of a typical length", 1, 8, 2, 8, 3, BatchFit::kFits},
      {"but no more than a run has", 1, 8, 2, 9, 3, BatchFit::kNoRoom},
      {"one that is longer than all that pay, alone", 1, 1, 90, 1, 1, BatchFit::kNoRoom},
      {"and behind others", 1, 1, 1, 1, 90, BatchFit::kNoRoom},
      {"more pay", 4, 1, 100, 1, 100, BatchFit::kFits},
      {"even of one length no more than pay", 4, 2, 100, 1, 100, BatchFit::kNoRoom},
      {"not measured: as many as a run has", 0, 1, 900, 1, 124, BatchFit::kFits},
      {"not measured, one more", 0, 1, 900, 1, 125, BatchFit::kNoRoom},
  };
  for (const SequenceFitCase& test : cases) {
    const auto first = Make(test.rows, test.length, test.paying_rows);
    const auto other = Make(test.other_rows, test.other_length, test.paying_rows);
    EXPECT_EQ(FitOf({}, *first, SizeOf(*first), *other), test.fit) << test.what;
  }
}

TEST_F(SequenceFitTest, AnOperatorsRowsAreALimit) {
  const ModelScheduling settings = {.max_batch_rows = 2};
  const auto first = Make(1, 5, 2);
  first->scheduling = &settings;
  EXPECT_EQ(MaxBatchSize({}, *first), (BatchSize{.rows = 2, .positions = 128}));
  EXPECT_EQ(FitOf({}, *first, {.rows = 1, .positions = 5}, *Make(1, 6, 2)), BatchFit::kFits);
  EXPECT_EQ(FitOf({}, *first, {.rows = 2, .positions = 10}, *Make(1, 6, 2)), BatchFit::kNoRoom);
}

TEST_F(SequenceFitTest, RowsLikeAnotherAreAsManyAsHaveThePositions) {
  EXPECT_EQ(MaxRowsLike({}, *Make(3, 32, 4)), 8);
  EXPECT_EQ(MaxRowsLike({}, *Make(1, 2, 4)), 16) << "of a run";
  EXPECT_EQ(MaxRowsLike({}, *Make(1, 1000, 4)), 1);
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
