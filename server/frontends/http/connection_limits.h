// SPDX-License-Identifier: Apache-2.0
// How much, how long and how slowly a client of HTTP may send and take.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace octet {

struct ConnectionLimits {
  std::uint32_t max_header_bytes = 8 * 1024;
  std::chrono::milliseconds header_time{10'000};  // from its first byte to its last
  std::chrono::milliseconds idle_time{60'000};    // between requests
  // Of a body that is coming and an answer that is going: as many bytes in each `rate_time`.
  std::chrono::milliseconds rate_time{10'000};
  std::size_t min_bytes_in_rate_time = std::size_t{10} << 10;
  // How long, and for how many bytes, what a refused client still sends is read and dropped, so
  // that it gets to read why.
  std::chrono::milliseconds linger_time{2'000};
  std::size_t max_linger_bytes = std::size_t{64} << 20;
};

}  // namespace octet
