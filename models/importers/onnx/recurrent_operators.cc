// SPDX-License-Identifier: Apache-2.0
// LSTM, GRU and RNN. The graph's gates are in Keras's order, its sequences have the batch first,
// behind the rows of a model that is run as a whole.

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

// Inputs of ONNX's operators; the last two only LSTM has.
constexpr std::size_t kLengths = 4;
constexpr std::size_t kInitialH = 5;
constexpr std::size_t kPeepholes = 7;

struct CellKind {
  std::string op;
  absl::string_view layer_class;
  std::size_t gates;
  std::array<std::size_t, 4> source_gate;  // of each of ours, ONNX's
  std::size_t activations;                 // in each direction
  std::size_t states;
};
// ONNX: i, o, f, c; ours: i, f, c, o.
const CellKind kLstm = {"Lstm", "LSTM", 4, {0, 2, 3, 1}, 3, 2};
const CellKind kGru = {"Gru", "GRU", 3, {0, 1, 2, 0}, 2, 1};
const CellKind kRnn = {"SimpleRnn", "SimpleRNN", 1, {0, 0, 0, 0}, 1, 1};

struct RecurrentForm {
  bool has_forward = true;
  bool has_backward = false;
  bool batch_first = false;
  std::int64_t hidden = 0;
  std::vector<Attributes> activations;  // of each direction
  bool resets_after = false;
};

// What is left of the lists activation_alpha and activation_beta, which the functions that have
// such parameters take from in turn.
struct ActivationParameters {
  std::vector<float> alphas;
  std::vector<float> betas;
  std::size_t next_alpha = 0;
  std::size_t next_beta = 0;

  float Alpha(float fallback) {
    return next_alpha < alphas.size() ? alphas[next_alpha++] : fallback;
  }
  float Beta(float fallback) { return next_beta < betas.size() ? betas[next_beta++] : fallback; }
};

struct CellFunction {
  std::string name;
  std::optional<std::pair<float, float>> line;  // slope and offset of a hard sigmoid

  friend bool operator==(const CellFunction&, const CellFunction&) = default;

  // Adds it as the attribute `key`.
  void AddTo(const std::string& key, Attributes& attributes) const {
    attributes[key] = name;
    if (!line.has_value()) return;
    attributes[key + "_alpha"] = static_cast<double>(line->first);
    attributes[key + "_beta"] = static_cast<double>(line->second);
  }
};

absl::StatusOr<CellFunction> FunctionOf(const NodeCall& call, const std::string& name,
                                        ActivationParameters& parameters) {
  if (name == "HardSigmoid") {
    const float slope = parameters.Alpha(0.2F);
    return CellFunction{"hard_sigmoid", std::pair(slope, parameters.Beta(0.5F))};
  }
  constexpr std::array<std::pair<absl::string_view, absl::string_view>, 5> kNames = {
      {{"Relu", "relu"},
       {"Sigmoid", "sigmoid"},
       {"Softplus", "softplus"},
       {"Softsign", "softsign"},
       {"Tanh", "tanh"}}};
  for (const auto& [theirs, ours] : kNames) {
    if (name == theirs) return CellFunction{std::string(ours), std::nullopt};
  }
  return call.Unimplemented(absl::StrCat("the activation \"", name, "\" in its cell"));
}

absl::StatusOr<Attributes> ActivationsOf(const NodeCall& call, const CellKind& kind,
                                         const std::vector<std::string>& names, std::size_t first,
                                         ActivationParameters& parameters) {
  std::vector<CellFunction> ours;
  for (std::size_t i = 0; i < kind.activations; ++i) {
    ASSIGN_OR_RETURN(ours.emplace_back(), FunctionOf(call, names[first + i], parameters));
  }
  Attributes attributes;
  if (kind.activations == 1) {
    ours[0].AddTo("activation", attributes);
    return attributes;
  }
  if (kind.activations == 3 && ours[1] != ours[2]) {
    return call.Unimplemented("two activations for the cell and its output");
  }
  ours[0].AddTo("recurrent_activation", attributes);
  ours[1].AddTo("activation", attributes);
  return attributes;
}

absl::StatusOr<RecurrentForm> FormOf(NodeCall& call, const CellKind& kind) {
  RecurrentForm form;
  ASSIGN_OR_RETURN(const std::string direction, call.String("direction", "forward"));
  ASSIGN_OR_RETURN(form.hidden, call.Int("hidden_size", 0));
  ASSIGN_OR_RETURN(const std::int64_t layout, call.Int("layout", 0));
  ASSIGN_OR_RETURN(std::vector<std::string> names, call.Strings("activations"));
  ActivationParameters parameters;
  ASSIGN_OR_RETURN(parameters.alphas, call.Floats("activation_alpha"));
  ASSIGN_OR_RETURN(parameters.betas, call.Floats("activation_beta"));
  ASSIGN_OR_RETURN(const std::int64_t input_forget, call.Int("input_forget", 0));
  ASSIGN_OR_RETURN(const std::int64_t before_reset, call.Int("linear_before_reset", 0));
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return call.Invalid(absl::StrCat("attribute \"direction\" is \"", direction, "\""));
  }
  if (input_forget != 0) return call.Unimplemented("coupled gates (input_forget)");
  form.has_forward = direction != "reverse";
  form.has_backward = direction != "forward";
  form.batch_first = layout != 0;
  form.resets_after = before_reset != 0;
  const std::size_t directions = direction == "bidirectional" ? 2 : 1;
  if (names.empty()) {
    for (std::size_t i = 0; i < directions; ++i) {
      if (kind.activations > 1) names.emplace_back("Sigmoid");
      names.insert(names.end(), kind.activations > 2 ? 2 : 1, "Tanh");
    }
  }
  if (names.size() != directions * kind.activations) {
    return call.Invalid(
        absl::StrCat("got ", names.size(), " activations, wants ", directions * kind.activations));
  }
  for (std::size_t i = 0; i < directions; ++i) {
    ASSIGN_OR_RETURN(Attributes activations,
                     ActivationsOf(call, kind, names, i * kind.activations, parameters));
    form.activations.push_back(std::move(activations));
  }
  return form;
}

// Rows of a [directions, gates * units, columns] tensor as [columns, gates * units], the gates in
// our order.
ConstantTensor Kernel(const CellKind& kind, const ConstantTensor& tensor, std::size_t direction) {
  const std::vector<float> all = FloatElements(tensor);
  const auto rows = static_cast<std::size_t>(tensor.dims()[1]);
  const auto columns = static_cast<std::size_t>(tensor.dims()[2]);
  const std::size_t units = rows / kind.gates;
  std::vector<float> values(rows * columns);
  for (std::size_t gate = 0; gate < kind.gates; ++gate) {
    for (std::size_t u = 0; u < units; ++u) {
      const std::size_t from = kind.source_gate.at(gate) * units + u;
      for (std::size_t c = 0; c < columns; ++c) {
        values[c * rows + gate * units + u] = all[(direction * rows + from) * columns + c];
      }
    }
  }
  return ConstantTensor::Copy(DataType::kFloat32,
                              {static_cast<std::int64_t>(columns), static_cast<std::int64_t>(rows)},
                              values);
}

// [directions, 2 * gates * units]: that of the input and that of the state, in our order; their sum
// where the cell has one for both.
ConstantTensor Bias(const CellKind& kind, const ConstantTensor& tensor, std::size_t direction,
                    bool has_both) {
  const std::vector<float> all = FloatElements(tensor);
  const auto width = static_cast<std::size_t>(tensor.dims()[1]) / 2;
  const std::size_t units = width / kind.gates;
  std::vector<float> values(has_both ? 2 * width : width, 0.0F);
  for (std::size_t half = 0; half < 2; ++half) {
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t from = kind.source_gate.at(i / units) * units + i % units;
      values[(has_both ? half * width : 0) + i] += all[(direction * 2 + half) * width + from];
    }
  }
  const auto size = static_cast<std::int64_t>(width);
  return ConstantTensor::Copy(DataType::kFloat32, has_both ? Dims{2, size} : Dims{size}, values);
}

// The weights' shapes, and what we have not.
absl::Status CheckWeights(NodeCall& call, const CellKind& kind, const RecurrentForm& form,
                          const ConstantTensor& w, const ConstantTensor& r) {
  const std::int64_t directions = form.has_forward && form.has_backward ? 2 : 1;
  const auto gates = static_cast<std::int64_t>(kind.gates);
  const Dims& wd = w.dims();
  const Dims& rd = r.dims();
  if (wd.size() != 3 || rd.size() != 3 || form.hidden < 1 || form.hidden > (1 << 20) ||
      wd[0] != directions || rd[0] != directions || wd[1] != gates * form.hidden ||
      rd[1] != gates * form.hidden || rd[2] != form.hidden || wd[2] < 1) {
    return call.Invalid(absl::StrCat("weights ", ToString(wd), " and ", ToString(rd), " for ",
                                     directions, " directions and a hidden_size of ", form.hidden));
  }
  if (call.Has(3)) {
    ASSIGN_OR_RETURN(const ConstantTensor bias, call.FloatConstant(3, "B"));
    if (bias.dims() != Dims{directions, 2 * gates * form.hidden}) {
      return call.Invalid(absl::StrCat("its bias is ", ToString(bias.dims())));
    }
  }
  if (call.Has(kPeepholes)) {
    ASSIGN_OR_RETURN(const ConstantTensor peepholes, call.FloatConstant(kPeepholes, "P"));
    if (peepholes.dims() != Dims{directions, 3 * form.hidden}) {
      return call.Invalid(absl::StrCat("its peepholes are ", ToString(peepholes.dims())));
    }
  }
  return absl::OkStatus();
}

// [directions, 3 * units], i, o, f, as i, f, o of one direction.
ConstantTensor Peepholes(const ConstantTensor& tensor, std::size_t direction) {
  const std::vector<float> all = FloatElements(tensor);
  const auto width = static_cast<std::size_t>(tensor.dims()[1]);
  const std::size_t units = width / 3;
  std::vector<float> values;
  for (const std::size_t gate : {0U, 2U, 1U}) {
    const auto from = all.begin() + static_cast<std::ptrdiff_t>(direction * width + gate * units);
    values.insert(values.end(), from, from + static_cast<std::ptrdiff_t>(units));
  }
  return ConstantTensor::Copy(DataType::kFloat32, {tensor.dims()[1]}, values);
}

// A tensor that is known while importing, perhaps stretched from this one; null for another.
const ConstantTensor* KnownPart(const Operand& operand) {
  return operand.filled() != nullptr ? &operand.filled()->value : operand.constant();
}

bool IsZero(const Operand& operand) {
  const ConstantTensor* const constant = KnownPart(operand);
  if (constant == nullptr) return false;
  const std::vector<float> values = FloatElements(*constant);
  return std::all_of(values.begin(), values.end(), [](float value) { return value == 0.0F; });
}

class RecurrentNode {
 public:
  RecurrentNode(NodeCall& call, const CellKind& kind) : call_(call), kind_(kind) {}

  Outputs Translate() {
    RETURN_IF_ERROR(call_.CheckInputs(3, kind_.states == 2 ? kPeepholes + 1 : kInitialH + 1));
    ASSIGN_OR_RETURN(form_, FormOf(call_, kind_));
    ASSIGN_OR_RETURN(const auto x, call_.ActivationOf(0));
    if (x->shape.size() != 3) return call_.Invalid("wants an input of 3 dimensions");
    ASSIGN_OR_RETURN(w_, call_.FloatConstant(1, "W"));
    ASSIGN_OR_RETURN(r_, call_.FloatConstant(2, "R"));
    RETURN_IF_ERROR(CheckWeights(call_, kind_, form_, w_, r_));
    const std::size_t batch_axis = form_.batch_first ? 0 : 1;
    batch_ = x->shape[batch_axis];
    time_ = x->shape[1 - batch_axis];
    ASSIGN_OR_RETURN(const ValueId sequence, call_.InOrder(*x, {batch_axis, 1 - batch_axis, 2}));
    ASSIGN_OR_RETURN(mask_, Mask(sequence));
    std::vector<std::vector<Operand>> parts;  // of each direction: Y, Y_h, Y_c
    for (std::size_t direction = 0; direction < form_.activations.size(); ++direction) {
      ASSIGN_OR_RETURN(std::vector<Operand> part, Direction(sequence, direction));
      parts.push_back(std::move(part));
    }
    std::vector<Operand> outputs;
    for (std::size_t i = 0; i < call_.num_outputs() && i < parts[0].size(); ++i) {
      ASSIGN_OR_RETURN(Operand output, Joined(parts, i));
      outputs.push_back(std::move(output));
    }
    return outputs;
  }

 private:
  // Which steps there are of each sequence, [batch, time]; none where they are all of one length.
  absl::StatusOr<ValueId> Mask(ValueId sequence) {
    if (!call_.Has(kLengths)) return kNoValue;
    ASSIGN_OR_RETURN(const ValueId lengths, Lengths());
    if (lengths == kNoValue) return kNoValue;
    const auto axis = static_cast<std::int64_t>(call_.lead()) + 1;
    ASSIGN_OR_RETURN(const ValueId steps,
                     call_.Emit("Positions", {sequence}, {{"axis", axis}}, "steps"));
    return call_.Emit("Less", {steps, lengths}, {}, "is_within");
  }

  // How many steps of each sequence there are, int32 [batch, 1] or [1]; none where it is all.
  absl::StatusOr<ValueId> Lengths() {
    const Operand& given = call_.input(kLengths);
    const Shape shape = given.shape();
    if (const Sizes* const sizes = given.sizes()) {
      const bool is_all = std::all_of(sizes->elements.begin(), sizes->elements.end(),
                                      [this](const Dim& size) { return size == time_; });
      if (is_all) return kNoValue;
      return call_.Unimplemented("sequence_lens that depend on open dimensions");
    }
    if (given.type() != DataType::kInt32 || shape.size() != 1 || shape[0] == Dim(0)) {
      return call_.Invalid(absl::StrCat("its sequence_lens are ", DataTypeName(given.type()),
                                        ToString(shape, {}), ", wants INT32 for each sequence"));
    }
    if (shape[0] != batch_ && shape[0].is_constant() && batch_.is_constant()) {
      return call_.Invalid(absl::StrCat("got ", shape[0].value(), " sequence_lens for ",
                                        batch_.value(), " sequences"));
    }
    if (const ConstantTensor* const constant = KnownPart(given)) return KnownLengths(*constant);
    Activation* const lengths = given.activation();
    if (lengths == nullptr || shape[0] != batch_) {
      return call_.Unimplemented(
          "sequence_lens that are neither known nor from the model's inputs");
    }
    ASSIGN_OR_RETURN(const auto column, call_.Unsqueeze(*lengths, {1}));
    return call_.InOrder(*column, {0, 1});
  }

  absl::StatusOr<ValueId> KnownLengths(const ConstantTensor& constant) {
    const std::vector<std::int64_t> lengths = Int64Elements(constant);
    for (const std::int64_t length : lengths) {
      if (length < 0 || (time_.is_constant() && length > time_.value())) {
        return call_.Invalid(absl::StrCat(
            "a length of ", length, " in its sequence_lens, wants 0 to ", ToString({time_}, {})));
      }
    }
    const bool is_same = std::all_of(lengths.begin(), lengths.end(),
                                     [&](std::int64_t length) { return length == lengths[0]; });
    if (is_same && Dim(lengths[0]) == time_) return kNoValue;
    if (!is_same && !batch_.is_constant()) {
      return call_.Unimplemented("sequence_lens that are known, of an open number of sequences");
    }
    const Dims dims = is_same ? Dims{1} : Dims{batch_.value(), 1};
    return call_.AddConstant(
        ConstantName("sequence_lens"),
        FromInt64s(DataType::kInt32, dims, is_same ? std::vector{lengths[0]} : lengths));
  }

  // The initial state of `direction`, from input `index`; none where it is 0.
  absl::StatusOr<ValueId> State(std::size_t index, std::size_t direction) {
    if (!call_.Has(index) || IsZero(call_.input(index))) return kNoValue;
    if (const ConstantTensor* const constant = KnownPart(call_.input(index))) {
      return KnownState(index, *constant, direction);
    }
    Activation* const state = call_.input(index).activation();
    if (state == nullptr) {
      return call_.Unimplemented("an initial state that is neither known nor a value");
    }
    if (state->shape.size() != 3) return call_.Invalid("an initial state wants 3 dimensions");
    const std::size_t direction_axis = DirectionAxis(/*is_sequence=*/false);
    const auto [order, id] = NodeCall::AnyForm(*state);
    const auto at = static_cast<std::int64_t>(direction);
    ASSIGN_OR_RETURN(
        const ValueId part,
        call_.Emit("Slice", {id},
                   {{"axes", std::vector<std::int64_t>{call_.AxisIn(order, direction_axis)}},
                    {"starts", std::vector<std::int64_t>{at}},
                    {"ends", std::vector<std::int64_t>{at + 1}}},
                   absl::StrCat("state_", index, "_", direction)));
    const auto whole = call_.FromValue(part, order);
    ASSIGN_OR_RETURN(const auto one, call_.Squeeze(*whole, {direction_axis}));
    return call_.InOrder(*one, {0, 1});
  }

  // The same of a tensor that is known, or stretched from a smaller one that is.
  absl::StatusOr<ValueId> KnownState(std::size_t index, const ConstantTensor& constant,
                                     std::size_t direction) {
    const Operand& operand = call_.input(index);
    const std::size_t direction_axis = DirectionAxis(/*is_sequence=*/false);
    const std::size_t batch_axis = 1 - direction_axis;
    Shape wanted(3, Dim(form_.hidden));
    wanted[direction_axis] = Dim(static_cast<std::int64_t>(form_.activations.size()));
    wanted[batch_axis] = operand.rank() == 3 ? operand.shape()[batch_axis] : batch_;
    if (operand.type() != DataType::kFloat32 || operand.shape() != wanted) {
      return call_.Invalid(absl::StrCat("an initial state is ", DataTypeName(operand.type()),
                                        ToString(operand.shape(), {}), ", wants FP32",
                                        ToString(wanted, {})));
    }
    const Dim& given = wanted[batch_axis];
    if (given != batch_ && given.is_constant() && batch_.is_constant()) {
      return call_.Invalid(
          absl::StrCat("an initial state of ", given.value(), " sequences for ", batch_.value()));
    }
    ASSIGN_OR_RETURN(std::vector<float> values, StateRows(constant, direction));
    const std::int64_t num_rows = static_cast<std::int64_t>(values.size()) / form_.hidden;
    // A model with a batch has its sequences as rows, which one state serves.
    if (call_.lead() == 1 ? !batch_.is_constant() : num_rows != 1) {
      return call_.Unimplemented("an initial state that is known, of an open number of sequences");
    }
    const std::int64_t sequences = call_.lead() == 1 ? batch_.value() : 1;
    const Dims dims = call_.lead() == 1 ? Dims{1, sequences, form_.hidden} : Dims{1, form_.hidden};
    RETURN_IF_ERROR(ReserveConstant(call_, dims));
    const auto size = static_cast<std::size_t>(sequences * form_.hidden);
    values.reserve(size);
    for (std::size_t i = 0; values.size() < size; ++i) values.push_back(values[i]);
    return call_.AddConstant(ConstantName(absl::StrCat("state_", index, "_", direction)),
                             ConstantTensor::Copy(DataType::kFloat32, dims, values));
  }

  // The states of `direction`, [sequences, units]; one row where all are the same. An axis of
  // `constant` may be 1 and stand for all of it, one in front may be missing.
  absl::StatusOr<std::vector<float>> StateRows(const ConstantTensor& constant,
                                               std::size_t direction) const {
    Dims dims(3 - constant.dims().size(), 1);
    dims.insert(dims.end(), constant.dims().begin(), constant.dims().end());
    const std::size_t direction_axis = DirectionAxis(/*is_sequence=*/false);
    const std::size_t batch_axis = 1 - direction_axis;
    RETURN_IF_ERROR(ReserveConstant(call_, {dims[batch_axis], form_.hidden}));
    const std::vector<float> all = FloatElements(constant);
    const std::array<std::int64_t, 3> strides = {dims[1] * dims[2], dims[2], 1};
    const std::int64_t first = dims[direction_axis] == 1 ? 0
                                                         : static_cast<std::int64_t>(direction) *
                                                               strides.at(direction_axis);
    std::vector<float> rows;
    for (std::int64_t n = 0; n < dims[batch_axis]; ++n) {
      const std::int64_t row = first + n * strides.at(batch_axis);
      for (std::int64_t u = 0; u < form_.hidden; ++u) {
        rows.push_back(all[static_cast<std::size_t>(row + (dims[2] == 1 ? 0 : u))]);
      }
    }
    const auto second = rows.begin() + static_cast<std::ptrdiff_t>(form_.hidden);
    if (std::equal(second, rows.end(), rows.begin())) rows.erase(second, rows.end());
    return rows;
  }

  // What a constant of this node is called: as no other one is, whatever nodes are called.
  [[nodiscard]] std::string ConstantName(absl::string_view what) const {
    for (const std::string& output : call_.node().outputs) {
      if (!output.empty()) return absl::StrCat(output, "/", what);
    }
    return absl::StrCat(call_.name(), "/", what);
  }

  absl::StatusOr<std::vector<Operand>> Direction(ValueId sequence, std::size_t direction) {
    const bool is_backward = !form_.has_forward || direction == 1;
    const std::string suffix = form_.activations.size() == 1 ? ""
                               : is_backward                 ? "backward"
                                                             : "forward";
    const auto constant = [&](absl::string_view what) {
      return ConstantName(suffix.empty() ? std::string(what) : absl::StrCat(suffix, "/", what));
    };
    std::vector<LayerVariable> variables = {{"kernel", Kernel(kind_, w_, direction), ""},
                                            {"recurrent_kernel", Kernel(kind_, r_, direction), ""}};
    std::vector<ValueId> inputs = {
        sequence, call_.AddConstant(constant("kernel"), variables[0].tensor),
        call_.AddConstant(constant("recurrent"), variables[1].tensor), kNoValue, mask_};
    if (call_.Has(3)) {
      ASSIGN_OR_RETURN(const ConstantTensor bias, call_.FloatConstant(3, "B"));
      variables.push_back({"bias", Bias(kind_, bias, direction, form_.resets_after), ""});
      inputs[3] = call_.AddConstant(constant("bias"), variables.back().tensor);
    }
    for (std::size_t state = 0; state < kind_.states; ++state) {
      ASSIGN_OR_RETURN(const ValueId id, State(kInitialH + state, direction));
      inputs.push_back(id);
    }
    if (call_.Has(kPeepholes)) {
      ASSIGN_OR_RETURN(const ConstantTensor peepholes, call_.FloatConstant(kPeepholes, "P"));
      variables.push_back({"peephole", Peepholes(peepholes, direction), ""});
      inputs.push_back(call_.AddConstant(constant("peephole"), variables.back().tensor));
    }
    Attributes attributes = form_.activations[direction];
    attributes["return_sequences"] = std::int64_t{1};
    attributes["go_backwards"] = std::int64_t{is_backward ? 1 : 0};
    if (mask_ != kNoValue) attributes["zero_output_for_mask"] = std::int64_t{1};
    if (kind_.op == "Gru") attributes["reset_after"] = std::int64_t{form_.resets_after ? 1 : 0};
    ASSIGN_OR_RETURN(
        std::vector<ValueId> ids,
        call_.graph().EmitMany(
            kind_.op, suffix.empty() ? call_.name() : absl::StrCat(call_.name(), "/", suffix),
            std::move(inputs), std::move(attributes), 1 + kind_.states));
    call_.Record(kind_.layer_class, call_.input(1).name, std::move(variables));
    if (is_backward && call_.Wants(0)) {
      // Backwards the results come last step first.
      const auto time_axis = static_cast<std::int64_t>(call_.lead()) + 1;
      ASSIGN_OR_RETURN(ids[0],
                       call_.Emit("Slice", {ids[0]},
                                  {{"axes", std::vector<std::int64_t>{time_axis}},
                                   {"starts", std::vector<std::int64_t>{-1}},
                                   {"ends", std::vector<std::int64_t>{-(std::int64_t{1} << 60)}},
                                   {"steps", std::vector<std::int64_t>{-1}}},
                                  absl::StrCat(suffix, "/in_time")));
    }
    return WithDirection(ids);
  }

  // The values with the axis of directions: Y is [time, directions, batch, units], or
  // [batch, time, directions, units]; the states are [directions, batch, units], or
  // [batch, directions, units].
  absl::StatusOr<std::vector<Operand>> WithDirection(const std::vector<ValueId>& ids) {
    std::vector<Operand> outputs;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool is_sequence = i == 0;
      std::shared_ptr<Activation> activation = call_.FromValue(ids[i], OrderOf(is_sequence));
      ASSIGN_OR_RETURN(activation, call_.Unsqueeze(*activation, {DirectionAxis(is_sequence)}));
      outputs.push_back({"", std::move(activation)});
    }
    return outputs;
  }

  // Of what the operators give: [batch, time, units], or [batch, units].
  [[nodiscard]] Order OrderOf(bool is_sequence) const {
    if (!is_sequence) return {0, 1};
    return form_.batch_first ? Order{0, 1, 2} : Order{1, 0, 2};
  }
  [[nodiscard]] std::size_t DirectionAxis(bool is_sequence) const {
    return (is_sequence ? 1U : 0U) + (form_.batch_first ? 1U : 0U);
  }

  absl::StatusOr<Operand> Joined(const std::vector<std::vector<Operand>>& parts,
                                 std::size_t index) {
    if (parts.size() == 1 || !call_.Wants(index)) return parts[0][index];
    const bool is_sequence = index == 0;
    const std::size_t axis = DirectionAxis(is_sequence);
    const Order order = NodeCall::AnyForm(*parts[0][index].activation()).first;
    std::vector<ValueId> ids;
    for (const std::vector<Operand>& part : parts) {
      ASSIGN_OR_RETURN(const ValueId id, call_.InOrder(*part[index].activation(), order));
      ids.push_back(id);
    }
    ASSIGN_OR_RETURN(const ValueId id,
                     call_.Emit("Concat", std::move(ids), {{"axis", call_.AxisIn(order, axis)}},
                                absl::StrCat("directions_", index)));
    return call_.Result(id, order);
  }

  NodeCall& call_;
  const CellKind& kind_;
  RecurrentForm form_;
  ConstantTensor w_;
  ConstantTensor r_;
  Dim batch_ = 1;  // of the input
  Dim time_ = 1;
  ValueId mask_ = kNoValue;
};

Outputs TranslateLstm(NodeCall& call) { return RecurrentNode(call, kLstm).Translate(); }
Outputs TranslateGru(NodeCall& call) { return RecurrentNode(call, kGru).Translate(); }
Outputs TranslateRnn(NodeCall& call) { return RecurrentNode(call, kRnn).Translate(); }

constexpr std::array kOperators = {
    OperatorEntry{"GRU", TranslateGru},
    OperatorEntry{"LSTM", TranslateLstm},
    OperatorEntry{"RNN", TranslateRnn},
};

}  // namespace

std::span<const OperatorEntry> RecurrentOperators() { return kOperators; }

}  // namespace octet::onnx
