// SPDX-License-Identifier: Apache-2.0

#include "models/importers/tflite/translators.h"

#include <array>

#include "models/base/status_macros.h"

namespace octet::tflite {

std::vector<Translator> BuiltInTranslators() {
  std::vector<Translator> all;
  for (const std::vector<Translator>& list :
       {ElementwiseTranslators(), RecurrentTranslators(), ReductionTranslators(),
        ShapeTranslators(), SliceTranslators(), TypeTranslators(), WeightedTranslators()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

absl::StatusOr<std::string> FusedActivation(int number) {
  constexpr std::array<const char*, 5> kNames = {"linear", "relu", "hard_tanh", "relu6", "tanh"};
  constexpr int kSignBit = 5;
  if (number == kSignBit) return OperatorCall::Unimplemented("the fused activation SIGN_BIT");
  if (number < 0 || number >= static_cast<int>(kNames.size())) {
    return OperatorCall::Invalid("got fused activation ", number, ", wants 0 to 5");
  }
  return kNames[static_cast<std::size_t>(number)];
}

bool IsClip(const std::string& activation) {
  return activation == "linear" || activation == "relu" || activation == "relu6";
}

absl::StatusOr<ValueId> Activated(OperatorCall& call, ValueId value,
                                  const std::string& activation) {
  if (activation == "linear") return value;
  Attributes attributes = {{"activation", activation}};
  if (const auto& quantization = call.graph().TypeOf(value).quantization) {
    attributes["output_scale"] = double{quantization->scale.value};
    attributes["output_zero_point"] = std::int64_t{quantization->zero_point.value};
    attributes["requantization"] = call.ProfileOf(call.output(0)).requantization();
  }
  return call.Emit("Activation", {value}, std::move(attributes), "activation");
}

absl::StatusOr<std::string> Padding(int number) {
  if (number == 0) return "same";
  if (number == 1) return "valid";
  return OperatorCall::Invalid("got padding ", number, ", wants 0 (SAME) or 1 (VALID)");
}

absl::Status NoOptions() { return OperatorCall::Invalid("got no options of its kind"); }

}  // namespace octet::tflite
