// SPDX-License-Identifier: Apache-2.0
// Requests of a tiny model, answered into the test.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "server/scheduling/request.h"
#include "tests/support/tiny_operators.h"

namespace octet::testing {

// y = 2x on [rows, 3].
inline std::shared_ptr<const Executable> TwiceModel(const OperatorRegistry& operators,
                                                    std::int64_t max_rows = 64) {
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), 3}));
  const ValueId y = Append(graph, "Twice", {x}, "y");
  graph.inputs = {x};
  graph.outputs = {y};
  return Executable::Compile(graph, operators, TinyKernels(), {.max_rows = max_rows}).value();
}

// 1, 2, 3, whatever it is asked.
inline std::shared_ptr<const Executable> ModelWithoutInputs(const OperatorRegistry& operators) {
  Graph graph;
  const ValueId w = graph.AddConstant(
      "w", ConstantTensor::Copy(DataType::kFloat32, {3}, std::vector<float>{1, 2, 3}));
  graph.outputs = {Append(graph, "Rows", {w}, "y")};
  return Executable::Compile(graph, operators, TinyKernels()).value();
}

// What came of a request.
struct Outcome {
  int completions = 0;
  absl::Status status;
  std::vector<float> values;  // of the first output
  Dims dims;
  InferenceAnswer answer;
};

class FakeCompletion final : public Completion {
 public:
  FakeCompletion(std::shared_ptr<Outcome> outcome, bool is_cancelled)
      : outcome_(std::move(outcome)), is_cancelled_(is_cancelled) {}

  [[nodiscard]] bool IsCancelled() const override { return is_cancelled_; }
  void Complete(absl::StatusOr<InferenceAnswer> answer) override {
    ++outcome_->completions;
    outcome_->status = answer.status();
    if (!answer.ok()) return;
    outcome_->dims = answer->outputs[0].dims;
    const std::span<const std::byte> data = answer->outputs[0].data;
    const auto* const values = reinterpret_cast<const float*>(data.data());
    outcome_->values.assign(values, values + data.size() / sizeof(float));
    outcome_->answer = *std::move(answer);
  }

 private:
  std::shared_ptr<Outcome> outcome_;
  bool is_cancelled_;
};

struct RequestOptions {
  std::int64_t rows = 1;
  float first = 0;          // the elements count up from it
  std::int64_t length = 3;  // of a row
  std::int64_t width = 0;   // of an axis behind it; 0: there is none
  TimePoint deadline = kNever;
  bool is_cancelled = false;
};

// A request as it comes out of validation.
struct FakeRequest {
  FakeRequest(const std::shared_ptr<const Executable>& executable,
              const std::shared_ptr<ModelMetrics>& metrics, const RequestOptions& options)
      : outcome(std::make_shared<Outcome>()), request(std::make_unique<InferenceRequest>()) {
    Dims dims = {options.rows, options.length};
    if (options.width > 0) dims.push_back(options.width);
    auto data = std::make_shared<std::vector<float>>(static_cast<std::size_t>(NumElements(dims)));
    float next = options.first;
    for (float& value : *data) value = next++;
    request->inputs.push_back({"x", "FP32", std::move(dims), std::as_bytes(std::span(*data))});
    request->arrival = std::chrono::steady_clock::now();
    request->admitted = request->arrival;
    request->deadline = options.deadline;
    request->completion = std::make_unique<FakeCompletion>(outcome, options.is_cancelled);
    request->model_owner = data;
    request->executable = executable;
    request->metrics = metrics;
    request->bound_inputs = {
        {DataType::kFloat32, request->inputs[0].dims, request->inputs[0].data.data()}};
    request->output_indices = {0};
    request->rows = options.rows;
  }

  std::shared_ptr<Outcome> outcome;
  std::unique_ptr<InferenceRequest> request;
};

}  // namespace octet::testing
