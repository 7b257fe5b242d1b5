// SPDX-License-Identifier: Apache-2.0

#include "server/repository/model_settings.h"

#include <algorithm>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "models/base/quoted.h"
#include "server/repository/store_listing.h"

namespace octet {
namespace {

constexpr std::size_t kMostLabelBytes = 64;
constexpr std::size_t kMostSpecific = 1000;

absl::Status BadPolicy(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("got ", Quoted(text),
                   ", wants \"all\", \"latest 2\" or \"specific 1, 3\", versions being whole "
                   "numbers from 1"));
}

}  // namespace

absl::StatusOr<VersionPolicy> ParseVersionPolicy(absl::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  VersionPolicy policy;
  if (rest == "all") return policy;
  if (absl::ConsumePrefix(&rest, "latest")) {
    policy.kind = VersionPolicy::Kind::kLatest;
    if (rest.empty()) return policy;
    const std::optional<std::int64_t> count = ParseVersion(absl::StripLeadingAsciiWhitespace(rest));
    if (!count || rest[0] != ' ') return BadPolicy(text);
    policy.latest = *count;
    return policy;
  }
  if (!absl::ConsumePrefix(&rest, "specific ")) return BadPolicy(text);
  policy.kind = VersionPolicy::Kind::kSpecific;
  for (const absl::string_view word : absl::StrSplit(rest, ',')) {
    const std::optional<std::int64_t> version = ParseVersion(absl::StripAsciiWhitespace(word));
    if (!version || policy.specific.size() == kMostSpecific) return BadPolicy(text);
    policy.specific.push_back(*version);
  }
  std::sort(policy.specific.begin(), policy.specific.end());
  policy.specific.erase(std::unique(policy.specific.begin(), policy.specific.end()),
                        policy.specific.end());
  return policy;
}

std::string ToString(const VersionPolicy& policy) {
  switch (policy.kind) {
    case VersionPolicy::Kind::kAll:
      break;
    case VersionPolicy::Kind::kLatest:
      return absl::StrCat("latest ", policy.latest);
    case VersionPolicy::Kind::kSpecific:
      return absl::StrCat("specific ", absl::StrJoin(policy.specific, ", "));
  }
  return "all";
}

bool IsVersionLabel(absl::string_view label) {
  return !label.empty() && label.size() <= kMostLabelBytes &&
         absl::ascii_isalpha(static_cast<unsigned char>(label[0])) &&
         std::all_of(label.begin(), label.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' ||
                  c == '.';
         });
}

}  // namespace octet
