// SPDX-License-Identifier: Apache-2.0

#include "models/operators/transpose.h"

#include <cstdint>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/strided_copy.h"

namespace octet {
namespace {

absl::StatusOr<std::vector<std::int64_t>> Permutation(const Node& node, std::size_t rank) {
  ASSIGN_OR_RETURN(std::vector<std::int64_t> permutation,
                   IntsAttribute(node, "permutation", {}, rank, 0));
  std::vector<bool> seen(rank, false);
  for (const std::int64_t axis : permutation) {
    const auto index = static_cast<std::size_t>(axis);
    if (index >= rank || seen[index]) {
      return InvalidNode(node, "attribute \"permutation\" is ", ToString(permutation),
                         ", wants each axis below ", rank, " once");
    }
    seen[index] = true;
  }
  return permutation;
}

class Transpose final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Transpose"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 1));
    RETURN_IF_ERROR(CheckAddressable(node, types[0]));
    ASSIGN_OR_RETURN(const std::vector<std::int64_t> permutation,
                     Permutation(node, inputs.rank(0)));
    if (permutation[0] != 0 && inputs.constant(0) == nullptr) {
      return InvalidNode(node, "attribute \"permutation\" is ", ToString(permutation),
                         ", wants 0 first: the batch stays where it is");
    }
    Shape shape;
    for (const std::int64_t axis : permutation) {
      shape.push_back(types[0].shape[static_cast<std::size_t>(axis)]);
    }
    return OneOutput(node, {types[0].data_type, std::move(shape), types[0].quantization});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(std::vector<std::int64_t> permutation,
                     Permutation(context.node, context.inputs[0].shape.size()));
    return MakeStep("portable:transpose", [permutation = std::move(permutation)](
                                              const StepArguments& arguments) {
      const TensorView& x = arguments.inputs[0];
      const MutableTensorView& out = arguments.outputs[0];
      const auto from_strides = DenseStrides(x.dims);
      const auto to_strides = DenseStrides(out.dims);
      StridedCopy copy;
      for (std::size_t i = 0; i < permutation.size(); ++i) {
        copy.Append(out.dims[i], from_strides[static_cast<std::size_t>(permutation[i])],
                    to_strides[i]);
      }
      CopyStrided(copy, BitWidth(x.data_type) / 8, x.data, out.data);
    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeTranspose() { return std::make_unique<const Transpose>(); }

}  // namespace octet
