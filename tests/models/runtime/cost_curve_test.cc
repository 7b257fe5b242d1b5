// SPDX-License-Identifier: Apache-2.0

#include "models/runtime/cost_curve.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/runtime/cost_curve_cache.h"
#include "tests/support/fake_requests.h"
#include "tests/support/small_bundle.h"

namespace octet {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

CostCurve Curve(std::initializer_list<int> us) {
  CostCurve curve;
  std::int64_t rows = 1;
  for (const int time : us) {
    curve.push_back({.rows = rows, .time = microseconds(time)});
    rows *= 2;
  }
  return curve;
}

TEST(PayingRowsTest, LargerBatchesPayAsLongAsARowGetsCheaper) {
  EXPECT_EQ(PayingRows({}), 1);
  // Weights from memory: any number of rows takes as long as reading them.
  EXPECT_EQ(PayingRows(Curve({1000, 1000, 1010, 1030, 1100, 1300, 2600})), 32);
  EXPECT_EQ(PayingRows(Curve({1000, 1000, 1010, 1030, 1050, 1100, 1200})), 64);
  // A convolution: each row has as much to do.
  EXPECT_EQ(PayingRows(Curve({100, 196, 390, 790})), 1);
  // Something for each batch, and a little for each row.
  EXPECT_EQ(PayingRows(Curve({30, 40, 60, 100, 180, 340, 660})), 32);
  // Next to nothing for a batch: the server's own work is more.
  EXPECT_EQ(PayingRows(Curve({1, 1, 2, 3, 7, 13, 26})), 64);
  // Larger ones are worse: a row of 4 is cheapest.
  EXPECT_EQ(PayingRows(Curve({100, 120, 160, 480, 1200})), 4);
}

// A clock by which a run of any batch takes so long.
class CostCurveTest : public ::testing::Test {
 protected:
  MeasureCurveOptions Options(nanoseconds run) {
    return {.now = [this, run] { return now_ += run; }};
  }

  nanoseconds now_{0};
  const OperatorRegistry operators_ = testing::TinyOperators();
  const std::shared_ptr<const Executable> model_ = testing::TwiceModel(operators_);
};

TEST_F(CostCurveTest, BatchesOfPowersOfTwoAreMeasured) {
  const absl::StatusOr<CostCurve> curve = MeasureCostCurve(model_, Options(microseconds(10)));
  ASSERT_TRUE(curve.ok()) << curve.status();
  ASSERT_EQ(curve->size(), 7U);
  EXPECT_EQ(curve->front().rows, 1);
  EXPECT_EQ(curve->back().rows, 64);
  EXPECT_EQ(curve->back().time, microseconds(10));
  EXPECT_EQ(PayingRows(*curve), 64);
}

TEST_F(CostCurveTest, NoLongerBatchIsTriedAndTheBudgetIsKept) {
  MeasureCurveOptions options = Options(milliseconds(10));
  options.longest_batch = milliseconds(15);
  EXPECT_EQ(MeasureCostCurve(model_, options)->size(), 1U);
  options.longest_batch = milliseconds(250);
  options.budget = milliseconds(100);
  EXPECT_EQ(MeasureCostCurve(model_, options)->size(), 1U);
  EXPECT_LT(now_, milliseconds(400));
  options.budget = milliseconds(5);
  EXPECT_TRUE(absl::IsDeadlineExceeded(MeasureCostCurve(model_, options).status()));
}

TEST_F(CostCurveTest, WhoIsCalledAwayMeasuresNothing) {
  MeasureCurveOptions options = Options(microseconds(10));
  options.stops = [this] { return now_ > milliseconds(1); };
  EXPECT_TRUE(absl::IsCancelled(MeasureCostCurve(model_, options).status()));
}

const CostCurveKey kKey = {.cpu = "a CPU", .kernel_set = "avx2", .bundle_digest = "0a1b"};

TEST(CostCurveCacheTest, KeepsWhatIsAddedBesideWhatOthersAdd) {
  const testing::TemporaryDirectory folder;
  const std::string path = folder / "cost-curves.txt";
  const CostCurve curve = Curve({30, 40, 60});
  CostCurveCache first(path);
  CostCurveCache second(path);
  EXPECT_THAT(first.warning(), IsEmpty());
  EXPECT_EQ(first.Find(kKey), std::nullopt);
  ASSERT_TRUE(first.Add(kKey, curve).ok());
  CostCurveKey other = kKey;
  other.kernel_set = "reference";
  ASSERT_TRUE(second.Add(other, Curve({1})).ok());
  const CostCurveCache all(path);
  EXPECT_EQ(all.Find(kKey), curve);
  EXPECT_EQ(all.Find(other), Curve({1}));
}

TEST(CostCurveCacheTest, WithoutAFileItKeepsForItself) {
  CostCurveCache cache;
  ASSERT_TRUE(cache.Add(kKey, Curve({5})).ok());
  EXPECT_EQ(cache.Find(kKey), Curve({5}));
}

TEST(CostCurveCacheTest, WhatCannotBeUsedIsLeftOutWithAWarning) {
  const std::string good = SerializeCostCurves({{kKey, Curve({30, 40})}});
  EXPECT_THAT(ParseCostCurves(good).warning, IsEmpty());
  EXPECT_EQ(ParseCostCurves(good).curves.at(kKey), Curve({30, 40}));
  for (const char* const line :
       {"cpu\tavx2\t00", "cpu\tavx2\t00\t", "cpu\tavx2\t00\t1=2,1=3", "cpu\tavx2\t00\t2=5,1=3",
        "cpu\tavx2\t00\t0=5", "cpu\tavx2\t00\t1=-5", "cpu\tavx2\t00\t1=nan",
        "cpu\tavx2\t00\t1=1e300", "cpu\tavx2\t00\t99999999999=5", "\tavx2\t00\t1=5",
        "cpu\tavx2\t00\t1=5\tmore", "\x01\tavx2\t00\t1=5"}) {
    const StoredCostCurves stored = ParseCostCurves(good + line + "\n");
    EXPECT_EQ(stored.curves.size(), 1U) << line;
    EXPECT_THAT(stored.warning, HasSubstr("line 3")) << line;
  }
  EXPECT_THAT(ParseCostCurves("something else\n").warning, HasSubstr("measure again"));
  EXPECT_THAT(ParseCostCurves("").warning, Not(IsEmpty()));
}

TEST(CostCurveCacheTest, AFileThatCannotBeReadOrWrittenIsNamed) {
  const testing::TemporaryDirectory folder;
  const std::string path = folder / "cost-curves.txt";
  std::filesystem::create_directory(path);
  CostCurveCache cache(path);
  EXPECT_THAT(cache.warning(), HasSubstr(path));
  const absl::Status status = cache.Add(kKey, Curve({5}));
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  EXPECT_EQ(cache.Find(kKey), Curve({5}));
}

}  // namespace
}  // namespace octet
