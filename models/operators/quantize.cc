// SPDX-License-Identifier: Apache-2.0

#include "models/operators/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/fixed_point_tables.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"

namespace octet {
namespace {

template <typename T, typename View>
auto Elements(const View& view) {
  return std::span(view.template as<T>(), static_cast<std::size_t>(NumElements(view.dims)));
}

absl::StatusOr<bool> RoundsAwayAttribute(const Node& node) {
  ASSIGN_OR_RETURN(const std::string rounding,
                   NameAttribute(node, "rounding", "half_even", {"half_even", "half_away"}));
  return rounding == "half_away";
}

template <typename T>
void QuantizeHalfAway(const TensorQuantization& quantization, const StepArguments& arguments) {
  const float scale = quantization.scale.value;
  const auto zero_point = static_cast<float>(quantization.zero_point.value);
  constexpr auto kLowest = static_cast<float>(std::numeric_limits<T>::min());
  constexpr auto kHighest = static_cast<float>(std::numeric_limits<T>::max());
  const auto x = Elements<float>(arguments.inputs[0]);
  std::transform(x.begin(), x.end(), Elements<T>(arguments.outputs[0]).begin(), [=](float real) {
    if (std::isnan(real)) return static_cast<T>(zero_point);
    // std::round is a call; beyond these bounds the result is clipped in any case.
    const float bounded = std::clamp(real / scale, 2.0F * kLowest, 2.0F * kHighest + 2.0F);
    const auto cut = static_cast<float>(static_cast<std::int32_t>(bounded));
    const float rest = bounded - cut;
    const float rounded = cut + (rest >= 0.5F ? 1.0F : 0.0F) - (rest <= -0.5F ? 1.0F : 0.0F);
    return static_cast<T>(std::clamp(rounded + zero_point, kLowest, kHighest));
  });
}

class Quantize final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Quantize"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32, DataType::kUint8}));
    ASSIGN_OR_RETURN(const std::string to, NameAttribute(node, "to", "INT8", {"INT8", "INT16"}));
    const DataType data_type = to == "INT16" ? DataType::kInt16 : DataType::kInt8;
    if (data_type == DataType::kInt16) {
      RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32}));
    }
    RETURN_IF_ERROR(RoundsAwayAttribute(node).status());
    ASSIGN_OR_RETURN(const TensorQuantization quantization,
                     QuantizationAttributes(node, "", data_type));
    return OneOutput(node, {data_type, types[0].shape, quantization});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const TensorQuantization quantization = *context.outputs[0].quantization;
    const kernels::KernelSet& kernels = context.kernels;
    if (context.inputs[0].data_type == DataType::kUint8) {
      return MakeStep("portable:quantize_u8", [](const StepArguments& arguments) {
        const auto x = Elements<std::uint8_t>(arguments.inputs[0]);
        std::transform(x.begin(), x.end(), Elements<std::int8_t>(arguments.outputs[0]).begin(),
                       [](std::uint8_t q) { return static_cast<std::int8_t>(q ^ 0x80); });
      });
    }
    ASSIGN_OR_RETURN(const bool rounds_away, RoundsAwayAttribute(context.node));
    if (rounds_away) {
      return MakeStep("portable:quantize_half_away",
                      [quantization](const StepArguments& arguments) {
                        if (arguments.outputs[0].data_type == DataType::kInt16) {
                          QuantizeHalfAway<std::int16_t>(quantization, arguments);
                        } else {
                          QuantizeHalfAway<std::int8_t>(quantization, arguments);
                        }
                      });
    }
    if (context.outputs[0].data_type == DataType::kInt16) {
      return MakeStep(absl::StrCat(std::string(kernels.name), ":quantize_s16"),
                      [quantization, &kernels](const StepArguments& arguments) {
                        kernels.quantize_s16(quantization.scale,
                                             Elements<float>(arguments.inputs[0]),
                                             Elements<std::int16_t>(arguments.outputs[0]));
                      });
    }
    return MakeStep(absl::StrCat(std::string(kernels.name), ":quantize_s8"),
                    [quantization, &kernels](const StepArguments& arguments) {
                      kernels.quantize_s8(quantization.scale, quantization.zero_point,
                                          Elements<float>(arguments.inputs[0]),
                                          Elements<std::int8_t>(arguments.outputs[0]));
                    });
  }

  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return true;
  }
};

class Requantize final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Requantize"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(CheckStaticInput(node, inputs, 0));
    ASSIGN_OR_RETURN(const DataType to, ToAttribute(node));
    const bool is_int16 = types[0].data_type == DataType::kInt16 || to == DataType::kInt16;
    ASSIGN_OR_RETURN(const TensorQuantization quantization, QuantizationAttributes(node, "", to));
    if (!std::isfinite(Multiplier(*types[0].quantization, quantization))) {
      return InvalidNode(node, "scales ", types[0].quantization->scale.value, " and ",
                         quantization.scale.value, " give a multiplier that is not finite");
    }
    ASSIGN_OR_RETURN(const Requantization requantization, RequantizationAttribute(node));
    if (is_int16 && (!FixedRoundingOf(requantization).has_value() || to == DataType::kUint8)) {
      return UnimplementedNode(node, DataTypeName(types[0].data_type), " to ", DataTypeName(to),
                               ", wants fixed point, and INT8 or INT16");
    }
    if (to == DataType::kUint8) return OneOutput(node, {to, types[0].shape, std::nullopt});
    return OneOutput(node, {to, types[0].shape, quantization});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const TensorQuantization& from = *context.inputs[0].quantization;
    ASSIGN_OR_RETURN(const DataType to_type, ToAttribute(context.node));
    ASSIGN_OR_RETURN(const TensorQuantization to,
                     QuantizationAttributes(context.node, "", to_type));
    ASSIGN_OR_RETURN(const Requantization requantization, RequantizationAttribute(context.node));
    if (const auto rounding = FixedRoundingOf(requantization)) {
      if (context.inputs[0].data_type == DataType::kInt16) {
        if (to_type == DataType::kInt16)
          return MakeWideLookup<std::int16_t, std::int16_t>(from, to, *rounding);
        return MakeWideLookup<std::int16_t, std::int8_t>(from, to, *rounding);
      }
      if (to_type == DataType::kInt16) {
        return MakeWideLookup<std::int8_t, std::int16_t>(from, to, *rounding);
      }
      return MakeLookupStep(context, FixedPointRequantizeTable(from, to, *rounding));
    }
    const kernels::RequantizeSpec spec{.multiplier = Multiplier(from, to),
                                       .in_zero_point = from.zero_point,
                                       .out_zero_point = to.zero_point};
    const kernels::KernelSet& kernels = context.kernels;
    if (context.outputs[0].data_type == DataType::kUint8) {
      return MakeStep(absl::StrCat(std::string(kernels.name), ":requantize_u8"),
                      [spec, &kernels](const StepArguments& arguments) {
                        const auto out = Elements<std::int8_t>(arguments.outputs[0]);
                        kernels.requantize_s8(spec, Elements<std::int8_t>(arguments.inputs[0]),
                                              out);
                        for (std::int8_t& q : out) q = static_cast<std::int8_t>(q ^ -128);
                      });
    }
    return MakeStep(absl::StrCat(std::string(kernels.name), ":requantize_s8"),
                    [spec, &kernels](const StepArguments& arguments) {
                      kernels.requantize_s8(spec, Elements<std::int8_t>(arguments.inputs[0]),
                                            Elements<std::int8_t>(arguments.outputs[0]));
                    });
  }

  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return true;
  }

 private:
  static std::unique_ptr<const Step> MakeLookupStep(const PrepareContext& context,
                                                    kernels::Int8Table table) {
    if (context.outputs[0].data_type == DataType::kUint8) {
      for (std::int8_t& q : table) q = static_cast<std::int8_t>(q ^ -128);
    }
    const kernels::KernelSet& kernels = context.kernels;
    return MakeStep(absl::StrCat(std::string(kernels.name), ":lookup_s8"),
                    [table, &kernels](const StepArguments& arguments) {
                      kernels.lookup_s8(table, Elements<std::int8_t>(arguments.inputs[0]),
                                        Elements<std::int8_t>(arguments.outputs[0]));
                    });
  }

  // From or to int16.
  template <typename In, typename Out>
  static std::unique_ptr<const Step> MakeWideLookup(const TensorQuantization& from,
                                                    const TensorQuantization& to,
                                                    kernels::FixedRounding rounding) {
    std::vector<Out> table = FixedPointRequantizeTableOf<In, Out>(from, to, rounding);
    const std::size_t byte_size = table.size() * sizeof(Out);
    return MakeStep(
        "portable:lookup",
        [table = std::move(table)](const StepArguments& arguments) {
          const auto x = Elements<In>(arguments.inputs[0]);
          std::transform(x.begin(), x.end(), Elements<Out>(arguments.outputs[0]).begin(),
                         [&table](In q) {
                           return table[static_cast<std::size_t>(
                               std::int32_t{q} - std::int32_t{std::numeric_limits<In>::min()})];
                         });
        },
        byte_size);
  }

  static absl::StatusOr<DataType> ToAttribute(const Node& node) {
    ASSIGN_OR_RETURN(const std::string to,
                     NameAttribute(node, "to", "INT8", {"INT8", "UINT8", "INT16"}));
    if (to == "INT16") return DataType::kInt16;
    return to == "UINT8" ? DataType::kUint8 : DataType::kInt8;
  }

  static float Multiplier(const TensorQuantization& from, const TensorQuantization& to) {
    return static_cast<float>(static_cast<double>(from.scale.value) /
                              static_cast<double>(to.scale.value));
  }
};

class Dequantize final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Dequantize"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 2));
    if (inputs.Has(kScale)) {
      RETURN_IF_ERROR(inputs.CheckConstant(0, "x"));
      RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kInt8, DataType::kInt4}));
      RETURN_IF_ERROR(inputs.CheckRank(kScale, "scale", 0, 1));
      RETURN_IF_ERROR(inputs.CheckConstant(kScale, "scale"));
      const Dims& dims = inputs.constant(kScale)->dims();
      const bool is_per_channel =
          dims.size() == 1 && inputs.rank(0) > 0 && Dim(dims[0]) == types[0].shape.back();
      if (!dims.empty() && dims[0] != 1 && !is_per_channel) {
        return InvalidNode(node, "input \"scale\" is ", ToString(dims), " for ",
                           ToString(types[0].shape, {}), ", wants one or one a last index");
      }
      RETURN_IF_ERROR(inputs.CheckScale(kScale, "scale", dims));
    } else {
      RETURN_IF_ERROR(CheckStaticInput(node, inputs, 0));
    }
    return OneOutput(node, {DataType::kFloat32, types[0].shape, std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const kernels::KernelSet& kernels = context.kernels;
    if (context.node.HasInput(kScale)) {
      return MakeStep("portable:dequantize", [values = UnpackWeights(*context.constants[0]),
                                              scale = FloatElements(*context.constants[kScale])](
                                                 const StepArguments& arguments) {
        const std::span<float> out = Elements<float>(arguments.outputs[0]);
        for (std::size_t i = 0; i < out.size(); ++i) {
          out[i] = static_cast<float>(values[i]) * scale[i % scale.size()];
        }
      });
    }
    const TensorQuantization quantization = *context.inputs[0].quantization;
    if (context.inputs[0].data_type == DataType::kInt16) {
      return MakeStep(absl::StrCat(std::string(kernels.name), ":dequantize_s16"),
                      [quantization, &kernels](const StepArguments& arguments) {
                        kernels.dequantize_s16(quantization.scale,
                                               Elements<std::int16_t>(arguments.inputs[0]),
                                               Elements<float>(arguments.outputs[0]));
                      });
    }
    return MakeStep(absl::StrCat(std::string(kernels.name), ":dequantize_s8"),
                    [quantization, &kernels](const StepArguments& arguments) {
                      kernels.dequantize_s8(quantization.scale, quantization.zero_point,
                                            Elements<std::int8_t>(arguments.inputs[0]),
                                            Elements<float>(arguments.outputs[0]));
                    });
  }

  [[nodiscard]] bool IsRowWise(const Node& node, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return !node.HasInput(kScale);  // a constant otherwise
  }

 private:
  static constexpr std::size_t kScale = 1;
};

}  // namespace

std::unique_ptr<const Operator> MakeDequantize() { return std::make_unique<const Dequantize>(); }
std::unique_ptr<const Operator> MakeQuantize() { return std::make_unique<const Quantize>(); }
std::unique_ptr<const Operator> MakeRequantize() { return std::make_unique<const Requantize>(); }

}  // namespace octet
