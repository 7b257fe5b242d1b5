// SPDX-License-Identifier: Apache-2.0
// What gRPC itself says of its listeners and peers, for the program's log.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace octet {

enum class GrpcSeverity : std::uint8_t { kDebug, kInfo, kWarning, kError };

struct GrpcLine {
  GrpcSeverity severity = GrpcSeverity::kError;
  std::string source;   // where in gRPC: "ssl_transport_security.cc:1501"
  std::string message;  // may hold what a peer has sent, a server's name of TLS for example
};

// What a line means to who runs this server: a handshake that fails is its peer's mistake.
// Pure.
GrpcSeverity SeverityOf(const std::string& source, GrpcSeverity of_grpc);

// While one lives, gRPC's lines go to it and nothing to standard error. One at a time, made before
// anything else of gRPC.
//
// Thread safety: any thread.
class GrpcLog {
 public:
  // `write` gets errors, and what else the environment's GRPC_VERBOSITY asks for. Any thread of
  // gRPC calls it, one at a time; it must not call gRPC.
  explicit GrpcLog(std::function<void(const GrpcLine&)> write);
  ~GrpcLog();
  GrpcLog(const GrpcLog&) = delete;
  GrpcLog& operator=(const GrpcLog&) = delete;

  // Connections to this server, and from it, whose TLS handshake came to nothing.
  [[nodiscard]] std::uint64_t failed_handshakes() const {
    return failed_handshakes_.load(std::memory_order_relaxed);
  }

 private:
  friend struct GrpcLogDoor;
  void Take(GrpcSeverity severity, const char* file, int line, const char* message);

  const std::function<void(const GrpcLine&)> write_;
  const GrpcSeverity least_;
  std::atomic<std::uint64_t> failed_handshakes_ = 0;
};

}  // namespace octet
