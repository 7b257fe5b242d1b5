// SPDX-License-Identifier: Apache-2.0
// Operators that compute each element for itself.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/quantized_activation.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

// TensorProto.DataType.
constexpr std::int64_t kFloat16 = 10;
constexpr std::int64_t kBfloat16 = 16;

// Activations of the same name and meaning, without parameters.
const std::map<std::string, std::string>& PlainActivations() {
  static const auto* const names = new std::map<std::string, std::string>{
      {"Abs", "abs"},           {"Exp", "exponential"}, {"HardSwish", "hard_silu"},
      {"Log", "log"},           {"Mish", "mish"},       {"Neg", "negative"},
      {"Relu", "relu"},         {"Sigmoid", "sigmoid"}, {"Softplus", "softplus"},
      {"Softsign", "softsign"}, {"Sqrt", "sqrt"},       {"Tanh", "tanh"},
  };
  return *names;
}

absl::StatusOr<Operand> Activate(NodeCall& call, const Operand& operand, const std::string& name,
                                 Attributes attributes = {}, absl::string_view suffix = "") {
  attributes["activation"] = name;
  return call.Elementwise("Activation", operand, std::move(attributes), suffix);
}

Outputs TranslatePlainActivation(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(Operand result,
                   Activate(call, call.input(0), PlainActivations().at(call.node().op_type)));
  return Single(std::move(result));
}

Outputs TranslateFunction(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  std::string function = call.node().op_type;
  function[0] = static_cast<char>(function[0] - 'A' + 'a');
  ASSIGN_OR_RETURN(Operand result, call.Elementwise("ElementwiseFunction", call.input(0),
                                                    {{"function", function}}));
  return Single(std::move(result));
}

// An activation with one parameter, alpha.
Outputs AlphaActivation(NodeCall& call, const std::string& name, float fallback) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", fallback));
  ASSIGN_OR_RETURN(Operand result, Activate(call, call.input(0), name,
                                            {{"activation_alpha", static_cast<double>(alpha)}}));
  return Single(std::move(result));
}

Outputs TranslateLeakyRelu(NodeCall& call) { return AlphaActivation(call, "leaky_relu", 0.01F); }
Outputs TranslateElu(NodeCall& call) { return AlphaActivation(call, "elu", 1.0F); }
Outputs TranslateCelu(NodeCall& call) { return AlphaActivation(call, "celu", 1.0F); }

Outputs TranslateThresholdedRelu(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", 1.0F));
  ASSIGN_OR_RETURN(Operand result,
                   Activate(call, call.input(0), "relu",
                            {{"activation_threshold", static_cast<double>(alpha)}}));
  return Single(std::move(result));
}

Outputs TranslateSelu(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", 1.67326319217681884765625F));
  ASSIGN_OR_RETURN(const float gamma, call.Float("gamma", 1.05070102214813232421875F));
  ASSIGN_OR_RETURN(Operand result,
                   Activate(call, call.input(0), "elu",
                            {{"activation_alpha", static_cast<double>(alpha)}}, "elu"));
  ASSIGN_OR_RETURN(result, call.Broadcast("Multiply", {result, NodeCall::Scalar(gamma)}));
  return Single(std::move(result));
}

Outputs TranslateGelu(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const std::string approximate, call.String("approximate", "none"));
  if (approximate != "none" && approximate != "tanh") {
    return call.Invalid("attribute \"approximate\" is neither \"none\" nor \"tanh\"");
  }
  ASSIGN_OR_RETURN(Operand result,
                   Activate(call, call.input(0), approximate == "tanh" ? "gelu_tanh" : "gelu"));
  return Single(std::move(result));
}

// min(max(alpha * x + beta, 0), 1)
Outputs TranslateHardSigmoid(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", 0.2F));
  ASSIGN_OR_RETURN(const float beta, call.Float("beta", 0.5F));
  ASSIGN_OR_RETURN(
      Operand value,
      call.Broadcast("Multiply", {call.input(0), NodeCall::Scalar(alpha)}, {}, "scaled"));
  ASSIGN_OR_RETURN(value,
                   call.Broadcast("Add", {value, NodeCall::Scalar(beta)},
                                  {{"activation", std::string("relu")}, {"activation_beta", 1.0}}));
  return Single(std::move(value));
}

// x * sigmoid(alpha * x)
Outputs TranslateSwish(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", 1.0F));
  if (alpha == 1.0F) {
    ASSIGN_OR_RETURN(Operand result, Activate(call, call.input(0), "silu"));
    return Single(std::move(result));
  }
  ASSIGN_OR_RETURN(Operand gate,
                   call.Broadcast("Multiply", {call.input(0), NodeCall::Scalar(alpha)},
                                  {{"activation", std::string("sigmoid")}}, "gate"));
  ASSIGN_OR_RETURN(gate, call.Broadcast("Multiply", {call.input(0), gate}));
  return Single(std::move(gate));
}

// A bound of Clip: an input from opset 11 on, an attribute before.
absl::StatusOr<Operand> ClipBound(NodeCall& call, std::size_t index, absl::string_view key,
                                  float fallback) {
  if (call.Has(index)) return call.input(index);
  ASSIGN_OR_RETURN(const float bound, call.Float(key, fallback));
  return NodeCall::Scalar(bound);
}

// Clip of 8 bits whose quantization is known, by constants.
absl::StatusOr<std::optional<Operand>> ClipOfBytes(NodeCall& call) {
  Activation* const x = call.input(0).activation();
  if (x == nullptr || x->integers == nullptr) return std::optional<Operand>();
  std::array<std::optional<std::int64_t>, 2> bounds;
  for (const std::size_t i : {1U, 2U}) {
    if (!call.Has(i)) continue;
    const ConstantTensor* const constant = call.input(i).constant();
    if (constant == nullptr || constant->data_type() != x->type ||
        NumElements(constant->dims()) != 1) {
      return std::optional<Operand>();
    }
    bounds[i - 1] = Int64Elements(*constant)[0];
  }
  ASSIGN_OR_RETURN(Operand result, ClippedIntegers(call, *x, bounds[0], bounds[1]));
  return std::optional(std::move(result));
}

Outputs TranslateClip(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 3));
  ASSIGN_OR_RETURN(std::optional<Operand> bytes, ClipOfBytes(call));
  if (bytes.has_value()) return Single(*std::move(bytes));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ASSIGN_OR_RETURN(const Operand low, ClipBound(call, 1, "min", -kInfinity));
  ASSIGN_OR_RETURN(const Operand high, ClipBound(call, 2, "max", kInfinity));
  const auto number = [](const Operand& bound) -> float {
    const ConstantTensor* const constant = bound.constant();
    const bool is_one = constant != nullptr && constant->data_type() == DataType::kFloat32 &&
                        NumElements(constant->dims()) == 1;
    return is_one ? FloatElements(*constant)[0] : std::numeric_limits<float>::quiet_NaN();
  };
  const float lowest = number(low);
  const float highest = number(high);
  if (lowest == 0.0F && highest > 0.0F) {
    Attributes attributes;
    if (std::isfinite(highest)) attributes["activation_beta"] = static_cast<double>(highest);
    const bool is_relu6 = highest == 6.0F;
    ASSIGN_OR_RETURN(Operand result, Activate(call, call.input(0), is_relu6 ? "relu6" : "relu",
                                              is_relu6 ? Attributes() : std::move(attributes)));
    return Single(std::move(result));
  }
  Operand value = call.input(0);
  if (lowest != -kInfinity) {
    ASSIGN_OR_RETURN(value, call.Broadcast("Maximum", {value, low}, {}, "min"));
  }
  if (highest != kInfinity) {
    ASSIGN_OR_RETURN(value, call.Broadcast("Minimum", {value, high}, {}, "max"));
  }
  return Single(std::move(value));
}

Outputs BinaryNode(NodeCall& call, const std::string& op) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  if (call.opset() < 7) return call.Unimplemented("broadcasting of opsets before 7");
  ASSIGN_OR_RETURN(Operand result, call.Broadcast(op, call.inputs()));
  return Single(std::move(result));
}

Outputs TranslateAdd(NodeCall& call) { return BinaryNode(call, "Add"); }
Outputs TranslateSub(NodeCall& call) { return BinaryNode(call, "Subtract"); }
Outputs TranslateMul(NodeCall& call) { return BinaryNode(call, "Multiply"); }
Outputs TranslateDiv(NodeCall& call) { return BinaryNode(call, "Divide"); }
Outputs TranslateEqual(NodeCall& call) { return BinaryNode(call, "Equal"); }
Outputs TranslateGreater(NodeCall& call) { return BinaryNode(call, "Greater"); }
Outputs TranslateLess(NodeCall& call) { return BinaryNode(call, "Less"); }
Outputs TranslateAnd(NodeCall& call) { return BinaryNode(call, "And"); }
Outputs TranslateOr(NodeCall& call) { return BinaryNode(call, "Or"); }
Outputs TranslateXor(NodeCall& call) { return BinaryNode(call, "NotEqual"); }
Outputs TranslatePRelu(NodeCall& call) { return BinaryNode(call, "PRelu"); }

// Not the negation of the other: a comparison with NaN is always false.
Outputs OrEqual(NodeCall& call, const std::string& op) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  ASSIGN_OR_RETURN(const Operand strict, call.Broadcast(op, call.inputs(), {}, "strict"));
  ASSIGN_OR_RETURN(const Operand equal, call.Broadcast("Equal", call.inputs(), {}, "equal"));
  ASSIGN_OR_RETURN(Operand result, call.Broadcast("Or", {strict, equal}));
  return Single(std::move(result));
}
Outputs TranslateGreaterOrEqual(NodeCall& call) { return OrEqual(call, "Greater"); }
Outputs TranslateLessOrEqual(NodeCall& call) { return OrEqual(call, "Less"); }

Outputs TranslateNot(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(Operand result, call.Elementwise("Not", call.input(0)));
  return Single(std::move(result));
}

// `operand` in `type`, called `what` after the node where it is another one.
absl::StatusOr<Operand> InType(NodeCall& call, const Operand& operand, DataType type,
                               absl::string_view what) {
  if (operand.type() == type) return operand;
  const ConstantTensor* const constant = operand.constant();
  if (constant == nullptr) {
    return call.Elementwise("Cast", operand, {{"to", std::string(DataTypeName(type))}}, what);
  }
  const bool is_whole = IsInteger(constant->data_type()) && IsInteger(type);
  return Operand{absl::StrCat(call.name(), "/", what),
                 is_whole ? FromInt64s(type, constant->dims(), Int64Elements(*constant))
                          : FromDoubles(type, constant->dims(), DoubleElements(*constant))};
}

// Whether all that an exponent may be are whole numbers.
bool IsWhole(const Operand& exponent) {
  if (IsInteger(exponent.type())) return true;
  if (exponent.constant() == nullptr) return false;
  const std::vector<double> values = DoubleElements(*exponent.constant());
  return std::all_of(values.begin(), values.end(),
                     [](double value) { return value == std::trunc(value); });
}

// The base's type is the result's, whatever the exponent's is.
Outputs TranslatePow(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  const Operand& base = call.input(0);
  const Operand& exponent = call.input(1);
  const DataType type = base.type();
  if (const ConstantTensor* const constant = exponent.constant();
      constant != nullptr && !IsInteger(type)) {
    const std::vector<double> values = DoubleElements(*constant);
    if (values.size() == 1 && constant->dims().size() <= base.rank()) {
      if (values[0] == 2.0 || values[0] == 0.5) {
        ASSIGN_OR_RETURN(Operand result,
                         Activate(call, base, values[0] == 2.0 ? "square" : "sqrt"));
        return Single(std::move(result));
      }
    }
  }
  // Whole numbers wrap around alike in whichever of their types holds both.
  const DataType common = !IsInteger(type) || !IsWhole(exponent) ? DataType::kFloat32
                          : exponent.type() == type              ? type
                                                                 : DataType::kInt64;
  ASSIGN_OR_RETURN(const Operand from, InType(call, base, common, "base"));
  ASSIGN_OR_RETURN(const Operand by, InType(call, exponent, common, "exponent"));
  ASSIGN_OR_RETURN(Operand result,
                   call.Broadcast("Power", {from, by}, {}, common == type ? "" : "power"));
  ASSIGN_OR_RETURN(result, InType(call, result, type, ""));
  return Single(std::move(result));
}

Outputs TranslateReciprocal(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(Operand result,
                   call.Broadcast("Divide", {NodeCall::Scalar(1.0F), call.input(0)}));
  return Single(std::move(result));
}

// Any number of operands, one behind the other.
absl::StatusOr<Operand> Chain(NodeCall& call, const std::string& op) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1024));
  Operand value = call.input(0);
  for (std::size_t i = 1; i < call.num_inputs(); ++i) {
    if (!call.Has(i)) return call.Invalid(absl::StrCat("input ", i, " is absent"));
    const std::string suffix = i + 1 == call.num_inputs() ? "" : absl::StrCat("part_", i);
    ASSIGN_OR_RETURN(value, call.Broadcast(op, {value, call.input(i)}, {}, suffix));
  }
  return value;
}

Outputs ChainNode(NodeCall& call, const std::string& op) {
  ASSIGN_OR_RETURN(Operand value, Chain(call, op));
  return Single(std::move(value));
}
Outputs TranslateMax(NodeCall& call) { return ChainNode(call, "Maximum"); }
Outputs TranslateMin(NodeCall& call) { return ChainNode(call, "Minimum"); }
Outputs TranslateSum(NodeCall& call) { return ChainNode(call, "Add"); }

Outputs TranslateMean(NodeCall& call) {
  ASSIGN_OR_RETURN(Operand value, Chain(call, "Add"));
  const auto count = static_cast<float>(call.num_inputs());
  ASSIGN_OR_RETURN(value, call.Broadcast("Divide", {value, NodeCall::Scalar(count)}, {}, "mean"));
  return Single(std::move(value));
}

Outputs TranslateWhere(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(3, 3));
  ASSIGN_OR_RETURN(Operand result, call.Broadcast("Where", call.inputs()));
  return Single(std::move(result));
}

Outputs TranslateCast(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const std::int64_t to, call.Int("to", 0));
  call.Ignore("saturate");  // only of 8-bit floats, which there are none of
  call.Ignore("round_mode");
  const absl::StatusOr<DataType> type = ElementType(to);
  if (!type.ok()) return call.WithNode(type.status());
  Operand result = call.input(0);
  // Numbers of 16 bits are kept in float32.
  const char* const reduced = to == kFloat16 ? "to_float16" : to == kBfloat16 ? "to_bfloat16" : "";
  const bool is_reduced = to == kFloat16 || to == kBfloat16;
  if (result.type() != *type) {
    ASSIGN_OR_RETURN(result,
                     call.Elementwise("Cast", result, {{"to", std::string(DataTypeName(*type))}},
                                      is_reduced ? "real" : ""));
  }
  if (is_reduced) {
    ASSIGN_OR_RETURN(result, call.Elementwise("ElementwiseFunction", result,
                                              {{"function", std::string(reduced)}}));
  }
  return Single(std::move(result));
}

Outputs TranslateCastLike(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  call.Ignore("saturate");
  call.Ignore("round_mode");
  const DataType type = call.input(1).type();
  if (call.input(0).type() == type) return Single(call.input(0));
  ASSIGN_OR_RETURN(Operand result, call.Elementwise("Cast", call.input(0),
                                                    {{"to", std::string(DataTypeName(type))}}));
  return Single(std::move(result));
}

// What Dropout keeps, which is everything; in the input's own type until opset 10.
absl::StatusOr<Operand> DropoutMask(NodeCall& call) {
  const Operand& x = call.input(0);
  const Operand yes = {absl::StrCat(call.name(), "/kept"), FromInt64s(DataType::kBool, {}, {1})};
  ASSIGN_OR_RETURN(Operand mask, InType(call, x, DataType::kBool, "is_set"));
  ASSIGN_OR_RETURN(mask, call.Broadcast("Or", {mask, yes}, {}, "mask"));
  return call.opset() < 10 ? InType(call, mask, x.type(), "mask_in_type") : mask;
}

// Whether one with an input that says so is training, and with another ratio than 0.
absl::StatusOr<bool> DropsElements(NodeCall& call) {
  ASSIGN_OR_RETURN(const ConstantTensor training, call.Constant(2, "training_mode"));
  const std::vector<std::int64_t> flags = Int64Elements(training);
  if (std::all_of(flags.begin(), flags.end(), [](std::int64_t flag) { return flag == 0; })) {
    return false;
  }
  if (!call.Has(1)) return true;
  ASSIGN_OR_RETURN(const ConstantTensor ratio, call.Constant(1, "ratio"));
  const std::vector<double> ratios = DoubleElements(ratio);
  return ratios.empty() ||
         std::any_of(ratios.begin(), ratios.end(), [](double value) { return value != 0.0; });
}

// Only the training graph drops anything.
Outputs TranslateDropout(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 3));
  call.Ignore("ratio");
  call.Ignore("seed");
  call.Ignore("is_test");
  if (call.Has(2)) {
    ASSIGN_OR_RETURN(const bool drops, DropsElements(call));
    if (drops) return call.Unimplemented("training mode");
  }
  std::vector<Operand> outputs = Single(call.input(0));
  if (call.Wants(1)) {
    ASSIGN_OR_RETURN(outputs.emplace_back(), DropoutMask(call));
  }
  return outputs;
}

// Of whole numbers; wraps around.
absl::StatusOr<Operand> Negative(NodeCall& call, absl::string_view suffix) {
  const Operand zero = {"", FromInt64s(call.input(0).type(), {1}, {0})};
  return call.Broadcast("Subtract", {zero, call.input(0)}, {}, suffix);
}

Outputs TranslateNeg(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  if (call.input(0).type() == DataType::kFloat32) return TranslatePlainActivation(call);
  ASSIGN_OR_RETURN(Operand result, Negative(call, ""));
  return Single(std::move(result));
}

Outputs TranslateAbs(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  const Operand& x = call.input(0);
  if (x.type() == DataType::kFloat32) return TranslatePlainActivation(call);
  const bool is_signed = x.type() == DataType::kInt8 || x.type() == DataType::kInt16 ||
                         x.type() == DataType::kInt32 || x.type() == DataType::kInt64;
  if (!is_signed) return Single(x);
  ASSIGN_OR_RETURN(const Operand negative, Negative(call, "negative"));
  ASSIGN_OR_RETURN(Operand larger, call.Broadcast("Maximum", {x, negative}, {}, ""));
  return Single(std::move(larger));
}

constexpr std::array kOperators = {
    OperatorEntry{"Abs", TranslateAbs},
    OperatorEntry{"Acos", TranslateFunction},
    OperatorEntry{"Acosh", TranslateFunction},
    OperatorEntry{"Add", TranslateAdd},
    OperatorEntry{"And", TranslateAnd},
    OperatorEntry{"Asin", TranslateFunction},
    OperatorEntry{"Asinh", TranslateFunction},
    OperatorEntry{"Atan", TranslateFunction},
    OperatorEntry{"Atanh", TranslateFunction},
    OperatorEntry{"Cast", TranslateCast},
    OperatorEntry{"CastLike", TranslateCastLike},
    OperatorEntry{"Ceil", TranslateFunction},
    OperatorEntry{"Celu", TranslateCelu},
    OperatorEntry{"Clip", TranslateClip},
    OperatorEntry{"Cos", TranslateFunction},
    OperatorEntry{"Cosh", TranslateFunction},
    OperatorEntry{"Div", TranslateDiv},
    OperatorEntry{"Dropout", TranslateDropout},
    OperatorEntry{"Elu", TranslateElu},
    OperatorEntry{"Equal", TranslateEqual},
    OperatorEntry{"Erf", TranslateFunction},
    OperatorEntry{"Exp", TranslatePlainActivation},
    OperatorEntry{"Floor", TranslateFunction},
    OperatorEntry{"Gelu", TranslateGelu},
    OperatorEntry{"Greater", TranslateGreater},
    OperatorEntry{"GreaterOrEqual", TranslateGreaterOrEqual},
    OperatorEntry{"HardSigmoid", TranslateHardSigmoid},
    OperatorEntry{"HardSwish", TranslatePlainActivation},
    OperatorEntry{"LeakyRelu", TranslateLeakyRelu},
    OperatorEntry{"Less", TranslateLess},
    OperatorEntry{"LessOrEqual", TranslateLessOrEqual},
    OperatorEntry{"Log", TranslatePlainActivation},
    OperatorEntry{"Max", TranslateMax},
    OperatorEntry{"Mean", TranslateMean},
    OperatorEntry{"Min", TranslateMin},
    OperatorEntry{"Mish", TranslatePlainActivation},
    OperatorEntry{"Mul", TranslateMul},
    OperatorEntry{"Neg", TranslateNeg},
    OperatorEntry{"Not", TranslateNot},
    OperatorEntry{"Or", TranslateOr},
    OperatorEntry{"PRelu", TranslatePRelu},
    OperatorEntry{"Pow", TranslatePow},
    OperatorEntry{"Reciprocal", TranslateReciprocal},
    OperatorEntry{"Relu", TranslatePlainActivation},
    OperatorEntry{"Round", TranslateFunction},
    OperatorEntry{"Selu", TranslateSelu},
    OperatorEntry{"Sigmoid", TranslatePlainActivation},
    OperatorEntry{"Sign", TranslateFunction},
    OperatorEntry{"Sin", TranslateFunction},
    OperatorEntry{"Sinh", TranslateFunction},
    OperatorEntry{"Softplus", TranslatePlainActivation},
    OperatorEntry{"Softsign", TranslatePlainActivation},
    OperatorEntry{"Sqrt", TranslatePlainActivation},
    OperatorEntry{"Sub", TranslateSub},
    OperatorEntry{"Sum", TranslateSum},
    OperatorEntry{"Swish", TranslateSwish},
    OperatorEntry{"Tan", TranslateFunction},
    OperatorEntry{"Tanh", TranslatePlainActivation},
    OperatorEntry{"ThresholdedRelu", TranslateThresholdedRelu},
    OperatorEntry{"Where", TranslateWhere},
    OperatorEntry{"Xor", TranslateXor},
};

}  // namespace

std::span<const OperatorEntry> ElementwiseOperators() { return kOperators; }

}  // namespace octet::onnx
