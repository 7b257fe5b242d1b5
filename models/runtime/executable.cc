// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/executable.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

#include "kernels/cpu_features.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/graph/passes/passes.h"
#include "models/graph/verify.h"
#include "models/runtime/memory_plan.h"
#include "models/runtime/subviews.h"
#include "models/runtime/symbol_binding.h"

namespace octet {
namespace {

// Whether each row of the output is a product of the same row of the inputs and a constant matrix,
// which is read once for all rows.
bool IsRowProduct(const Node& node) {
  return node.op == "FullyConnected" || node.op == "IntegerMatMul";
}

// Turns a verified graph into steps and storage.
class Compiler {
 public:
  Compiler(Graph& graph, const OperatorRegistry& operators, const kernels::KernelSet& kernels,
           const CompileOptions& options)
      : graph_(graph),
        operators_(operators),
        kernels_(kernels),
        options_(options),
        cpu_(kernels::CpuName()) {}

  absl::StatusOr<CompiledGraph> Compile() {
    PlaceInputsAndConstants();
    alias_of_.resize(graph_.values.size());
    for (std::size_t i = 0; i < alias_of_.size(); ++i) alias_of_[i] = static_cast<std::int32_t>(i);
    for (const Node& node : graph_.nodes) RETURN_IF_ERROR(CompileNode(node));
    PlaceSubviews();
    PlaceOutputs();
    KeepSubviewsOutOfChains();
    result_.chains = FindRowChains(result_, alias_of_);
    PlaceArena();
    ResolveAliases();
    return std::move(result_);
  }

 private:
  void PlaceInputsAndConstants() {
    for (Value& value : graph_.values) {
      CompiledValue compiled;
      compiled.data_type = value.type.data_type;
      compiled.shape = value.type.shape;
      if (value.constant) {
        compiled.storage = Storage::kConstant;
        compiled.constant = value.constant;
      }
      result_.values.push_back(std::move(compiled));
    }
    result_.inputs = graph_.inputs;
    result_.outputs = graph_.outputs;
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
      CompiledValue& value = At(graph_.inputs[i]);
      value.storage = Storage::kInput;
      value.index = static_cast<std::int32_t>(i);
    }
  }

  absl::Status CompileNode(const Node& node) {
    ASSIGN_OR_RETURN(const Operator* const op, operators_.Find(node.op));
    if (op->IsReinterpretation()) {
      // The same bytes under another shape: whoever reads the output reads the input's.
      alias_of_[static_cast<std::size_t>(node.outputs[0])] = Root(node.inputs[0]);
      return absl::OkStatus();
    }
    std::vector<TensorType> inputs;
    std::vector<const ConstantTensor*> constants;
    for (const ValueId id : node.inputs) {
      inputs.push_back(id == kNoValue ? TensorType{} : TypeOf(id));
      constants.push_back(id != kNoValue && At(id).constant ? &*At(id).constant : nullptr);
    }
    std::vector<TensorType> outputs;
    for (const ValueId id : node.outputs) outputs.push_back(TypeOf(id));
    std::optional<StepImplementation> implementation;
    const auto choose = [&](std::string_view layer, std::span<const std::string_view> names) {
      return Choose(layer, names, implementation);
    };
    absl::StatusOr<std::unique_ptr<const Step>> step = op->Prepare(
        {.node = node,
         .inputs = inputs,
         .outputs = outputs,
         .constants = constants,
         .kernels = kernels_,
         .max_rows = options_.max_rows,
         .choose_implementation = choose,
         .allows_reduced_attention = options_.attention_precision == AttentionPrecision::kFastest});
    RETURN_IF_ERROR(step.status());
    result_.steps.push_back({.node = node.name,
                             .op = node.op,
                             .step = *std::move(step),
                             .inputs = node.inputs,
                             .outputs = node.outputs,
                             .implementation = std::move(implementation),
                             .quantizes_input = node.op == "Quantize"});
    AskForRows(*op, inputs, constants, node, result_.steps.back());
    return absl::OkStatus();
  }

  // What the operator says of its rows.
  void AskForRows(const Operator& op, std::span<const TensorType> inputs,
                  std::span<const ConstantTensor* const> constants, const Node& node,
                  CompiledStep& step) const {
    if (TypeOf(node.outputs[0]).shape.size() < 2) return;
    const bool is_row_wise = op.IsRowWise(node, inputs, constants);
    step.is_row_product = IsRowProduct(node);
    if (!is_row_wise && !step.is_row_product) return;
    std::optional<Shape> rows = RowShape(node, inputs, constants);
    if (rows.has_value() && HasEqualPositions(node, rows->size())) {
      step.position_dims = rows->size();
    }
    if (is_row_wise) step.row_shape = std::move(rows);
  }

  // Whether what follows the first `num_row_dims` dimensions is of one size in every sequence.
  [[nodiscard]] bool HasEqualPositions(const Node& node, std::size_t num_row_dims) const {
    const auto is_open = [&](ValueId id) {
      const Shape& shape = TypeOf(id).shape;
      return !std::all_of(shape.begin() + static_cast<std::ptrdiff_t>(num_row_dims), shape.end(),
                          [](const Dim& dim) { return dim.is_constant(); });
    };
    const auto is_activation = [&](ValueId id) {
      return id != kNoValue && !graph_.values[static_cast<std::size_t>(id)].constant;
    };
    return std::ranges::none_of(node.outputs, is_open) &&
           std::ranges::none_of(node.inputs, [&](ValueId id) {
             if (!is_activation(id)) return false;
             // A constant under another shape is not there once for each sequence.
             return is_open(id) || result_.values[static_cast<std::size_t>(Root(id))].constant;
           });
  }

  // The leading dimensions of what a node reads and writes, if they are the same. Precondition: its
  // output 0 has at least two dimensions.
  std::optional<Shape> RowShape(const Node& node, std::span<const TensorType> inputs,
                                std::span<const ConstantTensor* const> constants) const {
    Shape rows = TypeOf(node.outputs[0]).shape;
    rows.pop_back();
    const auto begins_so = [&rows](const Shape& shape) {
      return shape.size() >= rows.size() && std::equal(rows.begin(), rows.end(), shape.begin());
    };
    for (const ValueId id : node.outputs) {
      const Shape& shape = TypeOf(id).shape;
      if (!begins_so(shape) || shape.size() != rows.size() + 1) return std::nullopt;
    }
    bool has_activation = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue || constants[i] != nullptr) continue;
      if (!begins_so(inputs[i].shape)) return std::nullopt;
      has_activation = true;
    }
    if (!has_activation) return std::nullopt;
    return rows;
  }

  // ChooseImplementation: what was measured, if it fits, or the first of `names`.
  std::string_view Choose(std::string_view layer, std::span<const std::string_view> names,
                          std::optional<StepImplementation>& implementation) const {
    if (names.empty()) return "";
    implementation = StepImplementation{.layer = std::string(layer),
                                        .name = std::string(names.front()),
                                        .fitting = {names.begin(), names.end()}};
    if (options_.choices == nullptr) return names.front();
    const KernelChoice* const choice =
        options_.choices->Find({cpu_, std::string(kernels_.name), std::string(layer)});
    if (choice == nullptr) return names.front();
    const auto chosen = std::ranges::find(names, choice->implementation);
    if (chosen == names.end()) return names.front();
    implementation->name = std::string(*chosen);
    implementation->measured = *choice;
    return *chosen;
  }

  void PlaceSubviews() {
    Subviews found = FindSubviews(graph_, operators_, result_.steps, alias_of_, options_.max_rows);
    result_.subviews = std::move(found.subviews);
    for (std::size_t i = 0; i < result_.subviews.size(); ++i) {
      const Subview& subview = result_.subviews[i];
      CompiledValue& value = At(subview.value);
      value.subview = static_cast<std::int32_t>(i);
      if (subview.in_place != InPlace::kAlways) continue;  // in other runs it needs its own bytes
      value.storage = Storage::kSubview;
      value.index = value.subview;
    }
    std::size_t step = 0;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const ValueId output = graph_.nodes[i].outputs[0];
      if (Root(output) != output) continue;  // a reinterpretation is no step
      result_.steps[step++].in_place = found.nodes[i];
    }
  }

  // A step writes straight into the caller's tensor where the output is a value of its own.
  void PlaceOutputs() {
    for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
      const ValueId id = graph_.outputs[i];
      CompiledValue& root = At(Root(id));
      if (root.storage == Storage::kUnused) {
        root.storage = Storage::kOutput;
        root.index = static_cast<std::int32_t>(i);
      } else {
        result_.output_copies.push_back({.value = id, .output = static_cast<std::int32_t>(i)});
      }
    }
  }

  // Rows of a value that lies inside another may lie apart.
  void KeepSubviewsOutOfChains() {
    const auto is_subview = [this](ValueId id) {
      return id != kNoValue && At(Root(id)).subview >= 0;
    };
    for (CompiledStep& step : result_.steps) {
      if (std::ranges::any_of(step.inputs, is_subview) ||
          std::ranges::any_of(step.outputs, is_subview)) {
        step.row_shape = std::nullopt;
        step.position_dims = 0;
      }
    }
  }

  void PlaceArena() {
    const std::vector<Lifetime> lifetime_of = Lifetimes();
    const auto first_step = [&](std::int32_t value) {
      return lifetime_of[static_cast<std::size_t>(value)].first_step;
    };
    for (const CompiledStep& step : result_.steps) {
      for (const std::int32_t output : step.outputs) {
        if (At(output).storage != Storage::kUnused) continue;
        At(output).storage = Storage::kArena;
        result_.arena_values.push_back(output);
      }
    }
    // What has subviews may begin before the step that names it.
    std::ranges::stable_sort(result_.arena_values, {}, first_step);
    std::vector<Lifetime> lifetimes;
    for (const std::int32_t value : result_.arena_values) {
      At(value).index = static_cast<std::int32_t>(lifetimes.size());
      lifetimes.push_back(lifetime_of[static_cast<std::size_t>(value)]);
    }
    result_.slots = AssignSlots(lifetimes);
    result_.num_slots = result_.slots.empty()
                            ? 0
                            : *std::max_element(result_.slots.begin(), result_.slots.end()) + 1;
  }

  // By ValueId, of what shares its bytes with no other under another shape; a whole lives as long
  // as what lies in it.
  std::vector<Lifetime> Lifetimes() {
    std::vector<std::int64_t> symbols(graph_.symbol_names.size(), kTypicalSymbol);
    symbols[static_cast<std::size_t>(kRows.index)] = options_.max_rows;
    const auto num_steps = static_cast<std::int32_t>(result_.steps.size());
    std::vector<Lifetime> lifetimes(graph_.values.size(), {.first_step = num_steps});
    const auto extend = [&](std::int32_t value, std::int32_t first, std::int32_t last) {
      Lifetime& lifetime = lifetimes[static_cast<std::size_t>(value)];
      lifetime.first_step = std::min(lifetime.first_step, first);
      lifetime.last_step = std::max(lifetime.last_step, last);
    };
    for (std::int32_t s = 0; s < num_steps; ++s) {
      const CompiledStep& step = result_.steps[static_cast<std::size_t>(s)];
      for (const std::int32_t output : step.outputs) {
        extend(output, s, s);
        lifetimes[static_cast<std::size_t>(output)].typical_byte_size =
            TypicalByteSize(At(output), symbols);
      }
      for (const std::int32_t input : step.inputs) {
        if (input != kNoValue) extend(Root(input), s, s);
      }
    }
    for (const OutputCopy& copy : result_.output_copies) {
      extend(Root(copy.value), num_steps, num_steps);
    }
    for (std::size_t i = result_.subviews.size(); i-- > 0;) {
      const auto& subview = result_.subviews[i];
      const Lifetime& lifetime = lifetimes[static_cast<std::size_t>(subview.value)];
      extend(subview.whole_root, lifetime.first_step, lifetime.last_step);
    }
    for (const RowChain& chain : result_.chains) {
      for (const RowValue& row_value : chain.values) {
        // The chain's steps come round again for the next block of rows.
        if (row_value.is_local) continue;
        extend(Root(row_value.value), chain.first_step, chain.end_step - 1);
      }
    }
    return lifetimes;
  }

  // Reinterpretations lie where their roots lie.
  void ResolveAliases() {
    for (std::size_t i = 0; i < result_.values.size(); ++i) {
      const CompiledValue& root = At(alias_of_[i]);
      CompiledValue& value = result_.values[i];
      value.storage = root.storage;
      value.index = root.index;
      value.subview = root.subview;
      if (root.constant) value.constant = root.constant;
    }
  }

  static std::size_t TypicalByteSize(const CompiledValue& value, SymbolValues symbols) {
    Dims dims;
    for (const Dim& dim : value.shape) {
      dims.push_back(std::max<std::int64_t>(dim.Evaluate(symbols), 0));
    }
    return CheckedNumElements(dims).ok() ? ByteSize(value.data_type, dims) : 0;
  }

  [[nodiscard]] std::int32_t Root(ValueId id) const {
    return alias_of_[static_cast<std::size_t>(id)];
  }
  CompiledValue& At(ValueId id) { return result_.values[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const TensorType& TypeOf(ValueId id) const {
    return graph_.values[static_cast<std::size_t>(id)].type;
  }

  Graph& graph_;
  const OperatorRegistry& operators_;
  const kernels::KernelSet& kernels_;
  const CompileOptions& options_;
  const std::string cpu_;
  std::vector<std::int32_t> alias_of_;  // by ValueId: the value whose bytes it shares, or itself
  CompiledGraph result_;
};

std::vector<TensorSignature> Signature(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<TensorSignature> signature;
  for (const ValueId id : ids) {
    const Value& value = graph.values[static_cast<std::size_t>(id)];
    signature.push_back({.name = value.name, .type = value.type});
  }
  return signature;
}

bool RowsComeFirst(const std::vector<TensorSignature>& tensors) {
  return std::ranges::all_of(tensors, [](const TensorSignature& tensor) {
    const Shape& shape = tensor.type.shape;
    return !shape.empty() && shape[0] == Dim(kRows) &&
           std::none_of(shape.begin() + 1, shape.end(),
                        [](const Dim& dim) { return !dim.is_constant() && dim.symbol() == kRows; });
  });
}

// Whether the products that run once for sequences of different lengths hold most of the weights:
// what they read once is what a ragged batch gains, and each other step runs for each sequence.
bool SharesMostWeights(const CompiledGraph& graph) {
  std::size_t shared = 0;
  std::size_t others = 0;
  for (const CompiledStep& step : graph.steps) {
    if (step.row_shape.has_value() && step.position_dims > 0) continue;  // reads what it needs
    const bool is_shared = step.is_row_product && step.position_dims > 0;
    (is_shared ? shared : others) += step.step->packed_byte_size();
  }
  return shared > others;
}

// Whether elements of every activation are whole bytes.
bool HasWholeElements(const CompiledGraph& graph) {
  return std::ranges::all_of(graph.values, [](const CompiledValue& value) {
    return value.storage == Storage::kConstant || BitWidth(value.data_type) % 8 == 0;
  });
}

std::string KernelOf(const CompiledStep& step) {
  switch (step.in_place) {
    case InPlace::kNone:
      break;
    case InPlace::kOneRow:
      return absl::StrCat(step.step->kernel_name(), ", or in place for one row");
    case InPlace::kAlways:
      return "in place";
  }
  return step.step->kernel_name();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Executable>> Executable::Compile(
    Graph graph, const OperatorRegistry& operators, const kernels::KernelSet& kernels,
    const CompileOptions& options) {
  if (options.max_rows < 1 || options.max_rows > kMaxSymbolValue) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_rows is ", options.max_rows, ", wants 1 to ", kMaxSymbolValue));
  }
  RETURN_IF_ERROR(VerifyGraph(graph, operators));
  RunPasses(graph);
  RETURN_IF_ERROR(VerifyGraph(graph, operators));
  std::shared_ptr<Executable> executable(new Executable());
  executable->kernels_ = &kernels;
  executable->options_ = options;
  executable->inputs_ = Signature(graph, graph.inputs);
  executable->outputs_ = Signature(graph, graph.outputs);
  executable->symbol_names_ = graph.symbol_names;
  executable->takes_batches_ = !graph.inputs.empty() && RowsComeFirst(executable->inputs_) &&
                               RowsComeFirst(executable->outputs_);
  ASSIGN_OR_RETURN(executable->compiled_, Compiler(graph, operators, kernels, options).Compile());
  executable->may_be_ragged_ = executable->takes_batches_ && options.max_rows > 1 &&
                               graph.symbol_names.size() > 1 &&
                               HasWholeElements(executable->compiled_);
  executable->takes_lengths_ =
      executable->may_be_ragged_ && SharesMostWeights(executable->compiled_);
  return executable;
}

std::vector<StepDescription> Executable::steps() const {
  std::vector<StepDescription> steps;
  for (const CompiledStep& step : compiled_.steps) {
    steps.push_back({.node = step.node,
                     .op = step.op,
                     .kernel = KernelOf(step),
                     .packed_byte_size = step.step->packed_byte_size(),
                     .implementation = step.implementation,
                     .in_place = step.in_place});
  }
  return steps;
}

std::size_t Executable::packed_byte_size() const {
  std::size_t byte_size = 0;
  for (const CompiledStep& step : compiled_.steps) byte_size += step.step->packed_byte_size();
  return byte_size;
}

}  // namespace octet
