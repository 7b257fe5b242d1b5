// SPDX-License-Identifier: Apache-2.0

#include "models/operators/expand.h"

#include <cstdint>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/broadcast.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/strided_copy.h"

namespace octet {
namespace {

class Expand final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Expand"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(CheckAddressable(node, types[0]));
    const Shape& from = types[0].shape;
    ASSIGN_OR_RETURN(const std::vector<std::int64_t> to, node.Ints("shape", {}));
    if (to.size() > kMaxRank || to.size() < from.size()) {
      return InvalidNode(node, "attribute \"shape\" is ", to.size(), " long for an input of ",
                         from.size(), " dimensions");
    }
    Shape shape;
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (to[i] < 0 || (to[i] == 0 && i + from.size() < to.size())) {
        return InvalidNode(node, "attribute \"shape\" is ", ToString(to));
      }
      shape.push_back(to[i] == 0 ? from[i + from.size() - to.size()] : Dim(to[i]));
    }
    RETURN_IF_ERROR(CheckBroadcastsTo(node, "x", from, shape));
    return OneOutput(node, {types[0].data_type, std::move(shape), types[0].quantization});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext&) const override {
    return MakeStep("portable:expand", [](const StepArguments& arguments) {
      const TensorView& x = arguments.inputs[0];
      const MutableTensorView& out = arguments.outputs[0];
      const auto from_strides = DenseStrides(x.dims);
      const auto to_strides = DenseStrides(out.dims);
      const std::size_t added = out.dims.size() - x.dims.size();
      StridedCopy copy;
      for (std::size_t i = 0; i < out.dims.size(); ++i) {
        const bool is_stretched = i < added || x.dims[i - added] == 1;
        copy.Append(out.dims[i], is_stretched ? 0 : from_strides[i - added], to_strides[i]);
      }
      CopyStrided(copy, BitWidth(x.data_type) / 8, x.data, out.data);
    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeExpand() { return std::make_unique<const Expand>(); }

}  // namespace octet
