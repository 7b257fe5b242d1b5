// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime's operators over quantized tensors that are no products (com.microsoft, QLinear...).
// Where the graph has no operator over integers they are computed with real numbers, between
// Dequantize and Quantize, as ONNX Runtime does with most.

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/quantized_activation.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

absl::StatusOr<Operand> FromIntegerOperand(NodeCall& call, const Operand& integers, DataType type) {
  return FromIntegers(call, std::get<std::shared_ptr<Activation>>(integers.content), type);
}

// One output of real numbers, quantized.
Outputs QuantizedResult(NodeCall& call, Outputs real, const Quantization& to) {
  RETURN_IF_ERROR(real.status());
  ASSIGN_OR_RETURN(Operand result, Quantized(call, real->front(), to));
  return Single(std::move(result));
}

// ONNX's operator of that name over the real numbers of the first input, quantized again.
Outputs ThroughReal(NodeCall& call, absl::string_view op,
                    const std::vector<AttributeProto>& attributes) {
  RETURN_IF_ERROR(CheckPresent(call, 5, {0, 1, 3}));
  ASSIGN_OR_RETURN(const Quantization from, QuantizationOf(call, 1, 2, call.input(0).type()));
  ASSIGN_OR_RETURN(const Quantization to, ResultQuantization(call, 3, 4));
  ASSIGN_OR_RETURN(const Operand real, Dequantized(call, call.input(0), from, "real"));
  return QuantizedResult(call, call.As(op, {real}, attributes, "function"), to);
}

Outputs Binary(NodeCall& call, const std::string& op) {
  RETURN_IF_ERROR(CheckPresent(call, 8, {0, 1, 3, 4, 6}));
  const Operand& a = call.input(0);
  const Operand& b = call.input(3);
  ASSIGN_OR_RETURN(const Quantization from_a, QuantizationOf(call, 1, 2, a.type()));
  ASSIGN_OR_RETURN(const Quantization from_b, QuantizationOf(call, 4, 5, b.type()));
  ASSIGN_OR_RETURN(const Quantization to, ResultQuantization(call, 6, 7));
  if (a.activation() == nullptr || b.activation() == nullptr) {
    ASSIGN_OR_RETURN(const Operand left, Dequantized(call, a, from_a, "a"));
    ASSIGN_OR_RETURN(const Operand right, Dequantized(call, b, from_b, "b"));
    ASSIGN_OR_RETURN(const Operand real, call.Broadcast(op, {left, right}));
    ASSIGN_OR_RETURN(Operand result, Quantized(call, real, to));
    return Single(std::move(result));
  }
  ASSIGN_OR_RETURN(const auto left, IntegersOf(call, *a.activation(), from_a));
  ASSIGN_OR_RETURN(const auto right, IntegersOf(call, *b.activation(), from_b));
  ASSIGN_OR_RETURN(const Operand integers,
                   call.Broadcast(op, {Operand{a.name, left}, Operand{b.name, right}},
                                  to.attributes("output_")));
  ASSIGN_OR_RETURN(Operand result, FromIntegerOperand(call, integers, to.type));
  return Single(std::move(result));
}
Outputs TranslateQLinearAdd(NodeCall& call) { return Binary(call, "Add"); }
Outputs TranslateQLinearMul(NodeCall& call) { return Binary(call, "Multiply"); }

// A function of each element: a table of 256.
Outputs Table(NodeCall& call, Attributes attributes) {
  RETURN_IF_ERROR(CheckPresent(call, 5, {0, 1, 3}));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const Quantization from, QuantizationOf(call, 1, 2, x->type));
  ASSIGN_OR_RETURN(const Quantization to, ResultQuantization(call, 3, 4));
  ASSIGN_OR_RETURN(const auto integers, IntegersOf(call, *x, from));
  attributes.merge(to.attributes("output_"));
  ASSIGN_OR_RETURN(const Operand mapped,
                   call.Elementwise("Activation", Operand{"", integers}, std::move(attributes)));
  ASSIGN_OR_RETURN(Operand result, FromIntegerOperand(call, mapped, to.type));
  return Single(std::move(result));
}
Outputs TranslateQLinearSigmoid(NodeCall& call) {
  return Table(call, {{"activation", std::string("sigmoid")}});
}
Outputs TranslateQLinearLeakyRelu(NodeCall& call) {
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", 0.01F));
  return Table(call,
               {{"activation", std::string("leaky_relu")}, {"activation_alpha", double{alpha}}});
}

absl::Status CheckChannelsFirst(NodeCall& call) {
  ASSIGN_OR_RETURN(const std::int64_t channels_last, call.Int("channels_last", 0));
  if (channels_last == 0) return absl::OkStatus();
  return call.Unimplemented("attribute \"channels_last\" is not 0");
}

Outputs TranslateQLinearAveragePool(NodeCall& call) {
  RETURN_IF_ERROR(CheckChannelsFirst(call));
  return ThroughReal(call, "AveragePool",
                     call.AttributesNamed({"auto_pad", "ceil_mode", "count_include_pad",
                                           "kernel_shape", "pads", "strides"}));
}

// The sum of the integers is exact in float32; it is scaled, rounded and shifted once.
Outputs TranslateQLinearGlobalAveragePool(NodeCall& call) {
  RETURN_IF_ERROR(CheckPresent(call, 5, {0, 1, 3}));
  RETURN_IF_ERROR(CheckChannelsFirst(call));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const Quantization from, QuantizationOf(call, 1, 2, x->type));
  ASSIGN_OR_RETURN(const Quantization to, ResultQuantization(call, 3, 4));
  std::int64_t pixels = 1;
  for (std::size_t axis = 2; axis < x->shape.size(); ++axis) {
    const Dim& dim = x->shape[axis];
    if (!dim.is_constant() || dim.value() < 1 || pixels > (1 << 16) / dim.value()) {
      return ThroughReal(call, "GlobalAveragePool", {});
    }
    pixels *= dim.value();
  }
  Quantization steps = from;
  steps.scale = 1.0F;
  ASSIGN_OR_RETURN(const Operand whole, Dequantized(call, call.input(0), steps, "whole"));
  const auto [order, id] = NodeCall::AnyForm(*whole.activation());
  std::vector<std::int64_t> axes;
  for (std::size_t axis = 2; axis < x->shape.size(); ++axis) {
    axes.push_back(call.AxisIn(order, axis));
  }
  std::sort(axes.begin(), axes.end());
  if (axes.empty()) return call.Invalid("wants an input with axes of space");
  ASSIGN_OR_RETURN(
      const ValueId sum,
      call.Emit("Reduce", {id},
                {{"kind", std::string("sum")}, {"axes", axes}, {"keep_dims", std::int64_t{1}}},
                "sum"));
  const float factor = from.scale / (to.scale * static_cast<float>(pixels));
  ASSIGN_OR_RETURN(const Operand scaled,
                   call.Broadcast("Multiply", {call.Result(sum, order), NodeCall::Scalar(factor)},
                                  {}, "scaled"));
  Quantization rounding = to;
  rounding.scale = 1.0F;
  ASSIGN_OR_RETURN(const Operand rounded,
                   call.Elementwise("Quantize", scaled, rounding.attributes(), "rounded"));
  ASSIGN_OR_RETURN(const Operand meant, call.Elementwise("Reinterpret", rounded, to.attributes()));
  ASSIGN_OR_RETURN(Operand result, FromIntegerOperand(call, meant, to.type));
  return Single(std::move(result));
}

// `x` with another quantization: as it is where that is the same.
absl::StatusOr<Operand> WithQuantization(NodeCall& call, const Operand& x, const Quantization& from,
                                         const Quantization& to, absl::string_view suffix) {
  if (x.activation() == nullptr) return call.Unimplemented("a constant among its inputs");
  if (from.type == to.type && from.scale == to.scale && from.zero_point == to.zero_point) {
    ASSIGN_OR_RETURN(auto integers, IntegersOf(call, *x.activation(), from));
    return Operand{x.name, std::move(integers)};
  }
  ASSIGN_OR_RETURN(const Operand real, Dequantized(call, x, from, absl::StrCat(suffix, "/real")));
  return call.Elementwise("Quantize", real, to.attributes(), absl::StrCat(suffix, "/quantized"));
}

Outputs TranslateQLinearConcat(NodeCall& call) {
  ASSIGN_OR_RETURN(const Quantization to, ResultQuantization(call, 0, 1));
  // The last zero point may be absent.
  if (call.num_inputs() < 4 || (call.num_inputs() - 2) % 3 == 1) {
    return call.Invalid(absl::StrCat("got ", call.num_inputs(), " inputs, wants 2 and three each"));
  }
  std::vector<Operand> parts;
  for (std::size_t at = 2; at < call.num_inputs(); at += 3) {
    if (!call.Has(at)) return call.Invalid(absl::StrCat("input ", at, " is absent"));
    ASSIGN_OR_RETURN(const Quantization from,
                     QuantizationOf(call, at + 1, at + 2, call.input(at).type()));
    ASSIGN_OR_RETURN(Operand part, WithQuantization(call, call.input(at), from, to,
                                                    absl::StrCat("input_", parts.size())));
    parts.push_back(std::move(part));
  }
  ASSIGN_OR_RETURN(const auto joined, call.As("Concat", parts, call.AttributesNamed({"axis"}), ""));
  ASSIGN_OR_RETURN(Operand result, FromIntegerOperand(call, joined[0], to.type));
  return Single(std::move(result));
}

Outputs TranslateQLinearSoftmax(NodeCall& call) {
  // Before opset 13 the axes from `axis` on are one.
  ASSIGN_OR_RETURN(const std::int64_t opset, call.Int("opset", call.opset()));
  if ((opset < 13) != (call.opset() < 13)) {
    return call.Unimplemented(
        absl::StrCat("a softmax of opset ", opset, " in a model of opset ", call.opset()));
  }
  return ThroughReal(call, "Softmax", call.AttributesNamed({"axis"}));
}

Outputs TranslateQLinearReduceMean(NodeCall& call) {
  return ThroughReal(call, "ReduceMean", call.AttributesNamed({"axes", "keepdims"}));
}

Outputs TranslateQLinearWhere(NodeCall& call) {
  RETURN_IF_ERROR(CheckPresent(call, 9, {0, 1, 2, 4, 5, 7}));
  ASSIGN_OR_RETURN(const Quantization from_x, QuantizationOf(call, 2, 3, call.input(1).type()));
  ASSIGN_OR_RETURN(const Quantization from_y, QuantizationOf(call, 5, 6, call.input(4).type()));
  ASSIGN_OR_RETURN(const Quantization to, ResultQuantization(call, 7, 8));
  ASSIGN_OR_RETURN(const Operand x, Dequantized(call, call.input(1), from_x, "x"));
  ASSIGN_OR_RETURN(const Operand y, Dequantized(call, call.input(4), from_y, "y"));
  return QuantizedResult(call, call.As("Where", {call.input(0), x, y}, {}, "real"), to);
}

constexpr std::array kOperators = {
    OperatorEntry{"QLinearAdd", TranslateQLinearAdd},
    OperatorEntry{"QLinearAveragePool", TranslateQLinearAveragePool},
    OperatorEntry{"QLinearConcat", TranslateQLinearConcat},
    OperatorEntry{"QLinearGlobalAveragePool", TranslateQLinearGlobalAveragePool},
    OperatorEntry{"QLinearLeakyRelu", TranslateQLinearLeakyRelu},
    OperatorEntry{"QLinearMul", TranslateQLinearMul},
    OperatorEntry{"QLinearReduceMean", TranslateQLinearReduceMean},
    OperatorEntry{"QLinearSigmoid", TranslateQLinearSigmoid},
    OperatorEntry{"QLinearSoftmax", TranslateQLinearSoftmax},
    OperatorEntry{"QLinearWhere", TranslateQLinearWhere},
};

}  // namespace

std::span<const OperatorEntry> MicrosoftLinearOperators() { return kOperators; }

}  // namespace octet::onnx
