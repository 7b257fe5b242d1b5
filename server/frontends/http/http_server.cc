// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/http_server.h"

#include <pthread.h>
#include <thread>
#include <utility>

#include "boost/asio/io_context.hpp"

#include "models/base/status_macros.h"
#include "server/frontends/http/connection.h"
#include "server/frontends/http/listener.h"

namespace octet {

// Everything that the thread touches.
class HttpServer::Loop {
 public:
  Loop(Options options, HttpRooms rooms) : options_(std::move(options)), rooms_(std::move(rooms)) {
    const auto fill = [this](HttpSurface surface, Connections& connections) {
      connections.options.timeout = options_.timeout;
      connections.options.answer = [this, surface](absl::string_view method,
                                                   absl::string_view target) {
        return Answer(method, target, surface, rooms_);
      };
      connections.options.on_close = [&connections] { --connections.count; };
    };
    fill(HttpSurface::kAll, http_connections_);
    fill(HttpSurface::kMetricsOnly, metrics_connections_);
  }

  ~Loop() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  absl::Status Start() {
    ASSIGN_OR_RETURN(http_, Listen(options_.http_address, http_connections_));
    ASSIGN_OR_RETURN(metrics_, Listen(options_.metrics_address, metrics_connections_));
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "http");
      context_.run();
    });
    return absl::OkStatus();
  }

  [[nodiscard]] const std::string& http_address() const { return http_->address(); }
  [[nodiscard]] const std::string& metrics_address() const { return metrics_->address(); }

 private:
  // Of one address.
  struct Connections {
    ConnectionOptions options;
    std::size_t count = 0;  // on the thread only
  };

  absl::StatusOr<std::unique_ptr<Listener>> Listen(const std::string& address,
                                                   Connections& connections) {
    return Listener::Create(context_, address, [this, &connections](Listener::Socket socket) {
      // A refused socket is closed as it goes out of scope.
      if (connections.count >= options_.max_connections) return;
      ++connections.count;
      ServeConnection(std::move(socket), connections.options);
    });
  }

  const Options options_;
  const HttpRooms rooms_;
  Connections http_connections_;
  Connections metrics_connections_;

  // Destroyed in the opposite order: the listeners, then the context with what its connections
  // still had pending.
  boost::asio::io_context context_{1};
  std::unique_ptr<Listener> http_;
  std::unique_ptr<Listener> metrics_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Create(Options options, HttpRooms rooms) {
  auto loop = std::make_unique<Loop>(std::move(options), std::move(rooms));
  RETURN_IF_ERROR(loop->Start());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(loop)));
}

HttpServer::HttpServer(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}

HttpServer::~HttpServer() = default;

const std::string& HttpServer::http_address() const { return loop_->http_address(); }

const std::string& HttpServer::metrics_address() const { return loop_->metrics_address(); }

}  // namespace octet
