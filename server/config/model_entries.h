// SPDX-License-Identifier: Apache-2.0
// What the configuration file says of single models.

#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "server/repository/model_settings.h"

namespace octet {

namespace config::v1 {
class ServerConfig;
}  // namespace config::v1

// Adds what `message` says of models to `models`, and to `errors` what is wrong with it, each with
// its path: "<origin>[2].labels.stable: got ..., wants ...".
void TakeModels(const config::v1::ServerConfig& message, absl::string_view origin,
                SettingsOfModels& models, std::vector<std::string>& errors);

}  // namespace octet
