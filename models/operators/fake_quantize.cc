// SPDX-License-Identifier: Apache-2.0

#include "models/operators/fake_quantize.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/tensor/fake_quantization.h"

namespace octet {
namespace {

class FakeQuantize final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "FakeQuantize"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(3, 3));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32}));
    RETURN_IF_ERROR(inputs.CheckRank(kMin, "min", 0, 1));
    Dims dims;
    if (inputs.rank(kMin) == 1) {
      if (inputs.rank(0) == 0 || !types[0].shape.back().is_constant()) {
        return InvalidNode(node, "wants an input \"x\" with a known last dimension");
      }
      dims = {types[0].shape.back().value()};
    }
    RETURN_IF_ERROR(inputs.CheckConstant(kMin, "min", DataType::kFloat32, dims));
    RETURN_IF_ERROR(inputs.CheckConstant(kMax, "max", DataType::kFloat32, dims));
    RETURN_IF_ERROR(Quantizations(node, constants).status());
    return OneOutput(node, types[0]);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(std::vector<FakeQuantization> quantizations,
                     Quantizations(context.node, context.constants));
    return MakeStep("portable:fake_quantize",
                    [quantizations = std::move(quantizations)](const StepArguments& arguments) {
                      Run(quantizations, arguments);
                    });
  }

  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return true;
  }

 private:
  static constexpr std::size_t kMin = 1;
  static constexpr std::size_t kMax = 2;

  // One, or one for each last index.
  static absl::StatusOr<std::vector<FakeQuantization>> Quantizations(
      const Node& node, std::span<const ConstantTensor* const> constants) {
    ASSIGN_OR_RETURN(const std::int64_t num_bits, IntAttribute(node, "num_bits", 8, 2));
    ASSIGN_OR_RETURN(const bool narrow_range, FlagAttribute(node, "narrow_range", false));
    ASSIGN_OR_RETURN(const bool divides,
                     FlagAttribute(node, "divides", constants[kMin]->dims().empty()));
    const std::vector<float> lowest = FloatElements(*constants[kMin]);
    const std::vector<float> highest = FloatElements(*constants[kMax]);
    std::vector<FakeQuantization> quantizations;
    quantizations.reserve(lowest.size());
    for (std::size_t i = 0; i < lowest.size(); ++i) {
      const absl::StatusOr<FakeQuantization> quantization = FakeQuantization::Make(
          {lowest[i], highest[i], num_bits, narrow_range},
          divides ? FakeQuantizationStep::kDivide : FakeQuantizationStep::kInverse);
      if (!quantization.ok()) return WithNode(node, quantization.status());
      quantizations.push_back(*quantization);
    }
    return quantizations;
  }

  static void Run(const std::vector<FakeQuantization>& quantizations,
                  const StepArguments& arguments) {
    const float* x = arguments.inputs[0].as<float>();
    float* out = arguments.outputs[0].as<float>();
    const auto count = static_cast<std::size_t>(NumElements(arguments.inputs[0].dims));
    if (quantizations.size() == 1) {
      const FakeQuantization quantization = quantizations[0];
      for (std::size_t i = 0; i < count; ++i) out[i] = quantization.Apply(x[i]);
      return;
    }
    for (std::size_t i = 0; i < count; i += quantizations.size()) {
      for (std::size_t channel = 0; channel < quantizations.size(); ++channel) {
        out[i + channel] = quantizations[channel].Apply(x[i + channel]);
      }
    }
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeFakeQuantize() {
  return std::make_unique<const FakeQuantize>();
}

}  // namespace octet
