// SPDX-License-Identifier: Apache-2.0
// Functions from int8 or int16 as tables, in TensorFlow Lite's fixed point (docs/operators.md,
// `requantization`).

#pragma once

#include <optional>
#include <vector>

#include "kernels/fixed_point_functions.h"
#include "kernels/fixed_point_functions_s16.h"
#include "kernels/kernel_set.h"
#include "models/tensor/tensor.h"

namespace octet {

// What each value of quantization `from` is in `to`.
kernels::Int8Table FixedPointRequantizeTable(const TensorQuantization& from,
                                             const TensorQuantization& to,
                                             kernels::FixedRounding rounding);

// The activations that TensorFlow Lite's reference kernels compute in fixed point: relu and relu6
// (plain), leaky_relu, hard_silu, and sigmoid and tanh to the quantization that these give. None
// for all others.
std::optional<kernels::Int8Table> FixedPointActivationTable(const kernels::Activation& activation,
                                                            const TensorQuantization& from,
                                                            const TensorQuantization& to,
                                                            kernels::FixedRounding rounding);

// What each value of type In, from the least on, becomes, in type Out: int8 or int16 each.
template <typename In, typename Out>
std::vector<Out> FixedPointRequantizeTableOf(const TensorQuantization& from,
                                             const TensorQuantization& to,
                                             kernels::FixedRounding rounding);

// From int16 to int16, with zero points of 0: relu and relu6 (plain), leaky_relu, and sigmoid and
// tanh to the scale that these give. None for all others.
std::optional<kernels::Int16Table> FixedPointActivationTableS16(
    const kernels::Activation& activation, const TensorQuantization& from,
    const TensorQuantization& to, kernels::FixedRounding rounding);

}  // namespace octet
