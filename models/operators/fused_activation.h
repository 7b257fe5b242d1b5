// SPDX-License-Identifier: Apache-2.0
// The attributes `activation`, `activation_alpha`, `activation_beta` and `activation_threshold`.

#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "kernels/kernel_set.h"
#include "models/graph/graph.h"

namespace octet {

// What is done to an operator's result: element by element inside the kernel, or, for a softmax,
// row by row after it (`elementwise` is linear then).
struct FusedActivation {
  kernels::Activation elementwise;
  std::optional<kernels::SoftmaxKind> over_rows;

  [[nodiscard]] bool is_linear() const {
    return elementwise.kind == kernels::ActivationKind::kLinear && !over_rows.has_value();
  }
};

// INVALID_ARGUMENT for an unknown name or a parameter that is not finite.
absl::StatusOr<FusedActivation> FusedActivationAttributes(const Node& node,
                                                          absl::string_view fallback = "linear");

// Only element by element: for operators whose rows are no channels. Under another `key` than
// "activation" the parameters are Keras's defaults.
absl::StatusOr<kernels::Activation> ElementwiseActivationAttributes(
    const Node& node, absl::string_view fallback = "linear", absl::string_view key = "activation");

// Applies `over_rows`, if any, in place to rows of `row_size` elements.
void ApplyOverRows(const kernels::KernelSet& kernels, const FusedActivation& activation,
                   std::size_t row_size, std::span<float> rows);

}  // namespace octet
