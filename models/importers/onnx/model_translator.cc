// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/model_translator.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/graph/verify.h"
#include "models/importers/onnx/constant_run.h"
#include "models/importers/onnx/decomposed_quantization.h"
#include "models/importers/onnx/filled_tensors.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/open_tensors.h"
#include "models/importers/onnx/operand.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/per_row_tensors.h"
#include "models/importers/onnx/quantization_fusion.h"
#include "models/importers/onnx/quantized_activation.h"
#include "models/importers/onnx/quantized_operands.h"
#include "models/importers/onnx/small_constants.h"
#include "models/importers/onnx/tensor_data.h"
#include "models/importers/onnx/unused_parts.h"
#include "models/importers/onnx/views.h"
#include "models/importers/onnx/written_out_layers.h"

namespace octet::onnx {

namespace {

constexpr std::size_t kMaxSymbols = 32;
// Errors of one model that are told; more would not help.
constexpr std::size_t kMaxErrors = 20;

// TensorProto.DataType.
constexpr std::int64_t kUint4 = 21;
constexpr std::int64_t kInt4 = 22;

const std::vector<std::string>& ControlFlow() {
  static const auto* const names =
      new std::vector<std::string>{"If", "Loop", "Scan", "SequenceMap"};
  return *names;
}

std::string FullName(const NodeProto& node) {
  return node.domain.empty() ? node.op_type : absl::StrCat(node.domain, ":", node.op_type);
}

std::string NameOf(const NodeProto& node) {
  if (!node.name.empty()) return node.name;
  return node.outputs.empty() ? "" : node.outputs[0];
}

// What the file calls an open dimension; empty where that says nothing: tf2onnx counts them, each
// one anew (`unk__17`).
std::string NameOf(const DimensionProto& dimension) {
  absl::string_view number = dimension.param;
  const bool is_counted = absl::ConsumePrefix(&number, "unk__") && !number.empty() &&
                          std::all_of(number.begin(), number.end(), absl::ascii_isdigit);
  return is_counted ? "" : dimension.param;
}

bool IsOpen(const DimensionProto& dimension) { return dimension.value.value_or(-1) < 1; }

// Whether two inputs of as many dimensions have open ones without names behind the batch, which
// might be as long as each other.
bool MayShareDimensions(const std::vector<const ValueInfoProto*>& inputs) {
  std::set<std::pair<std::size_t, std::size_t>> found;
  for (const ValueInfoProto* const input : inputs) {
    for (std::size_t axis = 1; axis < input->shape->size(); ++axis) {
      const DimensionProto& dimension = (*input->shape)[axis];
      if (!IsOpen(dimension) || !NameOf(dimension).empty()) continue;
      if (!found.emplace(input->shape->size(), axis).second) return true;
    }
  }
  return false;
}

// Every operator that there is no translator for, with one node that uses it.
absl::Status CheckOperators(const GraphProto& graph) {
  std::map<std::string, std::pair<std::size_t, std::string>> unknown;
  bool has_control = false;
  for (const NodeProto& node : graph.nodes) {
    const bool has_graph = std::any_of(node.attributes.begin(), node.attributes.end(),
                                       [](const AttributeProto& a) { return a.has_graph; });
    const bool is_control =
        std::find(ControlFlow().begin(), ControlFlow().end(), node.op_type) != ControlFlow().end();
    if (!has_graph && !is_control && FindOperator(node.domain, node.op_type) != nullptr) continue;
    has_control = has_control || has_graph || is_control;
    auto& entry = unknown[has_graph || is_control ? absl::StrCat(FullName(node), " (control flow)")
                                                  : FullName(node)];
    if (entry.first++ == 0) entry.second = NameOf(node);
  }
  if (unknown.empty()) return absl::OkStatus();
  std::vector<std::string> texts;
  for (const auto& [op, entry] : unknown) {
    texts.push_back(absl::StrCat(op, " x ", entry.first, " (", Quoted(entry.second), ")"));
  }
  // Keras's recurrent layers, masked ones and all that its fast kernels do not take, become loops.
  return absl::UnimplementedError(absl::StrCat(
      "operators that cannot be imported: ", absl::StrJoin(texts, ", "),
      has_control
          ? "; a Keras model with loops can be imported as Keras saves it (.keras, .h5), or "
            "exported with unroll=True in its recurrent layers"
          : ""));
}

// The nodes in an order in which each comes after those whose outputs it takes: theirs, if it is
// one, as ONNX demands; hostile files may have cycles.
absl::StatusOr<std::vector<const NodeProto*>> SortedNodes(const GraphProto& graph,
                                                          const std::set<std::string>& given) {
  std::set<std::string> made = given;
  std::vector<const NodeProto*> sorted;
  for (const NodeProto& node : graph.nodes) {
    for (const std::string& input : node.inputs) {
      if (!input.empty() && !made.contains(input)) {
        return absl::InvalidArgumentError(absl::StrCat(node.op_type, " ", Quoted(NameOf(node)),
                                                       ": takes ", Quoted(input),
                                                       ", which nothing before it makes"));
      }
    }
    for (const std::string& output : node.outputs) {
      if (!output.empty() && !made.insert(output).second) {
        return absl::InvalidArgumentError(absl::StrCat(node.op_type, " ", Quoted(NameOf(node)),
                                                       ": makes ", Quoted(output),
                                                       ", which is made already"));
      }
    }
    sorted.push_back(&node);
  }
  return sorted;
}

// One attempt at the whole model.
class ModelTranslator {
 public:
  ModelTranslator(const ModelProto& model, const NamedWeights& constants,
                  const std::vector<const ValueInfoProto*>& inputs, ExternalData& external,
                  const ImportOptions& options, std::size_t lead, bool shares_dimensions)
      : model_(model),
        inputs_(inputs),
        external_(external),
        options_(options),
        shares_dimensions_(shares_dimensions),
        translation_(*options.operators) {
    translation_.lead = lead;
    translation_.max_folded_bytes = options.max_byte_size;
    for (const auto& [name, constant] : constants) {
      Operand& value = values_[name];
      value.name = name;
      std::visit([&value](const auto& tensor) { value.content = tensor; }, constant);
    }
    for (const TensorProto& tensor : model.graph->initializers) {
      if (tensor.data_type == kInt4 || tensor.data_type == kUint4) {
        translation_.has_half_bytes.insert(tensor.name);
      }
    }
  }

  absl::StatusOr<TranslatedModel> Translate(const std::vector<const NodeProto*>& nodes) {
    if (translation_.lead == 0) RETURN_IF_ERROR(FindRows());
    for (const ValueInfoProto* const input : inputs_) RETURN_IF_ERROR(AddInput(*input));
    CountUses(nodes);
    for (const NodeProto* const node : nodes) {
      absl::Status status = TranslateOne(*node);
      if (!status.ok()) {
        if (status.code() == absl::StatusCode::kResourceExhausted) return status;
        errors_.push_back(std::move(status));
        for (const std::string& output : node->outputs) failed_.insert(output);
        if (errors_.size() >= kMaxErrors) break;
      }
      for (const std::string& input : node->inputs) Release(input);
    }
    RETURN_IF_ERROR(AllErrors());
    return Finish();
  }

 private:
  // Whether each input begins with a batch, and how large the file says it is.
  absl::Status FindRows() {
    for (const ValueInfoProto* const input : inputs_) {
      const std::string where = absl::StrCat("input ", Quoted(input->name), ": ");
      if (input->shape->empty()) {
        return absl::UnimplementedError(absl::StrCat(where, "a scalar has no batch"));
      }
      const DimensionProto& first = input->shape->front();
      if (!first.value.has_value()) {
        if (!NameOf(first).empty()) batch_names_.insert(first.param);
        continue;
      }
      if (translation_.written_rows != -1 && translation_.written_rows != *first.value) {
        return absl::UnimplementedError(absl::StrCat(where, "the batch is ", *first.value,
                                                     " and that of another input ",
                                                     translation_.written_rows));
      }
      translation_.written_rows = *first.value;
    }
    if (batch_names_.size() > 1) {
      return absl::UnimplementedError("the inputs' first dimensions have different names");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Dim> InputDim(const ValueInfoProto& input, std::size_t axis) {
    const DimensionProto& dimension = (*input.shape)[axis];
    const std::string where = absl::StrCat("input ", Quoted(input.name), ": dimension ", axis);
    if (axis == 0 && translation_.lead == 0) return Dim(kRows);
    if (dimension.value.has_value()) {
      if (*dimension.value >= 1 && *dimension.value < (std::int64_t{1} << 31)) {
        return Dim(*dimension.value);
      }
      // What some exporters write for an open one.
      if (*dimension.value != 0 && *dimension.value != -1) {
        return absl::InvalidArgumentError(absl::StrCat(where, " is ", *dimension.value));
      }
    }
    std::string name = NameOf(dimension);
    if (translation_.lead == 0 && batch_names_.contains(name)) {
      return absl::UnimplementedError(
          absl::StrCat(where, " is ", Quoted(dimension.param), ", which is the batch"));
    }
    if (name.empty()) {
      name = absl::StrCat(input.name, "/", axis);
      const std::pair place(input.shape->size(), axis);
      if (shares_dimensions_) name = shared_names_.emplace(place, name).first->second;
    }
    if (name == "rows") name = "rows/open";
    if (translation_.graph.graph().symbol_names.size() >= kMaxSymbols) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the model has more than ", kMaxSymbols, " open dimensions"));
    }
    return translation_.graph.OpenDimension(name);
  }

  absl::Status AddInput(const ValueInfoProto& input) {
    const std::string where = absl::StrCat("input ", Quoted(input.name), ": ");
    const absl::StatusOr<DataType> type = ElementType(input.element_type);
    if (!type.ok()) {
      return absl::Status(type.status().code(), absl::StrCat(where, type.status().message()));
    }
    if (input.element_type == kInt4 || input.element_type == kUint4) {
      return absl::UnimplementedError(absl::StrCat(where, "4-bit integers"));
    }
    if (input.shape->size() + translation_.lead > kMaxRank) {
      return absl::UnimplementedError(absl::StrCat(
          where, input.shape->size(), " dimensions, wants at most ", kMaxRank - translation_.lead));
    }
    Shape shape;
    if (translation_.lead == 1) shape.push_back(Dim(kRows));
    for (std::size_t axis = 0; axis < input.shape->size(); ++axis) {
      ASSIGN_OR_RETURN(const Dim dim, InputDim(input, axis));
      shape.push_back(dim);
    }
    auto activation = std::make_shared<Activation>();
    activation->type = *type;
    activation->shape.assign(shape.begin() + static_cast<std::ptrdiff_t>(translation_.lead),
                             shape.end());
    activation->forms[PlainOrder(activation->shape.size())] =
        translation_.graph.AddInput(input.name, {*type, shape, std::nullopt});
    values_[input.name] = Operand{input.name, std::move(activation)};
    return absl::OkStatus();
  }

  // How often each value is still to be taken, so that constants are given up in time.
  void CountUses(const std::vector<const NodeProto*>& nodes) {
    for (const NodeProto* const node : nodes) {
      for (const std::string& input : node->inputs) ++translation_.uses[input];
    }
    for (const ValueInfoProto& output : model_.graph->outputs) {
      ++translation_.uses[output.name];
      translation_.outputs.insert(output.name);
    }
    left_ = translation_.uses;
  }
  void Release(const std::string& name) {
    const auto found = left_.find(name);
    if (found != left_.end() && --found->second == 0) values_.erase(name);
  }

  // Translates a node that only moves bytes, whose inputs are known with their quantization, so
  // that its outputs are too.
  absl::StatusOr<std::vector<Operand>> TranslateKeepingIntegers(NodeCall& call,
                                                                const OperatorEntry& entry) {
    const FoldedOutputs inputs = IntegersToMove(call);
    if (!inputs.has_value()) return entry.translate(call);
    NodeCall moving(call.node(), call.opset(), *inputs, translation_, external_);
    ASSIGN_OR_RETURN(std::vector<Operand> outputs, entry.translate(moving));
    RETURN_IF_ERROR(moving.CheckAttributes());
    for (const AttributeProto& attribute : call.node().attributes) call.Ignore(attribute.name);
    const DataType type = call.input(0).type();
    for (Operand& output : outputs) {
      const auto* const held = std::get_if<std::shared_ptr<Activation>>(&output.content);
      if (held == nullptr) continue;
      ASSIGN_OR_RETURN(output, FromIntegers(call, *held, type));
    }
    return outputs;
  }

  // The node's outputs where they need no operator of the graph.
  static absl::StatusOr<FoldedOutputs> FoldOne(NodeCall& call) {
    FoldedOutputs outputs;
    ASSIGN_OR_RETURN(outputs, FoldQuantized(call));
    if (outputs.has_value() || !call.node().domain.empty()) return outputs;
    ASSIGN_OR_RETURN(outputs, FoldFilledMovement(call));
    if (outputs.has_value()) return outputs;
    ASSIGN_OR_RETURN(outputs, FoldOpen(call));
    if (outputs.has_value()) return outputs;
    ASSIGN_OR_RETURN(outputs, FoldPerRow(call));
    if (outputs.has_value()) return outputs;
    ASSIGN_OR_RETURN(outputs, FoldView(call));
    if (outputs.has_value()) return outputs;
    return Fold(call);
  }

  absl::StatusOr<std::vector<Operand>> OutputsOf(NodeCall& call) {
    ASSIGN_OR_RETURN(FoldedOutputs folded, FoldOne(call));
    if (folded.has_value()) {
      RETURN_IF_ERROR(call.CheckAttributes());
      return *std::move(folded);
    }
    const NodeProto& node = call.node();
    ASSIGN_OR_RETURN(const std::vector<Operand> values, WithValues(call));
    NodeCall translated(node, call.opset(), values, translation_, external_);
    ASSIGN_OR_RETURN(
        std::vector<Operand> outputs,
        TranslateKeepingIntegers(translated, *FindOperator(node.domain, node.op_type)));
    RETURN_IF_ERROR(translated.CheckAttributes());
    return outputs;
  }

  // Whether a node of constants has outputs already that no step of the graph is needed for, or
  // may have none.
  static bool AreConstants(const absl::StatusOr<std::vector<Operand>>& outputs) {
    if (!outputs.ok()) return absl::IsResourceExhausted(outputs.status());
    return std::none_of(outputs->begin(), outputs->end(),
                        [](const Operand& output) { return output.activation() != nullptr; });
  }

  absl::Status TranslateOne(const NodeProto& node) {
    std::vector<Operand> inputs;
    for (const std::string& input : node.inputs) {
      if (failed_.contains(input)) {
        // Its own error is told; this node may be fine.
        for (const std::string& output : node.outputs) failed_.insert(output);
        return absl::OkStatus();
      }
      inputs.push_back(input.empty() ? Operand{} : values_.at(input));
    }
    while (!inputs.empty() && inputs.back().is_absent()) inputs.pop_back();
    NodeCall call(node, model_.opsets.at(""), inputs, translation_, external_);
    for (const AttributeProto& attribute : node.attributes) {
      if (attribute.is_reference) return call.Invalid("an attribute refers to a function's");
    }
    absl::StatusOr<std::vector<Operand>> outputs = OutputsOf(call);
    if (options_.run_graph != nullptr && TakesConstants(call) && !AreConstants(outputs)) {
      outputs = RunOnConstants(call, external_, options_);
    }
    RETURN_IF_ERROR(outputs.status());
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty()) continue;
      if (i >= outputs->size()) {
        // Only an output that somebody takes is missed.
        if (!translation_.uses.contains(node.outputs[i])) continue;
        return call.Unimplemented(absl::StrCat("its output ", i, " is used"));
      }
      Operand output = (*outputs)[i];
      output.name = node.outputs[i];
      values_[node.outputs[i]] = std::move(output);
    }
    return absl::OkStatus();
  }

  [[nodiscard]] absl::Status AllErrors() const {
    if (errors_.empty()) return absl::OkStatus();
    if (errors_.size() == 1) return errors_[0];
    std::vector<std::string> texts;
    bool is_invalid = false;
    for (const absl::Status& error : errors_) {
      texts.emplace_back(error.message());
      is_invalid = is_invalid || absl::IsInvalidArgument(error);
    }
    const std::string text = absl::StrJoin(texts, "; ");
    return is_invalid ? absl::InvalidArgumentError(text) : absl::UnimplementedError(text);
  }

  // The value that is the model's output `name`.
  [[nodiscard]] absl::StatusOr<ValueId> OutputValue(const NodeCall& call, const std::string& name,
                                                    const Operand& operand) const {
    if (Activation* const activation = operand.activation()) {
      return call.InOrder(*activation, PlainOrder(activation->shape.size()));
    }
    const ConstantTensor* const constant = operand.constant();
    if (constant == nullptr) {
      return absl::UnimplementedError(absl::StrCat(
          "output ", Quoted(name), ": depends on open dimensions and on nothing else"));
    }
    if (translation_.lead == 0) {
      return absl::UnimplementedError(
          absl::StrCat("output ", Quoted(name), ": is a constant, which no batch has"));
    }
    return call.graph().Emit("Constant", name,
                             {call.AddConstant(absl::StrCat(name, "/value"), *constant)});
  }

  absl::StatusOr<TranslatedModel> Finish() {
    std::vector<ValueId> ids;
    std::vector<std::string> names;
    NodeProto end;
    end.name = "output";
    end.op_type = "Output";
    const std::vector<Operand> none;
    const NodeCall call(end, model_.opsets.at(""), none, translation_, external_);
    for (const ValueInfoProto& output : model_.graph->outputs) {
      const auto found = values_.find(output.name);
      if (found == values_.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("output ", Quoted(output.name), ": nothing makes it"));
      }
      ASSIGN_OR_RETURN(const ValueId id, OutputValue(call, output.name, found->second));
      // Positions have the batch where ONNX's have an axis of 1.
      if (translation_.lead == 0 && !translation_.IsOfElements(id)) {
        return absl::UnimplementedError(
            absl::StrCat("output ", Quoted(output.name), ": says nothing of the batch"));
      }
      const Shape& shape = translation_.graph.ShapeOf(id);
      if (shape.empty() || shape[0] != Dim(kRows)) {
        return absl::UnimplementedError(
            absl::StrCat("output ", Quoted(output.name), ": its shape ",
                         ToString(shape, translation_.graph.graph().symbol_names),
                         " does not begin with the batch"));
      }
      ids.push_back(id);
      names.push_back(output.name);
    }
    ASSIGN_OR_RETURN(Graph graph, translation_.graph.Finish(ids, names));
    RemoveUnusedParts(graph, translation_.layers);
    RETURN_IF_ERROR(VerifyGraph(graph, *options_.operators));
    return TranslatedModel{std::move(graph), std::move(translation_.layers)};
  }

  const ModelProto& model_;
  const std::vector<const ValueInfoProto*>& inputs_;
  ExternalData& external_;
  const ImportOptions& options_;
  // Whether open dimensions without names are one where inputs of as many have them.
  const bool shares_dimensions_;
  Translation translation_;
  std::set<std::string> batch_names_;
  // What is shared is called after the first input that has it; by how many dimensions, and which.
  std::map<std::pair<std::size_t, std::size_t>, std::string> shared_names_;
  std::map<std::string, Operand> values_;
  std::map<std::string, std::size_t> left_;  // of translation_.uses, those still to come
  std::set<std::string> failed_;
  std::vector<absl::Status> errors_;
};

// Puts `weights` in the places of the constants of their names.
absl::Status Replace(const NamedWeights& weights, NamedWeights& constants) {
  constexpr std::size_t kMostNames = 8;
  std::vector<std::string> missing;
  for (const auto& [name, weight] : weights) {
    const auto* const plain = std::get_if<ConstantTensor>(&weight);
    const auto found = constants.find(name);
    if (found == constants.end()) {
      // Counters and the like, which no inference takes.
      if (plain == nullptr || plain->data_type() == DataType::kFloat32) missing.push_back(name);
      continue;
    }
    const ConstantTensor& initializer = std::get<ConstantTensor>(found->second);
    const DataType type = plain == nullptr ? DataType::kFloat32 : plain->data_type();
    if (DimsOf(weight) != initializer.dims() || type != initializer.data_type()) {
      return absl::InvalidArgumentError(
          absl::StrCat("initializer ", Quoted(name), " is ", DataTypeName(initializer.data_type()),
                       ToString(initializer.dims()), ", the weights' ", DataTypeName(type),
                       ToString(DimsOf(weight))));
    }
    found->second = weight;
  }
  if (missing.empty()) return absl::OkStatus();
  const std::size_t count = missing.size();
  if (count > kMostNames) missing.resize(kMostNames);
  for (std::string& name : missing) name = Quoted(name);
  return absl::InvalidArgumentError(absl::StrCat(
      "the graph has no initializers for ", count,
      " of the weights: ", absl::StrJoin(missing, ", "), count > kMostNames ? ", ..." : "",
      "; torch.onnx.export keeps their names with do_constant_folding=False, or with dynamo=True "
      "and optimize=False"));
}

// The file's constants. Adds their names to `given`.
absl::StatusOr<NamedWeights> ConstantsOf(const GraphProto& graph, ExternalData& external,
                                         const std::shared_ptr<const void>& owner,
                                         std::set<std::string>& given) {
  NamedWeights constants;
  for (const TensorProto& tensor : graph.initializers) {
    ASSIGN_OR_RETURN(ConstantTensor constant, ToConstant(tensor, external, owner));
    if (!given.insert(tensor.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("initializer ", Quoted(tensor.name), " is there twice"));
    }
    constants.emplace(tensor.name, std::move(constant));
  }
  return constants;
}

// Those that are no constants with a name of their own. Adds their names to `given`.
absl::StatusOr<std::vector<const ValueInfoProto*>> InputsOf(const GraphProto& graph,
                                                            const NamedWeights& constants,
                                                            std::set<std::string>& given) {
  std::vector<const ValueInfoProto*> inputs;
  for (const ValueInfoProto& input : graph.inputs) {
    if (constants.contains(input.name)) continue;  // with a default that nothing replaces
    if (!given.insert(input.name).second || input.name.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", Quoted(input.name), " is there twice, or has no name"));
    }
    if (!input.is_tensor || !input.shape.has_value()) {
      return absl::UnimplementedError(absl::StrCat(
          "input ", Quoted(input.name), ": wants a tensor whose number of dimensions is known"));
    }
    inputs.push_back(&input);
  }
  return inputs;
}

}  // namespace

absl::StatusOr<TranslatedModel> TranslateModel(const ModelProto& model, ExternalData& external,
                                               const std::shared_ptr<const void>& owner,
                                               const ImportOptions& options,
                                               const NamedWeights& weights) {
  const GraphProto& graph = *model.graph;
  if (graph.outputs.empty()) return absl::InvalidArgumentError("the graph has no outputs");
  RETURN_IF_ERROR(CheckOperators(graph));
  std::set<std::string> given;
  ASSIGN_OR_RETURN(NamedWeights constants, ConstantsOf(graph, external, owner, given));
  RETURN_IF_ERROR(Replace(weights, constants));
  ASSIGN_OR_RETURN(const std::vector<const ValueInfoProto*> inputs,
                   InputsOf(graph, constants, given));
  ASSIGN_OR_RETURN(std::vector<const NodeProto*> nodes, SortedNodes(graph, given));
  std::deque<NodeProto> made;
  SmallConstants small(constants, model.opsets.at(""), external, *options.operators);
  RecomposeQuantization(graph, small, nodes, made);
  JoinWrittenOutLayers(graph, small, nodes, made);
  FuseQuantization(graph, constants, nodes, made);
  const auto attempt = [&](std::size_t lead, bool shares_dimensions = false) {
    return ModelTranslator(model, constants, inputs, external, options, lead, shares_dimensions)
        .Translate(nodes);
  };
  // Without inputs there is no batch.
  if (inputs.empty()) return attempt(1);
  absl::StatusOr<TranslatedModel> batched = attempt(0);
  if (batched.ok() || absl::IsResourceExhausted(batched.status())) return batched;
  if (MayShareDimensions(inputs)) {
    absl::StatusOr<TranslatedModel> shared = attempt(0, /*shares_dimensions=*/true);
    if (shared.ok() || absl::IsResourceExhausted(shared.status())) return shared;
    if (shared.status().message().size() < batched.status().message().size()) batched = shared;
  }
  absl::StatusOr<TranslatedModel> whole = attempt(1);
  if (whole.ok()) return whole;
  // A first dimension that is open is the batch; else the shorter list of complaints is the one
  // that is nearer to the truth.
  const bool is_open = std::all_of(inputs.begin(), inputs.end(), [](const ValueInfoProto* input) {
    return !input->shape->empty() && !input->shape->front().value.has_value();
  });
  if (is_open) return batched;
  return whole.status().message().size() < batched.status().message().size() ? whole : batched;
}

}  // namespace octet::onnx
