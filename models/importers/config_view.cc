// SPDX-License-Identifier: Apache-2.0
#include "models/importers/config_view.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet {

namespace {

constexpr int kMaxDepth = 100;
constexpr std::size_t kMaxExcerpt = 80;

const Json& Null() {
  static const Json null;  // never written to
  return null;
}

// The deepest nesting of brackets outside of strings.
int Depth(absl::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

// Whether `json` is a whole number of int64; Python writes some of them as 2.0.
bool ReadInt(const Json& json, std::int64_t& value) {
  if (json.is_number_unsigned()) {
    const auto number = json.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return false;
    value = static_cast<std::int64_t>(number);
    return true;
  }
  if (json.is_number_integer()) {
    value = json.get<std::int64_t>();
    return true;
  }
  if (!json.is_number_float()) return false;
  const auto number = json.get<double>();
  if (std::floor(number) != number || std::abs(number) > 9e15) return false;
  value = static_cast<std::int64_t>(number);
  return true;
}

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view text, absl::string_view what) {
  if (const int depth = Depth(text); depth > kMaxDepth) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": got ", depth, " levels of brackets, wants at most ", kMaxDepth));
  }
  Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::InvalidArgumentError(absl::StrCat(what, ": not JSON"));
  return json;
}

std::string Excerpt(const Json& json) {
  if (json.is_object() || json.is_array()) {
    // Only the kind of a large value: its text may be as long as the file.
    if (json.size() > 8) return absl::StrCat(json.type_name(), " of ", json.size(), " elements");
  }
  std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kMaxExcerpt) text = absl::StrCat(text.substr(0, kMaxExcerpt), "...");
  return text;
}

absl::StatusOr<std::vector<double>> Numbers(const Json& json, absl::string_view where) {
  std::vector<double> numbers;
  if (json.is_number()) return std::vector<double>{json.get<double>()};
  if (json.is_array()) {
    for (const Json& element : json) {
      ASSIGN_OR_RETURN(const std::vector<double> inner, Numbers(element, where));
      numbers.insert(numbers.end(), inner.begin(), inner.end());
    }
    return numbers;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": got ", Excerpt(json), ", wants numbers"));
}

bool ConfigView::Has(absl::string_view key) const { return !Get(key).is_null(); }

const Json& ConfigView::Get(absl::string_view key) const {
  if (!json_->is_object()) return Null();
  const auto found = json_->find(std::string(key));
  return found == json_->end() ? Null() : *found;
}

ConfigView ConfigView::Object(absl::string_view key) const {
  return {Get(key), absl::StrCat(where_, ".", key)};
}

absl::StatusOr<std::int64_t> ConfigView::Int(absl::string_view key) const {
  std::int64_t value = 0;
  if (!ReadInt(Get(key), value)) return Error(key, "an integer");
  return value;
}

absl::StatusOr<std::int64_t> ConfigView::Int(absl::string_view key, std::int64_t fallback) const {
  if (!Has(key)) return fallback;
  return Int(key);
}

absl::StatusOr<double> ConfigView::Float(absl::string_view key, double fallback) const {
  const Json& value = Get(key);
  if (value.is_null()) return fallback;
  if (!value.is_number()) return Error(key, "a number");
  return value.get<double>();
}

absl::StatusOr<bool> ConfigView::Bool(absl::string_view key, bool fallback) const {
  const Json& value = Get(key);
  if (value.is_null()) return fallback;
  // Python takes a 1 for true, and some files have it.
  if (value.is_number()) {
    const auto number = value.get<double>();
    if (number == 0 || number == 1) return number == 1;
  }
  if (!value.is_boolean()) return Error(key, "true or false");
  return value.get<bool>();
}

absl::StatusOr<std::string> ConfigView::String(absl::string_view key) const {
  const Json& value = Get(key);
  if (!value.is_string()) return Error(key, "a string");
  return value.get<std::string>();
}

absl::StatusOr<std::string> ConfigView::String(absl::string_view key,
                                               absl::string_view fallback) const {
  if (!Has(key)) return std::string(fallback);
  return String(key);
}

absl::StatusOr<std::vector<std::int64_t>> ConfigView::Ints(absl::string_view key) const {
  const Json& value = Get(key);
  std::int64_t number = 0;
  if (ReadInt(value, number)) return std::vector<std::int64_t>{number};
  if (!value.is_array()) return Error(key, "a list of integers");
  std::vector<std::int64_t> numbers;
  for (const Json& element : value) {
    if (!ReadInt(element, number)) return Error(key, "a list of integers");
    numbers.push_back(number);
  }
  return numbers;
}

absl::StatusOr<std::vector<std::int64_t>> ConfigView::Ints(absl::string_view key,
                                                           std::size_t count) const {
  std::int64_t number = 0;
  if (ReadInt(Get(key), number)) return std::vector<std::int64_t>(count, number);
  ASSIGN_OR_RETURN(std::vector<std::int64_t> numbers, Ints(key));
  if (numbers.size() != count) return Error(key, absl::StrCat(count, " integers"));
  return numbers;
}

absl::Status ConfigView::Error(absl::string_view key, absl::string_view wanted) const {
  return absl::InvalidArgumentError(
      absl::StrCat(where_, ": ", key, ": got ", Excerpt(Get(key)), ", wants ", wanted));
}

absl::Status ConfigView::Unimplemented(absl::string_view key, absl::string_view wanted) const {
  return absl::UnimplementedError(
      absl::StrCat(where_, ": ", key, ": got ", Excerpt(Get(key)), ", we have only ", wanted));
}

}  // namespace octet
