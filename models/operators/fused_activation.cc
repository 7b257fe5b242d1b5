// SPDX-License-Identifier: Apache-2.0

#include "models/operators/fused_activation.h"

#include <string>

#include "models/base/status_macros.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

enum class Parameters { kOfNode, kDefault };

absl::StatusOr<kernels::Activation> ElementwiseByName(const Node& node, const std::string& name,
                                                      Parameters parameters) {
  const auto kind = kernels::ActivationKindFromName(name);
  if (!kind.has_value()) {
    return InvalidNode(node, "activation \"", name, "\" is none that we know");
  }
  kernels::Activation activation = kernels::DefaultActivation(*kind);
  if (parameters == Parameters::kDefault) return activation;
  const auto override_with = [&node](absl::string_view key, float& parameter) -> absl::Status {
    if (node.attributes.find(std::string(key)) == node.attributes.end()) return absl::OkStatus();
    ASSIGN_OR_RETURN(parameter, FloatAttribute(node, key, 0.0));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(override_with("activation_alpha", activation.alpha));
  RETURN_IF_ERROR(override_with("activation_beta", activation.beta));
  RETURN_IF_ERROR(override_with("activation_threshold", activation.threshold));
  if (*kind == kernels::ActivationKind::kCelu && activation.alpha == 0.0F) {
    return InvalidNode(node, "activation \"celu\" with alpha 0, wants another");
  }
  return activation;
}

}  // namespace

absl::StatusOr<kernels::Activation> ElementwiseActivationAttributes(const Node& node,
                                                                    absl::string_view fallback,
                                                                    absl::string_view key) {
  ASSIGN_OR_RETURN(const std::string name, node.String(key, fallback));
  if (name == "softmax" || name == "log_softmax") {
    return UnimplementedNode(node, "activation \"", name, "\" here; use an operator of its own");
  }
  return ElementwiseByName(node, name,
                           key == "activation" ? Parameters::kOfNode : Parameters::kDefault);
}

absl::StatusOr<FusedActivation> FusedActivationAttributes(const Node& node,
                                                          absl::string_view fallback) {
  ASSIGN_OR_RETURN(const std::string name, node.String("activation", fallback));
  FusedActivation result;
  if (name == "softmax") {
    result.over_rows = kernels::SoftmaxKind::kSoftmax;
  } else if (name == "log_softmax") {
    result.over_rows = kernels::SoftmaxKind::kLogSoftmax;
  } else {
    ASSIGN_OR_RETURN(result.elementwise, ElementwiseByName(node, name, Parameters::kOfNode));
  }
  return result;
}

void ApplyOverRows(const kernels::KernelSet& kernels, const FusedActivation& activation,
                   std::size_t row_size, std::span<float> rows) {
  if (!activation.over_rows.has_value() || row_size == 0) return;
  kernels.softmax_f32(*activation.over_rows,
                      {.num_rows = rows.size() / row_size, .row_size = row_size}, rows, rows);
}

}  // namespace octet
