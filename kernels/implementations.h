// SPDX-License-Identifier: Apache-2.0
// Layers that a kernel set can compute in several ways.
//
// A family with several ways has, beside its prepare step, a function that lists the names of those
// that fit a spec, what the set's fixed rule takes first; the spec's `implementation` asks for one
// of them, and prepare refuses any other. The list is empty for a spec that prepare refuses anyway.
//
// All ways give the same bits, so that a clock may choose among them. A family whose floats would
// differ has one way only, by a fixed rule for each instruction set: replicas agree.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kernels/conv2d.h"
#include "kernels/matmul_s8.h"

namespace octet::kernels {

// Raised when what a name stands for, or how fast it is, changes: what was measured with another
// revision says nothing any more.
inline constexpr int kImplementationsRevision = 1;

// What decides how fast each way computes a layer: its sizes, and of its values only whether they
// need another path. Printable ASCII without tabs, the same in every process: a key for files.
std::string LayerKey(const Conv2dS8Spec& spec);
std::string LayerKey(const MatmulS8Spec& spec);
std::string LayerKey(const MatmulS8S4Spec& spec);

// For prepare steps: why `name`, which is not empty, is none of `names`; empty if it is one.
std::string CheckImplementation(std::string_view name, std::span<const std::string_view> names);

}  // namespace octet::kernels
