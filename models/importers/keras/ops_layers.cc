// SPDX-License-Identifier: Apache-2.0
// Functions of keras.ops that compute, which a Functional model lists like layers.

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/activation.h"
#include "models/importers/keras/operation.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

// The argument at `position` as a float32 tensor; a number becomes a constant.
absl::StatusOr<ValueId> FloatOperand(const LayerCall& call, std::size_t position,
                                     absl::string_view keyword) {
  const Argument* const argument = call.Find(position, keyword);
  if (argument != nullptr && argument->tensor.has_value()) {
    return call.ToFloat(argument->tensor->value);
  }
  if (argument != nullptr && argument->literal.is_number()) {
    return call.graph().AddScalar(static_cast<float>(argument->literal.get<double>()));
  }
  return call.Unimplemented(absl::StrCat("argument ", position, ": wants a tensor or a number"));
}

// "Add" of "ops.Add".
std::string Function(const LayerCall& call) { return call.layer().class_name; }

absl::StatusOr<std::vector<Operand>> TranslateBinary(LayerCall& call) {
  const std::map<std::string, std::string> operators = {
      {"Add", "Add"},           {"Subtract", "Subtract"}, {"Multiply", "Multiply"},
      {"Divide", "Divide"},     {"TrueDivide", "Divide"}, {"Maximum", "Maximum"},
      {"Minimum", "Minimum"},   {"Power", "Power"},       {"Equal", "Equal"},
      {"NotEqual", "NotEqual"}, {"Greater", "Greater"},   {"Less", "Less"}};
  ASSIGN_OR_RETURN(const ValueId a, FloatOperand(call, 0, "x1"));
  ASSIGN_OR_RETURN(const ValueId b, FloatOperand(call, 1, "x2"));
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Emit(operators.at(Function(call)), call.Name(), {a, b}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateLogical(LayerCall& call) {
  const std::string function = Function(call);
  std::vector<ValueId> inputs;
  for (const Operand& input : call.inputs()) inputs.push_back(input.value);
  const std::size_t wanted = function == "LogicalNot" ? 1 : 2;
  RETURN_IF_ERROR(call.CheckInputs(wanted));
  const char* const op = function == "LogicalNot" ? "Not" : function == "LogicalAnd" ? "And" : "Or";
  ASSIGN_OR_RETURN(const ValueId output, call.graph().Emit(op, call.Name(), std::move(inputs)));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateWhere(LayerCall& call) {
  const Argument* const condition = call.Find(0, "condition");
  if (condition == nullptr || !condition->tensor.has_value()) {
    return call.Invalid("condition: wants a tensor");
  }
  ASSIGN_OR_RETURN(const ValueId a, FloatOperand(call, 1, "x1"));
  ASSIGN_OR_RETURN(const ValueId b, FloatOperand(call, 2, "x2"));
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Emit("Where", call.Name(), {condition->tensor->value, a, b}));
  return Single(output);
}

// Functions of one element each, by the name of the activation that computes them.
absl::StatusOr<std::vector<Operand>> TranslateUnary(LayerCall& call) {
  const std::map<std::string, std::string> names = {{"Absolute", "abs"},
                                                    {"Abs", "abs"},
                                                    {"Exp", "exponential"},
                                                    {"Log", "log"},
                                                    {"Negative", "negative"},
                                                    {"Rsqrt", "rsqrt"},
                                                    {"Sqrt", "sqrt"},
                                                    {"Square", "square"},
                                                    {"Relu", "relu"},
                                                    {"Relu6", "relu6"},
                                                    {"Sigmoid", "sigmoid"},
                                                    {"Softplus", "softplus"},
                                                    {"Softsign", "softsign"},
                                                    {"SparsePlus", "sparse_plus"},
                                                    {"Silu", "silu"},
                                                    {"LogSigmoid", "log_sigmoid"},
                                                    {"HardSigmoid", "hard_sigmoid"},
                                                    {"HardSilu", "hard_silu"},
                                                    {"Selu", "selu"},
                                                    {"TanhShrink", "tanh_shrink"},
                                                    {"HardTanh", "hard_tanh"},
                                                    {"Tanh", "tanh"}};
  ASSIGN_OR_RETURN(const ValueId input, FloatOperand(call, 0, "x"));
  ASSIGN_OR_RETURN(const ValueId output,
                   ApplyActivation(call, call.Name(), input, {names.at(Function(call)), {}}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> Parametrized(LayerCall& call, const char* name,
                                                  const char* key, double fallback) {
  ASSIGN_OR_RETURN(const double parameter, call.config().Float(key, fallback));
  ASSIGN_OR_RETURN(const ValueId input, FloatOperand(call, 0, "x"));
  ASSIGN_OR_RETURN(
      const ValueId output,
      ApplyActivation(call, call.Name(), input, {name, {{"activation_alpha", parameter}}}));
  return Single(output);
}
absl::StatusOr<std::vector<Operand>> TranslateLeakyRelu(LayerCall& call) {
  return Parametrized(call, "leaky_relu", "negative_slope", 0.2);
}
absl::StatusOr<std::vector<Operand>> TranslateElu(LayerCall& call) {
  return Parametrized(call, "elu", "alpha", 1.0);
}
absl::StatusOr<std::vector<Operand>> TranslateCelu(LayerCall& call) {
  return Parametrized(call, "celu", "alpha", 1.0);
}

absl::StatusOr<std::vector<Operand>> TranslateGelu(LayerCall& call) {
  // Unlike the activation "gelu", the function approximates unless told otherwise.
  ASSIGN_OR_RETURN(const bool approximate, call.config().Bool("approximate", true));
  ASSIGN_OR_RETURN(const ValueId input, FloatOperand(call, 0, "x"));
  ASSIGN_OR_RETURN(const ValueId output, ApplyActivation(call, call.Name(), input,
                                                         {approximate ? "gelu_tanh" : "gelu", {}}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateSoftmax(LayerCall& call) {
  ASSIGN_OR_RETURN(const std::int64_t axis, call.config().Int("axis", -1));
  ASSIGN_OR_RETURN(const ValueId input, FloatOperand(call, 0, "x"));
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Emit(Function(call), call.Name(), {input}, {{"axis", axis}}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateClip(LayerCall& call) {
  ASSIGN_OR_RETURN(ValueId value, FloatOperand(call, 0, "x"));
  for (const auto& [key, op] : {std::pair{"x_min", "Maximum"}, std::pair{"x_max", "Minimum"}}) {
    if (!call.config().Has(key)) continue;
    ASSIGN_OR_RETURN(const double bound, call.config().Float(key, 0.0));
    ASSIGN_OR_RETURN(value,
                     call.graph().Emit(op, call.Name(),
                                       {value, call.graph().AddScalar(static_cast<float>(bound))}));
  }
  return Single(value);
}

absl::StatusOr<std::vector<Operand>> TranslateReduce(LayerCall& call) {
  const std::map<std::string, std::string> kinds = {{"Mean", "mean"}, {"Sum", "sum"},
                                                    {"Max", "max"},   {"Amax", "max"},
                                                    {"Min", "min"},   {"Amin", "min"}};
  ASSIGN_OR_RETURN(const ValueId input, FloatOperand(call, 0, "x"));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> axes,
                   OperationAxes(call, call.graph().Rank(input)));
  ASSIGN_OR_RETURN(const bool keep_dims, call.config().Bool("keepdims", false));
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Emit("Reduce", call.Name(), {input},
                                     {{"kind", kinds.at(Function(call))},
                                      {"axes", axes},
                                      {"keep_dims", std::int64_t{keep_dims ? 1 : 0}}}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateAny(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, OneTensor(call));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> axes,
                   OperationAxes(call, call.graph().Rank(input)));
  ASSIGN_OR_RETURN(const bool keep_dims, call.config().Bool("keepdims", false));
  ASSIGN_OR_RETURN(
      const ValueId output,
      call.graph().Emit("ReduceAny", call.Name(), {input},
                        {{"axes", axes}, {"keep_dims", std::int64_t{keep_dims ? 1 : 0}}}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateMatmul(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId a, FloatOperand(call, 0, "x1"));
  ASSIGN_OR_RETURN(const ValueId b, FloatOperand(call, 1, "x2"));
  ASSIGN_OR_RETURN(const ValueId output, call.graph().Emit("MatMul", call.Name(), {a, b}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateConcatenate(LayerCall& call) {
  ASSIGN_OR_RETURN(const std::vector<ValueId> values, call.InputsOfOneType());
  if (values.empty()) return call.Invalid("wants tensors");
  ASSIGN_OR_RETURN(std::int64_t axis, call.config().Int("axis", 0));
  if (axis < 0) axis += call.graph().Rank(values[0]);
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Emit("Concat", call.Name(), values, {{"axis", axis}}));
  return Single(output);
}

// The type that Octet computes in for the type called `dtype` in Keras.
absl::StatusOr<DataType> ComputedType(const LayerCall& call, const std::string& dtype) {
  const std::map<std::string, DataType> types = {
      {"float32", DataType::kFloat32},  {"float16", DataType::kFloat32},
      {"bfloat16", DataType::kFloat32}, {"int32", DataType::kInt32},
      {"int64", DataType::kInt64},      {"bool", DataType::kBool},
      {"uint8", DataType::kUint8},      {"int8", DataType::kInt8}};
  const auto found = types.find(dtype);
  if (found == types.end()) return call.config().Unimplemented("dtype", "float32, int32 and bool");
  return found->second;
}

absl::StatusOr<std::vector<Operand>> TranslateCast(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, OneTensor(call));
  ASSIGN_OR_RETURN(const std::string dtype, call.config().String("dtype"));
  ASSIGN_OR_RETURN(const DataType type, ComputedType(call, dtype));
  GraphBuilder& graph = call.graph();
  if (type == DataType::kBool && graph.TypeOf(input).data_type != DataType::kBool) {
    ASSIGN_OR_RETURN(const ValueId numbers, call.ToFloat(input));
    ASSIGN_OR_RETURN(const ValueId output,
                     graph.Emit("NotEqual", call.Name(), {numbers, graph.AddScalar(0.0F)}));
    return Single(output);
  }
  ASSIGN_OR_RETURN(const ValueId output, graph.Cast(call.Name(), input, type));
  return Single(output);
}

// Zeros or ones in the input's shape. Masks of Concatenate are made of them.
absl::StatusOr<std::vector<Operand>> TranslateConstantLike(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, OneTensor(call));
  GraphBuilder& graph = call.graph();
  DataType type = graph.TypeOf(input).data_type;
  if (call.config().Has("dtype")) {
    ASSIGN_OR_RETURN(const std::string dtype, call.config().String("dtype"));
    ASSIGN_OR_RETURN(type, ComputedType(call, dtype));
  }
  ASSIGN_OR_RETURN(const ValueId numbers, call.ToFloat(input));
  // Nothing is less than itself, not even a NaN.
  ASSIGN_OR_RETURN(ValueId output, graph.Emit("Less", call.Name("never"), {numbers, numbers}));
  if (Function(call) == "OnesLike") {
    ASSIGN_OR_RETURN(output, graph.Emit("Not", call.Name("always"), {output}));
  }
  ASSIGN_OR_RETURN(output, graph.Cast(call.Name(), output, type));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateStopGradient(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, OneTensor(call));
  return Single(input);
}

}  // namespace

void AddOperations(LayerRegistry& registry) {
  const auto add = [&registry](std::initializer_list<const char*> names, Translator translator) {
    for (const char* const name : names) registry.Add({absl::StrCat("ops.", name), translator});
  };
  add({"Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Power",
       "Equal", "NotEqual", "Greater", "Less"},
      TranslateBinary);
  add({"LogicalAnd", "LogicalNot", "LogicalOr"}, TranslateLogical);
  add({"Where"}, TranslateWhere);
  add({"Absolute", "Abs",        "Exp",      "Log",        "Negative",    "Rsqrt",
       "Sqrt",     "Square",     "Relu",     "Relu6",      "Sigmoid",     "Softplus",
       "Softsign", "SparsePlus", "Silu",     "LogSigmoid", "HardSigmoid", "HardSilu",
       "Selu",     "TanhShrink", "HardTanh", "Tanh"},
      TranslateUnary);
  add({"LeakyRelu"}, TranslateLeakyRelu);
  add({"Elu"}, TranslateElu);
  add({"Celu"}, TranslateCelu);
  add({"Gelu"}, TranslateGelu);
  add({"Softmax", "LogSoftmax"}, TranslateSoftmax);
  add({"Clip"}, TranslateClip);
  add({"Mean", "Sum", "Max", "Amax", "Min", "Amin"}, TranslateReduce);
  add({"Any"}, TranslateAny);
  add({"Matmul"}, TranslateMatmul);
  add({"Concatenate"}, TranslateConcatenate);
  add({"Cast"}, TranslateCast);
  add({"ZerosLike", "OnesLike"}, TranslateConstantLike);
  add({"StopGradient"}, TranslateStopGradient);
}

}  // namespace octet::keras
