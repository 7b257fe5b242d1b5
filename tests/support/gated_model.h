// SPDX-License-Identifier: Apache-2.0
// A model whose computing a test can hold.

#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "absl/base/thread_annotations.h"

#include "models/base/mutex.h"
#include "models/runtime/executable.h"
#include "server/scheduling/event_source.h"
#include "tests/support/tiny_operators.h"

namespace octet::testing {

// Holds those who come until they are let through, and counts them. Each has a number.
class Gate {
 public:
  using Rule = std::function<bool(float number)>;

  void Enter(float number) {
    MutexLock lock(mutex_);
    ++entries_[number];
    most_inside_ = std::max(most_inside_, ++inside_);
    changed_.NotifyAll();
    while (!lets_through_(number)) changed_.Wait(mutex_);
    --inside_;
  }
  void Let(Rule rule) {
    MutexLock lock(mutex_);
    lets_through_ = std::move(rule);
    changed_.NotifyAll();
  }
  void Open() {
    Let([](float) { return true; });
  }
  void Close() {
    Let([](float) { return false; });
  }
  // Returns whether so many were inside at one time, at `until` at the latest.
  bool AwaitInside(int count, TimePoint until) {
    MutexLock lock(mutex_);
    while (inside_ < count) {
      if (std::chrono::steady_clock::now() >= until) return false;
      changed_.WaitUntil(mutex_, until);
    }
    return true;
  }
  int most_inside() {
    MutexLock lock(mutex_);
    return most_inside_;
  }
  // How often this number came.
  int entries(float number) {
    MutexLock lock(mutex_);
    return entries_[number];
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int inside_ ABSL_GUARDED_BY(mutex_) = 0;
  int most_inside_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<float, int> entries_ ABSL_GUARDED_BY(mutex_);
  Rule lets_through_ ABSL_GUARDED_BY(mutex_) = [](float) { return false; };
};

// TinyOperators, and Gated: y = x once `gate` lets it, by the number that is its first element.
inline OperatorRegistry GatedOperators(Gate& gate) {
  OperatorRegistry operators = TinyOperators();
  operators.Add(std::make_unique<const TinyOperator>(
      "Gated", 1,
      [](std::span<const TensorType> types) -> absl::StatusOr<TinyOperator::Types> {
        return TinyOperator::Types{types[0]};
      },
      [&gate](const StepArguments& arguments, bool) {
        const auto* const x = arguments.inputs[0].as<float>();
        gate.Enter(*x);
        std::copy_n(x, CountOf(arguments.inputs[0]), arguments.outputs[0].as<float>());
      }));
  return operators;
}

// y = 2x on [rows, 3], in two steps, the first of which is Gated, one row at a time.
inline std::shared_ptr<const Executable> GatedModel(const OperatorRegistry& operators) {
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), 3}));
  const ValueId gated = graph.AddValue("gated", FloatType({Dim(kRows), 3}));
  graph.nodes.push_back(Node{"gated", "Gated", {x}, {gated}, {}});
  graph.inputs = {x};
  graph.outputs = {Append(graph, "Twice", {gated}, "y")};
  return Executable::Compile(graph, operators, TinyKernels(), {.max_rows = 1}).value();
}

}  // namespace octet::testing
