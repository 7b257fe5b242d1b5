// SPDX-License-Identifier: Apache-2.0
// JSON of a model file: parsing with limits, and typed reads with errors that say where.

#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace octet {

using Json = nlohmann::json;

// Parses `text`. Returns INVALID_ARGUMENT, starting with `what`, for text that is no JSON and for
// objects nested deeper than a model ever is (so that walking them cannot exhaust the stack).
absl::StatusOr<Json> ParseJson(absl::string_view text, absl::string_view what);

// An object of a configuration, borrowed. Every read names `where` in its error and never throws.
// A key that is absent and one that is null are the same to it.
class ConfigView {
 public:
  // `json` may be of any type; one that is no object has no keys.
  ConfigView(const Json& json, std::string where) : json_(&json), where_(std::move(where)) {}

  [[nodiscard]] const Json& json() const { return *json_; }
  [[nodiscard]] const std::string& where() const { return where_; }

  [[nodiscard]] bool Has(absl::string_view key) const;
  // The value of `key`; JSON's null where it is absent.
  [[nodiscard]] const Json& Get(absl::string_view key) const;
  // The object at `key`; empty where it is absent.
  [[nodiscard]] ConfigView Object(absl::string_view key) const;

  [[nodiscard]] absl::StatusOr<std::int64_t> Int(absl::string_view key) const;
  [[nodiscard]] absl::StatusOr<std::int64_t> Int(absl::string_view key,
                                                 std::int64_t fallback) const;
  [[nodiscard]] absl::StatusOr<double> Float(absl::string_view key, double fallback) const;
  [[nodiscard]] absl::StatusOr<bool> Bool(absl::string_view key, bool fallback) const;
  [[nodiscard]] absl::StatusOr<std::string> String(absl::string_view key) const;
  [[nodiscard]] absl::StatusOr<std::string> String(absl::string_view key,
                                                   absl::string_view fallback) const;
  // A list of integers; a single integer stands for a list of one.
  [[nodiscard]] absl::StatusOr<std::vector<std::int64_t>> Ints(absl::string_view key) const;
  // The same with exactly `count` elements; a single integer stands for `count` equal ones.
  [[nodiscard]] absl::StatusOr<std::vector<std::int64_t>> Ints(absl::string_view key,
                                                               std::size_t count) const;

  // INVALID_ARGUMENT: `where`: `key`: got the value, wants `wanted`.
  [[nodiscard]] absl::Status Error(absl::string_view key, absl::string_view wanted) const;
  // UNIMPLEMENTED for a value of `key` that we do not have.
  [[nodiscard]] absl::Status Unimplemented(absl::string_view key, absl::string_view wanted) const;

 private:
  const Json* json_;
  std::string where_;
};

// A short text of `json` for an error message.
std::string Excerpt(const Json& json);

// The number in `json`, or its list of numbers.
absl::StatusOr<std::vector<double>> Numbers(const Json& json, absl::string_view where);

}  // namespace octet
