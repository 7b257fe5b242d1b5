// SPDX-License-Identifier: Apache-2.0
// What a reader of a foreign model format must answer.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/bundle/bundle.h"
#include "models/graph/operator_registry.h"
#include "models/tensor/tensor.h"

namespace octet {

struct ImportOptions {
  // The operators that the graph may use; they also tell the types of its values. Required,
  // borrowed for the length of the call.
  const OperatorRegistry* operators = nullptr;
  // The largest file, and the most bytes that any part of it may unpack to.
  std::int64_t max_byte_size = std::int64_t{4} << 30;
  // Whose arithmetic to follow where a format has several, by its name (docs/formats.md); empty:
  // the first of them.
  std::string profile = {};
  // What a graph without inputs answers: constants are computed so that no importer computes them
  // itself. Without it a model in which that is needed is refused. It must refuse, too, what would
  // take more memory than there is; an importer bounds the time.
  std::function<absl::StatusOr<std::vector<Tensor>>(const Graph&)> run_graph = nullptr;
  // For a format of weights alone: the path of a model file whose graph they belong to.
  std::string graph = {};
};

// Reads the model files of one format.
class Importer {
 public:
  virtual ~Importer() = default;

  // For people: "Keras".
  [[nodiscard]] virtual absl::string_view name() const = 0;

  // The endings of its files, with the dot, in lower case.
  [[nodiscard]] virtual std::vector<std::string> extensions() const = 0;

  // The bundle for the model in the file at `path`, without self-test vectors.
  // The file is not trusted: INVALID_ARGUMENT for one that is damaged or hostile, UNIMPLEMENTED
  // for a layer, mode or option that we do not have, PERMISSION_DENIED for one that holds code,
  // RESOURCE_EXHAUSTED where it is larger than the options allow.
  [[nodiscard]] virtual absl::StatusOr<Bundle> Import(const std::string& path,
                                                      const ImportOptions& options) const = 0;
};

// --- what importers share.

// Of the options, and of a file's size: INVALID_ARGUMENT without operators, with a graph, or with a
// profile that is none of `profiles`; RESOURCE_EXHAUSTED where the file is larger than they allow.
absl::Status CheckImport(std::span<const std::byte> file, const ImportOptions& options,
                         std::span<const absl::string_view> profiles = {});

// `bundle`, an error with the file's path in front.
absl::StatusOr<Bundle> OfFile(const std::string& path, absl::StatusOr<Bundle> bundle);

}  // namespace octet
