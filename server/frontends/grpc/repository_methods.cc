// SPDX-License-Identifier: Apache-2.0

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "proto/inference/open_inference_grpc.pb.h"
#include "server/frontends/grpc/control_methods.h"
#include "server/repository/store_listing.h"

namespace octet {
namespace {

absl::Status CheckCaller(const ControlRooms& rooms, absl::string_view method,
                         const std::string& peer) {
  if (rooms.allow_management || IsOwnMachine(peer)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat(method,
                   " is for callers on the server's own machine: call it there over its loopback "
                   "or a Unix socket, or start the server with --allow-management"));
}

template <typename Parameters>
absl::Status CheckParameters(const Parameters& parameters) {
  for (const auto& [name, value] : parameters) {
    if (name == "unload_dependents") continue;  // no model has any
    if (name == "config") {
      return absl::InvalidArgumentError(
          "parameter \"config\" is not taken: what a model needs is in its bundle, and version "
          "policy and labels are in the server's configuration file");
    }
    if (absl::StartsWith(name, "file:")) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameter ", Quoted(name),
                       " is not taken: put the bundle into the model repository's folder"));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("parameter ", Quoted(name), " is unknown; wants none"));
  }
  return absl::OkStatus();
}

// What both methods ask of a request.
template <typename Request>
absl::StatusOr<std::string> ReadModelName(const ControlRooms& rooms, absl::string_view method,
                                          absl::string_view message, const std::string& peer) {
  RETURN_IF_ERROR(CheckCaller(rooms, method, peer));
  Request request;
  if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return absl::InvalidArgumentError(
        absl::StrCat("the request's bytes are no ", Request::descriptor()->full_name()));
  }
  if (!request.repository_name().empty() && request.model_name().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got repository_name ", Quoted(request.repository_name()),
                     " and no model_name, wants the model's name in model_name, which is field 2 "
                     "here and in Triton, field 1 in KServe's clients"));
  }
  if (!request.repository_name().empty()) {
    return absl::NotFoundError("there is one repository, which has no name; leave it empty");
  }
  if (!IsModelName(request.model_name())) {
    return absl::InvalidArgumentError(
        absl::StrCat("model_name is ", Quoted(request.model_name()),
                     ", wants letters, digits, '_', '-' and '.', at most 128, the first no '.'"));
  }
  RETURN_IF_ERROR(CheckParameters(request.parameters()));
  return request.model_name();
}

using Operation = void (RepositoryLoader::*)(const std::string&, RepositoryLoader::Done);

template <typename Request, typename Response>
ControlMethod Method(const ControlRooms& rooms, std::string name, Operation operation) {
  ControlMethod method;
  method.begin = [rooms, name = std::move(name), operation](
                     absl::string_view message, const std::string& peer, LaterAnswer answer) {
    const absl::StatusOr<std::string> model = ReadModelName<Request>(rooms, name, message, peer);
    if (!model.ok()) return answer(model.status());
    (rooms.loader->*operation)(*model, [answer = std::move(answer)](const absl::Status& status) {
      if (!status.ok()) return answer(status);
      answer(Response().SerializeAsString());
    });
  };
  return method;
}

}  // namespace

bool IsOwnMachine(const std::string& peer) {
  // IPv6 addresses have their brackets escaped, or not, by gRPC's release.
  for (const absl::string_view own :
       {"unix:", "unix-abstract:", "ipv4:127.",
        "ipv6:[::1]:", "ipv6:%5B::1%5D:", "ipv6:[::ffff:127.", "ipv6:%5B::ffff:127."}) {
    if (absl::StartsWith(peer, own)) return true;
  }
  return false;
}

void AddRepositoryMethods(const ControlRooms& rooms, ControlMethods& methods) {
  methods["/inference.GRPCInferenceService/RepositoryModelLoad"] =
      Method<inference::RepositoryModelLoadRequest, inference::RepositoryModelLoadResponse>(
          rooms, "RepositoryModelLoad", &RepositoryLoader::Load);
  methods["/inference.GRPCInferenceService/RepositoryModelUnload"] =
      Method<inference::RepositoryModelUnloadRequest, inference::RepositoryModelUnloadResponse>(
          rooms, "RepositoryModelUnload", &RepositoryLoader::Unload);
}

}  // namespace octet
