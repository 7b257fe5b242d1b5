// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/wire_reader.h"

#include <bit>

#include "absl/strings/str_cat.h"

namespace octet::onnx {

namespace {

// Little-endian, whatever the machine is.
std::uint64_t FixedAt(absl::string_view bytes, std::size_t byte_size) {
  std::uint64_t value = 0;
  for (std::size_t i = byte_size; i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

absl::Status WrongType(const WireField& field) {
  return absl::InvalidArgumentError(absl::StrCat("not an ONNX model: field ", field.number,
                                                 " has wire type ", field.wire_type,
                                                 ", which holds none of its numbers"));
}

}  // namespace

float WireField::real() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits)); }

bool WireReader::Fail(absl::string_view what) {
  status_ = absl::InvalidArgumentError(absl::StrCat("not an ONNX model, or cut short: ", what));
  rest_ = {};
  return false;
}

bool WireReader::ReadVarint(std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) return Fail("a number has no end");
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return Fail("a number has more than 64 bits");
}

bool WireReader::ReadFixed(std::size_t byte_size, std::uint64_t& value) {
  if (rest_.size() < byte_size) return Fail("a number has no end");
  value = FixedAt(rest_, byte_size);
  rest_.remove_prefix(byte_size);
  return true;
}

bool WireReader::Next(WireField& field) {
  if (rest_.empty()) return false;
  std::uint64_t tag = 0;
  if (!ReadVarint(tag)) return false;
  if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff) return Fail("a field has no number");
  field.number = static_cast<std::uint32_t>(tag >> 3);
  field.bits = 0;
  field.bytes = {};
  switch (tag & 7) {
    case WireField::kVarint:
      field.wire_type = WireField::kVarint;
      return ReadVarint(field.bits);
    case WireField::kFixed64:
      field.wire_type = WireField::kFixed64;
      return ReadFixed(8, field.bits);
    case WireField::kFixed32:
      field.wire_type = WireField::kFixed32;
      return ReadFixed(4, field.bits);
    case WireField::kBytes: {
      field.wire_type = WireField::kBytes;
      std::uint64_t size = 0;
      if (!ReadVarint(size)) return false;
      if (size > rest_.size()) {
        return Fail(absl::StrCat("field ", field.number, " has ", size, " bytes, ", rest_.size(),
                                 " are left"));
      }
      field.bytes = rest_.substr(0, size);
      rest_.remove_prefix(size);
      return true;
    }
    default:
      return Fail(absl::StrCat("field ", field.number, " has wire type ", tag & 7));
  }
}

absl::Status AppendIntegers(const WireField& field, std::vector<std::int64_t>& numbers) {
  if (field.wire_type == WireField::kVarint) {
    numbers.push_back(field.integer());
    return absl::OkStatus();
  }
  if (field.wire_type != WireField::kBytes) return WrongType(field);
  // Packed: one number behind the other, without tags.
  for (absl::string_view rest = field.bytes; !rest.empty();) {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      if (rest.empty() || shift > 63) return WrongType(field);
      const auto byte = static_cast<unsigned char>(rest.front());
      rest.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    numbers.push_back(static_cast<std::int64_t>(value));
  }
  return absl::OkStatus();
}

absl::Status AppendFloats(const WireField& field, std::vector<float>& numbers) {
  if (field.wire_type == WireField::kFixed32) {
    numbers.push_back(field.real());
    return absl::OkStatus();
  }
  if (field.wire_type != WireField::kBytes || field.bytes.size() % 4 != 0) return WrongType(field);
  for (std::size_t at = 0; at < field.bytes.size(); at += 4) {
    const std::uint64_t bits = FixedAt(field.bytes.substr(at), 4);
    numbers.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  return absl::OkStatus();
}

absl::Status AppendDoubles(const WireField& field, std::vector<double>& numbers) {
  if (field.wire_type == WireField::kFixed64) {
    numbers.push_back(std::bit_cast<double>(field.bits));
    return absl::OkStatus();
  }
  if (field.wire_type != WireField::kBytes || field.bytes.size() % 8 != 0) return WrongType(field);
  for (std::size_t at = 0; at < field.bytes.size(); at += 8) {
    numbers.push_back(std::bit_cast<double>(FixedAt(field.bytes.substr(at), 8)));
  }
  return absl::OkStatus();
}

}  // namespace octet::onnx
