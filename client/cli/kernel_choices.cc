// SPDX-License-Identifier: Apache-2.0
#include "client/cli/kernel_choices.h"

#include <iostream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "models/runtime/kernel_choices_file.h"

namespace octet::cli {

CLI::Option* AddKernelChoices(CLI::App& command, std::string& path) {
  return command
      .add_option("--kernel-choices", path, "FILE with what `octet tune` measured on this CPU")
      ->envname("OCTET_KERNEL_CHOICES");
}

std::shared_ptr<const KernelChoices> ReadChoices(const std::string& path) {
  if (path.empty()) return nullptr;
  StoredKernelChoices stored = ReadKernelChoices(path);
  if (!stored.warning.empty()) std::cerr << "warning: " << stored.warning << "\n";
  return std::make_shared<const KernelChoices>(std::move(stored.choices));
}

std::string ImplementationText(const StepImplementation& implementation) {
  if (implementation.measured.has_value()) {
    const KernelChoice& choice = *implementation.measured;
    return absl::StrCat(
        implementation.name, " (measured at batch ", absl::StrJoin(choice.batch_sizes, ","), ": ",
        absl::StrJoin(choice.times, "; ",
                      [](std::string* out, const ImplementationTimes& times) {
                        absl::StrAppend(
                            out, times.name, " ",
                            absl::StrJoin(times.us, ",", [](std::string* to, double us) {
                              absl::StrAppendFormat(to, "%.1f", us);
                            }));
                      }),
        " us)");
  }
  if (implementation.fitting.size() < 2) return absl::StrCat(implementation.name, " (only one)");
  const std::vector<std::string> others(implementation.fitting.begin() + 1,
                                        implementation.fitting.end());
  return absl::StrCat(implementation.name, " (rule; fits too: ", absl::StrJoin(others, ", "), ")");
}

nlohmann::ordered_json ImplementationJson(const StepImplementation& implementation) {
  nlohmann::ordered_json json = {{"name", implementation.name},
                                 {"chosen_by", implementation.measured ? "measurement" : "rule"},
                                 {"layer", implementation.layer},
                                 {"fitting", implementation.fitting}};
  if (implementation.measured.has_value()) {
    json["batch_sizes"] = implementation.measured->batch_sizes;
    for (const ImplementationTimes& times : implementation.measured->times) {
      json["us"][times.name] = times.us;
    }
  }
  return json;
}

}  // namespace octet::cli
