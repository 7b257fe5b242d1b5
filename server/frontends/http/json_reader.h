// SPDX-License-Identifier: Apache-2.0
// Reads JSON (RFC 8259) from untrusted bytes in one pass, without building a document.
//
// Why not a document: a body of numbers would take several times its size, before anything of it is
// known to be wanted (docs/decisions/036-rest.md). Memory here is what is asked for: a string, or
// nothing. Time is linear, whatever the text.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace octet {

// The first error stays: from then on every method returns false, and status() says what it was.
// Nothing that a text can hold makes it recurse; its caller recurses as deep as the format it
// reads.
class JsonReader {
 public:
  enum class Kind : std::uint8_t { kObject, kArray, kString, kNumber, kBool, kNull, kNothing };

  // Arrays and objects inside each other, in what is read as in what is skipped.
  static constexpr std::size_t kMostDepth = 100;
  // Of one object. Their names are kept while it is read, because a name given twice is refused:
  // two readers could take different ones.
  static constexpr std::size_t kMostMembers = 1024;

  // Borrows `text`.
  explicit JsonReader(absl::string_view text)
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

  // What the value that comes next is, by its first byte; kNothing where none can begin.
  Kind Peek();

  // Reads an object. `member` is called with each name and has to read (or Skip) the value; it
  // returns false, after Fail, to end.
  bool Object(absl::FunctionRef<bool(absl::string_view name)> member);
  // Reads an array; `element` likewise.
  bool Array(absl::FunctionRef<bool()> element);

  // The same by hand, for arrays of a great many elements: BeginArray, then each element while
  // NextElement(first) says that there is one, which ends the array when it says that there is not.
  bool BeginArray();
  bool NextElement(bool is_first);

  bool String(std::string& value);
  bool Bool(bool& value);
  bool Null();
  // The number's text, which has the form that JSON gives numbers.
  bool Number(absl::string_view& text);
  // Reads a value of any kind and keeps nothing of it.
  bool Skip();

  // Whether nothing but white space follows.
  bool End();

  // Refuses what was read, with a message of its own. Returns false.
  bool Fail(absl::Status status);
  // Says more about the error that there is.
  void Replace(absl::Status status) { status_ = std::move(status); }
  // INVALID_ARGUMENT, where the text is no JSON or not of the kind that was asked for; it says at
  // which byte, what is there and what is wanted.
  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] bool ok() const { return status_.ok(); }

  // Where the next value begins, for a second reader of it.
  [[nodiscard]] absl::string_view rest() const {
    return {at_, static_cast<std::size_t>(end_ - at_)};
  }

 private:
  bool Wants(absl::string_view wanted);
  void SkipSpace();
  bool Take(char wanted, absl::string_view name);
  bool Enter();
  bool Literal(absl::string_view word);
  bool Digits();
  // The string's bytes, appended to `value` unless it is null.
  bool ScanString(std::string* value);
  bool Escape(std::string* value);
  bool Hex4(std::uint32_t& code);
  bool SkipScalar();

  const char* const begin_;
  const char* at_;
  const char* const end_;
  std::size_t depth_ = 0;
  absl::Status status_;
};

}  // namespace octet
