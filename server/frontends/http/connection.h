// SPDX-License-Identifier: Apache-2.0
// One HTTP/1.1 connection: requests in, answers out, one after the other, with limits on size and
// time.

#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "boost/asio/buffer.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/system/error_code.hpp"

#include "server/frontends/http/byte_stream.h"
#include "server/frontends/http/connection_limits.h"
#include "server/frontends/http/http_service.h"
#include "server/frontends/http/request_parser.h"

namespace octet {

// The connection belongs to its own pending operations, and to who has its answer to give.
//
// A client that goes away while its request is handled is noticed, unless it has sent so much more
// that the buffer for it is full: the request's is_cancelled says so.
//
// Thread safety: the thread of the stream's io_context, only; an HttpAnswer is any thread's.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // The references are borrowed for as long as the io_context is there. `on_close` is called once.
  struct Options {
    ConnectionLimits limits;
    HttpService& service;
    ByteBudget& bodies;
    std::function<void(Connection&)> on_close;
  };

  Connection(std::unique_ptr<ByteStream> stream, const Options& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();
  // Ends it now if no request has begun to come, else after its answer.
  void EndWhenIdle();

 private:
  enum class State : std::uint8_t { kHead, kBody, kHandling, kWriting, kLingering, kClosed };

  void Read();
  void OnRead(const boost::system::error_code& error, std::size_t bytes);
  void ReadHead();
  void OnHead();
  void WriteContinue();
  void ReadBody();
  bool TakeBody();
  void Handle();

  // Answers, and reads no further requests.
  void Refuse(HttpReply reply);
  void Send(HttpReply reply);
  void Write();
  void OnWritten();
  void AwaitRequest();
  void Close();

  void SetTimer(std::chrono::milliseconds time);
  void OnTimer();
  // Since it was called the last time. Whether that is enough.
  bool HasProgressed(std::size_t total);

  [[nodiscard]] absl::string_view input() const { return {input_.data() + begin_, end_ - begin_}; }

  const std::unique_ptr<ByteStream> stream_;
  const Options& options_;
  boost::asio::steady_timer timer_;
  RequestParser parser_;
  State state_ = State::kHead;

  // What was read and not taken yet is [begin_, end_).
  std::vector<char> input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool is_reading_ = false;
  bool reads_into_body_ = false;
  bool has_begun_ = false;     // a request's first byte has come
  bool is_peer_gone_ = false;  // it sends nothing more
  bool ends_ = false;          // after the next answer
  bool lingers_ = false;
  std::size_t lingered_bytes_ = 0;
  std::size_t progress_ = 0;  // HasProgressed's

  RequestHead head_;
  BodyBuffer body_;
  std::size_t max_body_bytes_ = 0;
  std::shared_ptr<std::atomic<bool>> is_cancelled_;

  HttpReply reply_;
  std::string reply_head_;
  std::vector<boost::asio::const_buffer> unsent_;
  std::size_t sent_bytes_ = 0;
  bool is_writing_ = false;
};

}  // namespace octet
