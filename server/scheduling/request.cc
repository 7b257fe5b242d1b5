// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/request.h"

#include <algorithm>
#include <utility>

namespace octet {
namespace {

// Answers with an error. Returns how long the request was here.
std::chrono::nanoseconds CompleteWith(absl::Status error, InferenceRequest& request) {
  const absl::Status told = request.record ? error : absl::OkStatus();
  request.completion->Complete(std::move(error));
  const std::chrono::nanoseconds total = std::chrono::steady_clock::now() - request.arrival;
  if (request.record) {
    request.record->Ended(request, told, {.total = total, .rows = request.rows});
  }
  return total;
}

}  // namespace

bool NamesSharedMemory(const InferenceRequest& request) {
  const auto is_there = [](const auto& tensor) { return tensor.memory.has_value(); };
  return std::any_of(request.inputs.begin(), request.inputs.end(), is_there) ||
         std::any_of(request.outputs.begin(), request.outputs.end(), is_there);
}

bool HaveSameShape(const InferenceRequest& a, const InferenceRequest& b) {
  return std::equal(a.bound_inputs.begin(), a.bound_inputs.end(), b.bound_inputs.begin(),
                    [](const TensorView& of_a, const TensorView& of_b) {
                      return std::equal(of_a.dims.begin() + 1, of_a.dims.end(),
                                        of_b.dims.begin() + 1, of_b.dims.end());
                    });
}

std::size_t InputByteSize(const InferenceRequest& request) {
  std::size_t byte_size = 0;
  for (const RequestInput& input : request.inputs) byte_size += input.data.size();
  return byte_size;
}

void Refuse(std::unique_ptr<InferenceRequest> request, std::size_t worker, Metrics& metrics,
            absl::Status error) {
  const absl::StatusCode code = error.code();
  const std::chrono::nanoseconds total = CompleteWith(std::move(error), *request);
  if (request->metrics) {
    request->metrics->RecordFailure(worker, code, total);
  } else {
    metrics.RecordUnroutedFailure(worker, code);
  }
}

void Answer(std::unique_ptr<InferenceRequest> request, std::size_t worker, InferenceAnswer answer) {
  RequestTimes times = answer.times;
  const TimePoint start = std::chrono::steady_clock::now();
  if (absl::Status status = request->finish ? request->finish(answer) : absl::OkStatus();
      !status.ok()) {
    const absl::StatusCode code = status.code();
    const std::chrono::nanoseconds total = CompleteWith(std::move(status), *request);
    request->metrics->RecordFailure(worker, code, total);
    return;
  }
  request->completion->Complete(std::move(answer));
  const TimePoint end = std::chrono::steady_clock::now();
  times.respond = end - start;
  times.total = end - request->arrival;
  if (request->record) request->record->Ended(*request, absl::OkStatus(), times);
  request->metrics->RecordSuccess(worker, times);
}

}  // namespace octet
