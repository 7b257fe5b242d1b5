// SPDX-License-Identifier: Apache-2.0
// How precise attention is, which whoever compiles a model decides.

#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace octet {

enum class AttentionPrecision : std::uint8_t {
  kFloat32,  // within 1e-5 of the largest value, on every CPU
  // Less where this CPU is faster at it (kernels::ReducedAttention); a fixed rule for each kernel
  // set, so that equal CPUs agree to the bit. Unlike ones differ.
  kFastest,
};

// "float32" or "fastest". Returns INVALID_ARGUMENT saying what it got and wants.
absl::StatusOr<AttentionPrecision> ParseAttentionPrecision(absl::string_view text);

}  // namespace octet
