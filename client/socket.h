// SPDX-License-Identifier: Apache-2.0
// A connected socket whose operations end in time.

#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace octet::client {

// Thread safety: one thread at a time.
class Socket {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Connects to "host:port" or "unix:PATH", for `timeout` at most, beside finding the name.
  // Returns INVALID_ARGUMENT for what is no address, NOT_FOUND for a name that is not found,
  // UNAVAILABLE where nobody listens, DEADLINE_EXCEEDED where the connection takes too long.
  static absl::StatusOr<Socket> Connect(const std::string& address,
                                        std::chrono::milliseconds timeout);
  // Takes over the descriptor, which does not block.
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  // Whether one of poll()'s `events` came in time.
  [[nodiscard]] bool Await(short events, Time until) const;
  // Whether all of it was taken in time. The other end may be gone: no signal tells.
  [[nodiscard]] bool Send(absl::string_view bytes, Time until) const;
  // What has come, at most 16 KiB; empty at the end, at an error, and where nothing came in time.
  [[nodiscard]] std::string Receive(Time until) const;

 private:
  int fd_;
};

}  // namespace octet::client
