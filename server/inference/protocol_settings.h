// SPDX-License-Identifier: Apache-2.0
// The protocol's trace and log settings: they tell what is set, and change nothing. A stranger who
// may call must not choose files to write, nor how much is written.

#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>

#include "absl/status/status.h"

namespace octet {

// What of the server the settings tell.
struct ProtocolSettings {
  std::string log_format = "text";
  bool logs_info = true;
  bool logs_warnings = true;
  bool logs_debug = false;
  bool is_traced = false;
  double trace_sample = 1;  // share of the requests whose caller says nothing
};

// By name.
using TraceValues = std::map<std::string, std::string>;
TraceValues TraceValuesOf(const ProtocolSettings& settings);

// Whether a client may set `name` to `values`: to what it is, or to nothing, which clears it.
// Returns UNIMPLEMENTED for anything else, INVALID_ARGUMENT for a name that there is not.
absl::Status CheckTraceValue(const TraceValues& current, const std::string& name,
                             std::span<const std::string> values);

using LogValue = std::variant<std::monostate, bool, std::uint32_t, std::string>;
using LogValues = std::map<std::string, LogValue>;
LogValues LogValuesOf(const ProtocolSettings& settings);

// The same of a log setting; INVALID_ARGUMENT also for a value of another type.
absl::Status CheckLogValue(const LogValues& current, const std::string& name,
                           const LogValue& value);

}  // namespace octet
