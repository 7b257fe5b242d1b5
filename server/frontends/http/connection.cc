// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/post.hpp"

#include "server/frontends/http/reply_head.h"

namespace octet {
namespace {

constexpr std::size_t kMoreInputBytes = 8 << 10;  // than a header
// So many buffers go in one write.
constexpr std::size_t kMostBuffers = 16;

}  // namespace

Connection::Connection(std::unique_ptr<ByteStream> stream, const Options& options)
    : stream_(std::move(stream)),
      options_(options),
      timer_(stream_->executor()),
      parser_(options.limits.max_header_bytes),
      input_(options.limits.max_header_bytes + kMoreInputBytes) {}

Connection::~Connection() { options_.on_close(*this); }

void Connection::Start() { AwaitRequest(); }

void Connection::EndWhenIdle() {
  ends_ = true;
  if (state_ == State::kHead && !has_begun_) Close();
}

void Connection::AwaitRequest() {
  parser_.Reset();
  state_ = State::kHead;
  has_begun_ = false;
  SetTimer(options_.limits.idle_time);
  ReadHead();
}

void Connection::Read() {
  if (is_reading_ || is_peer_gone_) return;
  boost::asio::mutable_buffer into;
  reads_into_body_ = state_ == State::kBody && !head_.is_chunked;
  if (reads_into_body_) {
    const std::span<std::byte> room = body_.room();
    into = {room.data(), room.size()};
  } else {
    if (begin_ > 0) std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
    if (end_ == input_.size()) return;
    into = {input_.data() + end_, input_.size() - end_};
  }
  is_reading_ = true;
  stream_->ReadSome(into, [self = shared_from_this()](const auto& error, std::size_t bytes) {
    self->OnRead(error, bytes);
  });
}

void Connection::OnRead(const boost::system::error_code& error, std::size_t bytes) {
  is_reading_ = false;
  if (state_ == State::kClosed) return;
  if (error) {
    is_peer_gone_ = true;
    if (is_cancelled_) is_cancelled_->store(true);
    // An answer is still sent: it may have closed its sending side only.
    if (state_ != State::kHandling && state_ != State::kWriting) Close();
    return;
  }
  if (!reads_into_body_) {
    end_ += bytes;
  } else if (state_ == State::kBody) {
    body_.Commit(bytes);
  }
  switch (state_) {
    case State::kHead:
      return ReadHead();
    case State::kBody:
      return ReadBody();
    case State::kHandling:
    case State::kWriting:
      return Read();  // until the buffer is full: so that its end is noticed
    case State::kLingering:
      begin_ = end_ = 0;
      lingered_bytes_ += bytes;
      return lingered_bytes_ > options_.limits.max_linger_bytes ? Close() : Read();
    case State::kClosed:
      return;
  }
}

void Connection::ReadHead() {
  if (input().empty()) return is_peer_gone_ ? Close() : Read();
  if (!has_begun_) {
    has_begun_ = true;
    SetTimer(options_.limits.header_time);
  }
  RequestParser::Progress progress = parser_.ReadHead(input());
  begin_ += progress.consumed;
  if (progress.refusal) return Refuse(*std::move(progress.refusal));
  if (progress.is_done) return OnHead();
  if (is_peer_gone_) return Close();
  Read();
}

void Connection::OnHead() {
  head_ = std::move(parser_.head());
  std::variant<std::size_t, HttpReply> begun = options_.service.Begin(head_, stream_->peer());
  if (auto* const reply = std::get_if<HttpReply>(&begun)) {
    // What follows the head would have to be read to find the next request.
    if (head_.has_body()) return Refuse(std::move(*reply));
    return Send(std::move(*reply));
  }
  max_body_bytes_ = std::get<std::size_t>(begun);
  if (head_.content_length.value_or(0) > max_body_bytes_) {
    return Refuse(BodyTooLarge(max_body_bytes_));
  }
  body_ = BodyBuffer(&options_.bodies);
  state_ = State::kBody;
  progress_ = 0;
  const absl::string_view expected = head_.Find("Expect");
  if (!expected.empty() && head_.version > 10) {
    if (!absl::EqualsIgnoreCase(expected, "100-continue")) {
      return Refuse(ErrorReply(417, "this server knows no Expect but 100-continue"));
    }
    if (head_.has_body() && input().empty()) return WriteContinue();
  }
  SetTimer(options_.limits.rate_time);
  ReadBody();
}

void Connection::WriteContinue() {
  static constexpr absl::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  SetTimer(options_.limits.rate_time);
  is_writing_ = true;
  // So short that it goes whole, or the peer takes nothing.
  stream_->WriteSome({boost::asio::buffer(kContinue.data(), kContinue.size())},
                     [self = shared_from_this()](const auto& error, std::size_t bytes) {
                       self->is_writing_ = false;
                       if (self->state_ != State::kBody) return self->Write();
                       if (error || bytes != kContinue.size()) return self->Close();
                       self->ReadBody();
                     });
}

// Of what is in the buffer. Whether there is room for it.
bool Connection::TakeBody() {
  const std::size_t length = head_.content_length.value_or(0);
  while (body_.size() < length) {
    if (!body_.Grow(length)) return false;
    if (input().empty()) return true;
    const std::span<std::byte> room = body_.room();
    const std::size_t bytes = std::min(room.size(), input().size());
    std::memcpy(room.data(), input().data(), bytes);
    body_.Commit(bytes);
    begin_ += bytes;
  }
  return true;
}

void Connection::ReadBody() {
  if (head_.is_chunked) {
    RequestParser::Progress progress = parser_.ReadChunks(input(), max_body_bytes_, body_);
    begin_ += progress.consumed;
    if (progress.refusal) return Refuse(*std::move(progress.refusal));
    if (progress.is_done) return Handle();
  } else {
    if (!TakeBody()) return Refuse(NoRoomForBody());
    if (body_.size() == head_.content_length.value_or(0)) return Handle();
  }
  if (is_peer_gone_) return Close();
  Read();
}

void Connection::Handle() {
  state_ = State::kHandling;
  timer_.cancel();
  is_cancelled_ = std::make_shared<std::atomic<bool>>(is_peer_gone_);
  HttpRequest request;
  request.head = head_;
  request.body = std::move(body_);
  request.peer = stream_->peer();
  request.is_cancelled = [is_cancelled = is_cancelled_] { return is_cancelled->load(); };
  // Whoever answers lets go of the connection on its own thread.
  options_.service.Handle(std::move(request), [executor = stream_->executor(),
                                               self = shared_from_this()](HttpReply reply) mutable {
    boost::asio::post(executor, [self = std::move(self), reply = std::move(reply)]() mutable {
      self->Send(std::move(reply));
    });
  });
  Read();
}

void Connection::Refuse(HttpReply reply) {
  ends_ = true;
  lingers_ = true;
  Send(std::move(reply));
}

void Connection::Send(HttpReply reply) {
  if (state_ == State::kClosed) return;
  state_ = State::kWriting;
  is_cancelled_ = nullptr;
  reply_ = std::move(reply);
  if (!head_.is_keep_alive || options_.service.is_draining() || is_peer_gone_) ends_ = true;
  reply_head_ = ReplyHead(reply_, head_.version,
                          ends_ ? ConnectionField::kClose : ConnectionField::kKeepAlive);
  unsent_ = {boost::asio::buffer(reply_head_)};
  if (head_.method != "HEAD") {
    unsent_.emplace_back(boost::asio::buffer(reply_.body));
    for (const std::span<const std::byte> tensor : reply_.tensors) {
      unsent_.emplace_back(tensor.data(), tensor.size());
    }
  }
  sent_bytes_ = progress_ = 0;
  SetTimer(options_.limits.rate_time);
  Write();
}

void Connection::Write() {
  if (state_ != State::kWriting || is_writing_) return;
  std::erase_if(unsent_, [](const auto& buffer) { return buffer.size() == 0; });
  if (unsent_.empty()) return OnWritten();
  is_writing_ = true;
  const auto last =
      unsent_.begin() + static_cast<std::ptrdiff_t>(std::min(kMostBuffers, unsent_.size()));
  stream_->WriteSome({unsent_.begin(), last},
                     [self = shared_from_this()](const auto& error, std::size_t bytes) {
                       self->is_writing_ = false;
                       if (self->state_ == State::kClosed) return;
                       if (error) return self->Close();
                       self->sent_bytes_ += bytes;
                       for (boost::asio::const_buffer& buffer : self->unsent_) {
                         const std::size_t part = std::min(bytes, buffer.size());
                         buffer += part;
                         bytes -= part;
                       }
                       self->Write();
                     });
}

void Connection::OnWritten() {
  reply_ = {};
  head_ = {};
  if (!ends_) return AwaitRequest();
  if (!lingers_ || is_peer_gone_) return Close();
  stream_->ShutdownSend();
  state_ = State::kLingering;
  begin_ = end_ = 0;
  SetTimer(options_.limits.linger_time);
  Read();
}

void Connection::Close() {
  if (state_ == State::kClosed) return;
  if (state_ == State::kWriting && unsent_.empty()) stream_->ShutdownSend();
  state_ = State::kClosed;
  if (is_cancelled_) is_cancelled_->store(true);
  timer_.cancel();
  stream_->Close();
}

void Connection::SetTimer(std::chrono::milliseconds time) {
  timer_.expires_after(time);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& stopped) {
    // It may have been set anew while this was on its way.
    if (!stopped && self->timer_.expiry() <= std::chrono::steady_clock::now()) self->OnTimer();
  });
}

bool Connection::HasProgressed(std::size_t total) {
  const std::size_t progress = total - std::exchange(progress_, total);
  return progress >= options_.limits.min_bytes_in_rate_time;
}

void Connection::OnTimer() {
  switch (state_) {
    case State::kHead:
      if (!has_begun_) return Close();
      return Refuse(ErrorReply(408, "the request's header took too long"));
    case State::kBody:
      if (HasProgressed(body_.size())) return SetTimer(options_.limits.rate_time);
      return Refuse(ErrorReply(408, "the request's body came too slowly"));
    case State::kWriting:
      return HasProgressed(sent_bytes_) ? SetTimer(options_.limits.rate_time) : Close();
    case State::kLingering:
      return Close();
    case State::kHandling:
    case State::kClosed:
      return;
  }
}

}  // namespace octet
