// SPDX-License-Identifier: Apache-2.0

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "proto/inference/open_inference_grpc.pb.h"
#include "server/frontends/grpc/control_methods.h"

namespace octet {
namespace {

absl::StatusOr<inference::SystemSharedMemoryRegisterResponse> Register(
    SharedMemoryRegions& regions, const inference::SystemSharedMemoryRegisterRequest& request) {
  RETURN_IF_ERROR(regions.Register(
      request.name(),
      {.key = request.key(), .offset = request.offset(), .byte_size = request.byte_size()}));
  return inference::SystemSharedMemoryRegisterResponse();
}

absl::StatusOr<inference::SystemSharedMemoryUnregisterResponse> Unregister(
    SharedMemoryRegions& regions, const inference::SystemSharedMemoryUnregisterRequest& request) {
  if (request.name().empty()) {
    regions.UnregisterAll();
  } else {
    regions.Unregister(request.name());
  }
  return inference::SystemSharedMemoryUnregisterResponse();
}

// None is registered.
absl::StatusOr<inference::CudaSharedMemoryUnregisterResponse> UnregisterCuda(
    SharedMemoryRegions& /*regions*/, const inference::CudaSharedMemoryUnregisterRequest&) {
  return inference::CudaSharedMemoryUnregisterResponse();
}

absl::StatusOr<inference::SystemSharedMemoryStatusResponse> Status(
    SharedMemoryRegions& regions, const inference::SystemSharedMemoryStatusRequest& request) {
  if (!request.name().empty()) RETURN_IF_ERROR(regions.Find(request.name()).status());
  inference::SystemSharedMemoryStatusResponse response;
  for (const auto& [name, place] : regions.List()) {
    if (!request.name().empty() && request.name() != name) continue;
    auto& region = (*response.mutable_regions())[name];
    region.set_name(name);
    region.set_key(place.key);
    region.set_offset(place.offset);
    region.set_byte_size(place.byte_size);
  }
  return response;
}

// A method for callers of this machine.
template <typename Request, typename Response>
void Add(const std::string& name, SharedMemoryRegions& regions,
         absl::StatusOr<Response> (*answer)(SharedMemoryRegions&, const Request&),
         ControlMethods& methods) {
  const MessageHandler handle = Handle<Request, Response>(
      [&regions, answer](const Request& request) { return answer(regions, request); });
  ControlMethod method;
  method.begin = [name, handle](absl::string_view message, const std::string& peer,
                                const LaterAnswer& done) {
    if (IsOwnMachine(peer)) return done(handle(message));
    done(absl::PermissionDeniedError(
        absl::StrCat(name,
                     " is for callers on the server's own machine, whose memory it shares: call it "
                     "there over its loopback or a Unix socket")));
  };
  methods[absl::StrCat("/inference.GRPCInferenceService/", name)] = std::move(method);
}

}  // namespace

void AddSharedMemoryMethods(const ControlRooms& rooms, ControlMethods& methods) {
  SharedMemoryRegions& regions = *rooms.shared_memory;
  Add("SystemSharedMemoryRegister", regions, Register, methods);
  Add("SystemSharedMemoryUnregister", regions, Unregister, methods);
  Add("SystemSharedMemoryStatus", regions, Status, methods);
  Add("CudaSharedMemoryUnregister", regions, UnregisterCuda, methods);
}

}  // namespace octet
