// SPDX-License-Identifier: Apache-2.0
// UNIDIRECTIONAL_SEQUENCE_LSTM in float32, in integers (int8 with a cell state of int16), and of
// dynamic range: float32 activations that are quantized step by step, and int8 weights.

#include <cmath>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/tflite/translators.h"

namespace octet::tflite {
namespace {

constexpr std::size_t kX = 0;
// One each for the input, forget, cell and output gate, which is Keras's order too.
constexpr std::size_t kGates = 4;
constexpr std::size_t kWeights = 1;    // [units, inputs]
constexpr std::size_t kRecurrent = 5;  // [units, units]
constexpr std::size_t kBias = 12;      // [units]
// Those that are inputs of the first four, of what we do not have.
constexpr std::size_t kPeepholes = 9;
constexpr std::size_t kProjection = 16;
constexpr std::size_t kOutputState = 18;
constexpr std::size_t kCellState = 19;
constexpr std::size_t kNormalization = 20;
constexpr std::size_t kFewestInputs = 20;
constexpr std::size_t kMostInputs = 24;
// Of integers: what the output state is quantized by, where LiteRT's kernel looks for it.
constexpr std::size_t kHidden = 4;
constexpr std::size_t kIntermediates = 5;

absl::Status RefuseInputs(const OperatorCall& call, std::size_t first, std::size_t count,
                          absl::string_view what) {
  for (std::size_t i = first; i < first + count; ++i) {
    if (call.HasInput(i)) return OperatorCall::Unimplemented("with ", what);
  }
  return absl::OkStatus();
}

// INVALID_ARGUMENT or UNIMPLEMENTED for a form that we do not have.
absl::Status CheckForm(const OperatorCall& call,
                       const schema::UnidirectionalSequenceLSTMOptions& options) {
  if (call.num_inputs() < kFewestInputs || call.num_inputs() > kMostInputs ||
      call.num_outputs() != 1 || !call.HasInput(kX)) {
    return OperatorCall::Invalid("got ", call.num_inputs(), " inputs and ", call.num_outputs(),
                                 " outputs, wants ", kFewestInputs, " to ", kMostInputs,
                                 ", and one");
  }
  if (!call.HasInput(kWeights)) {
    return OperatorCall::Unimplemented("without an input gate, which the forget gate stands for");
  }
  for (const std::size_t first : {kWeights, kRecurrent, kBias}) {
    for (std::size_t gate = 0; gate < kGates; ++gate) {
      if (!call.HasInput(first + gate)) {
        return OperatorCall::Invalid("input ", first + gate, " is not given");
      }
    }
  }
  RETURN_IF_ERROR(RefuseInputs(call, kPeepholes, 3, "peepholes"));
  RETURN_IF_ERROR(RefuseInputs(call, kProjection, 2, "a projection"));
  RETURN_IF_ERROR(
      RefuseInputs(call, kNormalization, kMostInputs - kNormalization, "layer normalization"));
  for (const std::size_t state : {kOutputState, kCellState}) {
    if (!call.HasInput(state) || !call.input(state).is_variable) {
      return OperatorCall::Unimplemented("from a state that is no variable of its own");
    }
  }
  if (options.time_major() || options.diagonal_recurrent_tensors()) {
    return OperatorCall::Unimplemented("with time_major or diagonal_recurrent_tensors");
  }
  if (!(options.cell_clip() >= 0.0F) || !std::isfinite(options.cell_clip())) {
    return OperatorCall::Invalid("got cell_clip ", options.cell_clip(),
                                 ", wants a finite number of at least 0");
  }
  return absl::OkStatus();
}

// `gates`, matrices of one shape [rows, columns], side by side as Keras has them:
// [columns, 4 * rows].
template <typename T>
ConstantTensor SideBySide(std::span<const ConstantTensor> gates) {
  const Dims& dims = gates[0].dims();
  // As large as the four together.
  const auto num_rows = static_cast<std::size_t>(dims[0]);
  const auto num_columns = static_cast<std::size_t>(dims[1]);
  std::vector<T> all(kGates * num_rows * num_columns);
  for (std::size_t gate = 0; gate < kGates; ++gate) {
    const std::span<const T> elements = gates[gate].as<T>();
    for (std::size_t row = 0; row < num_rows; ++row) {
      for (std::size_t column = 0; column < num_columns; ++column) {
        all[(column * kGates + gate) * num_rows + row] = elements[row * num_columns + column];
      }
    }
  }
  return ConstantTensor::Copy(gates[0].data_type(),
                              {dims[1], static_cast<std::int64_t>(kGates) * dims[0]}, all);
}

absl::Status CheckDims(const OperatorCall& call, std::size_t index, const Dims& wanted) {
  if (call.input(index).dims == wanted) return absl::OkStatus();
  return OperatorCall::Invalid("input ", index, " is ", Describe(call.input(index)), ", wants ",
                               ToString(wanted));
}

// The four gates' matrices of `rows` by `columns` from input `first` on.
absl::StatusOr<ConstantTensor> GateMatrix(const OperatorCall& call, std::size_t first,
                                          std::int64_t rows, std::int64_t columns) {
  std::vector<ConstantTensor> gates;
  for (std::size_t index = first; index < first + kGates; ++index) {
    if (call.IsQuantized(index)) {
      return OperatorCall::Unimplemented("input ", index, " is ", Describe(call.input(index)),
                                         ", wants floats");
    }
    ASSIGN_OR_RETURN(gates.emplace_back(), call.FloatConstant(index));
    RETURN_IF_ERROR(CheckDims(call, index, {rows, columns}));
  }
  return SideBySide<float>(gates);
}

absl::StatusOr<ConstantTensor> GateBias(const OperatorCall& call, std::int64_t units) {
  std::vector<float> all;
  for (std::size_t index = kBias; index < kBias + kGates; ++index) {
    ASSIGN_OR_RETURN(const ConstantTensor bias, call.FloatConstant(index));
    RETURN_IF_ERROR(CheckDims(call, index, {units}));
    const std::span<const float> elements = bias.as<float>();
    all.insert(all.end(), elements.begin(), elements.end());
  }
  return ConstantTensor::Copy(DataType::kFloat32, {static_cast<std::int64_t>(all.size())}, all);
}

// Constants of the graph, in the order of `variables`.
std::vector<ValueId> AddVariables(const OperatorCall& call,
                                  const std::vector<octet::LayerVariable>& variables) {
  std::vector<ValueId> values;
  for (const octet::LayerVariable& variable : variables) {
    values.push_back(call.AddConstant(variable.name, variable.tensor));
  }
  return values;
}

// Lists the layer of the node that was emitted last, which computes `value`, and sets the output.
absl::Status Finish(OperatorCall& call, ValueId value, std::vector<octet::LayerVariable> variables,
                    const std::string& mode) {
  octet::Layer layer;
  layer.path = call.graph().graph().nodes.back().name;
  layer.layer_class = "LSTM";
  layer.mode = mode;
  layer.variables = std::move(variables);
  call.translation().layers.push_back(std::move(layer));
  return call.SetOutput(0, value);
}

// A node `op` of `x` and all `variables`.
absl::Status EmitLstm(OperatorCall& call, const std::string& op, ValueId x,
                      std::vector<octet::LayerVariable> variables, Attributes attributes,
                      const std::string& mode) {
  std::vector<ValueId> inputs = AddVariables(call, variables);
  inputs.insert(inputs.begin(), x);
  ASSIGN_OR_RETURN(const ValueId value, call.Emit(op, std::move(inputs), std::move(attributes)));
  return Finish(call, value, std::move(variables), mode);
}

struct LstmSizes {
  std::int64_t inputs;
  std::int64_t units;
};

absl::Status TranslateFloatLstm(OperatorCall& call, ValueId x, const LstmSizes& sizes,
                                const std::string& activation, float cell_clip) {
  ASSIGN_OR_RETURN(ConstantTensor kernel, GateMatrix(call, kWeights, sizes.units, sizes.inputs));
  ASSIGN_OR_RETURN(ConstantTensor recurrent,
                   GateMatrix(call, kRecurrent, sizes.units, sizes.units));
  ASSIGN_OR_RETURN(ConstantTensor bias, GateBias(call, sizes.units));
  return EmitLstm(call, "Lstm", x,
                  {{"kernel", std::move(kernel), ""},
                   {"recurrent_kernel", std::move(recurrent), ""},
                   {"bias", std::move(bias), ""}},
                  {{"activation", activation},
                   {"return_sequences", std::int64_t{1}},
                   {"cell_clip", double{cell_clip}}},
                  "float");
}

// What the four gates' int8 matrices of input `first` on and their scales become: one scale for
// each column.
struct IntegerGates {
  ConstantTensor matrix;
  ConstantTensor scales;
};

absl::StatusOr<IntegerGates> ReadIntegerGates(const OperatorCall& call, std::size_t first,
                                              const LstmSizes& sizes) {
  std::vector<ConstantTensor> gates;
  std::vector<float> scales;
  for (std::size_t index = first; index < first + kGates; ++index) {
    const StoredTensor& weight = call.input(index);
    if (weight.data_type != DataType::kInt8 || !call.IsQuantized(index)) {
      return OperatorCall::Unimplemented("input ", index, " is ", Describe(weight),
                                         ", wants INT8 with a scale");
    }
    RETURN_IF_ERROR(CheckDims(call, index, {sizes.units, sizes.inputs}));
    RETURN_IF_ERROR(CheckWeightQuantization(weight, 0));
    if (weight.quantization.scale.size() != 1 || weight.quantization.ZeroPoint(0) != 0) {
      return OperatorCall::Unimplemented(
          "input ", index, " ", Describe(weight), " has ", weight.quantization.scale.size(),
          " scales and zero point ", weight.quantization.ZeroPoint(0), ", wants one and 0");
    }
    ASSIGN_OR_RETURN(gates.emplace_back(), call.Constant(index));
    scales.insert(scales.end(), static_cast<std::size_t>(sizes.units),
                  weight.quantization.scale[0]);
  }
  return IntegerGates{
      SideBySide<std::int8_t>(gates),
      ConstantTensor::Copy(DataType::kFloat32, {static_cast<std::int64_t>(scales.size())}, scales)};
}

// The scales as Keras has them, which divide.
absl::StatusOr<ConstantTensor> Reciprocals(const ConstantTensor& scales) {
  std::vector<float> reciprocals;
  for (const float scale : scales.as<float>()) {
    reciprocals.push_back(1.0F / scale);
    if (!std::isfinite(reciprocals.back())) {
      return OperatorCall::Invalid("got scale ", scale, ", wants one whose reciprocal is finite");
    }
  }
  return ConstantTensor::Copy(DataType::kFloat32, scales.dims(), reciprocals);
}

absl::StatusOr<ConstantTensor> IntegerBias(const OperatorCall& call, std::int64_t units) {
  std::vector<std::int32_t> all;
  for (std::size_t index = kBias; index < kBias + kGates; ++index) {
    ASSIGN_OR_RETURN(const ConstantTensor bias, call.Constant(index));
    RETURN_IF_ERROR(CheckDims(call, index, {units}));
    if (bias.data_type() != DataType::kInt32) {
      return OperatorCall::Invalid("input ", index, " is ", Describe(call.input(index)),
                                   ", wants INT32");
    }
    const std::span<const std::int32_t> elements = bias.as<std::int32_t>();
    all.insert(all.end(), elements.begin(), elements.end());
  }
  return ConstantTensor::Copy(DataType::kInt32, {static_cast<std::int64_t>(all.size())}, all);
}

// `tensor`, which has to be of this type and quantized.
absl::StatusOr<TensorQuantization> QuantizationOf(absl::string_view what,
                                                  const StoredTensor& tensor, DataType data_type) {
  if (tensor.data_type != data_type || !IsQuantizedTensor(tensor)) {
    return OperatorCall::Invalid(what, " is ", Describe(tensor), ", wants ",
                                 DataTypeName(data_type), " with a scale");
  }
  return ActivationQuantization(tensor);
}

// The scales of the states and of the output, as the node's attributes.
absl::StatusOr<Attributes> StateAttributes(const OperatorCall& call) {
  const StoredTensor* const hidden = call.intermediate(kHidden);
  if (hidden == nullptr) {
    return OperatorCall::Invalid("has no intermediate ", kHidden, ", wants ", kIntermediates,
                                 ", of which the last one says how the output is quantized");
  }
  ASSIGN_OR_RETURN(const TensorQuantization of_hidden,
                   QuantizationOf("the last intermediate", *hidden, DataType::kInt8));
  ASSIGN_OR_RETURN(const TensorQuantization of_output,
                   QuantizationOf("the output", call.output(0), DataType::kInt8));
  if (of_hidden != of_output) {
    return OperatorCall::Invalid("the last intermediate has another scale or zero point than ",
                                 Describe(call.output(0)), ", wants the same");
  }
  RETURN_IF_ERROR(
      QuantizationOf("the output state", call.input(kOutputState), DataType::kInt8).status());
  ASSIGN_OR_RETURN(const TensorQuantization of_cell,
                   QuantizationOf("the cell state", call.input(kCellState), DataType::kInt16));
  ASSIGN_OR_RETURN(Attributes attributes, QuantizationAttributes(call.output(0), "output_"));
  ASSIGN_OR_RETURN(Attributes state, QuantizationAttributes(call.input(kOutputState), "state_"));
  attributes.merge(state);
  attributes["cell_scale"] = double{of_cell.scale.value};
  return attributes;
}

absl::Status TranslateIntegerLstm(OperatorCall& call, ValueId x, const LstmSizes& sizes,
                                  const std::string& activation, float cell_clip) {
  if (activation != "tanh") {
    return OperatorCall::Unimplemented("of integers with the activation ", activation,
                                       ", wants tanh");
  }
  ASSIGN_OR_RETURN(Attributes attributes, StateAttributes(call));
  attributes["cell_clip"] = double{cell_clip};
  const Profile& profile = call.translation().profile;
  attributes["formula"] = profile.lstm_formula();
  attributes["requantization"] = profile.lstm_requantization();
  ASSIGN_OR_RETURN(IntegerGates kernel, ReadIntegerGates(call, kWeights, sizes));
  ASSIGN_OR_RETURN(IntegerGates recurrent,
                   ReadIntegerGates(call, kRecurrent, {sizes.units, sizes.units}));
  ASSIGN_OR_RETURN(ConstantTensor bias, IntegerBias(call, sizes.units));
  return EmitLstm(call, "FixedPointLstm", x,
                  {{"kernel", std::move(kernel.matrix), ""},
                   {"recurrent_kernel", std::move(recurrent.matrix), ""},
                   {"bias", std::move(bias), ""},
                   {"kernel_scale", std::move(kernel.scales), "multiply"},
                   {"recurrent_kernel_scale", std::move(recurrent.scales), "multiply"}},
                  std::move(attributes), "int8_static");
}

// What the inputs add to the gates, all steps at once: quantized step by step, with zero points.
absl::StatusOr<ValueId> ProjectAsymmetrically(OperatorCall& call, ValueId x, ValueId kernel,
                                              ValueId kernel_scale, ValueId bias) {
  GraphBuilder& graph = call.graph();
  ASSIGN_OR_RETURN(
      const std::vector<ValueId> quantized,
      graph.EmitMany("DynamicQuantize", call.Name("quantize"), {x},
                     {{"formula", std::string("tflite")}, {"rows", std::string("vectors")}}, 3));
  ASSIGN_OR_RETURN(ValueId value, call.Emit("IntegerMatMul", {quantized[0], kernel, quantized[2]},
                                            {}, "products"));
  ASSIGN_OR_RETURN(value, graph.Cast(call.Name("sums"), value, DataType::kFloat32));
  ASSIGN_OR_RETURN(value, call.Emit("Divide", {value, kernel_scale}, {}, "weight_scaled"));
  ASSIGN_OR_RETURN(value, call.Emit("Multiply", {value, quantized[1]}, {}, "scaled"));
  return call.Emit("Add", {value, bias}, {}, "projected");
}

// The same without zero points.
absl::StatusOr<ValueId> ProjectSymmetrically(OperatorCall& call, ValueId x, ValueId kernel,
                                             ValueId kernel_scale, ValueId bias) {
  return call.Emit("FullyConnected", {x, kernel, kernel_scale, kNoValue, bias},
                   {{"activation_quantization", std::string("dynamic")}, {"dynamic_epsilon", 0.0}},
                   "projected");
}

// How activations are quantized where they meet int8 weights.
enum class DynamicRange {
  kSymmetric,   // with a scale alone
  kAsymmetric,  // with a zero point too
};

absl::Status TranslateDynamicLstm(OperatorCall& call, ValueId x, const LstmSizes& sizes,
                                  DynamicRange range, Attributes attributes) {
  const bool is_asymmetric = range == DynamicRange::kAsymmetric;
  ASSIGN_OR_RETURN(IntegerGates kernel, ReadIntegerGates(call, kWeights, sizes));
  ASSIGN_OR_RETURN(IntegerGates recurrent,
                   ReadIntegerGates(call, kRecurrent, {sizes.units, sizes.units}));
  ASSIGN_OR_RETURN(ConstantTensor bias, GateBias(call, sizes.units));
  ASSIGN_OR_RETURN(ConstantTensor kernel_scale, Reciprocals(kernel.scales));
  ASSIGN_OR_RETURN(ConstantTensor recurrent_scale, Reciprocals(recurrent.scales));
  std::vector<octet::LayerVariable> variables = {
      {"kernel", std::move(kernel.matrix), ""},
      {"recurrent_kernel", std::move(recurrent.matrix), ""},
      {"bias", std::move(bias), ""},
      {"kernel_scale", std::move(kernel_scale), "reciprocal"},
      {"recurrent_kernel_scale", std::move(recurrent_scale), "reciprocal"}};
  const std::vector<ValueId> values = AddVariables(call, variables);
  const auto project = is_asymmetric ? ProjectAsymmetrically : ProjectSymmetrically;
  ASSIGN_OR_RETURN(const ValueId projected, project(call, x, values[0], values[3], values[2]));
  attributes["ranges"] = std::string(is_asymmetric ? "asymmetric" : "symmetric");
  ASSIGN_OR_RETURN(const ValueId value, call.Emit("DynamicLstm", {projected, values[1], values[4]},
                                                  std::move(attributes)));
  return Finish(call, value, std::move(variables), "int8");
}

absl::Status TranslateLstm(OperatorCall& call) {
  const auto* const options = call.options<schema::UnidirectionalSequenceLSTMOptions>();
  if (options == nullptr) return NoOptions();
  RETURN_IF_ERROR(CheckForm(call, *options));
  ASSIGN_OR_RETURN(const std::string activation,
                   FusedActivation(options->fused_activation_function()));
  ASSIGN_OR_RETURN(const ValueId x, call.Activation(kX));
  const Dims& dims = call.input(kX).dims;
  const Dims& weights = call.input(kWeights).dims;
  const bool is_integer = call.input(kX).data_type == DataType::kInt8 && call.IsQuantized(kX);
  if (!is_integer && call.input(kX).data_type != DataType::kFloat32) {
    return OperatorCall::Unimplemented("of ", Describe(call.input(kX)),
                                       ", wants FP32, or INT8 with a scale");
  }
  if (dims.size() != 3 || weights.size() != 2) {
    return OperatorCall::Invalid("got ", Describe(call.input(kX)), " and weights ",
                                 Describe(call.input(kWeights)), ", wants 3 and 2 dimensions");
  }
  const LstmSizes sizes = {.inputs = weights[1], .units = weights[0]};
  if (is_integer) {
    return TranslateIntegerLstm(call, x, sizes, activation, options->cell_clip());
  }
  if (!call.IsQuantized(kWeights)) {
    return TranslateFloatLstm(call, x, sizes, activation, options->cell_clip());
  }
  return TranslateDynamicLstm(
      call, x, sizes,
      options->asymmetric_quantize_inputs() ? DynamicRange::kAsymmetric : DynamicRange::kSymmetric,
      {{"activation", activation}, {"cell_clip", double{options->cell_clip()}}});
}

}  // namespace

std::vector<Translator> RecurrentTranslators() { return {{44, TranslateLstm}}; }

}  // namespace octet::tflite
