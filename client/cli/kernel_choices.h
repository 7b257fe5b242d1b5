// SPDX-License-Identifier: Apache-2.0
// Measured kernel choices on the command line: --kernel-choices FILE, and what they say of a step.

#pragma once

#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "nlohmann/json.hpp"

#include "models/runtime/compiled_graph.h"
#include "models/runtime/kernel_choices.h"

namespace octet::cli {

// Adds --kernel-choices, with OCTET_KERNEL_CHOICES as its default, which sets `path`.
CLI::Option* AddKernelChoices(CLI::App& command, std::string& path);

// What the file holds; what is wrong with it goes to standard error, and null stands for no path.
std::shared_ptr<const KernelChoices> ReadChoices(const std::string& path);

// What runs and why: "windows (rule; fits too: rows)", "rows (measured at batch 1,16: windows
// 20,300 us; rows 15,250 us)".
std::string ImplementationText(const StepImplementation& implementation);
nlohmann::ordered_json ImplementationJson(const StepImplementation& implementation);

}  // namespace octet::cli
