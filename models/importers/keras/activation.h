// SPDX-License-Identifier: Apache-2.0
// Keras's activation functions, by the names that docs/operators.md has for them.

#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "models/importers/keras/layer.h"

namespace octet::keras {

struct ActivationFunction {
  std::string name = "linear";
  Attributes parameters;  // activation_alpha and the like

  [[nodiscard]] bool is_linear() const { return name == "linear"; }
  // Whether it takes nodes of its own.
  [[nodiscard]] bool is_separate() const {
    return name == "softmax" || name == "log_softmax" || name == kHardSigmoidOfKeras2;
  }

  // clip(0.2 x + 0.5, 0, 1), which Keras 3 calls by the same name as its own clip(x / 6 + 0.5, 0,
  // 1).
  static constexpr absl::string_view kHardSigmoidOfKeras2 = "hard_sigmoid of Keras 2";
};

// The function called `name` in Keras. UNIMPLEMENTED for one that we lack.
absl::StatusOr<ActivationFunction> FindActivation(const std::string& name, const LayerCall& call);

// The function that `config` names at `key`, as a string or an object; linear where it is absent.
absl::StatusOr<ActivationFunction> ParseActivation(const LayerCall& call, const ConfigView& config,
                                                   absl::string_view key = "activation");

// Adds `function` to the attributes of a node that can apply it itself. Precondition: not separate.
void FuseActivation(const ActivationFunction& function, Attributes& attributes);

// Appends a node that applies `function` to `value`, none for linear.
absl::StatusOr<ValueId> ApplyActivation(const LayerCall& call, const std::string& name,
                                        ValueId value, const ActivationFunction& function);

}  // namespace octet::keras
