// SPDX-License-Identifier: Apache-2.0
// Whether an executable computes what its bundle says it must, on this machine's kernels.

#pragma once

#include <span>

#include "absl/status/status.h"

#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/runtime/session.h"
#include "models/tensor/tensor.h"

namespace octet {

// Runs `session` on `inputs` and compares with `expected`, both in the signature's order: integers
// and booleans must be equal, floats lie within `tolerance` times the largest |expected| of their
// output, int8 and uint8 within `tolerance` times 255, cut to whole steps. A NaN is equal to a NaN
// only.
//
// Returns FAILED_PRECONDITION naming the first output and element that differ, with both values;
// INVALID_ARGUMENT if the vectors do not fit the signature; UNIMPLEMENTED for 16-bit float and
// 4-bit outputs.
absl::Status RunSelfTest(Session& session, std::span<const Tensor> inputs,
                         std::span<const Tensor> expected, double tolerance);

// What a bundle is tested with before it may answer: RunSelfTest, and if `graph`, from which the
// session's executable was compiled, computes with integers, CompareStepsWithReference on the same
// inputs. Behind a softmax or a rounding, an integer that differs is not always seen in the
// outputs.
//
// Where steps are of less precision by the caller's wish (Step::reduced_tolerance), the outputs are
// those of an executable without them, and these steps are compared with the reference kernels.
//
// Returns the errors of both, with a message that begins with "self-test: ".
absl::Status RunWholeSelfTest(Session& session, const Graph& graph,
                              const OperatorRegistry& operators, std::span<const Tensor> inputs,
                              std::span<const Tensor> expected, double tolerance);

}  // namespace octet
