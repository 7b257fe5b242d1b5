// SPDX-License-Identifier: Apache-2.0
// Kernel choices in a file: text, a line for each layer, fields separated by tabs.
//
//   octet-kernel-choices 1 kernels REVISION
//   CPU <tab> KERNEL_SET <tab> LAYER <tab> IMPLEMENTATION <tab> BATCH,BATCH <tab> NAME=US,US ...
//
// A cache: whatever is wrong with it, nothing is lost but time. So reading never fails; what cannot
// be used is left out, with a warning.

#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "models/runtime/kernel_choices.h"

namespace octet {

struct StoredKernelChoices {
  KernelChoices choices;
  std::string warning;  // what was left out and why; empty: nothing
};

std::string SerializeKernelChoices(const KernelChoices& choices);
StoredKernelChoices ParseKernelChoices(absl::string_view text);

// A file that is not there holds nothing, without a warning.
StoredKernelChoices ReadKernelChoices(const std::string& path);

// Replaces the file as a whole, or not at all. Returns UNAVAILABLE with the path and the reason.
absl::Status WriteKernelChoices(const std::string& path, const KernelChoices& choices);

// Adds `choices` to what the file holds by now, which another process may have written, and
// replaces it. Of two that do so at the same moment one may be lost: it is measured again.
absl::Status AddToKernelChoices(const std::string& path, const KernelChoices& choices);

}  // namespace octet
