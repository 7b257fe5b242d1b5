// SPDX-License-Identifier: Apache-2.0

#include "models/operators/layer_normalization.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

using kernels::NormalizationKind;

constexpr std::size_t kX = 0;
constexpr std::size_t kGamma = 1;
constexpr std::size_t kBeta = 2;

class RowNormalization final : public Operator {
 public:
  explicit RowNormalization(NormalizationKind kind) : kind_(kind) {}

  [[nodiscard]] absl::string_view name() const override {
    return kind_ == NormalizationKind::kLayer ? "LayerNormalization" : "RmsNormalization";
  }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, kind_ == NormalizationKind::kLayer ? 3 : 2));
    RETURN_IF_ERROR(inputs.CheckRank(kX, "x", 2));
    RETURN_IF_ERROR(inputs.CheckDataType(kX, "x", {DataType::kFloat32}));
    ASSIGN_OR_RETURN(const std::size_t axis, AxisAttribute(node, "axis", inputs.rank(kX), 1));
    RETURN_IF_ERROR(PositiveAttribute(node, "epsilon", 1e-3).status());
    Dims row;
    for (std::size_t i = axis; i < inputs.rank(kX); ++i) {
      const Dim& dim = inputs.shape(kX)[i];
      if (!dim.is_constant() || dim.value() < 1) {
        return InvalidNode(node, "axis ", i, " of ", ToString(inputs.shape(kX), {}),
                           " is normalized and not a size of at least 1");
      }
      row.push_back(dim.value());
    }
    for (const std::size_t i : {kGamma, kBeta}) {
      if (!inputs.Has(i)) continue;
      RETURN_IF_ERROR(
          inputs.CheckConstant(i, i == kGamma ? "gamma" : "beta", DataType::kFloat32, row));
    }
    return OneOutput(node, types[kX]);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const std::size_t axis,
                     AxisAttribute(context.node, "axis", context.inputs[kX].shape.size(), 1));
    ASSIGN_OR_RETURN(const float epsilon, PositiveAttribute(context.node, "epsilon", 1e-3));
    const auto elements = [&context](std::size_t index) -> std::vector<float> {
      if (!context.node.HasInput(index)) return {};
      return FloatElements(*context.constants[index]);
    };
    const kernels::KernelSet& kernels = context.kernels;
    return MakeStep(absl::StrCat(std::string(kernels.name), ":normalize_f32"),
                    [kind = kind_, axis, epsilon, gamma = elements(kGamma), beta = elements(kBeta),
                     &kernels](const StepArguments& arguments) {
                      const TensorView& x = arguments.inputs[kX];
                      kernels::NormalizationShape shape;
                      shape.num_rows = static_cast<std::size_t>(NumElements(x.dims.first(axis)));
                      shape.row_size = static_cast<std::size_t>(NumElements(x.dims.subspan(axis)));
                      const std::size_t size = shape.num_rows * shape.row_size;
                      kernels.normalize_f32(kind, shape, epsilon, {x.as<float>(), size}, gamma,
                                            beta, {arguments.outputs[0].as<float>(), size});
                    });
  }

  [[nodiscard]] bool IsRowWise(const Node& node, std::span<const TensorType> inputs,
                               std::span<const ConstantTensor* const>) const override {
    return IsLastAxis(node, inputs[kX].shape.size());
  }

 private:
  const NormalizationKind kind_;
};

}  // namespace

std::unique_ptr<const Operator> MakeLayerNormalization() {
  return std::make_unique<const RowNormalization>(NormalizationKind::kLayer);
}
std::unique_ptr<const Operator> MakeRmsNormalization() {
  return std::make_unique<const RowNormalization>(NormalizationKind::kRms);
}

}  // namespace octet
