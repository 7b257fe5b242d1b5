// SPDX-License-Identifier: Apache-2.0
// Binds an address and hands out its connections.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "boost/asio/generic/stream_protocol.hpp"
#include "boost/asio/io_context.hpp"

namespace octet {

// Thread safety: made before the io_context runs; afterwards it belongs to the context's thread.
class Listener {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using OnAccept = std::function<void(Socket)>;

  // Listens on `address`: "host:port", "[ipv6]:port" or "unix:PATH". A socket file that nobody
  // listens on any more is replaced. `on_accept` is called on the context's thread.
  // Returns INVALID_ARGUMENT for an address that does not parse or resolve, UNAVAILABLE for one
  // that cannot be bound; the message names the address.
  static absl::StatusOr<std::unique_ptr<Listener>> Create(boost::asio::io_context& context,
                                                          const std::string& address,
                                                          OnAccept on_accept);
  // A socket file is removed.
  virtual ~Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // As bound, with the real port.
  [[nodiscard]] const std::string& address() const { return address_; }

 protected:
  explicit Listener(std::string address) : address_(std::move(address)) {}

 private:
  const std::string address_;
};

}  // namespace octet
