// SPDX-License-Identifier: Apache-2.0
// Every method but ModelInfer and ModelStreamInfer: served as a stream of raw messages from the
// server's generic service, on the same queue, without a thread for any of them.

#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "grpcpp/generic/async_generic_service.h"

#include "server/access/operation.h"
#include "server/frontends/grpc/call_context.h"

namespace octet {

// What a method does with a message: the serialized answer.
using MessageHandler = std::function<absl::StatusOr<std::string>(absl::string_view message)>;

// Takes the answer of a method that takes its time: once, on any thread.
using LaterAnswer = std::function<void(absl::StatusOr<std::string>)>;

struct ControlMethod {
  enum class Kind {
    kUnary,
    kStream,  // each message of the client is answered
    kWatch,   // one message is answered now, and again after each change of the server's state
  };
  Kind kind = Kind::kUnary;
  MessageHandler handle;
  // Where given, of a unary method: begins what is answered later, so that no worker waits for it.
  // `peer` is the caller's address as gRPC writes it.
  std::function<void(absl::string_view message, const std::string& peer, LaterAnswer answer)>
      begin = nullptr;
  // Who may call it; ControlFrontEnd sets it by the method's path.
  Operation operation = Operation::kManage;
};

// By path: "/inference.GRPCInferenceService/ServerLive".
using ControlMethods = std::map<std::string, ControlMethod, std::less<>>;

// A handler from one on messages.
template <typename Request, typename Response>
MessageHandler Handle(std::function<absl::StatusOr<Response>(const Request&)> handle) {
  return [handle = std::move(handle)](absl::string_view message) -> absl::StatusOr<std::string> {
    Request request;
    if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      return absl::InvalidArgumentError(
          absl::StrCat("the request's bytes are no ", Request::descriptor()->full_name()));
    }
    absl::StatusOr<Response> response = handle(request);
    if (!response.ok()) return response.status();
    return response->SerializeAsString();
  };
}

// Thread safety: as QueueEvent: one thread at a time, the one that polls.
class ControlFrontEnd {
 public:
  // `context` is borrowed for as long as calls may come.
  ControlFrontEnd(CallContext& context, ControlMethods methods);
  ControlFrontEnd(const ControlFrontEnd&) = delete;
  ControlFrontEnd& operator=(const ControlFrontEnd&) = delete;

  // To register with the server's builder.
  [[nodiscard]] grpc::AsyncGenericService& grpc_service() { return grpc_service_; }

  // Makes ready for `count` calls; each that comes makes ready for another.
  void Expect(std::size_t count);

  // The server's state may have changed.
  void UpdateWatchers();

  // Ends with UNAVAILABLE every stream that is open and every call that has long waited for its
  // message, and from now on each stream that comes: none of them ends by itself.
  void EndWaiting();

 private:
  class Call;

  CallContext& context_;
  const ControlMethods methods_;
  grpc::AsyncGenericService grpc_service_;
  std::unordered_set<Call*> open_;
  bool ends_streams_ = false;
};

}  // namespace octet
