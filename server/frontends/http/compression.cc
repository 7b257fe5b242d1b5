// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/compression.h"

#include <algorithm>
#include <array>
#include <limits>
#include <zlib.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace octet {
namespace {

constexpr int kWindowBits = 15;
constexpr int kGzipBits = kWindowBits + 16;
constexpr int kMemoryLevel = 8;

// zlib counts in 32 bits.
uInt Bounded(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

// Some take deflate for what RFC 1951 calls it, without zlib's frame.
bool HasZlibFrame(std::span<const std::byte> data) {
  if (data.size() < 2) return true;
  const auto first = std::to_integer<unsigned>(data[0]);
  const auto second = std::to_integer<unsigned>(data[1]);
  return (first & 15U) == Z_DEFLATED && (first << 8 | second) % 31 == 0;
}

class Inflater {
 public:
  explicit Inflater(int window_bits) { is_ready_ = inflateInit2(&stream_, window_bits) == Z_OK; }
  ~Inflater() {
    if (is_ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  [[nodiscard]] bool is_ready() const { return is_ready_; }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
  bool is_ready_ = false;
};

absl::Status Damaged(Coding coding, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the body's ", CodingName(coding), " data ", what));
}

std::optional<Coding> CodingCalled(absl::string_view name) {
  if (absl::EqualsIgnoreCase(name, "gzip") || absl::EqualsIgnoreCase(name, "x-gzip")) {
    return Coding::kGzip;
  }
  if (absl::EqualsIgnoreCase(name, "deflate")) return Coding::kDeflate;
  if (absl::EqualsIgnoreCase(name, "identity")) return Coding::kIdentity;
  return std::nullopt;
}

// Of "gzip;q=0.5": 0.5; of what cannot be read: 0.
double QualityOf(absl::string_view parameters) {
  parameters = absl::StripAsciiWhitespace(parameters);
  if (parameters.empty()) return 1;
  double quality = 0;
  if (!absl::ConsumePrefix(&parameters, "q=") && !absl::ConsumePrefix(&parameters, "Q=")) return 0;
  if (!absl::SimpleAtod(parameters, &quality) || !(quality >= 0 && quality <= 1)) return 0;
  return quality;
}

}  // namespace

const char* CodingName(Coding coding) {
  switch (coding) {
    case Coding::kGzip:
      return "gzip";
    case Coding::kDeflate:
      return "deflate";
    case Coding::kIdentity:
      break;
  }
  return "identity";
}

std::optional<Coding> ParseContentEncoding(absl::string_view value) {
  value = absl::StripAsciiWhitespace(value);
  return value.empty() ? Coding::kIdentity : CodingCalled(value);
}

AcceptedCoding ParseAcceptEncoding(absl::string_view value) {
  AcceptedCoding accepted;
  double best = 0;
  const auto offer = [&](Coding coding, double quality) {
    const bool is_better =
        quality > best || (quality == best && quality > 0 && coding == Coding::kGzip);
    if (!is_better) return;
    best = quality;
    accepted.coding = coding;
  };
  accepted.is_alone = !absl::StrContains(value, ',');
  for (const absl::string_view item : absl::StrSplit(value, ',')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(item, absl::MaxSplits(';', 1));
    const absl::string_view name = absl::StripAsciiWhitespace(parts.first);
    const double quality = QualityOf(parts.second);
    const std::optional<Coding> coding = CodingCalled(name);
    if (coding && *coding != Coding::kIdentity) offer(*coding, quality);
  }
  return accepted;
}

absl::Status Inflate(Coding coding, std::span<const std::byte> compressed, std::size_t max_bytes,
                     BodyBuffer& out) {
  int bits = kGzipBits;
  if (coding == Coding::kDeflate) bits = HasZlibFrame(compressed) ? kWindowBits : -kWindowBits;
  Inflater inflater(bits);
  if (!inflater.is_ready()) return absl::UnavailableError("no memory to inflate a body");
  z_stream& stream = inflater.stream();
  while (true) {
    // One byte more than is allowed tells that there is more.
    if (!out.Grow(max_bytes + 1)) {
      return absl::UnavailableError("the server has no memory for the inflated body; retry");
    }
    const std::size_t before = compressed.size();
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(compressed.data()));
    stream.avail_in = Bounded(before);
    const std::span<std::byte> room = out.room();
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    stream.avail_out = Bounded(room.size());
    const uInt given = stream.avail_in;
    const uInt offered = stream.avail_out;
    const int result = inflate(&stream, Z_NO_FLUSH);
    const std::size_t written = offered - stream.avail_out;
    out.Commit(written);
    compressed = compressed.subspan(given - stream.avail_in);
    if (out.size() > max_bytes) {
      return absl::OutOfRangeError(
          absl::StrCat("the body inflates to more than ", max_bytes, " bytes"));
    }
    if (result == Z_STREAM_END) {
      if (compressed.empty()) return absl::OkStatus();
      // A gzip file may have several members.
      if (coding != Coding::kGzip) return Damaged(coding, "has bytes behind its end");
      if (inflateReset(&stream) != Z_OK) return Damaged(coding, "cannot be read");
      continue;
    }
    if (result != Z_OK && result != Z_BUF_ERROR) return Damaged(coding, "is damaged");
    if (written == 0 && compressed.size() == before) return Damaged(coding, "ends early");
  }
}

absl::StatusOr<std::string> Deflate(Coding coding,
                                    std::span<const std::span<const std::byte>> parts) {
  // The fastest level: an answer is waited for.
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED,
                   coding == Coding::kGzip ? kGzipBits : kWindowBits, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return absl::UnavailableError("no memory to compress an answer");
  }
  std::string out;
  std::array<char, 32 << 10> chunk;
  const auto run = [&](int flush) {
    do {
      stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
      stream.avail_out = static_cast<uInt>(chunk.size());
      deflate(&stream, flush);
      out.append(chunk.data(), chunk.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  };
  for (std::span<const std::byte> part : parts) {
    while (!part.empty()) {
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(part.data()));
      stream.avail_in = Bounded(part.size());
      part = part.subspan(stream.avail_in);
      run(Z_NO_FLUSH);
    }
  }
  run(Z_FINISH);
  deflateEnd(&stream);
  return out;
}

}  // namespace octet
