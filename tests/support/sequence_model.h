// SPDX-License-Identifier: Apache-2.0
// A tiny model of sequences, whose weights are worth being read once for several of them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/runtime/executable.h"
#include "tests/support/fake_requests.h"
#include "tests/support/tiny_operators.h"

namespace octet::testing {

inline constexpr std::int64_t kLongestSequence = 100;

// What the steps of a SequenceModel saw: one entry for each run of one.
struct SequenceRuns {
  std::vector<std::int64_t> products;  // how many positions
  std::vector<std::int64_t> lengths;   // of the sequences that were looked at one by one
};

// 3x, a product of each position and a constant; it counts.
class TripleStep final : public Step {
 public:
  explicit TripleStep(SequenceRuns* runs) : runs_(runs) {}
  void Run(const StepArguments& arguments) const override {
    const TensorView& x = arguments.inputs[0];
    const std::int64_t size = NumElements(x.dims);
    for (std::int64_t i = 0; i < size; ++i) {
      arguments.outputs[0].as<float>()[i] = 3 * x.as<float>()[i];
    }
    if (runs_ != nullptr) runs_->products.push_back(size / x.dims.back());
  }
  [[nodiscard]] std::string kernel_name() const override { return "tiny:triple"; }
  [[nodiscard]] std::size_t packed_byte_size() const override { return 64; }

 private:
  SequenceRuns* const runs_;
};

// x and how long its sequence is, which may not be more than kLongestSequence: what a sequence's
// neighbours would change.
class LengthStep final : public Step {
 public:
  explicit LengthStep(SequenceRuns* runs) : runs_(runs) {}
  [[nodiscard]] absl::Status CheckInputs(std::span<const TensorView> inputs) const override {
    if (inputs[0].dims[1] <= kLongestSequence) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("a length of ", inputs[0].dims[1], ", wants at most ", kLongestSequence));
  }
  void Run(const StepArguments& arguments) const override {
    const TensorView& x = arguments.inputs[0];
    const std::int64_t size = NumElements(x.dims);
    for (std::int64_t i = 0; i < size; ++i) {
      arguments.outputs[0].as<float>()[i] = x.as<float>()[i] + static_cast<float>(x.dims[1]);
    }
    if (runs_ != nullptr) runs_->lengths.push_back(x.dims[1]);
  }
  [[nodiscard]] std::string kernel_name() const override { return "tiny:length"; }

 private:
  SequenceRuns* const runs_;
};

template <typename S>
class SequenceOperator final : public Operator {
 public:
  SequenceOperator(std::string name, SequenceRuns* runs) : name_(std::move(name)), runs_(runs) {}
  [[nodiscard]] absl::string_view name() const override { return name_; }
  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node&, std::span<const TensorType> inputs,
      std::span<const ConstantTensor* const>) const override {
    return std::vector<TensorType>{inputs[0]};
  }
  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext&) const override {
    return std::make_unique<const S>(runs_);
  }

 private:
  const std::string name_;
  SequenceRuns* const runs_;
};

// TinyOperators and those of a SequenceModel, which note in `runs` what they do, if it is not null:
// for one worker at a time.
inline OperatorRegistry SequenceOperators(SequenceRuns* runs = nullptr) {
  OperatorRegistry operators = TinyOperators();
  operators.Add(std::make_unique<const SequenceOperator<TripleStep>>("FullyConnected", runs));
  operators.Add(std::make_unique<const SequenceOperator<LengthStep>>("Length", runs));
  return operators;
}

// y = 3x + the length, on [rows, length, 2].
inline std::shared_ptr<const Executable> SequenceModel(const OperatorRegistry& operators,
                                                       const CompileOptions& options = {}) {
  Graph graph;
  graph.symbol_names = {"rows", "length"};
  const TensorType type = FloatType({Dim(kRows), Dim(Symbol{1}), 2});
  const ValueId x = graph.AddValue("x", type);
  const ValueId product = graph.AddValue("product", type);
  const ValueId y = graph.AddValue("y", type);
  graph.nodes.push_back(Node{"product", "FullyConnected", {x}, {product}, {}});
  graph.nodes.push_back(Node{"y", "Length", {product}, {y}, {}});
  graph.inputs = {x};
  graph.outputs = {y};
  return Executable::Compile(graph, operators, TinyKernels(), options).value();
}

// What it answers to FakeRequest's elements.
inline std::vector<float> SequenceAnswer(const RequestOptions& options) {
  std::vector<float> values(static_cast<std::size_t>(options.rows * options.length * 2));
  float next = options.first;
  for (float& value : values) value = 3 * next++ + static_cast<float>(options.length);
  return values;
}

}  // namespace octet::testing
