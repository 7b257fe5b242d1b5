// SPDX-License-Identifier: Apache-2.0
// Protobuf's wire format: just what reading a request and writing a response without protobuf
// objects takes.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

#include "models/base/utf8_check.h"  // a proto3 string has to be

namespace octet {

using Bytes = std::span<const std::byte>;

inline absl::string_view AsText(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

enum class WireType : std::uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kLengthDelimited = 2,
  kFixed32 = 5
};

// One field of a message. Groups, which proto3 lacks, are not read.
struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t value = 0;  // of a varint or fixed field
  Bytes bytes;              // of a length-delimited one

  [[nodiscard]] bool Is(std::uint32_t n, WireType t) const { return number == n && type == t; }
};

// Reads the fields of a message whose bytes lie in one piece.
class WireReader {
 public:
  explicit WireReader(Bytes bytes) : rest_(bytes) {}

  // The next field; nullopt at the end, and at a fault.
  std::optional<WireField> Next();
  // Whether the bytes so far were well formed.
  [[nodiscard]] bool ok() const { return ok_; }

  // The next bare varint, as in a packed field; nullopt at the end, and at a fault.
  std::optional<std::uint64_t> NextVarint();

 private:
  Bytes rest_;
  bool ok_ = true;
};

// The same for a message in several pieces. A field that crosses from one piece to another is
// copied into one buffer; the others are views.
class ChunkedReader {
 public:
  // `chunks` are borrowed for as long as the reader's results are used.
  explicit ChunkedReader(std::span<const Bytes> chunks);

  std::optional<WireField> Next();
  [[nodiscard]] bool ok() const { return ok_; }

  // The buffers that results may refer to.
  std::deque<std::unique_ptr<std::byte[]>> TakeCopies() { return std::move(copies_); }

 private:
  std::optional<std::uint64_t> Varint();
  std::optional<Bytes> Take(std::uint64_t size);
  bool AtEnd();

  std::span<const Bytes> chunks_;  // the first is being read
  std::size_t offset_ = 0;         // in the first
  std::uint64_t left_ = 0;         // bytes in all
  std::deque<std::unique_ptr<std::byte[]>> copies_;
  bool ok_ = true;
};

void AppendVarint(std::uint64_t value, std::string& out);
void AppendTag(std::uint32_t number, WireType type, std::string& out);
// The field with tag and length.
void AppendMessage(std::uint32_t number, absl::string_view message, std::string& out);
// The same; nothing for an empty `text`, as proto3 writes it.
void AppendText(std::uint32_t number, absl::string_view text, std::string& out);

}  // namespace octet
