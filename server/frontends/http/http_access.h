// SPDX-License-Identifier: Apache-2.0
// server/access's decision for HTTP's routes.

#pragma once

#include "server/access/access_control.h"
#include "server/frontends/http/http_router.h"

namespace octet {

// Lets callers do what `access` lets them at `listener`; but no web page manages, whose browser may
// be on this machine. `access` is borrowed.
HttpAuthorize AuthorizeBy(const AccessControl& access, ListenerKind listener);

}  // namespace octet
