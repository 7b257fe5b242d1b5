// SPDX-License-Identifier: Apache-2.0

#include "server/inference/classification.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/tensor/data_type.h"
#include "models/tensor/shape.h"

namespace octet {
namespace {

// Keeps what an answer referred to before, and its texts.
struct TextOwner {
  std::shared_ptr<const void> answer;
  std::vector<std::string> texts;
};

absl::Status TooMany(absl::string_view name, std::int64_t count, std::int64_t elements) {
  return absl::InvalidArgumentError(
      absl::StrCat("output ", Quoted(name), ": parameter \"classification\" asks for ", count,
                   " classes, a row has ", elements, " elements; wants at most so many"));
}

template <typename T>
bool IsLarger(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(b) && !std::isnan(a);
  }
  return a > b;
}

template <typename T>
void AppendValue(T value, std::string& out) {
  // The longest: a double's 309 digits before the point.
  char text[336];
  std::to_chars_result end{};
  if constexpr (std::is_floating_point_v<T>) {
    end = std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed, 6);
  } else {
    end = std::to_chars(text, text + sizeof(text), value);
  }
  out.append(text, end.ptr);
}

void AppendElement(absl::string_view text, std::string& out) {
  const auto size = static_cast<std::uint32_t>(text.size());
  char length[sizeof(size)];
  std::memcpy(length, &size, sizeof(size));
  out.append(length, sizeof(size));
  out.append(text.data(), text.size());
}

// The classes of one output's rows, appended to a text.
class Classifier {
 public:
  Classifier(const OutputClasses& wanted, std::size_t elements, std::size_t max_bytes)
      : wanted_(wanted), elements_(elements), max_bytes_(max_bytes) {}

  template <typename T>
  absl::Status Run(std::span<const std::byte> data, std::string& out) {
    std::vector<T> row(elements_);
    std::vector<std::size_t> order(elements_);
    const auto count = static_cast<std::ptrdiff_t>(wanted_.count);
    const bool has_labels = wanted_.labels.size() == elements_;
    std::string text;
    for (; !data.empty(); data = data.subspan(elements_ * sizeof(T))) {
      std::memcpy(row.data(), data.data(), elements_ * sizeof(T));
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::partial_sort(order.begin(), order.begin() + count, order.end(),
                        [&row](std::size_t a, std::size_t b) {
                          if (IsLarger(row[a], row[b])) return true;
                          return !IsLarger(row[b], row[a]) && a < b;
                        });
      for (std::ptrdiff_t i = 0; i < count; ++i) {
        const std::size_t index = order[static_cast<std::size_t>(i)];
        text.clear();
        AppendValue(row[index], text);
        absl::StrAppend(&text, ":", index);
        if (has_labels) absl::StrAppend(&text, ":", wanted_.labels[index]);
        AppendElement(text, out);
      }
      if (out.size() > max_bytes_) {
        return absl::ResourceExhaustedError(
            absl::StrCat("the classes asked for take more than ", max_bytes_,
                         " bytes of text; send fewer rows or ask for fewer classes"));
      }
    }
    return absl::OkStatus();
  }

 private:
  const OutputClasses& wanted_;
  const std::size_t elements_;  // of a row, at least wanted_.count
  const std::size_t max_bytes_;
};

absl::Status Run(Classifier& classifier, const AnswerOutput& output, std::string& out) {
  switch (output.data_type) {
    case DataType::kInt8:
      return classifier.Run<std::int8_t>(output.data, out);
    case DataType::kUint8:
      return classifier.Run<std::uint8_t>(output.data, out);
    case DataType::kInt16:
      return classifier.Run<std::int16_t>(output.data, out);
    case DataType::kUint16:
      return classifier.Run<std::uint16_t>(output.data, out);
    case DataType::kInt32:
      return classifier.Run<std::int32_t>(output.data, out);
    case DataType::kUint32:
      return classifier.Run<std::uint32_t>(output.data, out);
    case DataType::kInt64:
      return classifier.Run<std::int64_t>(output.data, out);
    case DataType::kUint64:
      return classifier.Run<std::uint64_t>(output.data, out);
    case DataType::kFloat32:
      return classifier.Run<float>(output.data, out);
    case DataType::kFloat64:
      return classifier.Run<double>(output.data, out);
    case DataType::kBool:
    case DataType::kInt4:
    case DataType::kUint4:
    case DataType::kFloat16:
    case DataType::kBfloat16:
      break;  // CheckClasses refuses them
  }
  return absl::InternalError("classes of a datatype that has none");
}

absl::Status ClassifyOutput(const OutputClasses& wanted, bool has_rows, std::size_t max_bytes,
                            AnswerOutput& output, std::string& text) {
  const Dims row_dims(output.dims.begin() + (has_rows ? 1 : 0), output.dims.end());
  const std::int64_t elements = NumElements(row_dims);
  if (elements < wanted.count) return TooMany(output.name, wanted.count, elements);
  Classifier classifier(wanted, static_cast<std::size_t>(elements), max_bytes);
  RETURN_IF_ERROR(Run(classifier, output, text));
  output.holds_text = true;
  output.data = std::as_bytes(std::span(text));
  output.dims = has_rows ? Dims{output.dims[0], wanted.count} : Dims{wanted.count};
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckClasses(const TensorSignature& output, bool has_rows, std::int64_t count) {
  const DataType type = output.type.data_type;
  const bool has_classes = (IsInteger(type) && BitWidth(type) >= 8) || type == DataType::kFloat32 ||
                           type == DataType::kFloat64;
  if (!has_classes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "output ", Quoted(output.name), " is of datatype ", DataTypeName(type),
        ", parameter \"classification\" wants one of whole numbers of at least 8 bits, FP32 or "
        "FP64"));
  }
  Dims row;
  const Shape& shape = output.type.shape;
  for (std::size_t i = has_rows ? 1 : 0; i < shape.size(); ++i) {
    if (!shape[i].is_constant()) return absl::OkStatus();
    row.push_back(shape[i].value());
  }
  const std::int64_t elements = NumElements(row);
  return count <= elements ? absl::OkStatus() : TooMany(output.name, count, elements);
}

absl::Status Classify(std::span<const OutputClasses> wanted, bool has_rows, std::size_t max_bytes,
                      InferenceAnswer& answer) {
  auto owner = std::make_shared<TextOwner>();
  owner->texts.resize(wanted.size());  // before views of them are taken
  std::size_t bytes_left = max_bytes;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].count == 0) continue;
    std::string& text = owner->texts[i];
    RETURN_IF_ERROR(ClassifyOutput(wanted[i], has_rows, bytes_left, answer.outputs[i], text));
    bytes_left -= text.size();
  }
  owner->answer = std::move(answer.owner);
  answer.owner = std::move(owner);
  return absl::OkStatus();
}

}  // namespace octet
