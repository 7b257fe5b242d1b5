// SPDX-License-Identifier: Apache-2.0
// Activation functions on float32, and tables of them on int8.

#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace octet::kernels {

// The names of docs/operators.md, row Activation, but for softmax and
// log_softmax, which need a whole row: softmax.h has them.
enum class ActivationKind : std::uint8_t {
  kLinear,
  kRelu,         // x > threshold ? min(x, beta) : alpha * (x - threshold)
  kRelu6,        // min(max(x, 0), 6)
  kLeakyRelu,    // x >= 0 ? x : alpha * x
  kElu,          // x > 0 ? x : alpha * expm1(x)
  kSelu,         // 1.0507... * (x > 0 ? x : 1.6732... * expm1(x))
  kCelu,         // max(x, 0) + min(alpha * expm1(x / alpha), 0)
  kGelu,         // x * (1 + erf(x / sqrt 2)) / 2
  kGeluTanh,     // x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2
  kSilu,         // x * sigmoid(x)
  kSigmoid,      // 1 / (1 + exp(-x))
  kHardSigmoid,  // min(max(x + 3, 0), 6) / 6
  kHardSilu,     // x * hard_sigmoid(x)
  kTanh,
  kSoftplus,     // log(1 + exp(x))
  kSoftsign,     // x / (1 + |x|)
  kExponential,  // exp(x)
  kMish,         // x * tanh(softplus(x))
  kHardTanh,     // min(max(x, -1), 1)
  kTanhShrink,   // x - tanh(x)
  kSoftShrink,   // sign(x) * max(|x| - threshold, 0)
  kHardShrink,   // |x| > threshold ? x : 0
  kSquareplus,   // (x + sqrt(x^2 + beta)) / 2
  kLogSigmoid,   // -softplus(-x)
  kSparsePlus,   // x <= -1: 0; x >= 1: x; else (x + 1)^2 / 4
  kSquare,
  kAbs,
  kSqrt,
  kRsqrt,  // 1 / sqrt(x)
  kNegative,
  kLog,
};

// One activation with its parameters; which of them a kind reads is said above.
struct Activation {
  ActivationKind kind = ActivationKind::kLinear;
  float alpha = 0.0F;
  float beta = std::numeric_limits<float>::infinity();
  float threshold = 0.0F;
};

// `kind` with Keras's default parameters: relu has no slope and no maximum,
// leaky_relu 0.2, elu and celu 1, squareplus 4, the shrinks 0.5.
Activation DefaultActivation(ActivationKind kind);

// The kind of a name of docs/operators.md; nullopt for an unknown name, softmax
// and log_softmax.
std::optional<ActivationKind> ActivationKindFromName(std::string_view name);
std::string_view ActivationKindName(ActivationKind kind);

// out[i] = activation(in[i]). in and out are the same size and may be the same
// memory.
//
// Every instruction set evaluates the same expressions, fused nowhere but where they say so:
// results are equal bit for bit on all of them, and within 1e-6 relative (or 1.5e-7 absolute) of
// the exact value. A result of less than 2^-126 may be 0. NaN in gives NaN out, but for the kinds
// that clamp, which may give a bound.
using ActivationF32 = void (*)(const Activation& activation, std::span<const float> in,
                               std::span<float> out);

// out[i] = table[in[i] + 128]. in and out are the same size and may be the same
// memory.
using LookupS8 = void (*)(std::span<const std::int8_t, 256> table, std::span<const std::int8_t> in,
                          std::span<std::int8_t> out);

}  // namespace octet::kernels
