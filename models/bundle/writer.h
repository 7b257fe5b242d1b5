// SPDX-License-Identifier: Apache-2.0
// Bundles to disk (docs/bundle_format.md).

#pragma once

#include <string>

#include "absl/status/status.h"

#include "models/bundle/bundle.h"
#include "models/bundle/variable_order.h"

namespace octet {

struct WriteOptions {
  enum class IfExists {
    kRefuse,
    kReplace,  // only a bundle is ever replaced, never another file or folder
  };
  IfExists if_exists = IfExists::kRefuse;
  // The layer classes known; null: BuiltInLayerOrders().
  const LayerOrders* layer_orders = nullptr;
};

// Writes `bundle` to `path`: an uncompressed zip file if the name ends in ".octet", else a
// directory. Missing parent directories are made. A reader never sees half a bundle: it is written
// beside `path` and renamed. The same bundle gives the same bytes; `bundle.digest` is not used.
//
// Returns ALREADY_EXISTS if something is there, INVALID_ARGUMENT for a bundle that its reader would
// refuse (names, references), PERMISSION_DENIED or UNAVAILABLE where the file system fails.
absl::Status WriteBundle(const Bundle& bundle, const std::string& path,
                         const WriteOptions& options = {});

}  // namespace octet
