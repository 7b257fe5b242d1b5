// SPDX-License-Identifier: Apache-2.0
// The fields of one message in protobuf's wire format, where they lie.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace octet::onnx {

// One field. Which member holds it follows from `wire_type`.
struct WireField {
  enum WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  std::uint32_t number = 0;
  WireType wire_type = kVarint;
  std::uint64_t bits = 0;   // kVarint, kFixed64, kFixed32
  absl::string_view bytes;  // kBytes: borrowed from the message

  [[nodiscard]] std::int64_t integer() const { return static_cast<std::int64_t>(bits); }
  [[nodiscard]] float real() const;  // of kFixed32
};

// Walks over a message without copying any of it. Nothing is allocated by what the bytes say, and
// messages within are left to the caller: there is no recursion here.
class WireReader {
 public:
  // Borrows `message`.
  explicit WireReader(absl::string_view message) : rest_(message) {}

  // Whether there was another field, which is now in `field`. False at the end, and for damage,
  // which status() tells apart.
  bool Next(WireField& field);

  // INVALID_ARGUMENT once Next found something that is no field.
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  bool Fail(absl::string_view what);
  bool ReadVarint(std::uint64_t& value);
  bool ReadFixed(std::size_t byte_size, std::uint64_t& value);

  absl::string_view rest_;
  absl::Status status_;
};

// Appends the numbers of a repeated field, packed or not. INVALID_ARGUMENT for damage.
absl::Status AppendIntegers(const WireField& field, std::vector<std::int64_t>& numbers);
absl::Status AppendFloats(const WireField& field, std::vector<float>& numbers);
absl::Status AppendDoubles(const WireField& field, std::vector<double>& numbers);

}  // namespace octet::onnx
