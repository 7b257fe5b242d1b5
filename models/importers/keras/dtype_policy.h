// SPDX-License-Identifier: Apache-2.0
// Keras's dtype policies: in which types a layer keeps and computes, and how it is quantized.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/importers/config_view.h"

namespace octet::keras {

struct DtypePolicy {
  std::string name = "float32";  // as Keras prints it: "int8_from_float32", "int4/128_from_float32"
  // "float", "int8", "int4", "float8", "ternary", "gptq" or "awq".
  std::string mode = "float";
  std::string source = "float32";  // the policy before quantization; "mixed_bfloat16" is one
  // Bits of gptq and awq.
  int bits = 8;
  // Of int4, gptq and awq: inputs that share a scale; -1: all of a column. Absent where the policy
  // does not say, which for int4 means the layout of Keras 3.13 and older.
  std::optional<std::int64_t> group_size;
};

// The policy in `json`, in any of the forms that Keras writes: a name, an object of one of the
// policy classes, or a DTypePolicyMap, from which that of the layer called `layer_path` is taken.
// null is float32. Returns INVALID_ARGUMENT for a form that Keras does not write and UNIMPLEMENTED
// for a policy class that we do not know; both start with `layer_path`.
absl::StatusOr<DtypePolicy> ParseDtypePolicy(const Json& json, absl::string_view layer_path);

}  // namespace octet::keras
