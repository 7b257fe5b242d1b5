// SPDX-License-Identifier: Apache-2.0
// UNIDIRECTIONAL_SEQUENCE_LSTM in float32.

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
constexpr std::size_t kStates = 18;  // of the output and of the cell
constexpr std::size_t kNormalization = 20;
constexpr std::size_t kFewestInputs = 20;
constexpr std::size_t kMostInputs = 24;

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
  for (const std::size_t state : {kStates, kStates + 1}) {
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

// The four gates' matrices of `rows` by `columns` from input `first` on, side by side as Keras has
// them: [columns, 4 * rows].
absl::StatusOr<ConstantTensor> GateMatrix(const OperatorCall& call, std::size_t first,
                                          std::int64_t rows, std::int64_t columns) {
  std::vector<ConstantTensor> gates;
  for (std::size_t index = first; index < first + kGates; ++index) {
    if (call.IsQuantized(index)) {
      return OperatorCall::Unimplemented("input ", index, " is ", Describe(call.input(index)),
                                         ", wants floats");
    }
    ASSIGN_OR_RETURN(gates.emplace_back(), call.FloatConstant(index));
    if (gates.back().dims() != Dims{rows, columns}) {
      return OperatorCall::Invalid("input ", index, " is ", Describe(call.input(index)), ", wants ",
                                   ToString(Dims{rows, columns}));
    }
  }
  // As large as the four together.
  const auto num_rows = static_cast<std::size_t>(rows);
  const auto num_columns = static_cast<std::size_t>(columns);
  std::vector<float> all(kGates * num_rows * num_columns);
  for (std::size_t gate = 0; gate < kGates; ++gate) {
    const std::span<const float> elements = gates[gate].as<float>();
    for (std::size_t row = 0; row < num_rows; ++row) {
      for (std::size_t column = 0; column < num_columns; ++column) {
        all[(column * kGates + gate) * num_rows + row] = elements[row * num_columns + column];
      }
    }
  }
  return ConstantTensor::Copy(DataType::kFloat32,
                              {columns, static_cast<std::int64_t>(kGates) * rows}, all);
}

absl::StatusOr<ConstantTensor> GateBias(const OperatorCall& call, std::int64_t units) {
  std::vector<float> all;
  for (std::size_t index = kBias; index < kBias + kGates; ++index) {
    ASSIGN_OR_RETURN(const ConstantTensor bias, call.FloatConstant(index));
    if (bias.dims() != Dims{units}) {
      return OperatorCall::Invalid("input ", index, " is ", Describe(call.input(index)), ", wants ",
                                   ToString(Dims{units}));
    }
    const std::span<const float> elements = bias.as<float>();
    all.insert(all.end(), elements.begin(), elements.end());
  }
  return ConstantTensor::Copy(DataType::kFloat32, {static_cast<std::int64_t>(all.size())}, all);
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
  if (call.input(kX).data_type != DataType::kFloat32) {
    return OperatorCall::Unimplemented("of ", Describe(call.input(kX)), ", wants FP32");
  }
  if (dims.size() != 3 || weights.size() != 2) {
    return OperatorCall::Invalid("got ", Describe(call.input(kX)), " and weights ",
                                 Describe(call.input(kWeights)), ", wants 3 and 2 dimensions");
  }
  const std::int64_t units = weights[0];
  octet::Layer layer;
  std::vector<ValueId> inputs = {x};
  ASSIGN_OR_RETURN(const ConstantTensor kernel, GateMatrix(call, kWeights, units, weights[1]));
  ASSIGN_OR_RETURN(const ConstantTensor recurrent, GateMatrix(call, kRecurrent, units, units));
  ASSIGN_OR_RETURN(const ConstantTensor bias, GateBias(call, units));
  for (const auto& [name, tensor] :
       {std::pair{"kernel", &kernel}, {"recurrent_kernel", &recurrent}, {"bias", &bias}}) {
    inputs.push_back(call.AddConstant(name, *tensor));
    layer.variables.push_back({name, *tensor, ""});
  }
  ASSIGN_OR_RETURN(const ValueId value, call.Emit("Lstm", std::move(inputs),
                                                  {{"activation", activation},
                                                   {"return_sequences", std::int64_t{1}},
                                                   {"cell_clip", double{options->cell_clip()}}}));
  layer.path = call.graph().graph().nodes.back().name;
  layer.layer_class = "LSTM";
  layer.mode = "float";
  call.translation().layers.push_back(std::move(layer));
  return call.SetOutput(0, value);
}

}  // namespace

std::vector<Translator> RecurrentTranslators() { return {{44, TranslateLstm}}; }

}  // namespace octet::tflite
