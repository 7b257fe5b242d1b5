// SPDX-License-Identifier: Apache-2.0
// Activations as loops that the compiler vectorizes. Private to this room; each
// instruction set includes it into its own translation unit.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/activation_formula.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

inline void ActivateRange(const Activation& activation, const float* in, std::size_t size,
                          float* out) {
  WithFormula(activation, [=](auto formula) {
    for (std::size_t i = 0; i < size; ++i) out[i] = formula(in[i]);
  });
}

inline void ActivationLoop(const Activation& activation, std::span<const float> in,
                           std::span<float> out) {
  if (activation.kind == ActivationKind::kLinear && in.data() == out.data()) return;
  ActivateRange(activation, in.data(), in.size(), out.data());
}

inline void LookupLoop(std::span<const std::int8_t, 256> table, std::span<const std::int8_t> in,
                       std::span<std::int8_t> out) {
  const std::int8_t* middle = table.data() + 128;
  const std::int8_t* source = in.data();
  std::int8_t* target = out.data();
  const std::size_t size = in.size();
  for (std::size_t i = 0; i < size; ++i) target[i] = middle[source[i]];
}

}  // namespace
}  // namespace octet::kernels
