// SPDX-License-Identifier: Apache-2.0
// The files of a bundle. Internal to models/bundle.

#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace octet {

inline constexpr int kBundleFormatVersion = 1;
inline constexpr absl::string_view kManifestFile = "manifest.json";
inline constexpr absl::string_view kGraphFile = "graph.json";
inline constexpr absl::string_view kLayersFile = "layers.json";
inline constexpr absl::string_view kTestsFile = "tests.safetensors";
inline constexpr absl::string_view kWeightsFile = "weights.safetensors";
inline constexpr absl::string_view kEvaluationFile = "evaluation.json";
inline constexpr absl::string_view kArchiveSuffix = ".octet";

// `status` with `context` in front of its message.
inline absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  return absl::Status(status.code(), absl::StrCat(context, ": ", status.message()));
}

// Proto3 JSON with the proto's field names, indented, with a newline at its end. Returns
// INVALID_ARGUMENT for strings that are not UTF-8.
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message);

// The inverse; fields that `message` lacks are errors. Returns DATA_LOSS naming `file` for what is
// not such JSON or longer than `max_size`.
absl::Status FromJson(absl::string_view file, std::span<const std::byte> json, std::size_t max_size,
                      google::protobuf::Message& message);

// Writes `bytes` to `path`, in place of what is there, and waits until the disk has them.
absl::Status WriteWholeFile(const std::string& path, absl::string_view bytes);

}  // namespace octet
