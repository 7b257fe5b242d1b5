// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/json_reader.h"

#include <algorithm>
#include <bitset>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/utf8_check.h"

namespace octet {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Appends a code point that is none of the surrogates.
void AppendUtf8(std::uint32_t code, std::string& out) {
  const auto byte = [&out](std::uint32_t value) { out.push_back(static_cast<char>(value)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6);
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3F));
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

}  // namespace

bool JsonReader::Fail(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
  return false;
}

bool JsonReader::Wants(absl::string_view wanted) {
  if (!status_.ok()) return false;
  constexpr std::size_t kMostShown = 16;
  const std::string got =
      at_ == end_ ? "the end" : Quoted(rest().substr(0, std::min(kMostShown, rest().size())));
  return Fail(absl::InvalidArgumentError(
      absl::StrCat("JSON, byte ", at_ - begin_, ": got ", got, ", wants ", wanted)));
}

void JsonReader::SkipSpace() {
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
}

bool JsonReader::Take(char wanted, absl::string_view name) {
  SkipSpace();
  if (!status_.ok() || at_ == end_ || *at_ != wanted) return Wants(name);
  ++at_;
  return true;
}

bool JsonReader::Enter() {
  if (++depth_ <= kMostDepth) return true;
  return Fail(absl::InvalidArgumentError(absl::StrCat(
      "JSON, byte ", at_ - begin_, ": arrays and objects are more than ", kMostDepth, " deep")));
}

JsonReader::Kind JsonReader::Peek() {
  SkipSpace();
  if (!status_.ok() || at_ == end_) return Kind::kNothing;
  switch (*at_) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
    case 'f':
      return Kind::kBool;
    case 'n':
      return Kind::kNull;
    default:
      return *at_ == '-' || IsDigit(*at_) ? Kind::kNumber : Kind::kNothing;
  }
}

bool JsonReader::Object(absl::FunctionRef<bool(absl::string_view)> member) {
  if (!Take('{', "an object") || !Enter()) return false;
  std::set<std::string> names;
  SkipSpace();
  while (at_ == end_ || *at_ != '}') {
    if (!names.empty() && !Take(',', "',' or '}'")) return false;
    std::string name;
    if (!String(name) || !Take(':', "':'")) return false;
    if (names.size() == kMostMembers) {
      return Fail(absl::InvalidArgumentError(
          absl::StrCat("JSON: an object has more than ", kMostMembers, " members")));
    }
    const auto [it, is_first] = names.insert(std::move(name));
    if (!is_first) {
      return Fail(absl::InvalidArgumentError(
          absl::StrCat("JSON: member ", Quoted(*it), " is given twice, wants it once")));
    }
    if (!member(*it) || !status_.ok()) return false;
    SkipSpace();
  }
  ++at_;
  --depth_;
  return true;
}

bool JsonReader::BeginArray() { return Take('[', "an array") && Enter(); }

bool JsonReader::NextElement(bool is_first) {
  SkipSpace();
  if (!status_.ok()) return false;
  if (at_ != end_ && *at_ == ']') {
    ++at_;
    --depth_;
    return false;
  }
  return is_first || Take(',', "',' or ']'");
}

bool JsonReader::Array(absl::FunctionRef<bool()> element) {
  if (!BeginArray()) return false;
  for (bool is_first = true; NextElement(is_first); is_first = false) {
    if (!element()) return false;
  }
  return status_.ok();
}

bool JsonReader::Literal(absl::string_view word) {
  SkipSpace();
  if (!status_.ok() || rest().substr(0, word.size()) != word) return Wants("a value");
  at_ += word.size();
  return true;
}

bool JsonReader::Bool(bool& value) {
  if (Peek() != Kind::kBool) return Wants("true or false");
  value = *at_ == 't';
  return Literal(value ? "true" : "false");
}

bool JsonReader::Null() {
  if (Peek() != Kind::kNull) return Wants("null");
  return Literal("null");
}

bool JsonReader::Digits() {
  if (at_ == end_ || !IsDigit(*at_)) return Wants("a digit");
  while (at_ != end_ && IsDigit(*at_)) ++at_;
  return true;
}

bool JsonReader::Number(absl::string_view& text) {
  if (Peek() != Kind::kNumber) return Wants("a number");
  const char* const first = at_;
  if (*at_ == '-') ++at_;
  if (at_ != end_ && *at_ == '0') {
    ++at_;  // and no other digit: 01 is no number
  } else if (!Digits()) {
    return false;
  }
  if (at_ != end_ && *at_ == '.') {
    ++at_;
    if (!Digits()) return false;
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!Digits()) return false;
  }
  text = {first, static_cast<std::size_t>(at_ - first)};
  return true;
}

bool JsonReader::Hex4(std::uint32_t& code) {
  if (end_ - at_ < 4) return Wants("four hexadecimal digits");
  code = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = *at_;
    std::uint32_t digit = 0;
    if (IsDigit(c)) {
      digit = static_cast<std::uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<std::uint32_t>(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<std::uint32_t>(c - 'A' + 10);
    } else {
      return Wants("four hexadecimal digits");
    }
    code = code << 4 | digit;
    ++at_;
  }
  return true;
}

// After the backslash.
bool JsonReader::Escape(std::string* value) {
  if (at_ == end_) return Wants("an escape");
  constexpr absl::string_view kEscapes = "\"\\/bfnrt";
  constexpr absl::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (const std::size_t place = kEscapes.find(*at_); place != absl::string_view::npos) {
    if (value != nullptr) value->push_back(kMeanings[place]);
    ++at_;
    return true;
  }
  if (*at_ != 'u') return Wants("an escape that JSON knows");
  ++at_;
  std::uint32_t code = 0;
  if (!Hex4(code)) return false;
  if (code >= 0xDC00 && code <= 0xDFFF) return Wants("no half of a surrogate pair alone");
  if (code >= 0xD800 && code <= 0xDBFF) {
    std::uint32_t low = 0;
    if (rest().substr(0, 2) != "\\u") return Wants("the other half of a surrogate pair");
    at_ += 2;
    if (!Hex4(low)) return false;
    if (low < 0xDC00 || low > 0xDFFF) return Wants("the other half of a surrogate pair");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  if (value != nullptr) AppendUtf8(code, *value);
  return true;
}

bool JsonReader::ScanString(std::string* value) {
  if (!Take('"', "a string")) return false;
  while (true) {
    const char* const first = at_;
    while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20) {
      ++at_;
    }
    const absl::string_view plain(first, static_cast<std::size_t>(at_ - first));
    if (!IsUtf8(plain)) {
      return Fail(absl::InvalidArgumentError(
          absl::StrCat("JSON, byte ", first - begin_, ": a string is no UTF-8")));
    }
    if (value != nullptr) value->append(plain.data(), plain.size());
    if (at_ == end_) return Wants("the string's end");
    if (*at_ == '"') break;
    if (*at_ != '\\') return Wants("a control character as an escape");
    ++at_;
    if (!Escape(value)) return false;
  }
  ++at_;
  return true;
}

bool JsonReader::String(std::string& value) {
  value.clear();
  return ScanString(&value);
}

bool JsonReader::SkipScalar() {
  switch (Peek()) {
    case Kind::kString:
      return ScanString(nullptr);
    case Kind::kNumber: {
      absl::string_view ignored;
      return Number(ignored);
    }
    case Kind::kBool: {
      bool ignored = false;
      return Bool(ignored);
    }
    case Kind::kNull:
      return Null();
    default:
      return Wants("a value");
  }
}

bool JsonReader::Skip() {
  const std::size_t outer = depth_;
  std::bitset<kMostDepth + 1> is_object;  // by depth
  const auto name = [this] { return ScanString(nullptr) && Take(':', "':'"); };
  while (true) {
    // At a value.
    const Kind kind = Peek();
    bool is_empty = false;
    if (kind == Kind::kObject || kind == Kind::kArray) {
      ++at_;
      if (!Enter()) return false;
      is_object[depth_] = kind == Kind::kObject;
      SkipSpace();
      is_empty = at_ != end_ && *at_ == (is_object[depth_] ? '}' : ']');
      if (!is_empty) {
        if (is_object[depth_] && !name()) return false;
        continue;
      }
    } else if (!SkipScalar()) {
      return false;
    }
    // After a value, or in an empty one: ends what ends here.
    while (true) {
      if (depth_ == outer) return true;
      SkipSpace();
      if (at_ == end_ || *at_ != (is_object[depth_] ? '}' : ']')) break;
      ++at_;
      --depth_;
    }
    if (!Take(',', is_object[depth_] ? "',' or '}'" : "',' or ']'")) return false;
    if (is_object[depth_] && !name()) return false;
  }
}

bool JsonReader::End() {
  SkipSpace();
  if (!status_.ok()) return false;
  return at_ == end_ || Wants("nothing more");
}

}  // namespace octet
