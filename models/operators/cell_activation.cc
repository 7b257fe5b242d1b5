// SPDX-License-Identifier: Apache-2.0

#include "models/operators/cell_activation.h"

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/operators/fused_activation.h"
#include "models/operators/node_checks.h"

namespace octet {

absl::StatusOr<CellActivation> CellActivation::Of(const Node& node, absl::string_view key,
                                                  absl::string_view fallback) {
  CellActivation activation;
  ASSIGN_OR_RETURN(activation.function_, ElementwiseActivationAttributes(node, fallback, key));
  if (activation.function_.kind != kernels::ActivationKind::kHardSigmoid) return activation;
  const std::string alpha = absl::StrCat(key, "_alpha");
  const std::string beta = absl::StrCat(key, "_beta");
  const bool has_alpha = node.attributes.contains(alpha);
  if (has_alpha != node.attributes.contains(beta)) {
    return InvalidNode(node, "got one of the attributes \"", alpha, "\" and \"", beta,
                       "\", wants both or neither");
  }
  if (!has_alpha) return activation;
  Line line{};
  ASSIGN_OR_RETURN(line.slope, FloatAttribute(node, alpha, 0.0));
  ASSIGN_OR_RETURN(line.offset, FloatAttribute(node, beta, 0.0));
  activation.line_ = line;
  activation.function_ = kernels::DefaultActivation(kernels::ActivationKind::kRelu);
  activation.function_.beta = 1.0F;
  return activation;
}

void CellActivation::Apply(const kernels::KernelSet& kernels, std::span<const float> in,
                           std::span<float> out) const {
  if (line_.has_value()) {
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = line_->slope * in[i] + line_->offset;
    in = out;
  }
  kernels.activation_f32(function_, in, out);
}

}  // namespace octet
