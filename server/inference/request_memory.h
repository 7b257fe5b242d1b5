// SPDX-License-Identifier: Apache-2.0
// The inputs and outputs of one request that are in shared memory.
//
// Inputs are copied, once and all of them, before the model or a check sees a byte of them, and
// before any output is written: a client that writes to them meanwhile changes nothing but what it
// asked, and an output may lie where an input does.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "server/scheduling/request.h"
#include "server/shared_memory/shared_memory_regions.h"

namespace octet {

// Keeps the regions, unregistered or not. Thread safety: as its request, one thread at a time.
class RequestMemory {
 public:
  // Looks up what `request` names, reserves the copies of its inputs and makes these their data,
  // not set yet, whose sizes can be checked then. `regions` is null where there is no shared
  // memory.
  //
  // Returns, naming the tensor: UNIMPLEMENTED without `regions`, PERMISSION_DENIED for a caller of
  // another machine, NOT_FOUND for a region that there is not, INVALID_ARGUMENT for bytes that are
  // not in it, for two outputs that share bytes of a region, and for classes in shared memory;
  // RESOURCE_EXHAUSTED for more input bytes than may be copied.
  static absl::StatusOr<std::shared_ptr<RequestMemory>> Find(SharedMemoryRegions* regions,
                                                             InferenceRequest& request);

  // Copies the inputs. Returns the errors of SharedMemoryRegion::Read, naming the input.
  absl::Status ReadInputs(const InferenceRequest& request) const;

  [[nodiscard]] bool has_outputs() const { return has_outputs_; }

  // Copies those of `answer`'s outputs that are to be in shared memory there, and leaves of each
  // where it is. Returns, naming the output, INVALID_ARGUMENT for one that is larger than its place
  // (no output is written then), and the errors of SharedMemoryRegion::Write.
  absl::Status WriteOutputs(InferenceAnswer& answer) const;

 private:
  struct Range {
    std::shared_ptr<const SharedMemoryRegion> region;
    SharedMemoryRange range;
  };

  absl::Status FindInputs(const SharedMemoryRegions& regions, const InferenceRequest& request);
  absl::Status FindOutputs(const SharedMemoryRegions& regions, const InferenceRequest& request);
  absl::Status ReserveInputs(SharedMemoryRegions& regions, InferenceRequest& request);

  // Of each input and output; nullopt where it is not in shared memory.
  std::vector<std::optional<Range>> inputs_;
  std::vector<std::optional<Range>> outputs_;
  std::unique_ptr<SharedMemoryCopy> copy_;  // of the inputs, one after the other
  bool has_outputs_ = false;
};

}  // namespace octet
