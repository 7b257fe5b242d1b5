// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/http_server.h"

#include <atomic>
#include <optional>
#include <pthread.h>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "boost/asio/io_context.hpp"
#include "boost/asio/post.hpp"

#include "models/base/status_macros.h"
#include "server/frontends/http/byte_stream.h"
#include "server/frontends/http/http_access.h"
#include "server/frontends/http/listener.h"
#include "server/frontends/http/reply_head.h"
#include "server/frontends/http/tls_stream.h"
#include "server/scheduling/drain_gate.h"

namespace octet {
namespace {

// Says why, if that goes at once, and closes.
void TurnAway(Listener::Socket socket) {
  const HttpReply reply = ErrorReply(503, "the server has all the connections that it takes");
  const std::string text = ReplyHead(reply, 11, ConnectionField::kClose) + reply.body;
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(boost::asio::buffer(text), ignored);
  socket.shutdown(boost::asio::socket_base::shutdown_send, ignored);
}

}  // namespace

// Everything that the thread touches.
class HttpServer::Loop {
 public:
  Loop(Options options, HttpRooms rooms, HttpInference inference)
      : options_(std::move(options)),
        rooms_(std::move(rooms)),
        bodies_(options_.max_buffered_bytes, options_.on_buffered),
        http_router_(HttpSurface::kAll, Or(options_.authorize_http, ListenerKind::kHttp), rooms_,
                     MakeInferRooms(inference)),
        metrics_router_(HttpSurface::kMetricsOnly,
                        Or(options_.authorize_metrics, ListenerKind::kMetrics), rooms_, nullptr),
        http_(options_, http_router_, bodies_, options_.http_tls),
        metrics_(options_, metrics_router_, bodies_, options_.metrics_tls) {}

  ~Loop() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
    http_.listener.reset();
    metrics_.listener.reset();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  absl::Status Start() {
    RETURN_IF_ERROR(Listen(options_.http_address, http_));
    RETURN_IF_ERROR(Listen(options_.metrics_address, metrics_));
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "http");
      context_.run();
    });
    return absl::OkStatus();
  }

  [[nodiscard]] const std::string& http_address() const { return http_.bound; }
  [[nodiscard]] const std::string& metrics_address() const { return metrics_.bound; }

  [[nodiscard]] Counts counts() const {
    return {.http = http_.counts(), .metrics = metrics_.counts(), .buffered_bytes = bodies_.used()};
  }

  void EndConnections() {
    boost::asio::post(context_, [this] {
      http_.listener.reset();
      std::vector<std::shared_ptr<Connection>> open;
      for (const auto& [raw, entry] : http_.open) open.push_back(entry.connection.lock());
      for (const std::shared_ptr<Connection>& connection : open) {
        if (connection) connection->EndWhenIdle();
      }
    });
  }

  void Finish(TimePoint deadline) { http_.gate.WaitUntilEmpty(deadline); }

 private:
  // Of one address.
  struct Connections {
    struct Entry {
      std::weak_ptr<Connection> connection;
      DrainGate::Pass pass;
    };

    Connections(const Options& server, HttpService& service, ByteBudget& bodies,
                const Options::Tls& its_tls)
        : tls(its_tls),
          options{.limits = server.limits,
                  .service = service,
                  .bodies = bodies,
                  .on_close = [this](Connection& connection) {
                    open.erase(&connection);
                    num_open.store(open.size(), std::memory_order_relaxed);
                  }} {}

    [[nodiscard]] AddressCounts counts() const {
      return {.failed_handshakes = failed_handshakes.load(std::memory_order_relaxed),
              .refused_connections = refused.load(std::memory_order_relaxed),
              .open_connections = num_open.load(std::memory_order_relaxed)};
    }

    // Of a connection that begins now.
    [[nodiscard]] std::unique_ptr<ByteStream> Wrap(Listener::Socket socket) {
      if (tls.provider == nullptr) return std::make_unique<SocketStream>(std::move(socket));
      const std::shared_ptr<const TlsCredentials> credentials = tls.provider->current();
      return std::make_unique<TlsStream>(std::move(socket), credentials->context(tls.clients),
                                         failed_handshakes);
    }

    const Options::Tls tls;
    const Connection::Options options;
    std::string bound;
    std::unique_ptr<Listener> listener;
    DrainGate gate;
    std::atomic<std::uint64_t> failed_handshakes = 0;
    std::atomic<std::uint64_t> refused = 0;
    std::atomic<std::size_t> num_open = 0;        // open.size(), for other threads
    std::unordered_map<Connection*, Entry> open;  // on the thread only
  };

  // `authorize`, or where there is none, by what is open to everybody.
  HttpAuthorize Or(const HttpAuthorize& authorize, ListenerKind listener) const {
    return authorize ? authorize : AuthorizeBy(open_access_, listener);
  }

  const InferRooms* MakeInferRooms(HttpInference inference) {
    if (inference.service == nullptr) return nullptr;
    infer_rooms_.emplace(InferRooms{*inference.service, rooms_.repository, *inference.workers,
                                    bodies_, options_.max_request_bytes});
    return &*infer_rooms_;
  }

  absl::Status Listen(const std::string& address, Connections& connections) {
    ASSIGN_OR_RETURN(
        connections.listener,
        Listener::Create(context_, address, [this, &connections](Listener::Socket socket) {
          Accept(std::move(socket), connections);
        }));
    connections.bound = connections.listener->address();
    return absl::OkStatus();
  }

  void Accept(Listener::Socket socket, Connections& connections) const {
    std::optional<DrainGate::Pass> pass = connections.gate.Enter();
    if (connections.open.size() >= options_.max_connections || !pass) {
      connections.refused.fetch_add(1, std::memory_order_relaxed);
      if (connections.tls.provider == nullptr) TurnAway(std::move(socket));
      return;  // which closes it
    }
    const auto connection =
        std::make_shared<Connection>(connections.Wrap(std::move(socket)), connections.options);
    connections.open.emplace(connection.get(), Connections::Entry{connection, *std::move(pass)});
    connections.num_open.store(connections.open.size(), std::memory_order_relaxed);
    connection->Start();
  }

  const AccessControl open_access_{AccessPolicy()};
  const Options options_;
  const HttpRooms rooms_;
  ByteBudget bodies_;
  std::optional<InferRooms> infer_rooms_;
  HttpRouter http_router_;
  HttpRouter metrics_router_;
  Connections http_;
  Connections metrics_;

  // Destroyed first, with what its connections still had pending.
  boost::asio::io_context context_{1};
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Create(Options options, HttpRooms rooms,
                                                               HttpInference inference) {
  auto loop = std::make_unique<Loop>(std::move(options), std::move(rooms), inference);
  RETURN_IF_ERROR(loop->Start());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(loop)));
}

HttpServer::HttpServer(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}

HttpServer::~HttpServer() = default;

const std::string& HttpServer::http_address() const { return loop_->http_address(); }

const std::string& HttpServer::metrics_address() const { return loop_->metrics_address(); }

HttpServer::Counts HttpServer::counts() const { return loop_->counts(); }

void HttpServer::EndConnections() { loop_->EndConnections(); }

void HttpServer::Finish(TimePoint deadline) { loop_->Finish(deadline); }

}  // namespace octet
