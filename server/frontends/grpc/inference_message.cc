// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/inference_message.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace octet {
namespace {

using std::chrono::steady_clock;

// Up to here an answer's tensors are copied behind their header: less work than a slice of their
// own, which is counted and sent separately.
constexpr std::size_t kMostCopiedBytes = 16 << 10;

TimePoint ToSteady(gpr_timespec deadline) {
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) return kNever;
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  // More than a day is as good as none, and cannot overflow.
  if (left.tv_sec > 86400) return kNever;
  return steady_clock::now() + std::chrono::seconds(left.tv_sec) +
         std::chrono::nanoseconds(left.tv_nsec);
}

void Release(void* owner) { delete static_cast<std::shared_ptr<const void>*>(owner); }

grpc::ByteBuffer OneSlice(const std::string& whole) {
  const grpc::Slice slice(whole);
  return {&slice, 1};
}

}  // namespace

absl::Status ReadRequest(const grpc::ByteBuffer& bytes, gpr_timespec deadline,
                         std::size_t max_tensor_bytes, RequestMessage& message,
                         InferenceRequest& request) {
  request.arrival = steady_clock::now();
  request.deadline = ToSteady(deadline);
  if (!bytes.Dump(&message.slices).ok()) {
    return absl::InvalidArgumentError("the request's bytes could not be read");
  }
  std::vector<Bytes> chunks;
  chunks.reserve(message.slices.size());
  for (const grpc::Slice& slice : message.slices) {
    chunks.emplace_back(reinterpret_cast<const std::byte*>(slice.begin()), slice.size());
  }
  absl::StatusOr<DecodedRequest> decoded = DecodeRequest(chunks, max_tensor_bytes);
  if (!decoded.ok()) {
    message.form.id = DecodeId(chunks);
    return std::move(decoded).status();
  }
  request.model_name = std::move(decoded->model_name);
  request.model_version = std::move(decoded->model_version);
  request.inputs = std::move(decoded->inputs);
  request.outputs = std::move(decoded->outputs);
  request.wants_typed_outputs = decoded->form.wants_typed_outputs;
  if (decoded->timeout_microseconds) {
    const std::chrono::microseconds timeout(*decoded->timeout_microseconds);
    // A longer one is none.
    if (timeout < std::chrono::hours(24)) request.timeout = timeout;
  }
  request.priority = decoded->priority;
  message.form = std::move(decoded->form);
  message.buffers = std::move(decoded->buffers);
  return absl::OkStatus();
}

grpc::ByteBuffer ToByteBuffer(const InferenceAnswer& answer, EncodedAnswer encoded) {
  if (encoded.is_whole) return OneSlice(encoded.headers.front());
  std::size_t size = 0;
  for (const AnswerOutput& output : answer.outputs) size += output.data.size();
  if (size <= kMostCopiedBytes) {
    std::string& whole = encoded.headers.front();
    for (std::size_t i = 0; i < answer.outputs.size(); ++i) {
      if (i > 0) whole += encoded.headers[i];
      const absl::string_view data = AsText(answer.outputs[i].data);
      whole.append(data.data(), data.size());
    }
    return OneSlice(whole);
  }
  std::vector<grpc::Slice> slices;
  for (std::size_t i = 0; i < encoded.headers.size(); ++i) {
    slices.emplace_back(encoded.headers[i]);
    if (i >= answer.outputs.size()) continue;
    const Bytes data = answer.outputs[i].data;
    if (data.empty()) continue;
    // gRPC's slices are not const; nothing writes to them.
    slices.emplace_back(const_cast<std::byte*>(data.data()), data.size(), Release,
                        new std::shared_ptr<const void>(answer.owner));
  }
  return {slices.data(), slices.size()};
}

}  // namespace octet
