// SPDX-License-Identifier: Apache-2.0

#include "models/runtime/kept_constants.h"

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "models/graph/graph.h"

namespace octet {
namespace {

// By value: whether a step reads it, or the caller does.
std::vector<bool> ReadValues(const CompiledGraph& graph) {
  std::vector<bool> is_read(graph.values.size());
  for (const CompiledStep& step : graph.steps) {
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      if (step.inputs[i] == kNoValue || !step.step->ReadsConstant(i)) continue;
      is_read[static_cast<std::size_t>(step.inputs[i])] = true;
    }
  }
  for (const std::int32_t output : graph.outputs) is_read[static_cast<std::size_t>(output)] = true;
  for (const OutputCopy& copy : graph.output_copies) {
    is_read[static_cast<std::size_t>(copy.value)] = true;
  }
  return is_read;
}

}  // namespace

void KeepReadConstants(bool copies, CompiledGraph& graph) {
  const std::vector<bool> is_read = ReadValues(graph);
  // By where they lay: values under several shapes share their bytes.
  std::map<std::pair<const std::byte*, std::size_t>, std::shared_ptr<const ConstantTensor>> copied;
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    std::optional<ConstantTensor>& constant = graph.values[i].constant;
    if (!constant) continue;
    if (!is_read[i]) {
      constant.reset();
    } else if (copies) {
      const std::span<const std::byte> bytes = constant->bytes();
      std::shared_ptr<const ConstantTensor>& copy = copied[{bytes.data(), bytes.size()}];
      if (copy == nullptr) {
        copy = std::make_shared<const ConstantTensor>(ConstantTensor::Copy(
            constant->data_type(), constant->dims(), bytes, constant->packed_axis()));
      }
      constant = ConstantTensor(constant->data_type(), constant->dims(), copy->bytes(), copy,
                                constant->packed_axis());
    }
  }
}

}  // namespace octet
