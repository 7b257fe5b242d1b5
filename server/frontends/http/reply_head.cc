// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/reply_head.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "boost/beast/http/status.hpp"

namespace octet {
namespace {

std::string Reason(unsigned status) {
  if (status == 499) return "Client Closed Request";
  const boost::beast::string_view reason =
      boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
  return {reason.data(), reason.size()};
}

// As RFC 9110 wants it of a server with a clock; a client sees by it whether the two agree.
std::string Date() {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", absl::Now(), absl::UTCTimeZone());
}

}  // namespace

std::string ReplyHead(const HttpReply& reply, unsigned version, ConnectionField connection) {
  std::string head =
      absl::StrCat(version < 11 ? "HTTP/1.0 " : "HTTP/1.1 ", reply.status, " ",
                   Reason(reply.status), "\r\nServer: octet\r\nDate: ", Date(), "\r\n");
  if (!reply.content_type.empty()) {
    absl::StrAppend(&head, "Content-Type: ", reply.content_type, "\r\n");
  }
  absl::StrAppend(&head, "Content-Length: ", reply.byte_size(),
                  "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
  if (absl::StartsWith(reply.content_type, "text/html")) {
    absl::StrAppend(&head,
                    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
                    "frame-ancestors 'none'\r\n");
  }
  for (const HeaderField& field : reply.fields) {
    absl::StrAppend(&head, field.name, ": ", field.value, "\r\n");
  }
  if (connection == ConnectionField::kClose) {
    head += "Connection: close\r\n";
  } else if (version < 11) {
    head += "Connection: keep-alive\r\n";
  }
  return head + "\r\n";
}

}  // namespace octet
