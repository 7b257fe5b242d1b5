// SPDX-License-Identifier: Apache-2.0

#include "models/operators/tile.h"

#include <cstdint>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/strided_copy.h"

namespace octet {
namespace {

absl::StatusOr<std::vector<std::int64_t>> Repeats(const Node& node, std::size_t rank) {
  ASSIGN_OR_RETURN(std::vector<std::int64_t> repeats, IntsAttribute(node, "repeats", {}, rank, 1));
  if (repeats[0] != 1) {
    return InvalidNode(node, "attribute \"repeats\" is ", ToString(repeats),
                       ", wants 1 for the batch's axis");
  }
  return repeats;
}

class Tile final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Tile"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 1));
    RETURN_IF_ERROR(CheckAddressable(node, types[0]));
    ASSIGN_OR_RETURN(const std::vector<std::int64_t> repeats, Repeats(node, inputs.rank(0)));
    TensorType output = types[0];
    for (std::size_t i = 0; i < output.shape.size(); ++i) {
      auto dim = output.shape[i].Times(repeats[i]);
      if (!dim.ok()) return WithNode(node, dim.status());
      output.shape[i] = *dim;
    }
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(std::vector<std::int64_t> repeats,
                     Repeats(context.node, context.inputs[0].shape.size()));
    return MakeStep("portable:tile",
                    [repeats = std::move(repeats)](const StepArguments& arguments) {
                      const TensorView& x = arguments.inputs[0];
                      const MutableTensorView& out = arguments.outputs[0];
                      const auto from_strides = DenseStrides(x.dims);
                      const auto to_strides = DenseStrides(out.dims);
                      StridedCopy copy;
                      for (std::size_t i = 0; i < x.dims.size(); ++i) {
                        copy.Append(repeats[i], 0, to_strides[i] * x.dims[i]);
                        copy.Append(x.dims[i], from_strides[i], to_strides[i]);
                      }
                      CopyStrided(copy, BitWidth(x.data_type) / 8, x.data, out.data);
                    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeTile() { return std::make_unique<const Tile>(); }

}  // namespace octet
