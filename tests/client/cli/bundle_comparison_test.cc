// SPDX-License-Identifier: Apache-2.0
#include "client/cli/bundle_comparison.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "client/cli/npy.h"
#include "tests/support/small_bundle.h"

namespace octet::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TemporaryDirectory;

constexpr char kFloat[] = "models/zoo/repository/digits-fp32/1";
constexpr char kDynamic[] = "models/zoo/repository/digits-int8/1";
constexpr char kStatic[] = "models/zoo/repository/digits-int8-static/1";
constexpr char kOtherInputs[] = "models/zoo/repository/digits-mlp-fp32/1";
constexpr char kImages[] = "models/zoo/data/digits_test_images.npy";

CompareOptions Options(const std::vector<std::string>& bundles) {
  return {.bundles = bundles, .inputs = {kImages}, .duration = std::chrono::milliseconds(5)};
}

const LayerComparison* FindLayer(const BundleComparison& bundle, const std::string& layer) {
  const auto found = std::find_if(bundle.layers.begin(), bundle.layers.end(),
                                  [&](const LayerComparison& row) { return row.layer == layer; });
  return found == bundle.layers.end() ? nullptr : &*found;
}

TEST(BundleComparisonTest, EveryWeightedLayerOfTheDigitsIsCompared) {
  const auto result = CompareBundles(Options({kFloat, kDynamic, kStatic}));
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->bundles.size(), 3U);
  EXPECT_GT(result->num_rows, 32);
  EXPECT_EQ(result->num_layer_rows, 32);
  EXPECT_FALSE(result->bundles[0].difference.has_value());
  EXPECT_THAT(result->bundles[0].layers, IsEmpty());
  for (const BundleComparison& bundle : {result->bundles[1], result->bundles[2]}) {
    SCOPED_TRACE(bundle.bundle);
    EXPECT_GT(bundle.us_per_row, 0);
    ASSERT_TRUE(bundle.difference.has_value());
    EXPECT_GT(bundle.difference->sqnr_db, 10);
    EXPECT_GT(*bundle.agreement, 0.95);
    for (const char* const layer :
         {"conv1", "conv2", "depthwise", "pointwise", "dense1", "probabilities"}) {
      SCOPED_TRACE(layer);
      const LayerComparison* const row = FindLayer(bundle, layer);
      ASSERT_NE(row, nullptr);
      ASSERT_TRUE(row->difference.has_value());
      EXPECT_TRUE(std::isfinite(row->difference->sqnr_db));
      EXPECT_GT(row->difference->sqnr_db, 10);
      EXPECT_GT(row->difference->cosine, 0.9);
      EXPECT_GT(row->difference->max_abs_difference, 0);
      ASSERT_TRUE(row->first_us.has_value());
      EXPECT_GT(*row->first_us, 0);
      ASSERT_TRUE(row->us.has_value());
      EXPECT_GT(*row->us, 0);
    }
  }
}

TEST(BundleComparisonTest, AValueIsComparedWhateverNodeAndTypeItHas) {
  const auto result = CompareBundles(Options({kFloat, kStatic}));
  ASSERT_TRUE(result.ok()) << result.status();
  // In the float bundle on disk, relu1 is a node behind a batch normalization.
  const LayerComparison* const conv1 = FindLayer(result->bundles[1], "conv1");
  ASSERT_NE(conv1, nullptr);
  EXPECT_EQ(conv1->value, "relu1");
  EXPECT_EQ(conv1->op, "Conv2d");
  const LayerComparison* const quantize = FindLayer(result->bundles[1], "image/Quantize");
  ASSERT_NE(quantize, nullptr);
  EXPECT_FALSE(quantize->difference.has_value());
  EXPECT_FALSE(quantize->first_us.has_value());
  EXPECT_TRUE(quantize->us.has_value());
}

TEST(BundleComparisonTest, ABundleDoesNotDifferFromItself) {
  for (const char* const path : {kFloat, kStatic}) {
    const auto result = CompareBundles(Options({path, path}));
    ASSERT_TRUE(result.ok()) << result.status();
    const BundleComparison& same = result->bundles[1];
    EXPECT_EQ(*same.agreement, 1);
    EXPECT_TRUE(std::isinf(same.difference->sqnr_db));
    int num_compared = 0;
    for (const LayerComparison& row : same.layers) {
      SCOPED_TRACE(row.layer);
      if (!row.difference) continue;
      ++num_compared;
      EXPECT_TRUE(std::isinf(row.difference->sqnr_db));
      EXPECT_NEAR(row.difference->cosine, 1, 1e-6);
      EXPECT_EQ(row.difference->max_abs_difference, 0);
    }
    EXPECT_GE(num_compared, 9);
  }
}

TEST(BundleComparisonTest, FewerRowsThanLayersAreComparedOnAreAllTaken) {
  const TemporaryDirectory directory;
  CompareOptions options = Options({kFloat, kDynamic});
  options.inputs = {directory / "x.npy"};
  ASSERT_TRUE(WriteNpy(options.inputs[0], Tensor(DataType::kFloat32, {2, 64}).view()).ok());
  const auto result = CompareBundles(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->num_rows, 2);
  EXPECT_EQ(result->num_layer_rows, 2);
}

TEST(BundleComparisonTest, OtherInputsThanTheFirstsAreRefused) {
  const absl::Status status = CompareBundles(Options({kFloat, kOtherInputs})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr(kOtherInputs), HasSubstr("FP32[-1, 64]"),
            HasSubstr("wants the inputs of the first bundle: \"image\" FP32[-1, 8, 8, 1]")));
}

TEST(BundleComparisonTest, AMissingBundleIsNamed) {
  const absl::Status status = CompareBundles(Options({kFloat, "no/such/bundle"})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no/such/bundle"));
}

TEST(BundleComparisonTest, AnInputGivenTwiceIsRefused) {
  CompareOptions options = Options({kFloat, kDynamic});
  options.inputs.push_back(kImages);
  const absl::Status status = CompareBundles(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("input \"image\" is given twice"));
}

TEST(BundleComparisonTest, RowsThatDoNotFitAreRefusedWithTheBundle) {
  const TemporaryDirectory directory;
  CompareOptions options = Options({kFloat, kDynamic});
  options.inputs = {directory / "x.npy"};
  ASSERT_TRUE(WriteNpy(options.inputs[0], Tensor(DataType::kFloat32, {2, 5}).view()).ok());
  const absl::Status status = CompareBundles(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(kFloat), HasSubstr("[2, 5]")));
}

TEST(BundleComparisonTest, OneBundleOrNoLayerRowsAreRefused) {
  EXPECT_EQ(CompareBundles(Options({kFloat})).status().code(), absl::StatusCode::kInvalidArgument);
  CompareOptions options = Options({kFloat, kDynamic});
  options.num_layer_rows = 0;
  EXPECT_EQ(CompareBundles(options).status().code(), absl::StatusCode::kInvalidArgument);
}

ComparisonResult SmallResult() {
  ComparisonResult result{.kernel_set = "avx2", .num_rows = 100, .num_layer_rows = 32};
  result.bundles = {{.bundle = "a", .precision = "fp32", .us_per_row = 20},
                    {.bundle = "b",
                     .precision = "int8-static",
                     .us_per_row = 10,
                     .difference = Difference{30, 0.9995, 0.25},
                     .agreement = 0.99,
                     .layers = {{"conv", "relu", "Conv2d", Difference{INFINITY, 1, 0}, 15.0, 7.0},
                                {"x/Quantize", "", "Quantize", std::nullopt, std::nullopt, 1.0}}}};
  return result;
}

TEST(ComparisonTextTest, HasATableOfOutputsAndOneOfLayersForEachBundle) {
  EXPECT_EQ(
      ComparisonText(SmallResult()),
      "kernel set avx2, 100 rows\n"
      "bundle    precision  agreement    cosine  SQNR dB  max |difference|  us a row\n"
      "------  -----------  ---------  --------  -------  ----------------  --------\n"
      "a              fp32          -         -        -                 -      20.0\n"
      "b       int8-static    99.00 %  0.999500     30.0              0.25      10.0\n"
      "\n"
      "b layer by layer, against a, on 32 rows:\n"
      "layer       value  operator    cosine  SQNR dB  max |difference|  us fp32  us int8-static\n"
      "----------  -----  --------  --------  -------  ----------------  -------  --------------\n"
      "conv         relu    Conv2d  1.000000      inf                 0     15.0             7.0\n"
      "x/Quantize      -  Quantize         -        -                 -        -             "
      "1.0\n");
}

TEST(ComparisonJsonTest, IsOneObjectWithTheSame) {
  const auto json = ComparisonJson(SmallResult());
  EXPECT_EQ(json["kernel_set"], "avx2");
  EXPECT_EQ(json["rows"], 100);
  EXPECT_EQ(json["layer_rows"], 32);
  ASSERT_EQ(json["bundles"].size(), 2U);
  EXPECT_TRUE(json["bundles"][0]["sqnr_db"].is_null());
  EXPECT_THAT(json["bundles"][0]["layers"], IsEmpty());
  EXPECT_EQ(json["bundles"][1]["agreement"], 0.99);
  const auto& layers = json["bundles"][1]["layers"];
  ASSERT_EQ(layers.size(), 2U);
  // JSON has no infinity.
  EXPECT_EQ(layers[0].dump(),
            "{\"layer\":\"conv\",\"value\":\"relu\",\"operator\":\"Conv2d\",\"cosine\":1.0,"
            "\"sqnr_db\":null,\"max_abs_difference\":0.0,\"first_us\":15.0,\"us\":7.0}");
  EXPECT_TRUE(layers[1]["cosine"].is_null());
  EXPECT_TRUE(layers[1]["first_us"].is_null());
  EXPECT_EQ(layers[1]["us"], 1.0);
}

}  // namespace
}  // namespace octet::cli
