// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/small_constants.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <variant>
#include <vector>

#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

constexpr std::int64_t kMostElements = std::int64_t{1} << 16;
// Of all that are computed: some megabytes, however many nodes a file has.
constexpr std::int64_t kMostElementsTogether = std::int64_t{1} << 22;

constexpr std::array<absl::string_view, 14> kComputed = {
    "Add", "Cast", "Concat",     "Constant", "Div",     "Flatten", "Identity",
    "Mul", "Neg",  "Reciprocal", "Reshape",  "Squeeze", "Sub",     "Unsqueeze"};

bool IsComputed(const NodeProto& node) {
  return node.domain.empty() && node.outputs.size() == 1 &&
         std::find(kComputed.begin(), kComputed.end(), node.op_type) != kComputed.end();
}

// Whole numbers are the same in every type that something else may have.
bool IsWholeLike(const NodeProto& node, const ConstantTensor* constant) {
  if (node.op_type != "CastLike" || !node.domain.empty() || node.outputs.size() != 1 ||
      constant == nullptr || constant->data_type() != DataType::kFloat32) {
    return false;
  }
  const std::vector<float> values = FloatElements(*constant);
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return value == std::nearbyint(value); });
}

}  // namespace

SmallConstants::SmallConstants(const NamedWeights& constants, std::int64_t opset,
                               ExternalData& external, const OperatorRegistry& operators)
    : initializers_(constants), opset_(opset), external_(external), scratch_(operators) {
  scratch_.max_folded_bytes = kMostElementsTogether * 8;
}

const ConstantTensor* SmallConstants::Initializer(const std::string& name) const {
  const auto given = initializers_.find(name);
  return given == initializers_.end() ? nullptr : std::get_if<ConstantTensor>(&given->second);
}

const ConstantTensor* SmallConstants::Find(const std::string& name) const {
  const auto found = computed_.find(name);
  if (found != computed_.end()) return &found->second;
  const ConstantTensor* const given = Initializer(name);
  return given != nullptr && NumElements(given->dims()) <= kMostElements ? given : nullptr;
}

void SmallConstants::Note(const NodeProto& node) {
  if (elements_ > kMostElementsTogether) return;
  if (!node.inputs.empty() && IsWholeLike(node, Find(node.inputs[0]))) {
    const ConstantTensor constant = *Find(node.inputs[0]);
    elements_ += NumElements(constant.dims());
    computed_.emplace(node.outputs[0], constant);
    return;
  }
  if (!IsComputed(node)) return;
  std::vector<Operand> inputs;
  for (const std::string& input : node.inputs) {
    const ConstantTensor* const constant = Find(input);
    if (constant == nullptr) return;
    inputs.push_back({input, *constant});
  }
  NodeCall call(node, opset_, inputs, scratch_, external_);
  // What is wrong with the node is said when it is translated.
  const auto outputs = Fold(call);
  if (!outputs.ok() || !outputs->has_value() || (*outputs)->size() != 1) return;
  const ConstantTensor* const constant = (**outputs)[0].constant();
  if (constant == nullptr || NumElements(constant->dims()) > kMostElements) return;
  elements_ += NumElements(constant->dims());
  computed_.emplace(node.outputs[0], *constant);
}

}  // namespace octet::onnx
