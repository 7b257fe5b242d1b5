// SPDX-License-Identifier: Apache-2.0

#include "models/operators/pad.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/strided_copy.h"

namespace octet {
namespace {

// One element's bytes.
using Element = std::array<std::byte, 8>;

template <typename T>
Element Bytes(T value) {
  Element element{};
  std::memcpy(element.data(), &value, sizeof(value));
  return element;
}

// `value` as an element of `type`; the real number itself where the type has a quantization.
absl::StatusOr<Element> PadElement(const Node& node, const TensorType& type, float value) {
  if (type.quantization.has_value()) {
    const float quantized = std::nearbyint(value / type.quantization->scale.value) +
                            static_cast<float>(type.quantization->zero_point.value);
    if (type.data_type == DataType::kInt16) {
      return Bytes(static_cast<std::int16_t>(std::clamp(quantized, -32768.0F, 32767.0F)));
    }
    return Bytes(static_cast<std::int8_t>(std::clamp(quantized, -128.0F, 127.0F)));
  }
  if (type.data_type == DataType::kFloat32) return Bytes(value);
  if (type.data_type == DataType::kFloat64) return Bytes(static_cast<double>(value));
  if (value == 0.0F) return Element{};
  const bool is_small = value == std::trunc(value) && value >= 0.0F && value <= 127.0F;
  if ((!IsInteger(type.data_type) && type.data_type != DataType::kBool) || !is_small) {
    return UnimplementedNode(node, "padding ", DataTypeName(type.data_type), " with ", value);
  }
  return Bytes(static_cast<std::int64_t>(value));  // little-endian: the low bytes are the element
}

absl::StatusOr<std::vector<std::int64_t>> Pads(const Node& node, std::size_t rank) {
  ASSIGN_OR_RETURN(std::vector<std::int64_t> pads, IntsAttribute(node, "pads", {}, 2 * rank, 0));
  if (pads[0] != 0 || pads[rank] != 0) {
    return InvalidNode(node, "attribute \"pads\" is ", ToString(pads),
                       ", wants 0 for the batch's axis");
  }
  return pads;
}

class Pad final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Pad"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 1));
    RETURN_IF_ERROR(CheckAddressable(node, types[0]));
    ASSIGN_OR_RETURN(const std::vector<std::int64_t> pads, Pads(node, inputs.rank(0)));
    ASSIGN_OR_RETURN(const float value, FloatAttribute(node, "value", 0.0));
    RETURN_IF_ERROR(PadElement(node, types[0], value).status());
    TensorType output = types[0];
    for (std::size_t i = 0; i < output.shape.size(); ++i) {
      auto dim = output.shape[i].Plus(pads[i] + pads[output.shape.size() + i]);
      if (!dim.ok()) return WithNode(node, dim.status());
      output.shape[i] = *dim;
    }
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(std::vector<std::int64_t> pads,
                     Pads(context.node, context.inputs[0].shape.size()));
    ASSIGN_OR_RETURN(const float value, FloatAttribute(context.node, "value", 0.0));
    ASSIGN_OR_RETURN(const Element element, PadElement(context.node, context.inputs[0], value));
    return MakeStep("portable:pad",
                    [pads = std::move(pads), element](const StepArguments& arguments) {
                      Run(pads, element, arguments);
                    });
  }

 private:
  static void Run(const std::vector<std::int64_t>& pads, const Element& element,
                  const StepArguments& arguments) {
    const TensorView& x = arguments.inputs[0];
    const MutableTensorView& out = arguments.outputs[0];
    const std::size_t element_size = BitWidth(x.data_type) / 8;
    StridedCopy fill;
    fill.Append(NumElements(out.dims), 0, 1);
    CopyStrided(fill, element_size, element.data(), out.data);
    const auto from_strides = DenseStrides(x.dims);
    const auto to_strides = DenseStrides(out.dims);
    StridedCopy copy;
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < x.dims.size(); ++i) {
      copy.Append(x.dims[i], from_strides[i], to_strides[i]);
      offset += pads[i] * to_strides[i];
    }
    CopyStrided(copy, element_size, x.data,
                out.as<std::byte>() + offset * static_cast<std::int64_t>(element_size));
  }
};

}  // namespace

std::unique_ptr<const Operator> MakePad() { return std::make_unique<const Pad>(); }

}  // namespace octet
