// SPDX-License-Identifier: Apache-2.0
#include "client/cli/attention_precision.h"

#include <string>

#include "absl/status/statusor.h"

namespace octet::cli {

CLI::Option* AddAttentionPrecision(CLI::App& command, AttentionPrecision& precision) {
  return command
      .add_option_function<std::string>(
          "--attention-precision",
          [&precision](const std::string& text) {
            const absl::StatusOr<AttentionPrecision> parsed = ParseAttentionPrecision(text);
            if (!parsed.ok()) {
              throw CLI::ValidationError("--attention-precision",
                                         std::string(parsed.status().message()));
            }
            precision = *parsed;
          },
          "float32, or fastest: less where this CPU gains by it. Default: float32")
      ->envname("OCTET_ATTENTION_PRECISION");
}

}  // namespace octet::cli
