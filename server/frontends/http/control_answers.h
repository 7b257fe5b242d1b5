// SPDX-License-Identifier: Apache-2.0
// What every route answers but inference: no sockets here.

#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "server/frontends/http/http_message.h"
#include "server/frontends/http/http_service.h"
#include "server/frontends/http/route_table.h"
#include "server/inference/protocol_settings.h"
#include "server/metrics/metrics.h"
#include "server/repository/model_repository.h"
#include "server/repository/repository_loader.h"

namespace octet {

// What the answers are made from. The references are borrowed.
struct HttpRooms {
  const ModelRepository& repository;
  const Metrics& metrics;
  std::function<bool()> is_ready;                    // whether inference requests are taken
  std::function<std::int64_t()> requests_in_flight;  // inference requests inside the server
  std::string server_version;
  RepositoryLoader* loader = nullptr;  // null: clients cannot load and unload
  ProtocolSettings settings = {};
  std::function<bool()> is_draining = nullptr;  // connections end after their next answer then
};

// Answers a request to `match`, which is not inference: at once, but for loading and unloading,
// whose `answer` is called once, on any thread. The body of a HEAD is the GET's, and not to be
// sent.
void AnswerControl(const RouteMatch& match, const HttpRequest& request, const HttpRooms& rooms,
                   HttpAnswer answer);

}  // namespace octet
