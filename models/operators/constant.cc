// SPDX-License-Identifier: Apache-2.0

#include "models/operators/constant.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

class Constant final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Constant"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(CheckAddressable(node, types[0]));
    RETURN_IF_ERROR(inputs.CheckConstant(0, "value"));
    RETURN_IF_ERROR(inputs.CheckRank(0, "value", 0, kMaxRank - 1));
    Shape shape = {Dim(kRows)};
    shape.insert(shape.end(), types[0].shape.begin(), types[0].shape.end());
    return OneOutput(node, {types[0].data_type, std::move(shape), types[0].quantization});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext&) const override {
    return MakeStep("portable:constant", [](const StepArguments& arguments) {
      const TensorView& value = arguments.inputs[0];
      const MutableTensorView& out = arguments.outputs[0];
      const std::size_t byte_size = ByteSize(value.data_type, value.dims);
      if (byte_size == 0) return;
      auto* to = out.as<std::byte>();
      for (std::int64_t row = 0; row < out.dims[0]; ++row, to += byte_size) {
        std::memcpy(to, value.data, byte_size);
      }
    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeConstant() { return std::make_unique<const Constant>(); }

}  // namespace octet
