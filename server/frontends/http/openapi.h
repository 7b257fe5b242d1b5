// SPDX-License-Identifier: Apache-2.0
// The OpenAPI description of what there is, made from the route table.

#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace octet {

// An OpenAPI 3.0 document, as JSON. Every route but the page for people is in it.
std::string OpenApiDocument(absl::string_view server_version);

}  // namespace octet
