// SPDX-License-Identifier: Apache-2.0
// One inference request on its way through the server, whatever it came in by.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/runtime/executable.h"
#include "models/tensor/tensor.h"
#include "server/metrics/metrics.h"
#include "server/scheduling/drain_gate.h"
#include "server/scheduling/event_source.h"
#include "server/scheduling/model_scheduling.h"

namespace octet {

// Bytes of a region of shared memory that a client has registered, unchecked.
struct SharedMemoryRange {
  std::string region;
  std::uint64_t offset = 0;  // in the region
  std::uint64_t byte_size = 0;
};

// An input as the request states it.
struct RequestInput {
  std::string name;
  std::string data_type;  // the protocol's name of it, unchecked
  Dims dims;              // unchecked
  // Row-major, little-endian, perhaps unaligned; lives as long as the request's completion.
  std::span<const std::byte> data;
  // Where the data is instead, which the inference service copies.
  std::optional<SharedMemoryRange> memory = {};
};

// An output as the request asks for it.
struct RequestedOutput {
  std::string name;
  // 0: the tensor; else so many of the largest elements of each row, as text (classification.h).
  std::int64_t num_classes = 0;
  // Where it is to be written, rather than into the answer.
  std::optional<SharedMemoryRange> memory = {};
};

// What answers a request. Its views live as long as the ModelVersion that holds their text.
struct ServedModel {
  absl::string_view name;
  absl::string_view version;
  absl::string_view precision;
  absl::string_view kernel_set;
};

struct AnswerOutput {
  absl::string_view name;
  DataType data_type = DataType::kFloat32;
  Dims dims;
  std::span<const std::byte> data;
  // The datatype is BYTES instead: of each element its length in 4 bytes, and its text.
  bool holds_text = false;
  // Where the data has been written, which is not in `data` then.
  std::optional<SharedMemoryRange> memory = {};
};

struct InferenceAnswer {
  ServedModel model;
  std::vector<AnswerOutput> outputs;  // in the order asked for
  // Keeps the data and the names alive: a front end holds it until the bytes have left.
  std::shared_ptr<const void> owner;
  RequestTimes times;  // without `respond` and `total`
};

// How a request is answered; owns its input bytes.
class Completion {
 public:
  virtual ~Completion() = default;
  // Whether nobody waits for the answer any more. Any thread may ask.
  [[nodiscard]] virtual bool IsCancelled() const { return false; }
  // Called exactly once, on any worker's thread.
  virtual void Complete(absl::StatusOr<InferenceAnswer> answer) = 0;
};

struct InferenceRequest;

// What is kept of a request for those who want to know how it ended: its line in the log, its
// spans.
class RequestRecord {
 public:
  virtual ~RequestRecord() = default;
  // Called exactly once, on any worker's thread, once the answer was handed over. `times` of a
  // request that failed has no stages. Must not wait.
  virtual void Ended(const InferenceRequest& request, const absl::Status& status,
                     const RequestTimes& times) = 0;
};

// Ownership: moves from front end to service to queue to batch, and is always consumed.
struct InferenceRequest {
  // By the front end.
  std::string model_name;
  std::string model_version;  // empty: the newest
  std::vector<RequestInput> inputs;
  std::vector<RequestedOutput> outputs;  // empty: all
  // Whether every output has to be of a datatype that typed contents can hold.
  bool wants_typed_outputs = false;
  // Whether the caller is of this machine, as who uses its shared memory has to be. Front ends need
  // not know of requests that name none.
  bool is_of_own_machine = false;
  TimePoint arrival;
  TimePoint deadline = kNever;          // of the transport
  std::chrono::nanoseconds timeout{0};  // the parameter; 0: none
  std::uint64_t priority = 0;           // the parameter; 0: none
  std::unique_ptr<Completion> completion;
  std::unique_ptr<RequestRecord> record;  // null: nobody wants to know

  // By the inference service, once it is known to fit its model.
  DrainGate::Pass pass;
  std::shared_ptr<const void> model_owner;  // keeps `model` and the executable
  ServedModel model;
  std::shared_ptr<const Executable> executable;
  // Lives as long as the server; null: the model has no settings.
  const ModelScheduling* scheduling = nullptr;
  std::shared_ptr<ModelMetrics> metrics;
  std::shared_ptr<const void> input_owner;  // of inputs that were copied
  std::vector<TensorView> bound_inputs;  // in the signature's order, over inputs[...].dims and data
  std::vector<std::size_t> output_indices;  // into the signature, in the order asked for
  std::int64_t rows = 1;
  // What is made of the outputs before they are the answer, or an error; null: nothing.
  std::function<absl::Status(InferenceAnswer&)> finish;
  TimePoint admitted;

  // By the scheduler, which makes `deadline` the earliest of all.
  std::uint32_t level = 0;                 // LevelOf
  TimePoint start_by = kNever;             // WaitLimits
  TimePoint delay_at = kNever;             // WaitLimits; kNever once it was delayed
  TimePoint ripe_at = TimePoint::min();    // until then it may wait for others to share its batch
  std::int64_t max_batch_rows = 0;         // of a batch that it shares; 0: as BatchingPolicy says
  std::chrono::nanoseconds least_time{0};  // of one worker, as far as is known
  TimePoint due;                           // DueTime
};

// Whether an input or an output of it is in shared memory.
bool NamesSharedMemory(const InferenceRequest& request);

// Whether their inputs have the same dimensions beyond rows. Both are of one executable that takes
// batches.
bool HaveSameShape(const InferenceRequest& a, const InferenceRequest& b);

// Of the data of its inputs, as they came.
std::size_t InputByteSize(const InferenceRequest& request);

// Answers a request with an error, and records it. `worker` is the calling worker's index.
void Refuse(std::unique_ptr<InferenceRequest> request, std::size_t worker, Metrics& metrics,
            absl::Status error);

// Answers a request, and records it; with the error of its `finish`, if that fails.
void Answer(std::unique_ptr<InferenceRequest> request, std::size_t worker, InferenceAnswer answer);

}  // namespace octet
