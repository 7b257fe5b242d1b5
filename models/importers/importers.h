// SPDX-License-Identifier: Apache-2.0
// The list of importers, by the ending of a file's name.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/importer.h"

namespace octet {

// All importers that this program has. To add a format, add a line to importers.cc.
std::vector<std::unique_ptr<const Importer>> BuiltInImporters();

// Imports the file at `path` with the importer for its ending. Returns INVALID_ARGUMENT for an
// ending that none knows, with those that are known, and otherwise what Importer::Import returns.
absl::StatusOr<Bundle> ImportModel(const std::string& path, const ImportOptions& options);

}  // namespace octet
