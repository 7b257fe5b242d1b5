// SPDX-License-Identifier: Apache-2.0
// LSTM, GRU and RNN. The graph's gates are in Keras's order, its sequences have the batch first.

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

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

absl::StatusOr<std::string> ActivationName(const NodeCall& call, const std::string& name) {
  constexpr std::array<std::pair<absl::string_view, absl::string_view>, 5> kNames = {
      {{"Relu", "relu"},
       {"Sigmoid", "sigmoid"},
       {"Softplus", "softplus"},
       {"Softsign", "softsign"},
       {"Tanh", "tanh"}}};
  for (const auto& [theirs, ours] : kNames) {
    if (name == theirs) return std::string(ours);
  }
  return call.Unimplemented(absl::StrCat("the activation \"", name, "\" in its cell"));
}

absl::StatusOr<Attributes> ActivationsOf(const NodeCall& call, const CellKind& kind,
                                         const std::vector<std::string>& names, std::size_t first) {
  std::vector<std::string> ours;
  for (std::size_t i = 0; i < kind.activations; ++i) {
    ASSIGN_OR_RETURN(std::string name, ActivationName(call, names[first + i]));
    ours.push_back(std::move(name));
  }
  if (kind.activations == 1) return Attributes{{"activation", ours[0]}};
  if (kind.activations == 3 && ours[1] != ours[2]) {
    return call.Unimplemented("two activations for the cell and its output");
  }
  return Attributes{{"recurrent_activation", ours[0]}, {"activation", ours[1]}};
}

absl::StatusOr<RecurrentForm> FormOf(NodeCall& call, const CellKind& kind) {
  RecurrentForm form;
  ASSIGN_OR_RETURN(const std::string direction, call.String("direction", "forward"));
  ASSIGN_OR_RETURN(form.hidden, call.Int("hidden_size", 0));
  ASSIGN_OR_RETURN(const std::int64_t layout, call.Int("layout", 0));
  ASSIGN_OR_RETURN(std::vector<std::string> names, call.Strings("activations"));
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
                     ActivationsOf(call, kind, names, i * kind.activations));
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
  if (call.Has(7)) return call.Unimplemented("peepholes");
  if (call.Has(4)) return call.Unimplemented("sequence_lens");
  return absl::OkStatus();
}

bool IsZero(const Operand& operand) {
  const ConstantTensor* const constant =
      operand.filled() != nullptr ? &operand.filled()->value : operand.constant();
  if (constant == nullptr) return false;
  const std::vector<float> values = FloatElements(*constant);
  return std::all_of(values.begin(), values.end(), [](float value) { return value == 0.0F; });
}

class RecurrentNode {
 public:
  RecurrentNode(NodeCall& call, const CellKind& kind) : call_(call), kind_(kind) {}

  Outputs Translate() {
    RETURN_IF_ERROR(call_.CheckInputs(3, 8));
    ASSIGN_OR_RETURN(form_, FormOf(call_, kind_));
    ASSIGN_OR_RETURN(const auto x, call_.ActivationOf(0));
    if (x->shape.size() != 3) return call_.Invalid("wants an input of 3 dimensions");
    ASSIGN_OR_RETURN(w_, call_.FloatConstant(1, "W"));
    ASSIGN_OR_RETURN(r_, call_.FloatConstant(2, "R"));
    RETURN_IF_ERROR(CheckWeights(call_, kind_, form_, w_, r_));
    batch_axis_ = form_.batch_first ? 0 : 1;
    ASSIGN_OR_RETURN(const ValueId sequence, BatchFirst(*x));
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
  // [batch, time, inputs]. Where the model is run once a row, the batch within it must be 1.
  absl::StatusOr<ValueId> BatchFirst(Activation& x) {
    if (call_.lead() == 0) return call_.InOrder(x, {batch_axis_, 1 - batch_axis_, 2});
    if (x.shape[batch_axis_] != Dim(1)) {
      return call_.Unimplemented(
          "sequences whose number is not 1, in a model whose first dimension is not the batch");
    }
    ASSIGN_OR_RETURN(const auto one, call_.Squeeze(x, {batch_axis_}));
    return call_.InOrder(*one, {0, 1});
  }

  // The initial state of `direction`, from input `index`; none where it is 0.
  absl::StatusOr<ValueId> State(std::size_t index, std::size_t direction) {
    if (!call_.Has(index) || IsZero(call_.input(index))) return kNoValue;
    Activation* const state = call_.input(index).activation();
    if (state == nullptr || call_.lead() == 1 || form_.batch_first) {
      return call_.Unimplemented("an initial state that is neither 0 nor from the model's inputs");
    }
    const auto [order, id] = NodeCall::AnyForm(*state);
    const auto at = static_cast<std::int64_t>(direction);
    ASSIGN_OR_RETURN(const ValueId part,
                     call_.Emit("Slice", {id},
                                {{"axes", std::vector<std::int64_t>{call_.AxisIn(order, 0)}},
                                 {"starts", std::vector<std::int64_t>{at}},
                                 {"ends", std::vector<std::int64_t>{at + 1}}},
                                absl::StrCat("state_", index, "_", direction)));
    const auto whole = call_.FromValue(part, order);
    ASSIGN_OR_RETURN(const auto one, call_.Squeeze(*whole, {0}));
    return call_.InOrder(*one, {0, 1});
  }

  absl::StatusOr<std::vector<Operand>> Direction(ValueId sequence, std::size_t direction) {
    const bool is_backward = !form_.has_forward || direction == 1;
    const std::string suffix = form_.activations.size() == 1 ? ""
                               : is_backward                 ? "backward"
                                                             : "forward";
    const std::string base = absl::StrCat(call_.name(), "/", suffix);
    std::vector<LayerVariable> variables = {{"kernel", Kernel(kind_, w_, direction), ""},
                                            {"recurrent_kernel", Kernel(kind_, r_, direction), ""}};
    std::vector<ValueId> inputs = {
        sequence, call_.AddConstant(absl::StrCat(base, "/kernel"), variables[0].tensor),
        call_.AddConstant(absl::StrCat(base, "/recurrent"), variables[1].tensor), kNoValue,
        kNoValue};
    if (call_.Has(3)) {
      ASSIGN_OR_RETURN(const ConstantTensor bias, call_.FloatConstant(3, "B"));
      variables.push_back({"bias", Bias(kind_, bias, direction, form_.resets_after), ""});
      inputs[3] = call_.AddConstant(absl::StrCat(base, "/bias"), variables.back().tensor);
    }
    for (std::size_t state = 0; state < kind_.states; ++state) {
      ASSIGN_OR_RETURN(const ValueId id, State(5 + state, direction));
      inputs.push_back(id);
    }
    Attributes attributes = form_.activations[direction];
    attributes["return_sequences"] = std::int64_t{1};
    attributes["go_backwards"] = std::int64_t{is_backward ? 1 : 0};
    if (kind_.op == "Gru") attributes["reset_after"] = std::int64_t{form_.resets_after ? 1 : 0};
    ASSIGN_OR_RETURN(
        std::vector<ValueId> ids,
        call_.graph().EmitMany(kind_.op, suffix.empty() ? call_.name() : base, std::move(inputs),
                               std::move(attributes), 1 + kind_.states));
    call_.Record(kind_.layer_class, call_.input(1).name, std::move(variables));
    if (is_backward && call_.Wants(0)) {
      // Backwards the results come last step first.
      ASSIGN_OR_RETURN(ids[0],
                       call_.Emit("Slice", {ids[0]},
                                  {{"axes", std::vector<std::int64_t>{1}},
                                   {"starts", std::vector<std::int64_t>{-1}},
                                   {"ends", std::vector<std::int64_t>{-(std::int64_t{1} << 60)}},
                                   {"steps", std::vector<std::int64_t>{-1}}},
                                  absl::StrCat(suffix, "/in_time")));
    }
    return WithDirection(ids);
  }

  // The values with the axis of directions, and the batch where that was taken away: Y is
  // [time, directions, batch, units], or [batch, time, directions, units]; the states are
  // [directions, batch, units], or [batch, directions, units].
  absl::StatusOr<std::vector<Operand>> WithDirection(const std::vector<ValueId>& ids) {
    std::vector<Operand> outputs;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool is_sequence = i == 0;
      std::shared_ptr<Activation> activation = call_.FromValue(ids[i], OrderOf(is_sequence));
      ASSIGN_OR_RETURN(activation, call_.Unsqueeze(*activation, AddedAxes(is_sequence)));
      outputs.push_back({"", std::move(activation)});
    }
    return outputs;
  }

  // Of what the operators give: [batch, time, units], or [batch, units]; without the batch where
  // that was taken away.
  [[nodiscard]] Order OrderOf(bool is_sequence) const {
    if (call_.lead() == 1) return is_sequence ? Order{0, 1} : Order{0};
    if (!is_sequence) return {0, 1};
    return form_.batch_first ? Order{0, 1, 2} : Order{1, 0, 2};
  }
  [[nodiscard]] std::vector<std::size_t> AddedAxes(bool is_sequence) const {
    if (call_.lead() == 1) {
      if (!is_sequence) return {0, 1};
      return form_.batch_first ? std::vector<std::size_t>{0, 2} : std::vector<std::size_t>{1, 2};
    }
    return {DirectionAxis(is_sequence)};
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
  std::size_t batch_axis_ = 1;
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
