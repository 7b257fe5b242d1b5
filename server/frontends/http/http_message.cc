// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/http_message.h"

#include "absl/strings/match.h"

#include "server/frontends/http/json_writer.h"

namespace octet {

absl::string_view RequestHead::Find(absl::string_view name) const {
  for (const HeaderField& field : fields) {
    if (absl::EqualsIgnoreCase(field.name, name)) return field.value;
  }
  return "";
}

std::size_t HttpReply::byte_size() const {
  std::size_t size = body.size();
  for (const std::span<const std::byte> tensor : tensors) size += tensor.size();
  return size;
}

HttpReply ErrorReply(unsigned status, absl::string_view message) {
  HttpReply reply;
  reply.status = status;
  reply.body = "{\"error\":";
  // No text would say that nothing is wrong.
  AppendJsonString(message.empty() ? "no answer" : message, reply.body);
  reply.body += "}";
  if (status == 503 || status == 429) reply.fields.push_back({"Retry-After", "1"});
  return reply;
}

HttpReply ErrorReply(const absl::Status& error) {
  return ErrorReply(HttpStatus(error.code()),
                    absl::string_view(error.message().data(), error.message().size()));
}

unsigned HttpStatus(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kOutOfRange:  // of a size: the request is too large
      return 413;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;  // nobody's standard, everybody's custom: the client closed the request
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

}  // namespace octet
