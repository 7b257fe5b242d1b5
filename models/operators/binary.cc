// SPDX-License-Identifier: Apache-2.0

#include "models/operators/binary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/broadcast.h"
#include "models/operators/function_step.h"
#include "models/operators/fused_activation.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"

namespace octet {
namespace {

using kernels::BinaryKind;

kernels::BinaryShape MakeShape(const StepArguments& arguments) {
  const BroadcastLoop<2> loop = MakeBroadcastLoop<2>(
      arguments.outputs[0].dims, {arguments.inputs[0].dims, arguments.inputs[1].dims});
  kernels::BinaryShape shape;
  shape.rank = loop.rank;
  for (std::size_t i = 0; i < loop.rank; ++i) {
    const std::size_t from = loop.rank - 1 - i;
    shape.dimensions[i] = static_cast<std::size_t>(loop.dims[from]);
    shape.a_strides[i] = static_cast<std::size_t>(loop.strides[0][from]);
    shape.b_strides[i] = static_cast<std::size_t>(loop.strides[1][from]);
  }
  return shape;
}

template <typename T, typename View>
auto Elements(const View& view) {
  return std::span(view.template as<T>(), static_cast<std::size_t>(NumElements(view.dims)));
}

// What wraps around wraps; below 1 it is cut to 0, as is 1 / 0.
template <typename T>
T WholePower(T base, T exponent) {
  using Wide = std::conditional_t<(sizeof(T) < 4), std::uint32_t, std::make_unsigned_t<T>>;
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) {
      if (base == -1) return exponent % 2 == 0 ? T{1} : T{-1};
      return base == 1 ? T{1} : T{0};
    }
  }
  Wide result = 1;
  auto square = static_cast<Wide>(base);
  for (auto left = static_cast<Wide>(exponent); left != 0; left >>= 1) {
    if ((left & 1) != 0) result *= square;
    square *= square;
  }
  return static_cast<T>(result);
}

// Whole numbers wrap around as the machine's do; a division cuts towards 0, one by 0 gives 0.
template <typename T>
T Combine(BinaryKind kind, T a, T b) {
  using Bits = std::make_unsigned_t<T>;
  using Wide = std::conditional_t<(sizeof(T) < 4), std::uint32_t, Bits>;
  switch (kind) {
    case BinaryKind::kAdd:
      return static_cast<T>(static_cast<Wide>(a) + static_cast<Wide>(b));
    case BinaryKind::kSubtract:
      return static_cast<T>(static_cast<Wide>(a) - static_cast<Wide>(b));
    case BinaryKind::kMultiply:
      return static_cast<T>(static_cast<Wide>(a) * static_cast<Wide>(b));
    case BinaryKind::kMaximum:
      return std::max(a, b);
    case BinaryKind::kMinimum:
      return std::min(a, b);
    case BinaryKind::kPower:
      return WholePower(a, b);
    default:
      break;
  }
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return static_cast<T>(Wide{0} - static_cast<Wide>(a));
  }
  return static_cast<T>(a / b);
}

template <typename T>
void CombineAll(BinaryKind kind, const StepArguments& arguments) {
  ForEachBroadcastRun<2>(arguments.outputs[0].dims,
                         {arguments.inputs[0].dims, arguments.inputs[1].dims},
                         [&](std::int64_t at, const std::array<std::int64_t, 2>& offsets,
                             const std::array<std::int64_t, 2>& steps, std::int64_t count) {
                           const T* a = arguments.inputs[0].as<T>() + offsets[0];
                           const T* b = arguments.inputs[1].as<T>() + offsets[1];
                           T* out = arguments.outputs[0].as<T>() + at;
                           for (std::int64_t i = 0; i < count; ++i) {
                             out[i] = Combine(kind, a[i * steps[0]], b[i * steps[1]]);
                           }
                         });
}

std::unique_ptr<const Step> MakeWholeNumberStep(BinaryKind kind, DataType type) {
  return MakeStep("portable:binary_integer", [kind, type](const StepArguments& arguments) {
    switch (type) {
      case DataType::kInt8:
        return CombineAll<std::int8_t>(kind, arguments);
      case DataType::kUint8:
        return CombineAll<std::uint8_t>(kind, arguments);
      case DataType::kInt16:
        return CombineAll<std::int16_t>(kind, arguments);
      case DataType::kUint16:
        return CombineAll<std::uint16_t>(kind, arguments);
      case DataType::kInt32:
        return CombineAll<std::int32_t>(kind, arguments);
      case DataType::kUint32:
        return CombineAll<std::uint32_t>(kind, arguments);
      case DataType::kInt64:
        return CombineAll<std::int64_t>(kind, arguments);
      default:
        return CombineAll<std::uint64_t>(kind, arguments);
    }
  });
}

// Integers that stand for themselves, and for no real number.
bool AreWholeNumbers(std::span<const TensorType> types) {
  return IsInteger(types[0].data_type) && !types[0].quantization.has_value() &&
         !types[1].quantization.has_value();
}

class Binary final : public Operator {
 public:
  Binary(absl::string_view name, BinaryKind kind) : name_(name), kind_(kind) {}

  [[nodiscard]] absl::string_view name() const override { return name_; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(2, 2));
    RETURN_IF_ERROR(inputs.CheckDataType(
        0, "a",
        {DataType::kFloat32, DataType::kInt8, DataType::kInt16, DataType::kUint8, DataType::kUint16,
         DataType::kInt32, DataType::kUint32, DataType::kInt64, DataType::kUint64}));
    RETURN_IF_ERROR(inputs.CheckDataType(1, "b", {types[0].data_type}));
    ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(node, inputs.shape(0), inputs.shape(1)));
    TensorType output{types[0].data_type, std::move(shape), std::nullopt};
    if (output.data_type == DataType::kFloat32) {
      RETURN_IF_ERROR(ElementwiseActivationAttributes(node).status());
      return OneOutput(node, std::move(output));
    }
    if (AreWholeNumbers(types)) {
      if (node.attributes.contains("activation")) {
        return UnimplementedNode(node, DataTypeName(output.data_type),
                                 " inputs with an activation");
      }
      return OneOutput(node, std::move(output));
    }
    ASSIGN_OR_RETURN(const Requantization requantization, RequantizationAttribute(node));
    const bool is_fixed = FixedRoundingOf(requantization).has_value();
    if (kind_ != BinaryKind::kAdd && kind_ != BinaryKind::kMultiply &&
        !(is_fixed && kind_ == BinaryKind::kSubtract)) {
      return UnimplementedNode(node, DataTypeName(output.data_type), " inputs");
    }
    if (!types[0].quantization.has_value() || !types[1].quantization.has_value()) {
      return InvalidNode(node, DataTypeName(output.data_type), " inputs without a quantization");
    }
    ASSIGN_OR_RETURN(output.quantization,
                     QuantizationAttributes(node, "output_", output.data_type));
    ASSIGN_OR_RETURN(const FusedActivation activation, FusedActivationAttributes(node));
    RETURN_IF_ERROR(StaticClipRange(node, activation, output).status());
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    if (AreWholeNumbers(context.inputs)) {
      return MakeWholeNumberStep(kind_, context.inputs[0].data_type);
    }
    if (context.inputs[0].data_type != DataType::kFloat32) return PrepareInteger(context);
    ASSIGN_OR_RETURN(const kernels::Activation activation,
                     ElementwiseActivationAttributes(context.node));
    const kernels::KernelSet& kernels = context.kernels;
    return MakeStep(absl::StrCat(std::string(kernels.name), ":binary_f32"),
                    [kind = kind_, activation, &kernels](const StepArguments& arguments) {
                      kernels.binary_f32(kind, MakeShape(arguments), activation,
                                         Elements<float>(arguments.inputs[0]),
                                         Elements<float>(arguments.inputs[1]),
                                         Elements<float>(arguments.outputs[0]));
                    });
  }

  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType> inputs,
                               std::span<const ConstantTensor* const> constants) const override {
    return BroadcastsByRow(inputs, constants);
  }

 private:
  absl::StatusOr<std::unique_ptr<const Step>> PrepareInteger(const PrepareContext& context) const {
    const TensorQuantization& a = *context.inputs[0].quantization;
    const TensorQuantization& b = *context.inputs[1].quantization;
    const TensorQuantization& out = *context.outputs[0].quantization;
    ASSIGN_OR_RETURN(const FusedActivation activation, FusedActivationAttributes(context.node));
    ASSIGN_OR_RETURN(const ClipRange range,
                     StaticClipRange(context.node, activation, context.outputs[0]));
    ASSIGN_OR_RETURN(const Requantization requantization, RequantizationAttribute(context.node));
    const std::optional<kernels::FixedRounding> rounding = FixedRoundingOf(requantization);
    const kernels::KernelSet& kernels = context.kernels;
    if (rounding.has_value()) {
      const bool is_int16 = context.inputs[0].data_type == DataType::kInt16;
      kernels::FixedBinaryQuantization quantization =
          FixedQuantization(a, b, out, *rounding,
                            is_int16 ? kernels::kFixedBinaryShiftS16 : kernels::kFixedBinaryShift);
      quantization.lo = range.lo;
      quantization.hi = range.hi;
      if (is_int16) {
        return MakeStep(absl::StrCat(std::string(kernels.name), ":binary_fixed_s16"),
                        [kind = kind_, quantization, &kernels](const StepArguments& arguments) {
                          kernels.binary_fixed_s16(kind, MakeShape(arguments), quantization,
                                                   Elements<std::int16_t>(arguments.inputs[0]),
                                                   Elements<std::int16_t>(arguments.inputs[1]),
                                                   Elements<std::int16_t>(arguments.outputs[0]));
                        });
      }
      return MakeStep(absl::StrCat(std::string(kernels.name), ":binary_fixed_s8"),
                      [kind = kind_, quantization, &kernels](const StepArguments& arguments) {
                        kernels.binary_fixed_s8(kind, MakeShape(arguments), quantization,
                                                Elements<std::int8_t>(arguments.inputs[0]),
                                                Elements<std::int8_t>(arguments.inputs[1]),
                                                Elements<std::int8_t>(arguments.outputs[0]));
                      });
    }
    const kernels::BinaryQuantization quantization = {.a_scale = a.scale.value,
                                                      .a_zero_point = a.zero_point.value,
                                                      .b_scale = b.scale.value,
                                                      .b_zero_point = b.zero_point.value,
                                                      .out_scale = out.scale.value,
                                                      .out_zero_point = out.zero_point.value,
                                                      .lo = range.lo,
                                                      .hi = range.hi};
    if (context.inputs[0].data_type == DataType::kInt16) {
      return MakeStep(absl::StrCat(std::string(kernels.name), ":binary_s16"),
                      [kind = kind_, quantization, &kernels](const StepArguments& arguments) {
                        kernels.binary_s16(kind, MakeShape(arguments), quantization,
                                           Elements<std::int16_t>(arguments.inputs[0]),
                                           Elements<std::int16_t>(arguments.inputs[1]),
                                           Elements<std::int16_t>(arguments.outputs[0]));
                      });
    }
    return MakeStep(absl::StrCat(std::string(kernels.name), ":binary_s8"),
                    [kind = kind_, quantization, &kernels](const StepArguments& arguments) {
                      kernels.binary_s8(kind, MakeShape(arguments), quantization,
                                        Elements<std::int8_t>(arguments.inputs[0]),
                                        Elements<std::int8_t>(arguments.inputs[1]),
                                        Elements<std::int8_t>(arguments.outputs[0]));
                    });
  }

  [[nodiscard]] kernels::FixedBinaryQuantization FixedQuantization(const TensorQuantization& a,
                                                                   const TensorQuantization& b,
                                                                   const TensorQuantization& out,
                                                                   kernels::FixedRounding rounding,
                                                                   int shift) const {
    const auto quotient = [rounding](double dividend, double divisor) {
      return kernels::MakeFixedPointScale(kernels::MakeFixedPointNumber(dividend / divisor),
                                          rounding);
    };
    const auto a_scale = static_cast<double>(a.scale.value);
    const auto b_scale = static_cast<double>(b.scale.value);
    const auto out_scale = static_cast<double>(out.scale.value);
    kernels::FixedBinaryQuantization quantization = {.a_zero_point = a.zero_point.value,
                                                     .b_zero_point = b.zero_point.value,
                                                     .out_zero_point = out.zero_point.value};
    if (kind_ == BinaryKind::kMultiply) {
      // LiteRT's, which are those of int16, divide in float32, TensorFlow Lite Micro's in float64.
      const bool is_int16 = shift == kernels::kFixedBinaryShiftS16;
      const float narrow = std::min(a.scale.value * b.scale.value / out.scale.value,
                                    std::numeric_limits<float>::max());
      quantization.out_scale = is_int16 ? quotient(static_cast<double>(narrow), 1.0)
                                        : quotient(a_scale * b_scale, out_scale);
      return quantization;
    }
    const double twice_largest = 2.0 * std::max(a_scale, b_scale);
    quantization.a_scale = quotient(a_scale, twice_largest);
    quantization.b_scale = quotient(b_scale, twice_largest);
    quantization.out_scale = quotient(twice_largest, std::ldexp(out_scale, shift));
    return quantization;
  }

  const absl::string_view name_;
  const BinaryKind kind_;
};

}  // namespace

std::unique_ptr<const Operator> MakeAdd() {
  return std::make_unique<const Binary>("Add", BinaryKind::kAdd);
}
std::unique_ptr<const Operator> MakeDivide() {
  return std::make_unique<const Binary>("Divide", BinaryKind::kDivide);
}
std::unique_ptr<const Operator> MakeMaximum() {
  return std::make_unique<const Binary>("Maximum", BinaryKind::kMaximum);
}
std::unique_ptr<const Operator> MakeMinimum() {
  return std::make_unique<const Binary>("Minimum", BinaryKind::kMinimum);
}
std::unique_ptr<const Operator> MakeMultiply() {
  return std::make_unique<const Binary>("Multiply", BinaryKind::kMultiply);
}
std::unique_ptr<const Operator> MakePower() {
  return std::make_unique<const Binary>("Power", BinaryKind::kPower);
}
std::unique_ptr<const Operator> MakeSubtract() {
  return std::make_unique<const Binary>("Subtract", BinaryKind::kSubtract);
}

}  // namespace octet
