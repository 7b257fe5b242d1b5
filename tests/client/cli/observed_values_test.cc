// SPDX-License-Identifier: Apache-2.0
#include "client/cli/observed_values.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/bundle/bundle.h"
#include "models/graph/passes/passes.h"
#include "models/operators/operators.h"
#include "models/quality/difference.h"
#include "models/quantization/quantize.h"
#include "tests/support/small_network.h"

namespace octet::cli {
namespace {

using ::testing::Contains;
using ::testing::Not;
using testing::SmallImages;
using testing::SmallNetwork;

class ObservedValuesTest : public ::testing::Test {
 protected:
  ObservedValuesTest() { images_.push_back(SmallImages(kRows)); }

  std::vector<ObservedValue> Observe(const Graph& graph) {
    return ObserveValues(graph, operators_, *kernels::BestKernelSet(), images_).value();
  }
  Bundle QuantizedNetwork(QuantizationMode mode) {
    return Quantize(SmallNetwork(), operators_, {.mode = mode, .calibration = images_}).value();
  }

  static constexpr std::int64_t kRows = 40;
  const OperatorRegistry operators_ = BuiltInOperators();
  std::vector<Tensor> images_;
};

const ObservedValue* Find(const std::vector<ObservedValue>& values, const std::string& name) {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [&](const ObservedValue& value) { return value.name == name; });
  return found == values.end() ? nullptr : &*found;
}

TEST_F(ObservedValuesTest, HasWhatTheNodesComputeOnceTheyAreFused) {
  Graph graph = SmallNetwork().graph;
  const std::vector<ObservedValue> values = Observe(graph);
  RunPasses(graph);
  std::vector<std::string> wanted;
  for (const Node& node : graph.nodes) {
    wanted.push_back(graph.values[static_cast<std::size_t>(node.outputs[0])].name);
  }
  std::vector<std::string> names;
  for (const ObservedValue& value : values) {
    names.push_back(value.name);
    EXPECT_EQ(value.dims[0], kRows);
    EXPECT_EQ(static_cast<std::int64_t>(value.elements.size()), NumElements(value.dims));
  }
  EXPECT_EQ(names, wanted);
}

TEST_F(ObservedValuesTest, EachModeHasTheFloatValues) {
  const std::vector<ObservedValue> real = Observe(SmallNetwork().graph);
  for (const QuantizationModeEntry& mode : QuantizationModes()) {
    SCOPED_TRACE(mode.name);
    const std::vector<ObservedValue> values = Observe(QuantizedNetwork(mode.mode).graph);
    for (const ObservedValue& wanted : real) {
      SCOPED_TRACE(wanted.name);
      const ObservedValue* const got = Find(values, wanted.name);
      ASSERT_NE(got, nullptr);
      ASSERT_EQ(got->dims, wanted.dims);
      const double sqnr = SqnrDecibels(wanted.elements, got->elements);
      EXPECT_TRUE(std::isfinite(sqnr));
      EXPECT_GT(sqnr, 8);  // int4 is coarse
    }
  }
}

TEST_F(ObservedValuesTest, ANameStandsOnceAndInputsAreNotValues) {
  const Bundle bundle = QuantizedNetwork(QuantizationMode::kInt8Static);
  std::vector<std::string> names;
  for (const ObservedValue& value : Observe(bundle.graph)) {
    EXPECT_THAT(names, Not(Contains(value.name)));
    names.push_back(value.name);
  }
  for (const ValueId id : bundle.graph.inputs) {
    EXPECT_THAT(names, Not(Contains(bundle.graph.values[static_cast<std::size_t>(id)].name)));
  }
}

TEST_F(ObservedValuesTest, InputsThatDoNotFitAreRefused) {
  std::vector<Tensor> wrong;
  wrong.emplace_back(DataType::kFloat32, Dims{2, 3});
  const auto values =
      ObserveValues(SmallNetwork().graph, operators_, *kernels::BestKernelSet(), wrong);
  EXPECT_EQ(values.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet::cli
