// SPDX-License-Identifier: Apache-2.0

#include "models/operators/pad.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
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

// What the border is made of: one value, or elements of the axis itself.
enum class PadMode { kConstant, kEdge, kReflect, kSymmetric, kWrap };

absl::StatusOr<PadMode> ModeAttribute(const Node& node) {
  ASSIGN_OR_RETURN(const std::string mode,
                   NameAttribute(node, "mode", "constant",
                                 {"constant", "edge", "reflect", "symmetric", "wrap"}));
  if (mode == "edge") return PadMode::kEdge;
  if (mode == "reflect") return PadMode::kReflect;
  if (mode == "symmetric") return PadMode::kSymmetric;
  return mode == "wrap" ? PadMode::kWrap : PadMode::kConstant;
}

// Which of an axis's `size` elements, at least one, stands at `place` of it, outside perhaps.
std::int64_t Inside(PadMode mode, std::int64_t place, std::int64_t size) {
  if (mode == PadMode::kEdge || size == 1) return std::clamp<std::int64_t>(place, 0, size - 1);
  const auto in_period = [place](std::int64_t period) {
    return (place % period + period) % period;
  };
  if (mode == PadMode::kWrap) return in_period(size);
  // There and back: with the ends once, or, where the border begins with them, twice.
  const std::int64_t twice = mode == PadMode::kSymmetric ? 1 : 0;
  const std::int64_t period = 2 * (size - 1 + twice);
  const std::int64_t rest = in_period(period);
  return std::min(rest, period - rest - twice);
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
    ASSIGN_OR_RETURN(const PadMode mode, ModeAttribute(node));
    TensorType output = types[0];
    for (std::size_t i = 0; i < output.shape.size(); ++i) {
      if (mode != PadMode::kConstant && output.shape[i] == Dim(0)) {
        return InvalidNode(node, "axis ", i, " holds nothing to make a border of");
      }
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
    ASSIGN_OR_RETURN(const PadMode mode, ModeAttribute(context.node));
    return MakeStep("portable:pad",
                    [pads = std::move(pads), element, mode](const StepArguments& arguments) {
                      Run(pads, element, mode, arguments);
                    });
  }

 private:
  static void Run(const std::vector<std::int64_t>& pads, const Element& element, PadMode mode,
                  const StepArguments& arguments) {
    const TensorView& x = arguments.inputs[0];
    const MutableTensorView& out = arguments.outputs[0];
    const std::size_t element_size = BitWidth(x.data_type) / 8;
    if (mode == PadMode::kConstant || NumElements(x.dims) == 0) {
      StridedCopy fill;
      fill.Append(NumElements(out.dims), 0, 1);
      CopyStrided(fill, element_size, element.data(), out.data);
    }
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
    if (mode == PadMode::kConstant || NumElements(x.dims) == 0) return;
    for (std::size_t axis = x.dims.size(); axis-- > 0;) FillBorder(pads, mode, axis, x, out);
  }

  // Copies the border of `axis` from inside: where axes before it are inside, those behind it full.
  static void FillBorder(const std::vector<std::int64_t>& pads, PadMode mode, std::size_t axis,
                         const TensorView& x, const MutableTensorView& out) {
    const auto element_size = static_cast<std::int64_t>(BitWidth(x.data_type) / 8);
    const auto strides = DenseStrides(out.dims);
    StridedCopy copy;
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < out.dims.size(); ++i) {
      if (i < axis) offset += pads[i] * strides[i];
      if (i != axis) copy.Append(i < axis ? x.dims[i] : out.dims[i], strides[i], strides[i]);
    }
    auto* const first = out.as<std::byte>() + offset * element_size;
    const std::int64_t size = x.dims[axis];
    const std::int64_t before = pads[axis];
    for (std::int64_t i = 0; i < out.dims[axis]; ++i) {
      if (i >= before && i < before + size) continue;
      const std::int64_t from = before + Inside(mode, i - before, size);
      CopyStrided(copy, static_cast<std::size_t>(element_size),
                  first + from * strides[axis] * element_size,
                  first + i * strides[axis] * element_size);
    }
  }
};

}  // namespace

std::unique_ptr<const Operator> MakePad() { return std::make_unique<const Pad>(); }

}  // namespace octet
