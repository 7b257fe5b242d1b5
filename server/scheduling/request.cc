// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/request.h"

#include <algorithm>
#include <utility>

namespace octet {

bool NamesSharedMemory(const InferenceRequest& request) {
  const auto is_there = [](const auto& tensor) { return tensor.memory.has_value(); };
  return std::any_of(request.inputs.begin(), request.inputs.end(), is_there) ||
         std::any_of(request.outputs.begin(), request.outputs.end(), is_there);
}

std::size_t InputByteSize(const InferenceRequest& request) {
  std::size_t byte_size = 0;
  for (const RequestInput& input : request.inputs) byte_size += input.data.size();
  return byte_size;
}

void Refuse(std::unique_ptr<InferenceRequest> request, std::size_t worker, Metrics& metrics,
            absl::Status error) {
  const absl::StatusCode code = error.code();
  request->completion->Complete(std::move(error));
  if (request->metrics) {
    request->metrics->RecordFailure(worker, code,
                                    std::chrono::steady_clock::now() - request->arrival);
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
    request->completion->Complete(std::move(status));
    request->metrics->RecordFailure(worker, code,
                                    std::chrono::steady_clock::now() - request->arrival);
    return;
  }
  request->completion->Complete(std::move(answer));
  const TimePoint end = std::chrono::steady_clock::now();
  times.respond = end - start;
  times.total = end - request->arrival;
  request->metrics->RecordSuccess(worker, times);
}

}  // namespace octet
