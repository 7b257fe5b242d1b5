// SPDX-License-Identifier: Apache-2.0
#include "client/wire_probe.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

#include "client/socket.h"

namespace octet::client {
namespace {

WireKind KindOf(absl::string_view first) {
  constexpr char kTlsAlert = 0x15;
  constexpr char kTlsHandshake = 0x16;
  constexpr std::size_t kFrameType = 3;
  constexpr char kSettings = 4;
  if (first.empty()) return WireKind::kSilent;
  if (first[0] == kTlsAlert || first[0] == kTlsHandshake) return WireKind::kTls;
  if (absl::StartsWith(first, "HTTP/1")) return WireKind::kHttp1;
  if (first.size() > kFrameType && first[kFrameType] == kSettings) return WireKind::kHttp2;
  return WireKind::kOther;
}

}  // namespace

absl::StatusOr<WireKind> ProbeWire(const std::string& address, std::chrono::milliseconds timeout) {
  const absl::StatusOr<Socket> connection = Socket::Connect(address, timeout);
  if (!connection.ok()) return connection.status();
  const Socket::Time until = std::chrono::steady_clock::now() + timeout;
  // The preface of HTTP/2, and an empty SETTINGS frame.
  // The literal's own end is the frame's last byte.
  constexpr char kBegin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
  if (!connection->Send({kBegin, sizeof(kBegin)}, until)) return WireKind::kSilent;
  std::string first;
  constexpr std::size_t kEnough = 9;
  while (first.size() < kEnough) {
    const std::string more = connection->Receive(until);
    if (more.empty()) break;
    first += more;
  }
  return KindOf(first);
}

}  // namespace octet::client
