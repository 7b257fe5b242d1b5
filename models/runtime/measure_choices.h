// SPDX-License-Identifier: Apache-2.0
// Measures which of several ways to compute each layer of a graph is the fastest on this CPU.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/runtime/executable.h"
#include "models/runtime/kernel_choices.h"
#include "models/tensor/tensor.h"

namespace octet {

struct MeasureOptions {
  // Of `CompileOptions`, only the sizes count: every way is measured, whatever was chosen before.
  CompileOptions compile = {};
  // No new round begins after it; a round runs the graph once for each way and batch.
  std::chrono::nanoseconds budget = std::chrono::seconds(10);
  // So much other memory is read before each run, as the layers around a part of a model would: a
  // layer alone would find its weights in the nearest caches, which it never does in a large model.
  std::size_t other_byte_size = 0;
  // Asked before each step and each compilation: once it says so, nothing is measured.
  std::function<bool()> stops = [] { return false; };
  // A clock that never goes back, of any origin; tests bring their own.
  std::function<std::chrono::nanoseconds()> now = [] {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch());
  };
};

// Fewer rounds decide nothing.
inline constexpr int kMinRounds = 5;

// Compiles `graph` once for each way that some layer has, and runs these executables in turn,
// whole, on each of `batches` (inputs in the graph's order, of as many rows as the batch has): so
// each layer is timed where it will run, with the caches as its neighbours leave them. The best
// time of all rounds counts; of layers of one LayerKey, their sum.
//
// Adds what comes of it to `choices`, and returns how many layers that is: 0 where no layer has a
// second way. In the calling thread, which has called kernels::PrepareThread; holds the weights
// once for each way. Returns DEADLINE_EXCEEDED if the budget is too short for kMinRounds, CANCELLED
// if it was stopped, and adds nothing; the errors of Executable::Compile and StepRunner::Create.
// Precondition: there is a batch.
absl::StatusOr<int> MeasureChoices(const Graph& graph, const OperatorRegistry& operators,
                                   const kernels::KernelSet& kernels,
                                   std::span<const std::vector<Tensor>> batches,
                                   const MeasureOptions& options, KernelChoices& choices);

}  // namespace octet
