// SPDX-License-Identifier: Apache-2.0
// The formula of each activation, once for all instruction sets. Private to
// this room.

#pragma once

#include "kernels/activation.h"
#include "kernels/elementary.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// Calls loop(f) with f: float -> float the formula of `activation`. The choice
// is made once, and the loop over f can be vectorized.
template <typename Loop>
// NOLINTNEXTLINE(readability-function-*): one case an activation
inline void WithFormula(const Activation& activation, const Loop& loop) {
  const float alpha = activation.alpha;
  const float beta = activation.beta;
  const float threshold = activation.threshold;
  switch (activation.kind) {
    case ActivationKind::kLinear:
      return loop([](float x) { return x; });
    case ActivationKind::kRelu:
      return loop([alpha, beta, threshold](float x) {
        const float below = alpha * (x - threshold);
        const float above = x > beta ? beta : x;
        return x > threshold ? above : below;
      });
    case ActivationKind::kRelu6:
      return loop([](float x) {
        const float low = x < 0.0F ? 0.0F : x;
        return low > 6.0F ? 6.0F : low;
      });
    case ActivationKind::kLeakyRelu:
      return loop([alpha](float x) { return x >= 0.0F ? x : alpha * x; });
    case ActivationKind::kElu:
      return loop([alpha](float x) {
        const float below = alpha * Expm1(x);
        return x > 0.0F ? x : below;
      });
    case ActivationKind::kSelu:
      return loop([](float x) {
        const float below = 1.67326324235437728481F * Expm1(x);
        return 1.05070098735548049342F * (x > 0.0F ? x : below);
      });
    case ActivationKind::kCelu:
      return loop([alpha](float x) {
        const float below = alpha * Expm1(x / alpha);
        return (x > 0.0F ? x : 0.0F) + (below < 0.0F ? below : 0.0F) + (x != x ? x : 0.0F);
      });
    case ActivationKind::kGelu:
      return loop([](float x) { return Gelu(x); });
    case ActivationKind::kGeluTanh:
      return loop([](float x) {
        // (1 + tanh(u)) / 2 = sigmoid(2 u), which does not cancel for negative u.
        const float u = 0.79788456080286535588F * (x + 0.044715F * (x * x * x));
        return x * Sigmoid(u + u);
      });
    case ActivationKind::kSilu:
      return loop([](float x) { return x * Sigmoid(x); });
    case ActivationKind::kSigmoid:
      return loop([](float x) { return Sigmoid(x); });
    case ActivationKind::kHardSigmoid:
      return loop([](float x) {
        const float low = x < -3.0F ? 0.0F : x + 3.0F;
        return (low > 6.0F ? 6.0F : low) / 6.0F;
      });
    case ActivationKind::kHardSilu:
      return loop([](float x) {
        const float low = x < -3.0F ? 0.0F : x + 3.0F;
        return x * ((low > 6.0F ? 6.0F : low) / 6.0F);
      });
    case ActivationKind::kTanh:
      return loop([](float x) { return Tanh(x); });
    case ActivationKind::kSoftplus:
      return loop([](float x) { return Softplus(x); });
    case ActivationKind::kSoftsign:
      return loop([](float x) { return x / (1.0F + Absolute(x)); });
    case ActivationKind::kExponential:
      return loop([](float x) { return Exp(x); });
    case ActivationKind::kMish:
      return loop([](float x) {
        // tanh(softplus(x)) = n / (n + 2) with n = e^2 + 2 e, e = exp(x): no
        // cancellation.
        const float c = x > 20.0F ? 20.0F : x;
        const float e = Exp(c);
        const float n = e * (e + 2.0F);
        const float y = x * (n / (n + 2.0F));
        return x > 20.0F ? x : y;
      });
    case ActivationKind::kHardTanh:
      return loop([](float x) {
        const float low = x < -1.0F ? -1.0F : x;
        return low > 1.0F ? 1.0F : low;
      });
    case ActivationKind::kTanhShrink:
      return loop([](float x) { return x - Tanh(x); });
    case ActivationKind::kSoftShrink:
      return loop([threshold](float x) {
        const float low = x < -threshold ? x + threshold : 0.0F;
        return x > threshold ? x - threshold : low + (x != x ? x : 0.0F);
      });
    case ActivationKind::kHardShrink:
      return loop(
          [threshold](float x) { return Absolute(x) > threshold ? x : (x != x ? x : 0.0F); });
    case ActivationKind::kSquareplus:
      return loop([beta](float x) {
        // The same for negative x is beta / (2 (root - x)), which does not cancel.
        const float root = __builtin_sqrtf(x * x + beta);
        const float sum = root + Absolute(x);
        return x > 0.0F ? 0.5F * sum : 0.5F * beta / sum;
      });
    case ActivationKind::kLogSigmoid:
      return loop([](float x) { return -Softplus(-x); });
    case ActivationKind::kSparsePlus:
      return loop([](float x) {
        const float middle = 0.25F * (x + 1.0F) * (x + 1.0F);
        const float low = x <= -1.0F ? 0.0F : middle;
        return x >= 1.0F ? x : low;
      });
    case ActivationKind::kSquare:
      return loop([](float x) { return x * x; });
    case ActivationKind::kAbs:
      return loop([](float x) { return Absolute(x); });
    case ActivationKind::kSqrt:
      return loop([](float x) { return __builtin_sqrtf(x); });
    case ActivationKind::kRsqrt:
      return loop([](float x) { return 1.0F / __builtin_sqrtf(x); });
    case ActivationKind::kNegative:
      return loop([](float x) { return -x; });
    case ActivationKind::kLog:
      return loop([](float x) { return Log(x); });
  }
}

}  // namespace
}  // namespace octet::kernels
