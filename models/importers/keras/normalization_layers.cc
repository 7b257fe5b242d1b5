// SPDX-License-Identifier: Apache-2.0
// Normalizations, and the scaling of inputs that belongs to preprocessing.

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

ValueId Optional(const std::map<std::string, ValueId>& variables, const std::string& name) {
  const auto found = variables.find(name);
  return found == variables.end() ? kNoValue : found->second;
}

// The names of gamma and beta as far as the layer has them.
absl::StatusOr<std::vector<std::string>> GammaBeta(const LayerCall& call) {
  ASSIGN_OR_RETURN(const bool scale, call.config().Bool("scale", true));
  ASSIGN_OR_RETURN(const bool center, call.config().Bool("center", true));
  std::vector<std::string> names;
  if (scale) names.emplace_back("gamma");
  if (center) names.emplace_back("beta");
  return names;
}

// The first of the axes in "axis", which must be all axes from there to the last.
absl::StatusOr<std::int64_t> TrailingAxis(const LayerCall& call, ValueId input) {
  std::vector<std::int64_t> axes = {-1};
  if (call.config().Has("axis")) {
    ASSIGN_OR_RETURN(axes, call.config().Ints("axis"));
  }
  const std::int64_t rank = call.graph().Rank(input);
  for (std::int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  bool trailing = !axes.empty() && axes.front() >= 1 && axes.back() == rank - 1;
  for (std::size_t i = 1; i < axes.size(); ++i) trailing = trailing && axes[i] == axes[i - 1] + 1;
  if (!trailing) return call.config().Unimplemented("axis", "the last axis or axes");
  return axes.front();
}

absl::StatusOr<std::vector<Operand>> TranslateBatchNormalization(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  ASSIGN_OR_RETURN(const bool renorm, call.config().Bool("renorm", false));
  if (renorm) return call.config().Unimplemented("renorm", "false");
  ASSIGN_OR_RETURN(std::vector<std::string> names, GammaBeta(call));
  names.insert(names.end(), {"moving_mean", "moving_variance"});
  ASSIGN_OR_RETURN(const auto variables, call.FloatVariables(names));
  std::vector<std::int64_t> axis = {-1};
  if (call.config().Has("axis")) {
    ASSIGN_OR_RETURN(axis, call.config().Ints("axis", 1));
  }
  ASSIGN_OR_RETURN(const double epsilon, call.config().Float("epsilon", 1e-3));
  ASSIGN_OR_RETURN(
      const ValueId output,
      call.graph().Emit("BatchNormalization", call.Name(),
                        {input, Optional(variables, "gamma"), Optional(variables, "beta"),
                         variables.at("moving_mean"), variables.at("moving_variance")},
                        {{"axis", axis[0]}, {"epsilon", epsilon}}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateLayerNormalization(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  ASSIGN_OR_RETURN(const bool rms, call.config().Bool("rms_scaling", false));
  if (rms) return call.config().Unimplemented("rms_scaling", "false");
  ASSIGN_OR_RETURN(const std::int64_t axis, TrailingAxis(call, input));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, GammaBeta(call));
  ASSIGN_OR_RETURN(const auto variables, call.FloatVariables(names));
  ASSIGN_OR_RETURN(const double epsilon, call.config().Float("epsilon", 1e-3));
  ASSIGN_OR_RETURN(const ValueId output, call.graph().Emit("LayerNormalization", call.Name(),
                                                           {input, Optional(variables, "gamma"),
                                                            Optional(variables, "beta")},
                                                           {{"axis", axis}, {"epsilon", epsilon}}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateRmsNormalization(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  ASSIGN_OR_RETURN(const std::int64_t axis, TrailingAxis(call, input));
  ASSIGN_OR_RETURN(const auto variables, call.FloatVariables({"scale"}));
  ASSIGN_OR_RETURN(const double epsilon, call.config().Float("epsilon", 1e-6));
  ASSIGN_OR_RETURN(const ValueId output, call.graph().Emit("RmsNormalization", call.Name(),
                                                           {input, variables.at("scale")},
                                                           {{"axis", axis}, {"epsilon", epsilon}}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateGroupNormalization(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  ASSIGN_OR_RETURN(const std::int64_t axis, TrailingAxis(call, input));
  if (axis != call.graph().Rank(input) - 1) return call.config().Unimplemented("axis", "-1");
  ASSIGN_OR_RETURN(std::int64_t groups, call.config().Int("groups", 32));
  if (groups == -1) {
    ASSIGN_OR_RETURN(groups, call.Length(input, -1));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> names, GammaBeta(call));
  ASSIGN_OR_RETURN(const auto variables, call.FloatVariables(names));
  ASSIGN_OR_RETURN(const double epsilon, call.config().Float("epsilon", 1e-3));
  ASSIGN_OR_RETURN(
      const ValueId output,
      call.graph().Emit("GroupNormalization", call.Name(),
                        {input, Optional(variables, "gamma"), Optional(variables, "beta")},
                        {{"groups", groups}, {"epsilon", epsilon}}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateUnitNormalization(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  std::vector<std::int64_t> axis = {-1};
  if (call.config().Has("axis")) {
    ASSIGN_OR_RETURN(axis, call.config().Ints("axis"));
  }
  if (axis.size() != 1) return call.config().Unimplemented("axis", "one axis");
  ASSIGN_OR_RETURN(const ValueId output, call.graph().Emit("UnitNormalization", call.Name(),
                                                           {input}, {{"axis", axis[0]}}));
  return Single(output);
}

ConstantTensor Floats(const std::vector<double>& numbers) {
  std::vector<float> values;
  for (const double number : numbers) values.push_back(static_cast<float>(number));
  const auto count = static_cast<std::int64_t>(values.size());
  return ConstantTensor::Copy(DataType::kFloat32, {count}, values);
}

absl::StatusOr<std::vector<Operand>> TranslateRescaling(LayerCall& call) {
  ASSIGN_OR_RETURN(ValueId value, call.FloatInput());
  GraphBuilder& graph = call.graph();
  for (const auto& [key, op] : {std::pair{"scale", "Multiply"}, std::pair{"offset", "Add"}}) {
    if (!call.config().Has(key)) continue;
    ASSIGN_OR_RETURN(const std::vector<double> numbers,
                     Numbers(call.config().Get(key), call.config().where()));
    const bool last = std::string(key) == "offset";
    ASSIGN_OR_RETURN(value,
                     graph.Emit(op, last ? call.Name() : call.Name("scale_by"),
                                {value, graph.AddConstant(call.Name(key), Floats(numbers))}));
  }
  return Single(value);
}

// Mean and variance from the weights, or from the configuration where they were given there.
absl::StatusOr<std::pair<ConstantTensor, ConstantTensor>> Moments(const LayerCall& call) {
  ASSIGN_OR_RETURN(const std::vector<ConstantTensor> stored, call.StoredVariables());
  if (stored.size() >= 2) {
    octet::Layer record;
    const char* const names[] = {"mean", "variance", "count"};
    for (std::size_t i = 0; i < std::min<std::size_t>(stored.size(), 3); ++i) {
      record.variables.push_back({names[i], stored[i], ""});
    }
    call.Record(std::move(record));
    ASSIGN_OR_RETURN(const ConstantTensor mean, WidenToFloat(stored[0]));
    ASSIGN_OR_RETURN(const ConstantTensor variance, WidenToFloat(stored[1]));
    return std::pair{mean, variance};
  }
  ASSIGN_OR_RETURN(const std::vector<double> mean,
                   Numbers(call.config().Get("mean"), call.config().where()));
  ASSIGN_OR_RETURN(const std::vector<double> variance,
                   Numbers(call.config().Get("variance"), call.config().where()));
  return std::pair{Floats(mean), Floats(variance)};
}

absl::StatusOr<std::vector<Operand>> TranslateNormalization(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  std::vector<std::int64_t> axes;
  if (call.config().Has("axis")) {
    ASSIGN_OR_RETURN(axes, call.config().Ints("axis"));
  }
  const std::int64_t rank = call.graph().Rank(input);
  if (axes.size() > 1 || (axes.size() == 1 && axes[0] != -1 && axes[0] != rank - 1)) {
    return call.config().Unimplemented("axis", "the last axis or none");
  }
  ASSIGN_OR_RETURN(const auto moments, Moments(call));
  const auto& [mean, variance] = moments;
  std::vector<float> deviation;
  for (const float value : variance.as<float>()) {
    deviation.push_back(std::max(std::sqrt(value), 1e-7F));
  }
  const auto size = static_cast<std::int64_t>(deviation.size());
  GraphBuilder& graph = call.graph();
  const ValueId shift =
      graph.AddConstant(call.Name("shift"), WithDims(mean, {NumElements(mean.dims())}));
  const ValueId divisor = graph.AddConstant(
      call.Name("deviation"), ConstantTensor::Copy(DataType::kFloat32, {size}, deviation));
  ASSIGN_OR_RETURN(const bool invert, call.config().Bool("invert", false));
  const char* const first = invert ? "Multiply" : "Subtract";
  ASSIGN_OR_RETURN(ValueId value,
                   graph.Emit(first, call.Name("center"), {input, invert ? divisor : shift}));
  ASSIGN_OR_RETURN(
      value, graph.Emit(invert ? "Add" : "Divide", call.Name(), {value, invert ? shift : divisor}));
  return Single(value);
}

}  // namespace

void AddNormalizationLayers(LayerRegistry& registry) {
  registry.Add({"BatchNormalization", TranslateBatchNormalization, MaskRule::kPass});
  registry.Add({"GroupNormalization", TranslateGroupNormalization, MaskRule::kPass});
  registry.Add({"LayerNormalization", TranslateLayerNormalization, MaskRule::kPass});
  registry.Add({"Normalization", TranslateNormalization, MaskRule::kPass});
  registry.Add({"RMSNormalization", TranslateRmsNormalization});
  registry.Add({"Rescaling", TranslateRescaling, MaskRule::kPass});
  registry.Add({"UnitNormalization", TranslateUnitNormalization, MaskRule::kPass});
}

}  // namespace octet::keras
