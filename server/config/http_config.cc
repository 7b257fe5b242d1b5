// SPDX-License-Identifier: Apache-2.0

#include "server/config/http_config.h"

#include <chrono>
#include <cstdint>

#include "absl/strings/str_cat.h"

#include "proto/octet/config/v1/config.pb.h"

namespace octet {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortest{100};
constexpr milliseconds kLongest{3'600'000};

// `value` if it is in its range; else an error.
std::uint64_t InRange(const std::string& path, std::uint64_t value, std::uint64_t least,
                      std::uint64_t most, std::vector<std::string>& errors) {
  if (value >= least && value <= most) return value;
  errors.push_back(absl::StrCat(path, ": got ", value, ", wants ", least, " to ", most));
  return least;
}

milliseconds TimeInRange(const std::string& path, const google::protobuf::Duration& duration,
                         std::vector<std::string>& errors) {
  const auto time =
      std::chrono::seconds(duration.seconds()) +
      std::chrono::duration_cast<milliseconds>(std::chrono::nanoseconds(duration.nanos()));
  if (time >= kShortest && time <= kLongest) return time;
  errors.push_back(absl::StrCat(path, ": got ", time.count(), "ms, wants ", kShortest.count(),
                                "ms to ", std::chrono::seconds(3600).count(), "s"));
  return kShortest;
}

}  // namespace

HttpConfig TakeHttp(const config::v1::ServerConfig& message,
                    const std::function<std::string(const std::string&)>& origin,
                    std::vector<std::string>& errors) {
  const config::v1::Http& given = message.http();
  const auto path = [&origin](const char* field) {
    return absl::StrCat(origin("http"), ".", field);
  };
  HttpConfig config;
  if (given.has_max_connections()) {
    config.max_connections =
        InRange(path("max_connections"), given.max_connections(), 1, 65536, errors);
  }
  if (given.has_max_header_bytes()) {
    config.limits.max_header_bytes = static_cast<std::uint32_t>(
        InRange(path("max_header_bytes"), given.max_header_bytes(), 1 << 10, 1 << 20, errors));
  }
  if (given.has_header_timeout()) {
    config.limits.header_time = TimeInRange(path("header_timeout"), given.header_timeout(), errors);
  }
  if (given.has_idle_timeout()) {
    config.limits.idle_time = TimeInRange(path("idle_timeout"), given.idle_timeout(), errors);
  }
  if (given.has_min_rate_bytes()) {
    const auto seconds = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(config.limits.rate_time).count());
    config.limits.min_bytes_in_rate_time =
        seconds * InRange(path("min_rate_bytes"), given.min_rate_bytes(), 1, 1 << 30, errors);
  }
  return config;
}

}  // namespace octet
