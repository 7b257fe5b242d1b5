// SPDX-License-Identifier: Apache-2.0

#include "models/operators/lstm_gates.h"

#include <algorithm>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

absl::StatusOr<LstmGates::Options> GateOptions(const Node& node) {
  LstmGates::Options options;
  ASSIGN_OR_RETURN(options.cell_clip, FloatAttribute(node, "cell_clip", 0.0));
  if (options.cell_clip < 0.0F) {
    return InvalidNode(node, "attribute \"cell_clip\" is ", options.cell_clip, ", wants 0 or more");
  }
  ASSIGN_OR_RETURN(options.activation, CellActivation::Of(node, "activation", "tanh"));
  ASSIGN_OR_RETURN(options.recurrent_activation,
                   CellActivation::Of(node, "recurrent_activation", "sigmoid"));
  return options;
}

// Adds `peephole` times `state` to a gate's sums.
void Look(std::span<const float> peephole, std::span<const float> state, std::span<float> sums) {
  for (std::size_t u = 0; u < sums.size(); ++u) sums[u] += peephole[u] * state[u];
}

}  // namespace

void LstmGates::Advance(const Arguments& arguments) const {
  const std::size_t units = options_.units;
  const std::span<float> z = arguments.z;
  const std::span<float> input_and_forget = z.first(2 * units);
  const std::span<float> candidate = z.subspan(2 * units, units);
  const std::span<float> output = z.subspan(3 * units, units);
  const std::span<const float> peepholes = options_.peepholes;
  if (!peepholes.empty()) {
    Look(peepholes.first(units), arguments.c, z.first(units));
    Look(peepholes.subspan(units, units), arguments.c, z.subspan(units, units));
  }
  options_.recurrent_activation.Apply(*kernels_, input_and_forget, input_and_forget);
  options_.activation.Apply(*kernels_, candidate, candidate);
  const std::span<float> next_c = arguments.next_c;
  const std::span<float> next_h = arguments.next_h;
  for (std::size_t u = 0; u < units; ++u) {
    next_c[u] = z[units + u] * arguments.c[u] + z[u] * candidate[u];
  }
  if (options_.cell_clip > 0.0F) {
    for (float& value : next_c) value = std::clamp(value, -options_.cell_clip, options_.cell_clip);
  }
  if (!peepholes.empty()) Look(peepholes.last(units), next_c, output);
  options_.recurrent_activation.Apply(*kernels_, output, output);
  options_.activation.Apply(*kernels_, next_c, next_h);
  for (std::size_t u = 0; u < units; ++u) next_h[u] *= output[u];
}

absl::Status CheckLstmGates(const Node& node) { return GateOptions(node).status(); }

absl::StatusOr<LstmGates> MakeLstmGates(const Node& node, std::size_t units,
                                        const kernels::KernelSet& kernels,
                                        std::vector<float> peepholes) {
  ASSIGN_OR_RETURN(LstmGates::Options options, GateOptions(node));
  options.units = units;
  options.peepholes = std::move(peepholes);
  return LstmGates(std::move(options), kernels);
}

}  // namespace octet
