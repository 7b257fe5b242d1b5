// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/quantize.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <string>

#include "models/bundle/reader.h"
#include "models/bundle/writer.h"
#include "models/operators/operators.h"
#include "models/quality/agreement.h"
#include "models/quality/difference.h"
#include "models/quantization/self_test_vectors.h"
#include "tests/support/small_bundle.h"
#include "tests/support/small_network.h"

namespace octet {
namespace {

std::vector<Tensor> Images(std::int64_t rows, std::uint32_t seed = 3) {
  std::vector<Tensor> inputs;
  inputs.push_back(testing::SmallImages(rows, seed));
  return inputs;
}

std::vector<float> Answers(const Graph& graph) {
  const auto test = MakeSelfTest(graph, BuiltInOperators(), Images(100, 99));
  EXPECT_TRUE(test.ok()) << test.status();
  if (!test.ok()) return {};
  const std::span<const float> out = test->outputs[0].as<float>();
  return {out.begin(), out.end()};
}

struct ModeCase {
  QuantizationMode mode;
  std::string name;
  double least_decibels;  // of the probabilities against those of the float network
};

class QuantizeTest : public ::testing::TestWithParam<ModeCase> {};

TEST_P(QuantizeTest, AnswersStayCloseAndTheBundleIsWhole) {
  const Bundle bundle = testing::SmallNetwork();
  const std::vector<Tensor> samples = Images(64);
  const auto quantized =
      Quantize(bundle, BuiltInOperators(),
               {.mode = GetParam().mode, .calibration = samples, .calibrator = "min-max"});
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  EXPECT_EQ(quantized->precision, GetParam().name);
  const std::vector<float> expected = Answers(bundle.graph);
  const std::vector<float> actual = Answers(quantized->graph);
  ASSERT_EQ(expected.size(), actual.size());
  EXPECT_GE(SqnrDecibels(expected, actual), GetParam().least_decibels);
  EXPECT_GE(Top1Agreement(expected, actual, 10), 0.9);

  const testing::TemporaryDirectory directory;
  const absl::Status written = WriteBundle(*quantized, directory / "1");
  ASSERT_TRUE(written.ok()) << written;
  const OperatorRegistry operators = BuiltInOperators();
  const auto read = ReadBundle(directory / "1", {.operators = &operators, .layer_orders = nullptr});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(Answers(read->graph), actual);
  ASSERT_TRUE(read->self_test.has_value());
  EXPECT_EQ(read->self_test->inputs[0].dims()[0], 8);
  // Nothing float is left behind: the weights are about a quarter or an eighth.
  EXPECT_LT(std::filesystem::file_size(directory / "1/weights.safetensors"), 6000U);
}

INSTANTIATE_TEST_SUITE_P(
    Modes, QuantizeTest,
    ::testing::Values(ModeCase{QuantizationMode::kInt8Dynamic, "int8-dynamic", 30.0},
                      ModeCase{QuantizationMode::kInt8Static, "int8-static", 25.0},
                      ModeCase{QuantizationMode::kInt8WeightOnly, "int8-weight-only", 35.0},
                      ModeCase{QuantizationMode::kInt4, "int4", 15.0},
                      ModeCase{QuantizationMode::kInt4Dynamic, "int4-dynamic", 15.0}),
    [](const auto& test) {
      std::string name = test.param.name;
      std::erase(name, '-');
      return name;
    });

TEST(QuantizeRulesTest, TheSameBundleIsQuantizedTheSameWay) {
  const std::vector<Tensor> samples = Images(16);
  const testing::TemporaryDirectory directory;
  for (const char* const name : {"1", "2"}) {
    const auto quantized = Quantize(
        testing::SmallNetwork(), BuiltInOperators(),
        {.mode = QuantizationMode::kInt8Static, .calibration = samples, .calibrator = "min-max"});
    ASSERT_TRUE(quantized.ok()) << quantized.status();
    ASSERT_TRUE(WriteBundle(*quantized, directory / name).ok());
  }
  EXPECT_EQ(ReadBundle(directory / "1").value().digest, ReadBundle(directory / "2").value().digest);
}

TEST(QuantizeRulesTest, WhatReducesAnOpenSizeStaysFloat) {
  Bundle bundle;
  bundle.graph = testing::OpenSequenceNetwork();
  std::vector<Tensor> samples;
  samples.emplace_back(DataType::kFloat32, Dims{8, 9, 1, 4});
  for (std::size_t i = 0; i < samples[0].as<float>().size(); ++i) {
    samples[0].as<float>()[i] = static_cast<float>(i % 23) / 10.0F - 1.0F;
  }
  for (const QuantizationModeEntry& entry : QuantizationModes()) {
    const auto quantized =
        Quantize(bundle, BuiltInOperators(), {.mode = entry.mode, .calibration = samples});
    ASSERT_TRUE(quantized.ok()) << std::string(entry.name) << ": " << quantized.status();
    for (const Node& node : quantized->graph.nodes) {
      if (node.name != "global") continue;
      const Value& input = quantized->graph.values[static_cast<std::size_t>(node.inputs[0])];
      EXPECT_EQ(input.type.data_type, DataType::kFloat32);
    }
  }
}

// Pools twice as large as they are.
void PoolTwice(const kernels::Pool2dGeometry& geometry, kernels::PoolKind kind,
               std::size_t num_images, std::span<const float> in, std::span<float> out) {
  kernels::FindKernelSet("reference")->pool2d_f32(geometry, kind, num_images, in, out);
  for (float& value : out) value *= 2.0F;
}

TEST(QuantizeRulesTest, RangesAreThoseOfTheKernelSetGiven) {
  const std::vector<Tensor> samples = Images(16);
  kernels::KernelSet twice = *kernels::FindKernelSet("reference");
  twice.pool2d_f32 = PoolTwice;
  std::vector<double> scales;
  for (const kernels::KernelSet& set : {*kernels::FindKernelSet("reference"), twice}) {
    const auto quantized = Quantize(testing::SmallNetwork(), BuiltInOperators(),
                                    {.mode = QuantizationMode::kInt8Static,
                                     .calibration = samples,
                                     .calibrator = "min-max",
                                     .kernels = &set});
    ASSERT_TRUE(quantized.ok()) << quantized.status();
    for (const Node& node : quantized->graph.nodes) {
      if (node.name == "add") scales.push_back(node.Float("output_scale", 0.0).value());
    }
  }
  ASSERT_EQ(scales.size(), 2U);
  EXPECT_GT(scales[1], 1.3 * scales[0]);
}

TEST(QuantizeRulesTest, WhatIsMissingIsAFailedPrecondition) {
  const Bundle bundle = testing::SmallNetwork();
  const OperatorRegistry operators = BuiltInOperators();
  QuantizeOptions options;
  EXPECT_EQ(Quantize(bundle, operators, options).status().code(),
            absl::StatusCode::kFailedPrecondition);  // no rows to test with
  Bundle tested = testing::SmallNetwork();
  tested.self_test = MakeSelfTest(bundle.graph, operators, Images(4)).value();
  const auto quantized = Quantize(tested, operators, options);
  EXPECT_TRUE(quantized.ok()) << quantized.status();
  options.mode = QuantizationMode::kInt8Static;
  EXPECT_EQ(Quantize(tested, operators, options).status().code(),
            absl::StatusCode::kFailedPrecondition);  // no calibration data
  ASSERT_TRUE(quantized.ok());
  options.mode = QuantizationMode::kInt8Dynamic;
  EXPECT_EQ(Quantize(*quantized, operators, options).status().code(),
            absl::StatusCode::kFailedPrecondition);  // quantized already
}

TEST(QuantizationModesTest, NamesAreParsed) {
  for (const QuantizationModeEntry& entry : QuantizationModes()) {
    EXPECT_EQ(ParseQuantizationMode(entry.name).value(), entry.mode);
  }
  const absl::Status status = ParseQuantizationMode("int3").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(status.message().find("int4-dynamic"), absl::string_view::npos);
}

}  // namespace
}  // namespace octet
