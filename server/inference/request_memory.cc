// SPDX-License-Identifier: Apache-2.0

#include "server/inference/request_memory.h"

#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"

namespace octet {
namespace {

// `error` of a tensor: "input" or "output", and its name.
absl::Status Of(absl::string_view kind, absl::string_view name, const absl::Status& error) {
  if (error.ok()) return error;
  return {error.code(), absl::StrCat(kind, " ", Quoted(name), ": ", error.message())};
}

absl::StatusOr<std::shared_ptr<const SharedMemoryRegion>> FindRange(
    const SharedMemoryRegions& regions, const SharedMemoryRange& range) {
  ASSIGN_OR_RETURN(std::shared_ptr<const SharedMemoryRegion> region, regions.Find(range.region));
  if (region->Holds(range.offset, range.byte_size)) return region;
  return absl::InvalidArgumentError(absl::StrCat(
      "got shared_memory_offset ", range.offset, " and shared_memory_byte_size ", range.byte_size,
      ", region ", Quoted(range.region), " has ", region->place().byte_size, " bytes"));
}

bool ShareBytes(const SharedMemoryRange& a, const SharedMemoryRange& b) {
  // Both are within their region: no sum overflows.
  return a.region == b.region && a.offset < b.offset + b.byte_size &&
         b.offset < a.offset + a.byte_size;
}

}  // namespace

absl::Status RequestMemory::FindInputs(const SharedMemoryRegions& regions,
                                       const InferenceRequest& request) {
  for (const RequestInput& input : request.inputs) {
    std::optional<Range>& found = inputs_.emplace_back();
    if (!input.memory) continue;
    absl::StatusOr<std::shared_ptr<const SharedMemoryRegion>> region =
        FindRange(regions, *input.memory);
    if (!region.ok()) return Of("input", input.name, region.status());
    found = Range{*std::move(region), *input.memory};
  }
  return absl::OkStatus();
}

absl::Status RequestMemory::FindOutputs(const SharedMemoryRegions& regions,
                                        const InferenceRequest& request) {
  for (const RequestedOutput& output : request.outputs) {
    std::optional<Range>& found = outputs_.emplace_back();
    if (!output.memory) continue;
    if (output.num_classes > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("output ", Quoted(output.name),
                       ": got parameter \"classification\" and shared memory, wants one of them"));
    }
    absl::StatusOr<std::shared_ptr<const SharedMemoryRegion>> region =
        FindRange(regions, *output.memory);
    if (!region.ok()) return Of("output", output.name, region.status());
    for (const std::optional<Range>& other : outputs_) {
      if (!other || !ShareBytes(other->range, *output.memory)) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "output ", Quoted(output.name), ": its bytes of shared memory region ",
          Quoted(output.memory->region), " are another output's too, wants bytes of its own"));
    }
    found = Range{*std::move(region), *output.memory};
    has_outputs_ = true;
  }
  return absl::OkStatus();
}

absl::Status RequestMemory::ReserveInputs(SharedMemoryRegions& regions, InferenceRequest& request) {
  std::uint64_t byte_size = 0;
  for (const std::optional<Range>& input : inputs_) {
    if (!input) continue;
    if (input->range.byte_size > UINT64_MAX - byte_size) {
      return absl::ResourceExhaustedError("the inputs in shared memory are too large");
    }
    byte_size += input->range.byte_size;
  }
  if (byte_size == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(copy_, regions.Reserve(byte_size));
  std::span<std::byte> left = copy_->bytes();
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (!inputs_[i]) continue;
    const auto size = static_cast<std::size_t>(inputs_[i]->range.byte_size);
    request.inputs[i].data = left.first(size);
    left = left.subspan(size);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<RequestMemory>> RequestMemory::Find(SharedMemoryRegions* regions,
                                                                   InferenceRequest& request) {
  if (regions == nullptr) {
    return absl::UnimplementedError(
        "the request names shared memory, which this server was not started with "
        "(--allow-shared-memory); send raw_input_contents and let the outputs be in the answer");
  }
  if (!request.is_of_own_machine) {
    return absl::PermissionDeniedError(
        "the request names shared memory, which is for callers on the server's own machine: call "
        "it there over its loopback or a Unix socket, or send raw_input_contents");
  }
  auto memory = std::make_shared<RequestMemory>();
  RETURN_IF_ERROR(memory->FindInputs(*regions, request));
  RETURN_IF_ERROR(memory->FindOutputs(*regions, request));
  RETURN_IF_ERROR(memory->ReserveInputs(*regions, request));
  return memory;
}

absl::Status RequestMemory::ReadInputs(const InferenceRequest& request) const {
  if (copy_ == nullptr) return absl::OkStatus();
  std::span<std::byte> left = copy_->bytes();
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (!inputs_[i]) continue;
    const Range& input = *inputs_[i];
    const auto size = static_cast<std::size_t>(input.range.byte_size);
    RETURN_IF_ERROR(Of("input", request.inputs[i].name,
                       input.region->Read(input.range.offset, left.first(size))));
    left = left.subspan(size);
  }
  return absl::OkStatus();
}

absl::Status RequestMemory::WriteOutputs(InferenceAnswer& answer) const {
  // What does not fit is found before anything is written.
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (!outputs_[i] || answer.outputs[i].data.size() <= outputs_[i]->range.byte_size) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("output ", Quoted(answer.outputs[i].name), " has ",
                     answer.outputs[i].data.size(), " bytes, shared_memory_byte_size is ",
                     outputs_[i]->range.byte_size, "; wants at least as many"));
  }
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (!outputs_[i]) continue;
    AnswerOutput& output = answer.outputs[i];
    const Range& to = *outputs_[i];
    RETURN_IF_ERROR(Of("output", output.name, to.region->Write(to.range.offset, output.data)));
    output.memory = SharedMemoryRange{to.range.region, to.range.offset, output.data.size()};
    output.data = {};
  }
  return absl::OkStatus();
}

}  // namespace octet
