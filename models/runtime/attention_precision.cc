// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/attention_precision.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace octet {

absl::StatusOr<AttentionPrecision> ParseAttentionPrecision(absl::string_view text) {
  if (text == "float32") return AttentionPrecision::kFloat32;
  if (text == "fastest") return AttentionPrecision::kFastest;
  return absl::InvalidArgumentError(
      absl::StrCat("got \"", text, "\", wants \"float32\" or \"fastest\""));
}

}  // namespace octet
