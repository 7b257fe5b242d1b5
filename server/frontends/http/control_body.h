// SPDX-License-Identifier: Apache-2.0
// The small JSON bodies of the routes beside inference. An empty one is as good as {}.

#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/inference/protocol_settings.h"

namespace octet {

// Of the repository's index: whether {"ready": true} asks for ready versions only.
absl::StatusOr<bool> ReadIndexBody(absl::string_view body);

// Of loading and unloading: {"parameters": {...}}; none but those that mean nothing is taken.
absl::Status CheckManagementBody(absl::string_view body);

// Of the settings: {"name": value, ...}, none of which may be another than `current`. A trace value
// is text or an array of texts; null is none.
absl::Status CheckTraceBody(const TraceValues& current, absl::string_view body);
absl::Status CheckLogBody(const LogValues& current, absl::string_view body);

}  // namespace octet
