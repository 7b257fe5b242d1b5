// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/tensor_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <system_error>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/tensor/data_type.h"
#include "models/tensor/shape.h"
#include "server/frontends/http/json_writer.h"

namespace octet {
namespace {

bool OutOfRange(JsonReader& reader, absl::string_view text, absl::string_view type) {
  return reader.Fail(absl::InvalidArgumentError(
      absl::StrCat("got ", text.substr(0, 40), ", which is out of the range of ", type)));
}

// Where from_chars says "out of range", it may be too small to be anything but 0, or denormal.
template <typename T>
std::optional<T> Underflow(absl::string_view text) {
  const double value = std::strtod(std::string(text.data(), text.size()).c_str(), nullptr);
  if (!(std::abs(value) < 1)) return std::nullopt;
  return static_cast<T>(value);
}

template <typename T>
bool ReadFloat(JsonReader& reader, absl::string_view type, T& value) {
  if (reader.Peek() == JsonReader::Kind::kString) {
    std::string word;
    if (!reader.String(word)) return false;
    if (word == "NaN") {
      value = std::numeric_limits<T>::quiet_NaN();
    } else if (word == "Infinity" || word == "-Infinity") {
      value = std::numeric_limits<T>::infinity();
      if (word[0] == '-') value = -value;
    } else {
      return reader.Fail(absl::InvalidArgumentError(
          absl::StrCat("got ", Quoted(word), ", wants a number of type ", type,
                       ", \"NaN\", \"Infinity\" or \"-Infinity\"")));
    }
    return true;
  }
  absl::string_view text;
  if (!reader.Number(text)) return false;
  const std::from_chars_result result =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec == std::errc()) return true;
  const std::optional<T> small = Underflow<T>(text);
  if (!small) return OutOfRange(reader, text, type);
  value = *small;
  return true;
}

template <typename T>
bool ReadWhole(JsonReader& reader, absl::string_view type, T& value) {
  absl::string_view text;
  if (!reader.Number(text)) return false;
  const char* const end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, value);
  if (result.ec == std::errc() && result.ptr == end) return true;
  if (text.find_first_of(".eE") != absl::string_view::npos) {
    return reader.Fail(absl::InvalidArgumentError(
        absl::StrCat("got ", text.substr(0, 40), ", wants a whole number of type ", type)));
  }
  return OutOfRange(reader, text, type);
}

template <typename T>
bool ReadElement(JsonReader& reader, absl::string_view type, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return reader.Bool(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    return ReadFloat(reader, type, value);
  } else {
    return ReadWhole(reader, type, value);
  }
}

// Walks an array that is flat, or nested just as `dims`.
class ElementArray {
 public:
  ElementArray(JsonReader& reader, const Dims& dims, std::size_t num_elements)
      : reader_(reader), dims_(dims), num_elements_(num_elements) {}

  template <typename Element>
  bool Read(const Element& element) {
    if (!reader_.BeginArray()) return false;
    const bool is_nested = dims_.size() > 1 && reader_.Peek() == JsonReader::Kind::kArray;
    const bool was_read = is_nested ? ReadNested(element) : ReadFlat(num_elements_, element);
    if (!was_read) return false;
    return count_ == num_elements_ || WrongCount();
  }

 private:
  bool WrongCount() {
    return reader_.Fail(absl::InvalidArgumentError(
        absl::StrCat("data has ", count_ > num_elements_ ? "more than " : "",
                     std::min(count_, num_elements_), " elements, shape ", ToString(dims_),
                     " wants ", num_elements_, " of them, flat or nested as the shape")));
  }

  // In an array that has begun.
  template <typename Element>
  bool ReadFlat(std::size_t most, const Element& element) {
    for (std::size_t i = 0; reader_.NextElement(i == 0); ++i) {
      if (i == most) {
        count_ = num_elements_ + 1;
        return WrongCount();
      }
      if (!element(count_)) return false;
      ++count_;
    }
    return reader_.ok();
  }

  // In the outermost array, which has begun. Not recursive: a shape may have many dimensions.
  template <typename Element>
  bool ReadNested(const Element& element) {
    std::vector<std::int64_t> places(dims_.size(), 0);  // elements read of the array at each level
    std::size_t level = 0;
    while (true) {
      const bool is_innermost = level + 1 == dims_.size();
      if (is_innermost) {
        const std::size_t before = count_;
        if (!ReadFlat(static_cast<std::size_t>(dims_[level]), element)) return false;
        if (count_ - before != static_cast<std::size_t>(dims_[level])) return WrongNesting(level);
      } else if (reader_.NextElement(places[level] == 0)) {
        if (places[level] == dims_[level]) return WrongNesting(level);
        ++places[level];
        if (!reader_.BeginArray()) return false;
        places[++level] = 0;
        continue;
      } else {
        if (!reader_.ok()) return false;
        if (places[level] != dims_[level]) return WrongNesting(level);
      }
      if (level-- == 0) return true;
    }
  }

  bool WrongNesting(std::size_t level) {
    return reader_.Fail(absl::InvalidArgumentError(
        absl::StrCat("data is not nested as shape ", ToString(dims_), ": an array at depth ",
                     level + 1, " wants ", dims_[level], " elements")));
  }

  JsonReader& reader_;
  const Dims& dims_;
  const std::size_t num_elements_;
  std::size_t count_ = 0;
};

bool TooLarge(JsonReader& reader, std::size_t max_bytes) {
  return reader.Fail(absl::OutOfRangeError(
      absl::StrCat("the tensors take more than ", max_bytes, " bytes; wants a smaller request")));
}

template <typename T>
bool ReadElements(JsonReader& reader, absl::string_view type, const Dims& dims,
                  std::size_t num_elements, std::size_t max_bytes, TensorBytes& tensor) {
  if (num_elements > max_bytes / sizeof(T)) return TooLarge(reader, max_bytes);
  tensor.size = num_elements * sizeof(T);
  tensor.data.reset(new std::byte[std::max<std::size_t>(tensor.size, 1)]);
  std::byte* const data = tensor.data.get();
  return ElementArray(reader, dims, num_elements).Read([&](std::size_t index) {
    T value{};
    if (!ReadElement(reader, type, value)) return false;
    std::memcpy(data + index * sizeof(T), &value, sizeof(T));
    return true;
  });
}

bool ReadTexts(JsonReader& reader, const Dims& dims, std::size_t num_elements,
               std::size_t max_bytes, TensorBytes& tensor) {
  std::string raw;
  std::string text;
  const bool was_read = ElementArray(reader, dims, num_elements).Read([&](std::size_t) {
    if (!reader.String(text)) return false;
    const auto size = static_cast<std::uint32_t>(text.size());
    if (text.size() > max_bytes || raw.size() + sizeof(size) + text.size() > max_bytes) {
      return TooLarge(reader, max_bytes);
    }
    raw.append(reinterpret_cast<const char*>(&size), sizeof(size));
    raw += text;
    return true;
  });
  if (!was_read) return false;
  tensor.size = raw.size();
  tensor.data.reset(new std::byte[std::max<std::size_t>(tensor.size, 1)]);
  std::memcpy(tensor.data.get(), raw.data(), raw.size());
  return true;
}

template <typename T>
absl::Status AppendElements(std::span<const std::byte> data, std::size_t max_bytes,
                            std::string& out) {
  for (std::size_t i = 0; i + sizeof(T) <= data.size(); i += sizeof(T)) {
    T value{};
    std::memcpy(&value, data.data() + i, sizeof(T));
    if (i > 0) out.push_back(',');
    if constexpr (std::is_same_v<T, bool>) {
      out += value ? "true" : "false";
    } else {
      AppendJsonNumber(value, out);
    }
    if (out.size() > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the answer takes more than ", max_bytes,
                       " bytes of JSON; ask for fewer rows or for binary_data"));
    }
  }
  return absl::OkStatus();
}

absl::Status AppendTexts(std::span<const std::byte> data, std::string& out) {
  for (bool is_first = true; !data.empty(); is_first = false) {
    std::uint32_t size = 0;
    if (data.size() < sizeof(size)) return absl::InternalError("BYTES that end in a length");
    std::memcpy(&size, data.data(), sizeof(size));
    data = data.subspan(sizeof(size));
    if (size > data.size()) return absl::InternalError("BYTES that end in an element");
    if (!is_first) out.push_back(',');
    AppendJsonString({reinterpret_cast<const char*>(data.data()), size}, out);
    data = data.subspan(size);
  }
  return absl::OkStatus();
}

absl::Status AppendArray(const AnswerOutput& output, std::size_t max_bytes, std::string& out) {
  if (output.holds_text) return AppendTexts(output.data, out);
  switch (output.data_type) {
    case DataType::kBool:
      return AppendElements<bool>(output.data, max_bytes, out);
    case DataType::kInt8:
      return AppendElements<std::int8_t>(output.data, max_bytes, out);
    case DataType::kUint8:
      return AppendElements<std::uint8_t>(output.data, max_bytes, out);
    case DataType::kInt16:
      return AppendElements<std::int16_t>(output.data, max_bytes, out);
    case DataType::kUint16:
      return AppendElements<std::uint16_t>(output.data, max_bytes, out);
    case DataType::kInt32:
      return AppendElements<std::int32_t>(output.data, max_bytes, out);
    case DataType::kUint32:
      return AppendElements<std::uint32_t>(output.data, max_bytes, out);
    case DataType::kInt64:
      return AppendElements<std::int64_t>(output.data, max_bytes, out);
    case DataType::kUint64:
      return AppendElements<std::uint64_t>(output.data, max_bytes, out);
    case DataType::kFloat32:
      return AppendElements<float>(output.data, max_bytes, out);
    case DataType::kFloat64:
      return AppendElements<double>(output.data, max_bytes, out);
    case DataType::kFloat16:
    case DataType::kBfloat16:
    case DataType::kInt4:
    case DataType::kUint4:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat("output ", Quoted(output.name), " is of datatype ",
                                                 DataTypeName(output.data_type),
                                                 ", which has no JSON form; ask for binary_data"));
}

}  // namespace

bool ReadTensorJson(JsonReader& reader, absl::string_view data_type, const Dims& dims,
                    std::size_t max_bytes, TensorBytes& tensor) {
  const absl::StatusOr<std::int64_t> elements = CheckedNumElements(dims);
  if (!elements.ok()) return reader.Fail(elements.status());
  const auto count = static_cast<std::size_t>(*elements);
  // Each element takes two bytes at least, and what is not there is not allocated.
  if (count > reader.rest().size()) {
    return reader.Fail(absl::InvalidArgumentError(absl::StrCat(
        "data has fewer elements than shape ", ToString(dims), " wants, which is ", count)));
  }
  const auto read = [&]<typename T>(T /*kind*/) {
    return ReadElements<T>(reader, data_type, dims, count, max_bytes, tensor);
  };
  if (data_type == "BYTES") return ReadTexts(reader, dims, count, max_bytes, tensor);
  switch (ParseDataType(data_type).value_or(DataType::kInt4)) {
    case DataType::kBool:
      return read(bool{});
    case DataType::kInt8:
      return read(std::int8_t{});
    case DataType::kUint8:
      return read(std::uint8_t{});
    case DataType::kInt16:
      return read(std::int16_t{});
    case DataType::kUint16:
      return read(std::uint16_t{});
    case DataType::kInt32:
      return read(std::int32_t{});
    case DataType::kUint32:
      return read(std::uint32_t{});
    case DataType::kInt64:
      return read(std::int64_t{});
    case DataType::kUint64:
      return read(std::uint64_t{});
    case DataType::kFloat32:
      return read(float{});
    case DataType::kFloat64:
      return read(double{});
    case DataType::kFloat16:
    case DataType::kBfloat16:
      return reader.Fail(absl::InvalidArgumentError(absl::StrCat(
          "datatype ", data_type, " has no JSON form; send it as binary data (binary_data_size)")));
    case DataType::kInt4:
    case DataType::kUint4:
      break;
  }
  return reader.Fail(absl::InvalidArgumentError(absl::StrCat(
      "datatype is ", Quoted(data_type),
      ", wants BOOL, INT8 to INT64, UINT8 to UINT64, FP16, FP32, FP64, BF16 or BYTES")));
}

absl::Status AppendTensorJson(const AnswerOutput& output, std::size_t max_bytes, std::string& out) {
  out.push_back('[');
  absl::Status status = AppendArray(output, max_bytes, out);
  out.push_back(']');
  return status;
}

}  // namespace octet
