// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/wire_format.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace octet {
namespace {

constexpr int kMostVarintBytes = 10;

// What a tag says; false for a field number or a type that does not exist.
bool ReadTag(std::uint64_t tag, WireField& field) {
  const std::uint64_t number = tag >> 3;
  if (number == 0 || number > 0x1FFFFFFF) return false;
  field.number = static_cast<std::uint32_t>(number);
  switch (tag & 7) {
    case 0:
    case 1:
    case 2:
    case 5:
      field.type = static_cast<WireType>(tag & 7);
      return true;
    default:
      return false;
  }
}

std::uint64_t LittleEndian(Bytes bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  return value;
}

// A source gives Varint() and Take(size).
template <typename Source>
std::optional<WireField> ReadField(Source& source) {
  WireField field;
  const std::optional<std::uint64_t> tag = source.Varint();
  if (!tag || !ReadTag(*tag, field)) return std::nullopt;
  switch (field.type) {
    case WireType::kVarint: {
      const std::optional<std::uint64_t> value = source.Varint();
      if (!value) return std::nullopt;
      field.value = *value;
      return field;
    }
    case WireType::kFixed32:
    case WireType::kFixed64: {
      const std::optional<Bytes> bytes = source.Take(field.type == WireType::kFixed32 ? 4 : 8);
      if (!bytes) return std::nullopt;
      field.bytes = *bytes;
      field.value = LittleEndian(*bytes);
      return field;
    }
    case WireType::kLengthDelimited: {
      const std::optional<std::uint64_t> size = source.Varint();
      if (!size) return std::nullopt;
      const std::optional<Bytes> bytes = source.Take(*size);
      if (!bytes) return std::nullopt;
      field.bytes = *bytes;
      return field;
    }
  }
  return std::nullopt;
}

struct SpanSource {
  Bytes& rest;

  std::optional<std::uint64_t> Varint() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < kMostVarintBytes && i < rest.size(); ++i) {
      const auto byte = static_cast<std::uint64_t>(rest[i]);
      value |= (byte & 0x7F) << (7 * i);
      if ((byte & 0x80) == 0) {
        rest = rest.subspan(i + 1);
        return value;
      }
    }
    return std::nullopt;
  }
  std::optional<Bytes> Take(std::uint64_t size) {
    if (size > rest.size()) return std::nullopt;
    const Bytes bytes = rest.first(static_cast<std::size_t>(size));
    rest = rest.subspan(static_cast<std::size_t>(size));
    return bytes;
  }
};

}  // namespace

std::optional<WireField> WireReader::Next() {
  if (!ok_ || rest_.empty()) return std::nullopt;
  SpanSource source{rest_};
  std::optional<WireField> field = ReadField(source);
  ok_ = field.has_value();
  return field;
}

std::optional<std::uint64_t> WireReader::NextVarint() {
  if (!ok_ || rest_.empty()) return std::nullopt;
  SpanSource source{rest_};
  const std::optional<std::uint64_t> value = source.Varint();
  ok_ = value.has_value();
  return value;
}

ChunkedReader::ChunkedReader(std::span<const Bytes> chunks) : chunks_(chunks) {
  for (const Bytes& chunk : chunks) left_ += chunk.size();
}

bool ChunkedReader::AtEnd() {
  while (!chunks_.empty() && offset_ == chunks_.front().size()) {
    chunks_ = chunks_.subspan(1);
    offset_ = 0;
  }
  return chunks_.empty();
}

std::optional<std::uint64_t> ChunkedReader::Varint() {
  std::uint64_t value = 0;
  for (int i = 0; i < kMostVarintBytes; ++i) {
    if (AtEnd()) return std::nullopt;
    const auto byte = static_cast<std::uint64_t>(chunks_.front()[offset_]);
    ++offset_;
    --left_;
    value |= (byte & 0x7F) << (7 * i);
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

std::optional<Bytes> ChunkedReader::Take(std::uint64_t size) {
  if (size > left_) return std::nullopt;
  if (size == 0) return Bytes{};
  AtEnd();  // moves to the chunk that holds the next byte
  const auto wanted = static_cast<std::size_t>(size);
  left_ -= wanted;
  if (wanted <= chunks_.front().size() - offset_) {
    const Bytes bytes = chunks_.front().subspan(offset_, wanted);
    offset_ += wanted;
    return bytes;
  }
  copies_.push_back(std::make_unique_for_overwrite<std::byte[]>(wanted));
  std::byte* const copy = copies_.back().get();
  for (std::size_t done = 0; done < wanted;) {
    AtEnd();
    const std::size_t part = std::min(wanted - done, chunks_.front().size() - offset_);
    std::memcpy(copy + done, chunks_.front().data() + offset_, part);
    done += part;
    offset_ += part;
  }
  return Bytes{copy, wanted};
}

std::optional<WireField> ChunkedReader::Next() {
  if (!ok_ || AtEnd()) return std::nullopt;
  struct Source {
    ChunkedReader& reader;
    std::optional<std::uint64_t> Varint() { return reader.Varint(); }
    std::optional<Bytes> Take(std::uint64_t size) { return reader.Take(size); }
  } source{*this};
  std::optional<WireField> field = ReadField(source);
  ok_ = field.has_value();
  return field;
}

void AppendVarint(std::uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>((value & 0x7F) | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void AppendTag(std::uint32_t number, WireType type, std::string& out) {
  AppendVarint(std::uint64_t{number} << 3 | static_cast<std::uint64_t>(type), out);
}

void AppendMessage(std::uint32_t number, absl::string_view message, std::string& out) {
  AppendTag(number, WireType::kLengthDelimited, out);
  AppendVarint(message.size(), out);
  out.append(message.data(), message.size());
}

void AppendText(std::uint32_t number, absl::string_view text, std::string& out) {
  if (!text.empty()) AppendMessage(number, text, out);
}

}  // namespace octet
