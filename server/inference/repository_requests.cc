// SPDX-License-Identifier: Apache-2.0

#include "server/inference/repository_requests.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "server/repository/store_listing.h"

namespace octet {

absl::Status CheckRepositoryName(absl::string_view name) {
  if (name.empty()) return absl::OkStatus();
  return absl::NotFoundError("there is one repository, which has no name; leave it empty");
}

absl::Status CheckModelName(absl::string_view name) {
  if (IsModelName(std::string(name))) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("model_name is ", Quoted(name),
                   ", wants letters, digits, '_', '-' and '.', at most 128, the first no '.'"));
}

absl::Status CheckRepositoryParameter(absl::string_view name) {
  if (name == "unload_dependents") return absl::OkStatus();  // no model has any
  if (name == "config") {
    return absl::InvalidArgumentError(
        "parameter \"config\" is not taken: what a model needs is in its bundle, and version "
        "policy and labels are in the server's configuration file");
  }
  if (absl::StartsWith(name, "file:")) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter ", Quoted(name),
                     " is not taken: put the bundle into the model repository's folder"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("parameter ", Quoted(name), " is unknown; wants none"));
}

}  // namespace octet
