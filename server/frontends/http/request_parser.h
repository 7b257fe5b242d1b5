// SPDX-License-Identifier: Apache-2.0
// The bytes of HTTP/1.0 and 1.1 requests to a head and a body: no sockets here.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/strings/string_view.h"

#include "server/frontends/http/body_buffer.h"
#include "server/frontends/http/http_message.h"

namespace octet {

// Reads one request; Reset makes it ready for the next.
//
// What two servers in a row could read differently is refused: a length given twice or beside
// chunks, a transfer coding that is not chunked, HTTP/1.1 without one Host.
//
// Thread safety: one thread at a time.
class RequestParser {
 public:
  struct Progress {
    std::size_t consumed = 0;  // of the input: what is left is to come again, with more behind it
    bool is_done = false;
    std::optional<HttpReply> refusal;  // and the connection is of no more use
  };

  explicit RequestParser(std::uint32_t max_header_bytes);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Done when the head is read, which head() then has: it may be moved from. Refuses with 431 a
  // header that is too large, with 505 another HTTP, with 400 and 501 what is none.
  Progress ReadHead(absl::string_view input);
  [[nodiscard]] RequestHead& head() { return head_; }

  // After the head of a body in chunks: appends what they hold to `body`. Refuses with 413 more
  // than `max_bytes`, with 503 where the buffer cannot grow, with 400 what are no chunks.
  Progress ReadChunks(absl::string_view input, std::size_t max_bytes, BodyBuffer& body);

  void Reset();

 private:
  class Parser;

  const std::uint32_t max_header_bytes_;
  std::unique_ptr<Parser> parser_;
  RequestHead head_;
};

// The replies that both ways of reading a body have.
HttpReply BodyTooLarge(std::size_t max_bytes);
HttpReply NoRoomForBody();

}  // namespace octet
