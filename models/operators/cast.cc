// SPDX-License-Identifier: Apache-2.0

#include "models/operators/cast.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

// A boolean's byte; a client's may be any.
struct Bool {
  std::uint8_t byte;
};

template <typename To, typename From>
To Convert(From value) {
  if constexpr (std::is_same_v<From, Bool>) {
    return Convert<To>(static_cast<std::int32_t>(value.byte != 0 ? 1 : 0));
  } else if constexpr (std::is_same_v<To, Bool>) {
    return Bool{static_cast<std::uint8_t>(value != From{0} ? 1 : 0)};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(value)) return 0;
    // Both bounds as the float type rounds them: the upper one may be one too many.
    constexpr auto kLowest = static_cast<From>(std::numeric_limits<To>::min());
    constexpr auto kHighest = static_cast<From>(std::numeric_limits<To>::max());
    if (value <= kLowest) return std::numeric_limits<To>::min();
    if (value >= kHighest) return std::numeric_limits<To>::max();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

// Calls visit(T{}) with the element type of `type`. Precondition: IsSupported(type).
template <typename Visit>
void VisitType(DataType type, Visit visit) {
  switch (type) {
    case DataType::kBool:
      return visit(Bool{});
    case DataType::kInt8:
      return visit(std::int8_t{});
    case DataType::kUint8:
      return visit(std::uint8_t{});
    case DataType::kInt16:
      return visit(std::int16_t{});
    case DataType::kUint16:
      return visit(std::uint16_t{});
    case DataType::kInt32:
      return visit(std::int32_t{});
    case DataType::kUint32:
      return visit(std::uint32_t{});
    case DataType::kInt64:
      return visit(std::int64_t{});
    case DataType::kUint64:
      return visit(std::uint64_t{});
    case DataType::kFloat64:
      return visit(double{});
    default:
      return visit(float{});
  }
}

bool IsSupported(DataType type) {
  return BitWidth(type) % 8 == 0 && type != DataType::kFloat16 && type != DataType::kBfloat16;
}

absl::StatusOr<DataType> Target(const Node& node) {
  ASSIGN_OR_RETURN(const std::string name, node.String("to", ""));
  const auto type = ParseDataType(name);
  if (!type.has_value()) {
    return InvalidNode(node, "attribute \"to\" is \"", name, "\", which is no datatype");
  }
  if (!IsSupported(*type)) return UnimplementedNode(node, "a cast to ", name);
  return *type;
}

class Cast final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Cast"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    if (!IsSupported(types[0].data_type) || types[0].quantization.has_value()) {
      return UnimplementedNode(node, "a cast from ", DataTypeName(types[0].data_type),
                               types[0].quantization.has_value() ? " with a quantization" : "");
    }
    ASSIGN_OR_RETURN(const DataType to, Target(node));
    return OneOutput(node, {to, types[0].shape, std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const DataType from = context.inputs[0].data_type;
    ASSIGN_OR_RETURN(const DataType to, Target(context.node));
    return MakeStep("portable:cast", [from, to](const StepArguments& arguments) {
      const std::int64_t size = NumElements(arguments.inputs[0].dims);
      VisitType(from, [&](auto from_example) {
        VisitType(to, [&](auto to_example) {
          using From = decltype(from_example);
          using To = decltype(to_example);
          const From* x = arguments.inputs[0].as<From>();
          To* out = arguments.outputs[0].as<To>();
          for (std::int64_t i = 0; i < size; ++i) out[i] = Convert<To>(x[i]);
        });
      });
    });
  }

  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return true;
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeCast() { return std::make_unique<const Cast>(); }

}  // namespace octet
