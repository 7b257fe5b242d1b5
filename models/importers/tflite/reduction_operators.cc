// SPDX-License-Identifier: Apache-2.0
// Pools, means and other reductions, and products of two activations.

#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/tflite/translators.h"

namespace octet::tflite {
namespace {

absl::Status TranslatePool(OperatorCall& call, const std::string& op) {
  RETURN_IF_ERROR(call.CheckCounts(1, 1));
  const auto* const options = call.options<schema::Pool2DOptions>();
  if (options == nullptr) return NoOptions();
  ASSIGN_OR_RETURN(const ValueId x, call.Activation(0));
  ASSIGN_OR_RETURN(const std::string padding, Padding(options->padding()));
  ASSIGN_OR_RETURN(const std::string activation,
                   FusedActivation(options->fused_activation_function()));
  using Ints = std::vector<std::int64_t>;
  Attributes attributes = {{"pool_size", Ints{options->filter_height(), options->filter_width()}},
                           {"strides", Ints{options->stride_h(), options->stride_w()}},
                           {"padding", padding}};
  const bool is_uint8 = call.IsQuantized(0) && call.input(0).data_type == DataType::kUint8;
  if (op == "AveragePool2d" && is_uint8) attributes["rounding"] = std::string("half_up");
  ASSIGN_OR_RETURN(ValueId value, call.Emit(op, {x}, std::move(attributes)));
  ASSIGN_OR_RETURN(value, Activated(call, value, activation));
  return call.SetOutput(0, value);
}

absl::Status TranslateAveragePool(OperatorCall& call) {
  return TranslatePool(call, "AveragePool2d");
}
absl::Status TranslateMaxPool(OperatorCall& call) { return TranslatePool(call, "MaxPool2d"); }

absl::Status TranslateReduce(OperatorCall& call, const std::string& kind) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2));
  ASSIGN_OR_RETURN(ValueId x, call.Activation(0));
  ASSIGN_OR_RETURN(std::vector<std::int64_t> axes, call.Integers(1));
  for (std::int64_t& axis : axes) {
    ASSIGN_OR_RETURN(axis, OperatorCall::Axis(axis, call.input(0).dims.size()));
  }
  const auto* const options = call.options<schema::ReducerOptions>();
  const bool keeps = options != nullptr && options->keep_dims();
  Attributes attributes = {
      {"kind", kind}, {"axes", std::move(axes)}, {"keep_dims", std::int64_t{keeps ? 1 : 0}}};
  const bool is_sum = kind == "mean" || kind == "sum";
  if (call.IsQuantized(0) && call.IsQuantizedOutput(0) && is_sum &&
      call.ProfileOf(call.input(0)).is_fixed_point()) {
    ASSIGN_OR_RETURN(const Attributes output, QuantizationAttributes(call.output(0), "output_"));
    attributes.insert(output.begin(), output.end());
    attributes["requantization"] = call.ProfileOf(call.input(0)).requantization();
    ASSIGN_OR_RETURN(const ValueId value, call.Emit("Reduce", {x}, std::move(attributes)));
    return call.SetOutput(0, value);
  }
  // Integers where the result has the input's quantization; else the mean of the real numbers, so
  // that it is rounded once.
  bool is_integer = false;
  if (call.IsQuantized(0) && call.IsQuantizedOutput(0) && kind != "sum") {
    ASSIGN_OR_RETURN(const TensorQuantization from, ActivationQuantization(call.input(0)));
    ASSIGN_OR_RETURN(const TensorQuantization to, ActivationQuantization(call.output(0)));
    is_integer = from == to;
  }
  if (!is_integer) {
    ASSIGN_OR_RETURN(x, call.FloatOperand(0));
  }
  ASSIGN_OR_RETURN(const ValueId value, call.Emit("Reduce", {x}, std::move(attributes)));
  return is_integer ? call.SetOutput(0, value) : call.SetFloatOutput(0, value);
}

absl::Status TranslateMean(OperatorCall& call) { return TranslateReduce(call, "mean"); }
absl::Status TranslateSum(OperatorCall& call) { return TranslateReduce(call, "sum"); }
absl::Status TranslateReduceMax(OperatorCall& call) { return TranslateReduce(call, "max"); }
absl::Status TranslateReduceMin(OperatorCall& call) { return TranslateReduce(call, "min"); }

absl::Status TranslateBatchMatMul(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2));
  const auto* const options = call.options<schema::BatchMatMulOptions>();
  if (options == nullptr) return NoOptions();
  ASSIGN_OR_RETURN(const ValueId a, call.FloatOperand(0));
  ASSIGN_OR_RETURN(const ValueId b, call.FloatOperand(1));
  ASSIGN_OR_RETURN(const ValueId value,
                   call.Emit("MatMul", {a, b},
                             {{"transpose_a", std::int64_t{options->adj_x()}},
                              {"transpose_b", std::int64_t{options->adj_y()}}}));
  return call.SetFloatOutput(0, value);
}

}  // namespace

std::vector<Translator> ReductionTranslators() {
  return {{1, TranslateAveragePool},  {17, TranslateMaxPool},   {40, TranslateMean},
          {74, TranslateSum},         {82, TranslateReduceMax}, {89, TranslateReduceMin},
          {126, TranslateBatchMatMul}};
}

}  // namespace octet::tflite
