// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/safetensors.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

#include "models/base/status_macros.h"
#include "models/tensor/tensor.h"

namespace octet {

namespace {

constexpr std::size_t kLengthSize = 8;
constexpr std::size_t kMaxHeaderSize = std::size_t{64} << 20;
constexpr std::size_t kMaxTensors = std::size_t{1} << 18;
constexpr std::size_t kMaxRank = 16;
constexpr std::size_t kMaxNameSize = 4096;
constexpr std::size_t kAlignment = 64;
constexpr absl::string_view kPaddingPrefix = "__padding__.";
constexpr absl::string_view kMetadata = "__metadata__";

struct TypeName {
  absl::string_view name;
  DataType type;
};
constexpr std::array kTypeNames = {
    TypeName{"BOOL", DataType::kBool},     TypeName{"U8", DataType::kUint8},
    TypeName{"I8", DataType::kInt8},       TypeName{"I16", DataType::kInt16},
    TypeName{"U16", DataType::kUint16},    TypeName{"F16", DataType::kFloat16},
    TypeName{"BF16", DataType::kBfloat16}, TypeName{"I32", DataType::kInt32},
    TypeName{"U32", DataType::kUint32},    TypeName{"F32", DataType::kFloat32},
    TypeName{"F64", DataType::kFloat64},   TypeName{"I64", DataType::kInt64},
    TypeName{"U64", DataType::kUint64},
};

absl::Status Damage(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("safetensors: ", what));
}

struct HeaderEntry {
  std::string name;
  std::string dtype = {};
  std::vector<std::uint64_t> shape = {};
  std::vector<std::uint64_t> offsets = {};
  bool has_shape = false;
};

// Takes the header's JSON piece by piece. The format is fixed, so that the state is the depth and
// the keys above; everything else is an error, with no tree to build and keys taken twice seen.
class HeaderParser {
 public:
  using json = nlohmann::json;

  bool null() { return Fail("null"); }
  bool boolean(bool) { return Fail("a boolean"); }
  bool number_integer(json::number_integer_t) { return Fail("a negative number"); }
  bool number_float(json::number_float_t, const std::string&) { return Fail("a fraction"); }
  bool binary(json::binary_t&) { return Fail("binary data"); }

  bool number_unsigned(json::number_unsigned_t value) {
    if (list_ == nullptr) return Fail("a number outside a list");
    if (list_->size() == kMaxRank) return Fail("a list of more than 16 numbers");
    list_->push_back(value);
    return true;
  }
  bool string(std::string& value) {
    if (depth_ != 2 || list_ != nullptr) return Fail("a string");
    if (in_metadata_) {
      metadata_.emplace(key_, std::move(value));
      return true;
    }
    if (key_ != "dtype") return Fail("a string that is not the dtype");
    entries_.back().dtype = value;
    return true;
  }
  bool start_object(std::size_t) {
    if (depth_ == 2 || list_ != nullptr) return Fail("an object");
    ++depth_;
    return true;
  }
  bool end_object() {
    --depth_;
    in_metadata_ = false;
    return true;
  }
  bool start_array(std::size_t) {
    if (depth_ != 2 || list_ != nullptr || in_metadata_) return Fail("a list");
    HeaderEntry& entry = entries_.back();
    if (key_ == "shape") {
      entry.has_shape = true;
      list_ = &entry.shape;
      return true;
    }
    if (key_ != "data_offsets") return Fail("a list");
    list_ = &entry.offsets;
    return true;
  }
  bool end_array() {
    list_ = nullptr;
    return true;
  }
  bool key(std::string& value) {
    if (depth_ == 1) return TensorKey(value);
    if (!field_keys_.insert(value).second) return Fail("a key that is there twice");
    if (!in_metadata_ && value != "dtype" && value != "shape" && value != "data_offsets") {
      return Fail(absl::StrCat("the key \"", value, "\""));
    }
    key_ = value;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) {
    error_ = absl::StrCat("header is not JSON at byte ", position);
    return false;
  }

  [[nodiscard]] const std::string& error() const { return error_; }
  std::vector<HeaderEntry> TakeEntries() { return std::move(entries_); }
  std::map<std::string, std::string> TakeMetadata() { return std::move(metadata_); }

 private:
  bool TensorKey(const std::string& value) {
    if (value.empty() || value.size() > kMaxNameSize) return Fail("a name of a wrong length");
    if (!names_.insert(value).second) {
      return Fail(absl::StrCat("the name \"", value, "\" a second time"));
    }
    if (names_.size() > kMaxTensors) return Fail("too many tensors");
    field_keys_.clear();
    in_metadata_ = value == kMetadata;
    if (!in_metadata_) entries_.push_back({.name = value});
    return true;
  }

  bool Fail(absl::string_view got) {
    const std::string where =
        entries_.empty() ? "" : absl::StrCat(" near \"", entries_.back().name, "\"");
    error_ = absl::StrCat("header has ", got, where, " where the format has none");
    return false;
  }

  int depth_ = 0;  // 1: inside the header, 2: inside an entry
  bool in_metadata_ = false;
  std::string key_;
  std::vector<std::uint64_t>* list_ = nullptr;
  std::set<std::string> names_;
  std::set<std::string> field_keys_;
  std::vector<HeaderEntry> entries_;
  std::map<std::string, std::string> metadata_;
  std::string error_;
};

absl::StatusOr<SafetensorsEntry> ToEntry(const HeaderEntry& header,
                                         std::span<const std::byte> data) {
  const auto* const type = std::find_if(kTypeNames.begin(), kTypeNames.end(),
                                        [&](const TypeName& t) { return t.name == header.dtype; });
  if (!header.has_shape || header.offsets.size() != 2 || header.dtype.empty()) {
    return Damage(
        absl::StrCat("tensor \"", header.name, "\" needs dtype, shape and two data_offsets"));
  }
  if (type == kTypeNames.end()) {
    return absl::UnimplementedError(absl::StrCat(
        "safetensors: tensor \"", header.name, "\" has the unknown dtype \"", header.dtype, "\""));
  }
  SafetensorsEntry entry;
  entry.data_type = type->type;
  for (const std::uint64_t dim : header.shape) {
    if (dim > (std::uint64_t{1} << 48)) {
      return Damage(absl::StrCat("tensor \"", header.name, "\" has a dimension of ", dim));
    }
    entry.dims.push_back(static_cast<std::int64_t>(dim));
  }
  const absl::StatusOr<std::int64_t> elements = CheckedNumElements(entry.dims);
  if (!elements.ok()) {
    return Damage(absl::StrCat("tensor \"", header.name, "\": ", elements.status().message()));
  }
  const std::uint64_t begin = header.offsets[0];
  const std::uint64_t end = header.offsets[1];
  if (begin > end || end > data.size()) {
    return Damage(absl::StrCat("tensor \"", header.name, "\": data_offsets [", begin, ", ", end,
                               "] in ", data.size(), " bytes of data"));
  }
  if (ByteSize(entry.data_type, entry.dims) != end - begin) {
    return Damage(absl::StrCat(
        "tensor \"", header.name, "\": ", header.dtype, " ", ToString(entry.dims), " takes ",
        ByteSize(entry.data_type, entry.dims), " bytes, data_offsets give ", end - begin));
  }
  entry.bytes = data.subspan(begin, end - begin);
  return entry;
}

// Whether the entries cover `data` without hole or overlap.
absl::Status CheckCoverage(std::vector<HeaderEntry> entries, std::size_t data_size) {
  std::sort(entries.begin(), entries.end(),
            [](const HeaderEntry& a, const HeaderEntry& b) { return a.offsets < b.offsets; });
  std::uint64_t at = 0;
  for (const HeaderEntry& entry : entries) {
    if (entry.offsets[0] != at) {
      return Damage(absl::StrCat("tensor \"", entry.name, "\" begins at ", entry.offsets[0],
                                 " where ", at, " is next: a hole or an overlap"));
    }
    at = entry.offsets[1];
  }
  if (at != data_size) {
    return Damage(absl::StrCat("tensors cover ", at, " of ", data_size, " bytes of data"));
  }
  return absl::OkStatus();
}

bool IsPadding(const std::string& name) { return absl::StartsWith(name, kPaddingPrefix); }

std::size_t PaddingAfter(std::size_t size) { return (kAlignment - size % kAlignment) % kAlignment; }

absl::StatusOr<absl::string_view> NameOfType(const NamedSafetensorsEntry& tensor) {
  for (const TypeName& type : kTypeNames) {
    if (type.type == tensor.entry.data_type) return type.name;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("safetensors: tensor \"", tensor.name,
                   "\" has a type that the format lacks: ", DataTypeName(tensor.entry.data_type)));
}

absl::Status CheckWritable(const NamedSafetensorsEntry& tensor) {
  if (tensor.name.empty() || tensor.name.size() > kMaxNameSize ||
      absl::StartsWith(tensor.name, "__")) {
    return absl::InvalidArgumentError(
        absl::StrCat("safetensors: \"", tensor.name, "\" cannot be a tensor's name"));
  }
  RETURN_IF_ERROR(CheckedNumElements(tensor.entry.dims).status());
  if (tensor.entry.dims.size() > kMaxRank ||
      ByteSize(tensor.entry.data_type, tensor.entry.dims) != tensor.entry.bytes.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "safetensors: tensor \"", tensor.name, "\": ", tensor.entry.bytes.size(), " bytes for ",
        DataTypeName(tensor.entry.data_type), " ", ToString(tensor.entry.dims)));
  }
  return absl::OkStatus();
}

std::string HeaderItem(absl::string_view name, absl::string_view dtype, const Dims& dims,
                       std::size_t begin, std::size_t size) {
  // nlohmann only quotes the name; the rest is written by hand for its order of keys.
  const std::string quoted = nlohmann::json(std::string(name))
                                 .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return absl::StrCat(quoted, ":{\"dtype\":\"", dtype, "\",\"shape\":[", absl::StrJoin(dims, ","),
                      "],\"data_offsets\":[", begin, ",", begin + size, "]}");
}

}  // namespace

absl::StatusOr<std::map<std::string, SafetensorsEntry>> ReadSafetensors(
    std::span<const std::byte> file, std::map<std::string, std::string>* metadata) {
  if (file.size() < kLengthSize) return Damage(absl::StrCat(file.size(), " bytes, no header"));
  std::uint64_t header_size = 0;
  for (std::size_t i = 0; i < kLengthSize; ++i) {
    header_size |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
  }
  if (header_size > file.size() - kLengthSize || header_size > kMaxHeaderSize) {
    return Damage(absl::StrCat("header of ", header_size, " bytes in a file of ", file.size()));
  }
  const char* const header = reinterpret_cast<const char*>(file.data()) + kLengthSize;
  if (header_size == 0 || header[0] != '{') return Damage("header does not begin with {");
  HeaderParser parser;
  if (!nlohmann::json::sax_parse(header, header + header_size, &parser)) {
    return Damage(parser.error());
  }
  if (metadata != nullptr) *metadata = parser.TakeMetadata();
  const std::span<const std::byte> data = file.subspan(kLengthSize + header_size);
  std::vector<HeaderEntry> entries = parser.TakeEntries();
  std::map<std::string, SafetensorsEntry> tensors;
  for (const HeaderEntry& header_entry : entries) {
    ASSIGN_OR_RETURN(SafetensorsEntry entry, ToEntry(header_entry, data));
    if (!IsPadding(header_entry.name)) tensors.emplace(header_entry.name, std::move(entry));
  }
  RETURN_IF_ERROR(CheckCoverage(std::move(entries), data.size()));
  return tensors;
}

absl::StatusOr<std::string> WriteSafetensors(const std::vector<NamedSafetensorsEntry>& tensors) {
  std::string header = "{";
  std::size_t at = 0;
  std::set<absl::string_view> names;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const NamedSafetensorsEntry& tensor = tensors[i];
    RETURN_IF_ERROR(CheckWritable(tensor));
    if (!names.insert(tensor.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("safetensors: two tensors are called \"", tensor.name, "\""));
    }
    ASSIGN_OR_RETURN(const absl::string_view dtype, NameOfType(tensor));
    const std::size_t size = tensor.entry.bytes.size();
    absl::StrAppend(&header, i == 0 ? "" : ",",
                    HeaderItem(tensor.name, dtype, tensor.entry.dims, at, size));
    at += size;
    const std::size_t padding = PaddingAfter(size);
    if (padding == 0 || i + 1 == tensors.size()) continue;
    absl::StrAppend(&header, ",",
                    HeaderItem(absl::StrCat(kPaddingPrefix, i), "U8",
                               {static_cast<std::int64_t>(padding)}, at, padding));
    at += padding;
  }
  header += "}";
  header.append(PaddingAfter(kLengthSize + header.size()), ' ');
  if (header.size() > kMaxHeaderSize || tensors.size() > kMaxTensors / 2) {
    return absl::InvalidArgumentError("safetensors: header of more than 64 MiB");
  }
  std::string out;
  out.reserve(kLengthSize + header.size() + at);
  for (std::size_t i = 0; i < kLengthSize; ++i) {
    out.push_back(static_cast<char>(header.size() >> (8 * i) & 0xff));
  }
  out += header;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::span<const std::byte> bytes = tensors[i].entry.bytes;
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (i + 1 < tensors.size()) out.append(PaddingAfter(bytes.size()), '\0');
  }
  return out;
}

}  // namespace octet
