// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/dtype_policy.h"

#include <algorithm>
#include <array>
#include <regex.h>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "models/base/status_macros.h"

namespace octet::keras {

namespace {

absl::Status Error(absl::string_view layer_path, absl::string_view got, absl::string_view wanted) {
  return absl::InvalidArgumentError(
      absl::StrCat("layer \"", layer_path, "\": dtype: got ", got, ", wants ", wanted));
}

bool IsSource(absl::string_view source) {
  constexpr std::array<absl::string_view, 6> kSources = {
      "float32", "float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16"};
  return std::find(kSources.begin(), kSources.end(), source) != kSources.end();
}

// "int8", "int4/128", "gptq/4/-1" into the policy.
absl::Status ParseMode(absl::string_view text, absl::string_view layer_path, DtypePolicy& policy) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  policy.mode = std::string(parts[0]);
  const absl::Status error =
      Error(layer_path, absl::StrCat("mode \"", text, "\""),
            "int8, float8, ternary, int4[/GROUP], gptq/BITS/GROUP or awq/BITS/GROUP");
  const auto group = [&policy](absl::string_view word) {
    if (word == "None") return true;  // written by Keras 3.14 for "one group"
    std::int64_t size = 0;
    if (!absl::SimpleAtoi(word, &size) || size == 0 || size < -1) return false;
    policy.group_size = size;
    return true;
  };
  if (policy.mode == "int8" || policy.mode == "float8" || policy.mode == "ternary") {
    return parts.size() == 1 ? absl::OkStatus() : error;
  }
  if (policy.mode == "int4") {
    policy.bits = 4;
    if (parts.size() == 1) return absl::OkStatus();
    policy.group_size = -1;
    return parts.size() == 2 && group(parts[1]) ? absl::OkStatus() : error;
  }
  if (policy.mode == "gptq" || policy.mode == "awq") {
    policy.group_size = -1;
    const bool valid =
        parts.size() == 3 && absl::SimpleAtoi(parts[1], &policy.bits) &&
        (policy.bits == 2 || policy.bits == 3 || policy.bits == 4 || policy.bits == 8) &&
        group(parts[2]);
    return valid ? absl::OkStatus() : error;
  }
  return absl::UnimplementedError(error.message());
}

// "int8_from_float32" or "mixed_bfloat16".
absl::StatusOr<DtypePolicy> ParseName(absl::string_view name, absl::string_view layer_path) {
  DtypePolicy policy;
  policy.name = std::string(name);
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(name, absl::MaxSplits("_from_", 1));
  if (absl::StrContains(name, "_from_")) {
    policy.source = std::string(parts.second);
    RETURN_IF_ERROR(ParseMode(parts.first, layer_path, policy));
  } else {
    policy.source = std::string(name);
  }
  if (!IsSource(policy.source)) {
    return absl::UnimplementedError(
        Error(layer_path, absl::StrCat("\"", name, "\""), "a float policy").message());
  }
  return policy;
}

// Whether the whole of `path` matches `pattern`. Keras uses Python's regular expressions; POSIX's
// agree on what people write for paths, and unlike std::regex they neither throw nor recurse.
bool FullMatch(const std::string& pattern, const std::string& path) {
  constexpr std::size_t kMaxPattern = 256;
  if (pattern.size() > kMaxPattern || path.size() > 4 * kMaxPattern) return false;
  // Repetition counts and back references make compiling or matching as slow as one likes.
  if (pattern.find_first_of("{\\") != std::string::npos) return false;
  regex_t compiled;
  const std::string anchored = absl::StrCat("^(", pattern, ")$");
  if (regcomp(&compiled, anchored.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  const bool matches = regexec(&compiled, path.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return matches;
}

absl::StatusOr<DtypePolicy> ParseMap(const ConfigView& config, absl::string_view layer_path) {
  const Json& map = config.Get("policy_map");
  const Json* found = nullptr;
  if (map.is_object()) {
    if (const auto exact = map.find(std::string(layer_path)); exact != map.end()) {
      found = &*exact;
    } else {
      for (const auto& [pattern, policy] : map.items()) {
        if (!FullMatch(pattern, std::string(layer_path))) continue;
        if (found != nullptr) {
          return Error(layer_path, "more than one match in the DTypePolicyMap", "one");
        }
        found = &policy;
      }
    }
  }
  if (found == nullptr) found = &config.Get("default_policy");
  if (found->is_object() && found->value("class_name", Json()) == "DTypePolicyMap") {
    return Error(layer_path, "a DTypePolicyMap inside of another", "a policy");
  }
  return ParseDtypePolicy(*found, layer_path);
}

}  // namespace

absl::StatusOr<DtypePolicy> ParseDtypePolicy(const Json& json, absl::string_view layer_path) {
  if (json.is_null()) return DtypePolicy{};
  if (json.is_string()) return ParseName(json.get<std::string>(), layer_path);
  const ConfigView view(json, absl::StrCat("layer \"", layer_path, "\": dtype"));
  ASSIGN_OR_RETURN(const std::string class_name, view.String("class_name"));
  const ConfigView config = view.Object("config");
  if (class_name == "DTypePolicyMap") return ParseMap(config, layer_path);
  if (class_name == "DTypePolicy" || class_name == "FloatDTypePolicy") {
    ASSIGN_OR_RETURN(const std::string name, config.String("name"));
    return ParseName(name, layer_path);
  }
  if (class_name == "QuantizedDTypePolicy" || class_name == "QuantizedFloat8DTypePolicy" ||
      class_name == "Int4DTypePolicy" || class_name == "GPTQDTypePolicy" ||
      class_name == "AWQDTypePolicy" || class_name == "TernaryDTypePolicy") {
    DtypePolicy policy;
    ASSIGN_OR_RETURN(const std::string mode, config.String("mode"));
    // Inside a map the source may be null: Keras's own default then.
    ASSIGN_OR_RETURN(policy.source, config.String("source_name", "float32"));
    if (!IsSource(policy.source)) return config.Unimplemented("source_name", "float policies");
    RETURN_IF_ERROR(ParseMode(mode, layer_path, policy));
    policy.name = absl::StrCat(mode, "_from_", policy.source);
    return policy;
  }
  return view.Unimplemented("class_name", "Keras's own policies");
}

}  // namespace octet::keras
