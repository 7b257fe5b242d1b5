// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/self_test_vectors.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/runtime/reference_run.h"

namespace octet {

namespace {

constexpr std::int64_t kMinRows = 4;
constexpr double kTolerance = 1e-4;
constexpr double kRoundingTolerance = 1e-2;
// Where roundings follow each other, a difference in the last bits grows: the tolerance is so many
// times what a change of that size does, and at most kMostRoundingTolerance.
constexpr double kSensitivityFactor = 3;
constexpr double kMostRoundingTolerance = 0.2;
// What another order of summation changes, as a share of a number.
constexpr float kLastBits = 0x1p-21F;

// Whether the graph rounds floats that it computed.
bool RoundsComputedFloats(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&graph](const Node& node) {
    const auto quantization = node.String("activation_quantization", "none");
    if (quantization.ok() && *quantization == "dynamic") return true;
    if (node.op == "DynamicQuantize") return true;
    return node.op == "Quantize" && !node.inputs.empty() &&
           std::find(graph.inputs.begin(), graph.inputs.end(), node.inputs[0]) ==
               graph.inputs.end();
  });
}

// The graph with every bias, scale or other vector of float32 changed in its last bits, one element
// up and the next one down. Whole numbers may be places in a table, which stay.
Graph Nudged(Graph graph) {
  for (Value& value : graph.values) {
    if (!value.constant.has_value() || value.constant->data_type() != DataType::kFloat32 ||
        value.constant->dims().size() != 1) {
      continue;
    }
    const std::span<const float> old = value.constant->as<float>();
    const bool is_whole = std::all_of(old.begin(), old.end(),
                                      [](float number) { return number == std::floor(number); });
    if (is_whole) continue;
    std::vector<float> elements(old.begin(), old.end());
    for (std::size_t i = 0; i < elements.size(); ++i) {
      elements[i] *= i % 2 == 0 ? 1.0F + kLastBits : 1.0F - kLastBits;
    }
    value.constant = ConstantTensor::Copy(DataType::kFloat32, value.constant->dims(), elements);
  }
  return graph;
}

// The largest difference of 8-bit elements, as a share of their range.
template <typename T>
double StepDifference(const Tensor& a, const Tensor& b) {
  int worst = 0;
  for (std::size_t k = 0; k < a.as<T>().size(); ++k) {
    worst = std::max(worst, std::abs(int{a.as<T>()[k]} - int{b.as<T>()[k]}));
  }
  return worst / 255.0;
}

// The largest difference of floats, as a share of the largest of their tensor, or of 8-bit
// elements.
double Difference(std::span<const Tensor> a, std::span<const Tensor> b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].data_type() == DataType::kInt8) {
      worst = std::max(worst, StepDifference<std::int8_t>(a[i], b[i]));
    } else if (a[i].data_type() == DataType::kUint8) {
      worst = std::max(worst, StepDifference<std::uint8_t>(a[i], b[i]));
    }
    if (a[i].data_type() != DataType::kFloat32) continue;
    double largest = 0;
    double difference = 0;
    const std::span<const float> left = a[i].as<float>();
    const std::span<const float> right = b[i].as<float>();
    for (std::size_t k = 0; k < left.size(); ++k) {
      largest = std::max(largest, std::abs(double{left[k]}));
      difference = std::max(difference, std::abs(double{left[k]} - double{right[k]}));
    }
    if (largest > 0) worst = std::max(worst, difference / largest);
  }
  return worst;
}

// How far another order of summation may lead.
absl::StatusOr<double> ToleranceOf(const Graph& graph, const OperatorRegistry& operators,
                                   const SelfTest& test) {
  if (!RoundsComputedFloats(graph)) return kTolerance;
  ASSIGN_OR_RETURN(const std::vector<Tensor> nudged,
                   RunOnReference(Nudged(graph), operators, test.inputs));
  const double sensitivity = kSensitivityFactor * Difference(test.outputs, nudged);
  return std::clamp(sensitivity, kRoundingTolerance, kMostRoundingTolerance);
}

}  // namespace

absl::StatusOr<SelfTest> MakeSelfTest(const Graph& graph, const OperatorRegistry& operators,
                                      std::vector<Tensor> inputs) {
  for (const Tensor& input : inputs) {
    if (input.dims().empty() || input.dims()[0] < kMinRows) {
      return absl::InvalidArgumentError(absl::StrCat("self-test input of shape ",
                                                     ToString(input.dims()), ", wants at least ",
                                                     kMinRows, " rows"));
    }
  }
  SelfTest test;
  test.inputs = std::move(inputs);
  ASSIGN_OR_RETURN(test.outputs, RunOnReference(graph, operators, test.inputs));
  ASSIGN_OR_RETURN(test.tolerance, ToleranceOf(graph, operators, test));
  return test;
}

}  // namespace octet
