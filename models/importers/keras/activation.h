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
  [[nodiscard]] bool is_softmax() const { return name == "softmax" || name == "log_softmax"; }
};

// The function called `name` in Keras. UNIMPLEMENTED for one that we lack.
absl::StatusOr<ActivationFunction> FindActivation(const std::string& name, const LayerCall& call);

// The function that `config` names at `key`, as a string or an object; linear where it is absent.
absl::StatusOr<ActivationFunction> ParseActivation(const LayerCall& call, const ConfigView& config,
                                                   absl::string_view key = "activation");

// Adds `function` to the attributes of a node that can apply it itself. Precondition: no softmax.
void FuseActivation(const ActivationFunction& function, Attributes& attributes);

// Appends a node that applies `function` to `value`, none for linear.
absl::StatusOr<ValueId> ApplyActivation(const LayerCall& call, const std::string& name,
                                        ValueId value, const ActivationFunction& function);

}  // namespace octet::keras
