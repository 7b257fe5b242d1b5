// SPDX-License-Identifier: Apache-2.0
#include "kernels/activation.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace octet::kernels {
namespace {

struct NamedKind {
  std::string_view name;
  ActivationKind kind;
};

constexpr std::array kNames = std::to_array<NamedKind>({
    {"linear", ActivationKind::kLinear},
    {"relu", ActivationKind::kRelu},
    {"relu6", ActivationKind::kRelu6},
    {"leaky_relu", ActivationKind::kLeakyRelu},
    {"elu", ActivationKind::kElu},
    {"selu", ActivationKind::kSelu},
    {"celu", ActivationKind::kCelu},
    {"gelu", ActivationKind::kGelu},
    {"gelu_tanh", ActivationKind::kGeluTanh},
    {"silu", ActivationKind::kSilu},
    {"sigmoid", ActivationKind::kSigmoid},
    {"hard_sigmoid", ActivationKind::kHardSigmoid},
    {"hard_silu", ActivationKind::kHardSilu},
    {"tanh", ActivationKind::kTanh},
    {"softplus", ActivationKind::kSoftplus},
    {"softsign", ActivationKind::kSoftsign},
    {"exponential", ActivationKind::kExponential},
    {"mish", ActivationKind::kMish},
    {"hard_tanh", ActivationKind::kHardTanh},
    {"tanh_shrink", ActivationKind::kTanhShrink},
    {"soft_shrink", ActivationKind::kSoftShrink},
    {"hard_shrink", ActivationKind::kHardShrink},
    {"squareplus", ActivationKind::kSquareplus},
    {"log_sigmoid", ActivationKind::kLogSigmoid},
    {"sparse_plus", ActivationKind::kSparsePlus},
    {"square", ActivationKind::kSquare},
    {"abs", ActivationKind::kAbs},
    {"sqrt", ActivationKind::kSqrt},
    {"rsqrt", ActivationKind::kRsqrt},
    {"negative", ActivationKind::kNegative},
    {"log", ActivationKind::kLog},
});

}  // namespace

Activation DefaultActivation(ActivationKind kind) {
  Activation activation = {.kind = kind};
  switch (kind) {
    case ActivationKind::kLeakyRelu:
      activation.alpha = 0.2F;
      break;
    case ActivationKind::kElu:
    case ActivationKind::kCelu:
      activation.alpha = 1.0F;
      break;
    case ActivationKind::kSquareplus:
      activation.beta = 4.0F;
      break;
    case ActivationKind::kSoftShrink:
    case ActivationKind::kHardShrink:
      activation.threshold = 0.5F;
      break;
    default:
      break;
  }
  return activation;
}

std::optional<ActivationKind> ActivationKindFromName(std::string_view name) {
  for (const NamedKind& entry : kNames) {
    if (entry.name == name) return entry.kind;
  }
  return std::nullopt;
}

std::string_view ActivationKindName(ActivationKind kind) {
  return kNames[static_cast<std::size_t>(kind)].name;
}

}  // namespace octet::kernels
