// SPDX-License-Identifier: Apache-2.0
// Bundles from disk (docs/bundle_format.md).

#pragma once

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/bundle/bundle.h"
#include "models/bundle/variable_order.h"

namespace octet {

class OperatorRegistry;

struct ReadOptions {
  // Set: the graph is also verified with these operators (graph/verify.h). A caller that compiles
  // the graph may leave it out, since Executable::Compile verifies.
  const OperatorRegistry* operators = nullptr;
  // The layer classes known; null: BuiltInLayerOrders().
  const LayerOrders* layer_orders = nullptr;
  // The files are read into memory instead of mapped: for a bundle that somebody may write to, or
  // cut short, while what was read of it is used.
  bool copies_files = false;
};

// The names of the files that make a bundle in a directory what it is: all but its evaluation.
std::span<const absl::string_view> BundleFileNames();

// Reads the bundle at `path`, a directory or an uncompressed zip file (".octet"), and checks all of
// it: sizes, checksums, references, layers against their variable order. The weights are mapped,
// not copied, unless `options` says so: they live as long as the bundle's constants.
//
// Returns NOT_FOUND if there is no bundle, DATA_LOSS for damage (checksum, size, syntax),
// INVALID_ARGUMENT for contents that contradict each other, UNIMPLEMENTED for what this reader does
// not know (a newer format, an unknown layer class or mode); the message begins with `path`.
absl::StatusOr<Bundle> ReadBundle(const std::string& path, const ReadOptions& options = {});

}  // namespace octet
