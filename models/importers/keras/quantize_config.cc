// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/quantize_config.h"

#include <algorithm>
#include <array>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

#include "models/base/status_macros.h"

namespace octet::keras {

namespace {

absl::StatusOr<std::vector<std::string>> Strings(const ConfigView& config, absl::string_view key) {
  std::vector<std::string> strings;
  const Json& json = config.Get(key);
  if (json.is_null()) return strings;
  if (!json.is_array()) return config.Error(key, "a list of names");
  for (const Json& element : json) {
    if (!element.is_string()) return config.Error(key, "a list of names");
    strings.push_back(element.get<std::string>());
  }
  return strings;
}

// 8 bits whatever "num_bits" says: so the toolkit computes it.
absl::StatusOr<RangeQuantizer> ParseFixed(const ConfigView& options) {
  RangeQuantizer result;
  ASSIGN_OR_RETURN(result.narrow_range, options.Bool("narrow_range", false));
  ASSIGN_OR_RETURN(const double min, options.Float("init_min", -6.0));
  ASSIGN_OR_RETURN(const double max, options.Float("init_max", 6.0));
  result.fixed = {static_cast<float>(min), static_cast<float>(max)};
  return result;
}

// The kinds of config, by what is left of the class's name without "Default8Bit" or "DefaultNBit".
enum class Kind : std::uint8_t { kLayer, kConvolution, kActivation, kOutput };

absl::StatusOr<QuantizeConfig> ParseDefault(const ConfigView& options, Kind kind,
                                            const std::string& activation) {
  QuantizeConfig result;
  // "Default8Bit..." leaves both out.
  ASSIGN_OR_RETURN(result.weights.num_bits, options.Int("num_bits_weight", 8));
  ASSIGN_OR_RETURN(result.activations.num_bits, options.Int("num_bits_activation", 8));
  result.weights.per_axis = kind == Kind::kConvolution;
  result.weights.narrow_range = true;
  const bool is_layer = kind == Kind::kLayer || kind == Kind::kConvolution;
  ASSIGN_OR_RETURN(result.quantizes_output, options.Bool("quantize_output", !is_layer));
  if (kind == Kind::kActivation) {
    // The others are quantized before they are applied, by the layer in front of them.
    constexpr std::array<absl::string_view, 4> kQuantized = {"relu", "relu6", "silu", "gelu"};
    result.quantizes_output =
        result.quantizes_output &&
        std::find(kQuantized.begin(), kQuantized.end(), activation) != kQuantized.end();
  }
  if (!is_layer) return result;
  ASSIGN_OR_RETURN(result.weight_attributes, Strings(options, "weight_attrs"));
  ASSIGN_OR_RETURN(const std::vector<std::string> activations,
                   Strings(options, "activation_attrs"));
  if (activations.size() > 1 || (activations.size() == 1 && activations[0] != "activation")) {
    return options.Unimplemented("activation_attrs", "[\"activation\"]");
  }
  result.quantizes_activation = !activations.empty();
  return result;
}

}  // namespace

absl::StatusOr<QuantizeConfig> ParseQuantizeConfig(const ConfigView& config,
                                                   const std::string& activation) {
  ASSIGN_OR_RETURN(const std::string class_name, config.String("class_name"));
  const ConfigView options(config.Get("config"), config.where());
  if (class_name == "NoOpQuantizeConfig") return QuantizeConfig{};
  // Two that hold another; configurations are not nested deep.
  if (class_name == "OutputOnlyConfig") {
    ASSIGN_OR_RETURN(QuantizeConfig result,
                     ParseQuantizeConfig(ConfigView(options.Get("quantize_config"), config.where()),
                                         activation));
    result.weight_attributes.clear();
    return result;
  }
  if (class_name == "FixedQuantizeConfig") {
    ASSIGN_OR_RETURN(
        QuantizeConfig result,
        ParseQuantizeConfig(ConfigView(options.Get("config"), config.where()), activation));
    ASSIGN_OR_RETURN(result.activations, ParseFixed(options));
    return result;
  }
  const std::map<absl::string_view, Kind> kinds = {
      {"QuantizeConfig", Kind::kLayer},
      {"ConvQuantizeConfig", Kind::kConvolution},
      // One range for its kernel, unlike the other convolutions.
      {"ConvTransposeQuantizeConfig", Kind::kLayer},
      {"ActivationQuantizeConfig", Kind::kActivation},
      {"OutputQuantizeConfig", Kind::kOutput},
  };
  absl::string_view kind = class_name;
  if (absl::ConsumePrefix(&kind, "Default8Bit") || absl::ConsumePrefix(&kind, "DefaultNBit")) {
    const auto found = kinds.find(kind);
    if (found != kinds.end()) return ParseDefault(options, found->second, activation);
  }
  return config.Unimplemented(
      "class_name", "a config of the toolkit's default schemes, for layers that do not recur");
}

absl::StatusOr<std::optional<RangeQuantizer>> ParseQuantizer(const ConfigView& quantizer) {
  if (!quantizer.Has("class_name")) return std::optional<RangeQuantizer>();
  ASSIGN_OR_RETURN(const std::string class_name, quantizer.String("class_name"));
  const ConfigView options(quantizer.Get("config"), quantizer.where());
  if (class_name == "NoQuantizer") return std::optional<RangeQuantizer>();
  if (class_name == "FixedQuantizer") {
    ASSIGN_OR_RETURN(const RangeQuantizer fixed, ParseFixed(options));
    return std::optional(fixed);
  }
  RangeQuantizer result;
  ASSIGN_OR_RETURN(result.narrow_range, options.Bool("narrow_range", false));
  ASSIGN_OR_RETURN(result.num_bits, options.Int("num_bits", 8));
  // One range for the tensor, whatever "per_axis" says.
  if (class_name == "AllValuesQuantizer") return std::optional(result);
  if (class_name == "LastValueQuantizer" || class_name == "MovingAverageQuantizer") {
    ASSIGN_OR_RETURN(result.per_axis, options.Bool("per_axis", false));
    return std::optional(result);
  }
  return quantizer.Unimplemented(
      "class_name",
      "LastValueQuantizer, MovingAverageQuantizer, AllValuesQuantizer or FixedQuantizer");
}

}  // namespace octet::keras
