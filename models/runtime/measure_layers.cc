// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/measure_layers.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "kernels/cpu_features.h"
#include "kernels/kernel_set.h"
#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/runtime/synthetic_inputs.h"
#include "models/tensor/shape.h"
#include "models/tensor/tensor.h"

namespace octet {
namespace {

// What `choices` has for the layer of `step`; null if nothing.
const KernelChoice* FindChoice(const Executable& executable, const CompiledStep& step,
                               const KernelChoices& choices) {
  return choices.Find({.cpu = kernels::CpuName(),
                       .kernel_set = std::string(executable.kernel_set().name),
                       .layer = step.implementation->layer});
}

bool HasAChoice(const CompiledStep& step) {
  return step.implementation.has_value() && step.implementation->fitting.size() > 1;
}

bool KnowsAll(const KernelChoice& choice, const std::vector<std::string>& fitting) {
  return std::ranges::all_of(fitting, [&choice](const std::string& name) {
    return std::ranges::find(choice.times, name, &ImplementationTimes::name) != choice.times.end();
  });
}

// A graph of that node alone, for which every value that is no constant is an input.
absl::StatusOr<Graph> CutOut(const Graph& graph, const std::string& name) {
  const auto found = std::ranges::find(graph.nodes, name, &Node::name);
  if (found == graph.nodes.end()) {
    return absl::NotFoundError(absl::StrCat("the graph has no node ", Quoted(name)));
  }
  Graph layer;
  layer.symbol_names = graph.symbol_names;
  std::map<ValueId, ValueId> places;
  const auto place_of = [&](ValueId id) {
    const auto [place, is_new] = places.try_emplace(id, static_cast<ValueId>(layer.values.size()));
    if (is_new) layer.values.push_back(graph.values[static_cast<std::size_t>(id)]);
    return std::pair(place->second, is_new);
  };
  Node node = *found;
  for (ValueId& id : node.inputs) {
    if (id == kNoValue) continue;
    const auto [place, is_new] = place_of(id);
    if (is_new && !layer.values.back().constant) layer.inputs.push_back(place);
    id = place;
  }
  for (ValueId& id : node.outputs) {
    id = place_of(id).first;
    layer.outputs.push_back(id);
  }
  layer.nodes.push_back(std::move(node));
  return layer;
}

absl::Status MeasureCutOut(const Graph& layer, const OperatorRegistry& operators,
                           const kernels::KernelSet& kernels, const MeasureOptions& options,
                           std::span<const std::int64_t> batch_sizes, KernelChoices& choices) {
  std::vector<TensorType> inputs;
  for (const ValueId id : layer.inputs) {
    inputs.push_back(layer.values[static_cast<std::size_t>(id)].type);
  }
  std::vector<std::vector<Tensor>> batches;
  for (const std::int64_t rows : batch_sizes) {
    ASSIGN_OR_RETURN(batches.emplace_back(),
                     MakeSyntheticInputs(inputs, layer.symbol_names.size(), rows,
                                         options.compile.max_arena_byte_size));
  }
  return MeasureChoices(layer, operators, kernels, batches, options, choices).status();
}

}  // namespace

std::vector<UnmeasuredLayer> UnmeasuredLayers(const Executable& executable,
                                              const KernelChoices& choices) {
  std::vector<UnmeasuredLayer> layers;
  std::set<std::string_view> seen;
  for (const CompiledStep& step : executable.compiled().steps) {
    if (!HasAChoice(step) || !seen.insert(step.implementation->layer).second) continue;
    const KernelChoice* const choice = FindChoice(executable, step, choices);
    if (choice != nullptr && KnowsAll(*choice, step.implementation->fitting)) continue;
    layers.push_back({.node = step.node, .layer = step.implementation->layer});
  }
  return layers;
}

std::size_t CountChangedSteps(const Executable& executable, const KernelChoices& choices) {
  return static_cast<std::size_t>(
      std::ranges::count_if(executable.compiled().steps, [&](const CompiledStep& step) {
        if (!HasAChoice(step)) return false;
        const KernelChoice* const choice = FindChoice(executable, step, choices);
        const StepImplementation& implementation = *step.implementation;
        return choice != nullptr && choice->implementation != implementation.name &&
               std::ranges::find(implementation.fitting, choice->implementation) !=
                   implementation.fitting.end();
      }));
}

absl::Status MeasureLayer(const Graph& graph, const std::string& node,
                          const OperatorRegistry& operators, const kernels::KernelSet& kernels,
                          const MeasureLayerOptions& options, KernelChoices& choices) {
  assert(!options.batch_sizes.empty());
  ASSIGN_OR_RETURN(const Graph layer, CutOut(graph, node));
  std::span<const std::int64_t> sizes = options.batch_sizes;
  while (true) {
    absl::Status status = MeasureCutOut(layer, operators, kernels, options.measure, sizes, choices);
    const bool is_too_much = absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status);
    if (!is_too_much || sizes.size() == 1) return status;
    sizes = sizes.first(sizes.size() - 1);
  }
}

}  // namespace octet
