// SPDX-License-Identifier: Apache-2.0
// The JSON that goes in and comes out, as OpenAPI schemas.

#pragma once

#include "server/frontends/http/route_table.h"

namespace octet {

// A JSON object: each schema by its name.
const char* OpenApiSchemas();

// The names of the schemas of what a route answers, and of the JSON that it takes.
const char* SchemaOf(RouteId route);
const char* BodySchemaOf(RouteId route);

}  // namespace octet
