// SPDX-License-Identifier: Apache-2.0
#include "models/calibration/calibrate.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

#include "kernels/kernel_set.h"
#include "models/operators/operators.h"

namespace octet {
namespace {

// y = relu(x * [[1, -2]]), then z = -y.
Graph TestGraph() {
  Graph graph;
  const ValueId x = graph.AddValue("x", {DataType::kFloat32, {Dim(kRows), 1}, std::nullopt});
  const ValueId w = graph.AddConstant(
      "w", ConstantTensor::Copy(DataType::kFloat32, {1, 2}, std::vector<float>{1.0F, -2.0F}));
  const ValueId y = graph.AddValue("y", {DataType::kFloat32, {Dim(kRows), 2}, std::nullopt});
  const ValueId z = graph.AddValue("z", {DataType::kFloat32, {Dim(kRows), 2}, std::nullopt});
  graph.nodes.push_back(
      {"dense", "FullyConnected", {x, w}, {y}, {{"activation", std::string("relu")}}});
  graph.nodes.push_back(
      {"negative", "Activation", {y}, {z}, {{"activation", std::string("negative")}}});
  graph.inputs = {x};
  graph.outputs = {z};
  return graph;
}

absl::StatusOr<CalibrationTable> RunCalibration(const Graph& graph,
                                                const std::vector<Tensor>& samples) {
  const OperatorRegistry operators = BuiltInOperators();
  return Calibrate(graph, operators, *kernels::FindKernelSet("reference"),
                   std::vector<ValueId>{0, 2, 3}, samples, "min-max");
}

std::vector<Tensor> Samples(std::int64_t rows) {
  std::vector<Tensor> samples;
  Tensor& x = samples.emplace_back(DataType::kFloat32, Dims{rows, 1});
  // From -1 on in steps, so that every row of every batch counts.
  for (std::size_t i = 0; i < x.as<float>().size(); ++i) {
    x.as<float>()[i] = -1.0F + 0.25F * static_cast<float>(i);
  }
  return samples;
}

TEST(CalibrateTest, WatchesInputsAndValuesInsideTheGraphOverAllBatches) {
  const auto table =
      RunCalibration(TestGraph(), Samples(101));  // more than one batch; the last x is 24
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->size(), 3U);
  EXPECT_EQ(table->at("x"), (Range{-1.0F, 24.0F}));
  EXPECT_EQ(table->at("y"), (Range{0.0F, 24.0F}));
  EXPECT_EQ(table->at("z"), (Range{-24.0F, 0.0F}));
}

TEST(CalibrateTest, SamplesThatDoNotFitAreInvalid) {
  EXPECT_EQ(RunCalibration(TestGraph(), {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RunCalibration(TestGraph(), Samples(0)).status().code(),
            absl::StatusCode::kInvalidArgument);
  std::vector<Tensor> wide;
  wide.emplace_back(DataType::kFloat32, Dims{4, 2});
  EXPECT_EQ(RunCalibration(TestGraph(), wide).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CalibrateTest, WhatIsNotFiniteNamesItsValue) {
  std::vector<Tensor> samples = Samples(5);
  samples[0].as<float>()[3] = std::numeric_limits<float>::infinity();
  const absl::Status status = RunCalibration(TestGraph(), samples).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("value \"x\""));
}

TEST(CalibrateTest, AnUnknownCalibratorIsUnimplemented) {
  const OperatorRegistry operators = BuiltInOperators();
  EXPECT_EQ(Calibrate(TestGraph(), operators, *kernels::FindKernelSet("reference"), {}, Samples(5),
                      "guess")
                .status()
                .code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace octet
