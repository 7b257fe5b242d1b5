// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/request_parser.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/buffer.hpp"
#include "boost/beast/core/error.hpp"
#include "boost/beast/http.hpp"

namespace octet {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

std::string Text(boost::beast::string_view text) { return {text.data(), text.size()}; }

std::size_t Count(const RequestHead& head, absl::string_view name) {
  return static_cast<std::size_t>(std::count_if(
      head.fields.begin(), head.fields.end(),
      [&](const HeaderField& field) { return absl::EqualsIgnoreCase(field.name, name); }));
}

std::optional<HttpReply> CheckHead(const RequestHead& head) {
  if (const std::size_t hosts = Count(head, "Host");
      hosts > 1 || (hosts == 0 && head.version > 10)) {
    return ErrorReply(400, absl::StrCat("got ", hosts, " Host fields, wants one"));
  }
  if (Count(head, "Transfer-Encoding") == 0) return std::nullopt;
  if (head.version < 11) {
    return ErrorReply(400, "Transfer-Encoding is there in HTTP/1.1 only; send a Content-Length");
  }
  if (Count(head, "Transfer-Encoding") > 1 ||
      !absl::EqualsIgnoreCase(head.Find("Transfer-Encoding"), "chunked")) {
    return ErrorReply(501, "this server knows no Transfer-Encoding but chunked");
  }
  return std::nullopt;
}

}  // namespace

class RequestParser::Parser {
 public:
  explicit Parser(std::uint32_t max_header_bytes) {
    parser_.header_limit(max_header_bytes);
    // Who reads the body has a limit of its own.
    parser_.body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  http::request_parser<http::buffer_body>& get() { return parser_; }

 private:
  http::request_parser<http::buffer_body> parser_;
};

RequestParser::RequestParser(std::uint32_t max_header_bytes) : max_header_bytes_(max_header_bytes) {
  Reset();
}

RequestParser::~RequestParser() = default;

void RequestParser::Reset() {
  parser_ = std::make_unique<Parser>(max_header_bytes_);
  head_ = {};
}

RequestParser::Progress RequestParser::ReadHead(absl::string_view input) {
  auto& parser = parser_->get();
  Progress progress;
  error_code error;
  progress.consumed = parser.put(boost::asio::buffer(input.data(), input.size()), error);
  if (error == http::error::need_more && input.size() - progress.consumed < max_header_bytes_) {
    return progress;
  }
  if (error == http::error::header_limit || error == http::error::need_more) {
    progress.refusal =
        ErrorReply(431, absl::StrCat("the header is larger than ", max_header_bytes_, " bytes"));
    return progress;
  }
  if (error) {
    progress.refusal = ErrorReply(error == http::error::bad_version ? 505 : 400,
                                  absl::StrCat("no HTTP/1.1 request: ", error.message()));
    return progress;
  }
  if (!parser.is_header_done()) return progress;
  const auto& message = parser.get();
  head_.method = Text(message.method_string());
  head_.target = Text(message.target());
  head_.version = message.version();
  head_.is_keep_alive = message.keep_alive();
  head_.is_chunked = parser.chunked();
  if (const auto length = parser.content_length()) head_.content_length = *length;
  for (const auto& field : message) {
    head_.fields.push_back({Text(field.name_string()), Text(field.value())});
  }
  progress.is_done = true;
  progress.refusal = CheckHead(head_);
  return progress;
}

RequestParser::Progress RequestParser::ReadChunks(absl::string_view input, std::size_t max_bytes,
                                                  BodyBuffer& body) {
  auto& parser = parser_->get();
  Progress progress;
  while (!parser.is_done()) {
    // One byte more than is allowed tells that there is more.
    if (!body.Grow(max_bytes + 1)) {
      progress.refusal = NoRoomForBody();
      return progress;
    }
    const std::span<std::byte> room = body.room();
    parser.get().body().data = room.data();
    parser.get().body().size = room.size();
    parser.get().body().more = true;
    const absl::string_view left = input.substr(progress.consumed);
    error_code error;
    const std::size_t consumed = parser.put(boost::asio::buffer(left.data(), left.size()), error);
    progress.consumed += consumed;
    const std::size_t written = room.size() - parser.get().body().size;
    body.Commit(written);
    if (body.size() > max_bytes) {
      progress.refusal = BodyTooLarge(max_bytes);
      return progress;
    }
    if (error && error != http::error::need_more && error != http::error::need_buffer) {
      progress.refusal = ErrorReply(400, absl::StrCat("the body's chunks: ", error.message()));
      return progress;
    }
    if (consumed == 0 && written == 0) {
      // A chunk's header, with whatever extension, has to fit where a request's does.
      if (left.size() > max_header_bytes_) {
        progress.refusal = ErrorReply(400, "a chunk's header is too large");
      }
      return progress;
    }
  }
  progress.is_done = true;
  return progress;
}

HttpReply BodyTooLarge(std::size_t max_bytes) {
  return ErrorReply(413, absl::StrCat("the body has more than ", max_bytes, " bytes"));
}

HttpReply NoRoomForBody() {
  return ErrorReply(503, "the bodies that are coming in take all the memory there is for them");
}

}  // namespace octet
