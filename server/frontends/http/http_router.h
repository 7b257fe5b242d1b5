// SPDX-License-Identifier: Apache-2.0
// From a request's head to the route that answers it, and whether its caller may ask.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"

#include "server/frontends/http/control_answers.h"
#include "server/frontends/http/http_service.h"
#include "server/frontends/http/infer_route.h"
#include "server/frontends/http/route_table.h"

namespace octet {

enum class HttpSurface : std::uint8_t {
  kAll,
  kMetricsOnly,  // the metrics address
};

// Whether the caller of `route` may: OK, or why not. Called by the connections' thread.
using HttpAuthorize =
    std::function<absl::Status(const Route& route, const RequestHead& head, const HttpPeer& peer)>;

// Of one address.
class HttpRouter final : public HttpService {
 public:
  // The references are borrowed for as long as requests come. Without `inference`, there is none.
  HttpRouter(HttpSurface surface, HttpAuthorize authorize, const HttpRooms& rooms,
             const InferRooms* inference);

  std::variant<std::size_t, HttpReply> Begin(const RequestHead& head,
                                             const HttpPeer& peer) override;
  void Handle(HttpRequest request, HttpAnswer answer) override;
  [[nodiscard]] bool is_draining() const override;

 private:
  // The route, or why there is none.
  std::variant<RouteMatch, HttpReply> Find(const RequestHead& head) const;

  const HttpSurface surface_;
  const HttpAuthorize authorize_;
  const HttpRooms& rooms_;
  const InferRooms* const inference_;
};

}  // namespace octet
