// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/listener.h"

#include <chrono>
#include <sys/stat.h>
#include <sys/un.h>
#include <type_traits>
#include <unistd.h>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "boost/asio/basic_socket_acceptor.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/ip/v6_only.hpp"
#include "boost/asio/local/stream_protocol.hpp"
#include "boost/asio/steady_timer.hpp"

namespace octet {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Local = asio::local::stream_protocol;

// Out of descriptors or memory: accepting again at once would only spin.
constexpr std::chrono::milliseconds kPauseAfterError{100};

absl::Status CannotBind(const std::string& address, const error_code& error) {
  return absl::UnavailableError(absl::StrCat(
      "cannot listen on ", address, ": ", error.message(),
      error == asio::error::address_in_use ? "; choose another, or stop what holds it" : ""));
}

template <typename Protocol>
class AcceptingListener final : public Listener {
 public:
  using Acceptor = asio::basic_socket_acceptor<Protocol>;

  AcceptingListener(std::string address, Acceptor acceptor, OnAccept on_accept, std::string file)
      : Listener(std::move(address)),
        acceptor_(std::move(acceptor)),
        pause_(acceptor_.get_executor()),
        on_accept_(std::move(on_accept)),
        file_(std::move(file)) {
    Accept();
  }
  ~AcceptingListener() override {
    if (!file_.empty()) ::unlink(file_.c_str());
  }

 private:
  void Accept() {
    acceptor_.async_accept([this](const error_code& error, typename Protocol::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error) on_accept_(Socket(std::move(socket)));
      if (!error || error == asio::error::connection_aborted) {
        Accept();
        return;
      }
      pause_.expires_after(kPauseAfterError);
      pause_.async_wait([this](const error_code& stopped) {
        if (!stopped) Accept();
      });
    });
  }

  Acceptor acceptor_;
  asio::steady_timer pause_;
  const OnAccept on_accept_;
  const std::string file_;  // of a Unix socket, else empty
};

template <typename Protocol>
error_code OpenAndListen(const typename Protocol::endpoint& endpoint,
                         asio::basic_socket_acceptor<Protocol>& acceptor) {
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if constexpr (std::is_same_v<Protocol, tcp>) {
    if (!error && endpoint.address().is_v6()) {
      acceptor.set_option(asio::ip::v6_only(false), error);
    }
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

absl::StatusOr<std::unique_ptr<Listener>> ListenOnFile(asio::io_context& context,
                                                       const std::string& path,
                                                       Listener::OnAccept on_accept) {
  const std::string address = absl::StrCat("unix:", path);
  struct stat status {};
  if (path.empty() || path.size() >= sizeof(sockaddr_un{}.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("got \"", address, "\", wants unix:PATH with 1 to 107 bytes of path"));
  }
  const Local::endpoint endpoint(path);
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) {
    // A server that was killed leaves its file behind.
    Local::socket probe(context);
    error_code error;
    probe.connect(endpoint, error);
    if (error == asio::error::connection_refused) ::unlink(path.c_str());
  }
  asio::basic_socket_acceptor<Local> acceptor(context);
  if (const error_code error = OpenAndListen<Local>(endpoint, acceptor); error) {
    return CannotBind(address, error);
  }
  return std::make_unique<AcceptingListener<Local>>(address, std::move(acceptor),
                                                    std::move(on_accept), path);
}

// The endpoint to bind: IPv4 where the name has both, since that is what clients try.
absl::StatusOr<tcp::endpoint> Resolve(asio::io_context& context, const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("got \"", address, "\", wants host:port or unix:PATH"));
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  error_code error;
  const auto found = tcp::resolver(context).resolve(
      host, address.substr(colon + 1), tcp::resolver::passive | tcp::resolver::numeric_service,
      error);
  if (error || found.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got \"", address, "\", which does not resolve: ", error.message()));
  }
  for (const auto& entry : found) {
    if (entry.endpoint().address().is_v4()) return entry.endpoint();
  }
  return found.begin()->endpoint();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Create(asio::io_context& context,
                                                           const std::string& address,
                                                           OnAccept on_accept) {
  if (absl::StartsWith(address, "unix:")) {
    return ListenOnFile(context, std::string(absl::StripPrefix(address, "unix:")),
                        std::move(on_accept));
  }
  const absl::StatusOr<tcp::endpoint> endpoint = Resolve(context, address);
  if (!endpoint.ok()) return endpoint.status();
  tcp::acceptor acceptor(context);
  if (const error_code error = OpenAndListen<tcp>(*endpoint, acceptor); error) {
    return CannotBind(address, error);
  }
  error_code ignored;
  const std::string bound = absl::StrCat(address.substr(0, address.rfind(':')), ":",
                                         acceptor.local_endpoint(ignored).port());
  return std::make_unique<AcceptingListener<tcp>>(bound, std::move(acceptor), std::move(on_accept),
                                                  "");
}

}  // namespace octet
