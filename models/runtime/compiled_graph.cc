// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/compiled_graph.h"

#include "absl/strings/str_cat.h"

namespace octet {

const Subview* CompiledGraph::SubviewOf(const CompiledValue& value, std::int64_t rows) const {
  if (value.subview < 0) return nullptr;
  const Subview& subview = subviews[static_cast<std::size_t>(value.subview)];
  return IsInPlace(subview.in_place, rows) ? &subview : nullptr;
}

absl::Status CheckStepInputs(const CompiledStep& step, std::span<const TensorView> inputs) {
  absl::Status status = step.step->CheckInputs(inputs);
  if (status.ok()) return status;
  return {status.code(), absl::StrCat(step.op, " \"", step.node, "\": ", status.message())};
}

std::string DescribeValue(const CompiledGraph& graph, std::size_t index) {
  for (const CompiledStep& step : graph.steps) {
    for (const std::int32_t output : step.outputs) {
      if (static_cast<std::size_t>(output) != index) continue;
      return absl::StrCat("the output of ", step.op, " \"", step.node, "\"");
    }
  }
  return "an intermediate tensor";
}

}  // namespace octet
