// SPDX-License-Identifier: Apache-2.0
#include "models/importers/importer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/quoted.h"

namespace octet {

absl::Status CheckImport(std::span<const std::byte> file, const ImportOptions& options,
                         std::span<const absl::string_view> profiles) {
  if (options.operators == nullptr) {
    return absl::InvalidArgumentError("ImportOptions: wants operators");
  }
  if (!options.profile.empty() &&
      std::find(profiles.begin(), profiles.end(), options.profile) == profiles.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "got profile ", Quoted(options.profile), ", wants ",
        profiles.empty() ? "none: the format has one arithmetic" : absl::StrJoin(profiles, ", ")));
  }
  if (!options.graph.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got a graph, ", Quoted(options.graph), ", wants none: the file has its own"));
  }
  if (options.max_byte_size < 0 || file.size() > static_cast<std::size_t>(options.max_byte_size)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("got ", file.size(), " bytes, wants at most ", options.max_byte_size));
  }
  return absl::OkStatus();
}

absl::StatusOr<Bundle> OfFile(const std::string& path, absl::StatusOr<Bundle> bundle) {
  if (bundle.ok()) return bundle;
  return absl::Status(bundle.status().code(), absl::StrCat(path, ": ", bundle.status().message()));
}

}  // namespace octet
