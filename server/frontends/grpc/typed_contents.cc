// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/typed_contents.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"

namespace octet {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied as they lie");

constexpr std::uint32_t kUint64Field = 5;
constexpr std::uint32_t kBytesField = 8;

// Of InferTensorContents, by number.
constexpr std::array<const char*, 9> kFieldNames = {"",
                                                    "bool_contents",
                                                    "int_contents",
                                                    "int64_contents",
                                                    "uint_contents",
                                                    "uint64_contents",
                                                    "fp32_contents",
                                                    "fp64_contents",
                                                    "bytes_contents"};

WireType ElementType(std::uint32_t field) {
  if (field == 6) return WireType::kFixed32;
  if (field == 7) return WireType::kFixed64;
  if (field == kBytesField) return WireType::kLengthDelimited;
  return WireType::kVarint;
}

// How a datatype's elements are carried.
struct TypedForm {
  const char* data_type;
  std::uint32_t field;
  std::size_t width;   // bytes of an element
  std::int64_t least;  // range of the whole numbers narrower than their field
  std::int64_t most;
};

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::array<TypedForm, 12> kForms = {{{"BOOL", 1, 1, 0, 1},
                                               {"INT8", 2, 1, -128, 127},
                                               {"INT16", 2, 2, -32768, 32767},
                                               {"INT32", 2, 4, -2147483648LL, 2147483647},
                                               {"INT64", 3, 8, kLeast, kMost},
                                               {"UINT8", 4, 1, 0, 255},
                                               {"UINT16", 4, 2, 0, 65535},
                                               {"UINT32", 4, 4, 0, 4294967295LL},
                                               {"UINT64", kUint64Field, 8, kLeast, kMost},
                                               {"FP32", 6, 4, 0, 0},
                                               {"FP64", 7, 8, 0, 0},
                                               {"BYTES", kBytesField, 0, 0, 0}}};

const TypedForm* FindForm(absl::string_view data_type) {
  const auto* const form =
      std::find_if(kForms.begin(), kForms.end(),
                   [&](const TypedForm& candidate) { return candidate.data_type == data_type; });
  return form == kForms.end() ? nullptr : form;
}

// Of a tag and the length that follows it, and of the bytes.
std::size_t FieldByteSize(std::size_t byte_size) {
  std::size_t size = 2;
  for (std::size_t rest = byte_size >> 7; rest > 0; rest >>= 7) ++size;
  return size + byte_size;
}

// The next element as the varint that carries it: a negative one is as long as an int64.
std::uint64_t VarintOf(const TypedForm& form, Bytes element) {
  std::uint64_t value = 0;
  std::memcpy(&value, element.data(), form.width);
  const bool is_signed = form.least < 0 && form.field != kUint64Field;
  if (!is_signed) return value;
  const auto unused = static_cast<int>(64 - 8 * form.width);
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
}

std::size_t VarintByteSize(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

// The bytes of the elements alone, as a packed field holds them.
std::size_t PackedByteSize(const TypedForm& form, Bytes raw) {
  if (ElementType(form.field) != WireType::kVarint) return raw.size();
  std::size_t size = 0;
  for (; !raw.empty(); raw = raw.subspan(form.width)) {
    size += VarintByteSize(VarintOf(form, raw));
  }
  return size;
}

// Calls `call` with each element of a raw BYTES tensor.
template <typename Call>
void ForEachText(Bytes raw, Call call) {
  while (!raw.empty()) {
    std::uint32_t size = 0;
    std::memcpy(&size, raw.data(), sizeof(size));
    call(AsText(raw.subspan(sizeof(size), size)));
    raw = raw.subspan(sizeof(size) + size);
  }
}

absl::Status Malformed() {
  return absl::InvalidArgumentError(
      "the request's bytes are no ModelInferRequest: contents of an input");
}

}  // namespace

void TypedContents::Append(Bytes part) {
  if (first_.empty() && joined_.empty()) {
    first_ = part;
    return;
  }
  if (joined_.empty()) joined_.assign(first_.begin(), first_.end());
  joined_.insert(joined_.end(), part.begin(), part.end());
}

absl::Status TypedContents::Read(Bytes message) {
  WireReader reader(message);
  while (const std::optional<WireField> field = reader.Next()) {
    if (field->number > kBytesField) continue;
    const WireType element = ElementType(field->number);
    const bool is_packed = field->type == WireType::kLengthDelimited;
    if (!is_packed && field->type != element) continue;  // as protobuf: an unknown field
    if (is_packed && field->bytes.empty() && field->number != kBytesField) continue;
    if (field_ != 0 && field_ != field->number) {
      return absl::InvalidArgumentError(
          absl::StrCat("an input's contents has both ", kFieldNames[field_], " and ",
                       kFieldNames[field->number], ", wants the one field of its datatype"));
    }
    field_ = field->number;
    if (is_packed || element != WireType::kVarint) {
      // An element alone is a part of its own; joined_ holds it when a second one comes.
      Append(field->bytes);
      continue;
    }
    std::string varint;
    AppendVarint(field->value, varint);
    const auto bytes = std::as_bytes(std::span(varint));
    if (joined_.empty()) joined_.assign(first_.begin(), first_.end());
    joined_.insert(joined_.end(), bytes.begin(), bytes.end());
  }
  return reader.ok() ? absl::OkStatus() : Malformed();
}

absl::StatusOr<Bytes> TypedContents::ToRaw(absl::string_view data_type, std::size_t max_bytes,
                                           std::unique_ptr<std::byte[]>& buffer) const {
  const TypedForm* const form = FindForm(data_type);
  if (form == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("datatype ", Quoted(data_type), " comes with ", kFieldNames[field_],
                     "; it has no typed contents, send raw_input_contents"));
  }
  if (form->field != field_) {
    return absl::InvalidArgumentError(absl::StrCat("datatype ", data_type, " comes with ",
                                                   kFieldNames[field_], ", wants ",
                                                   kFieldNames[form->field]));
  }
  if (field_ == kBytesField) return Bytes{};
  const Bytes wire = joined_.empty() ? first_ : Bytes(joined_);
  const bool is_varint = ElementType(field_) == WireType::kVarint;
  // A varint ends at the byte without the high bit.
  const auto count =
      is_varint ? static_cast<std::size_t>(std::count_if(
                      wire.begin(), wire.end(),
                      [](std::byte byte) { return (byte & std::byte{0x80}) == std::byte{0}; }))
                : wire.size() / form->width;
  if (!is_varint && wire.size() % form->width != 0) return Malformed();
  if (count > max_bytes / form->width) {
    return absl::ResourceExhaustedError(absl::StrCat("typed contents of ", count, " elements of ",
                                                     data_type, " take more than ", max_bytes,
                                                     " bytes, the limit of a request"));
  }
  if (!is_varint && joined_.empty()) return wire;
  buffer = std::make_unique_for_overwrite<std::byte[]>(count * form->width);
  if (!is_varint) {
    std::memcpy(buffer.get(), wire.data(), wire.size());
    return Bytes{buffer.get(), wire.size()};
  }
  std::byte* out = buffer.get();
  WireReader reader(wire);
  while (const std::optional<std::uint64_t> value = reader.NextVarint()) {
    // A uint64 has no value out of range; reading it as signed keeps its bits.
    const auto number = static_cast<std::int64_t>(*value);
    if (number < form->least || number > form->most) {
      return absl::InvalidArgumentError(absl::StrCat(kFieldNames[field_], " holds ", number,
                                                     ", which is out of the range of ", data_type,
                                                     ": ", form->least, " to ", form->most));
    }
    std::memcpy(out, &number, form->width);
    out += form->width;
  }
  if (!reader.ok()) return Malformed();
  return Bytes{buffer.get(), count * form->width};
}

std::size_t TypedByteSize(absl::string_view data_type, Bytes raw) {
  const TypedForm& form = *FindForm(data_type);
  if (form.field != kBytesField) {
    const std::size_t packed = PackedByteSize(form, raw);
    return packed == 0 ? 0 : FieldByteSize(packed);
  }
  std::size_t size = 0;
  ForEachText(raw, [&size](absl::string_view text) { size += FieldByteSize(text.size()); });
  return size;
}

void AppendTypedContents(absl::string_view data_type, Bytes raw, std::string& out) {
  const TypedForm& form = *FindForm(data_type);
  AppendTag(5, WireType::kLengthDelimited, out);
  AppendVarint(TypedByteSize(data_type, raw), out);
  if (form.field == kBytesField) {
    ForEachText(raw, [&out](absl::string_view text) { AppendMessage(kBytesField, text, out); });
    return;
  }
  if (raw.empty()) return;
  AppendTag(form.field, WireType::kLengthDelimited, out);
  AppendVarint(PackedByteSize(form, raw), out);
  if (ElementType(form.field) != WireType::kVarint) {
    const absl::string_view bytes = AsText(raw);
    out.append(bytes.data(), bytes.size());
    return;
  }
  for (; !raw.empty(); raw = raw.subspan(form.width)) AppendVarint(VarintOf(form, raw), out);
}

}  // namespace octet
