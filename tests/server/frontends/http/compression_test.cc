// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/compression.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace octet {
namespace {

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string Deflated(Coding coding, const std::string& text) {
  const std::vector<std::span<const std::byte>> parts = {Bytes(text)};
  return Deflate(coding, parts).value();
}

absl::StatusOr<std::string> Inflated(Coding coding, const std::string& text,
                                     std::size_t max_bytes = 1 << 20) {
  ByteBudget budget(4 << 20);
  BodyBuffer out(&budget);
  if (absl::Status status = Inflate(coding, Bytes(text), max_bytes, out); !status.ok()) {
    return status;
  }
  EXPECT_GE(budget.used(), out.size());
  return std::string(out.text());
}

TEST(CompressionTest, BothCodingsComeBack) {
  const std::string text(100'000, 'x');
  for (const Coding coding : {Coding::kGzip, Coding::kDeflate}) {
    EXPECT_LT(Deflated(coding, text).size(), 1000U);
    EXPECT_EQ(*Inflated(coding, Deflated(coding, text)), text);
    EXPECT_EQ(*Inflated(coding, Deflated(coding, "")), "");
  }
  // RFC 1951 alone, which some take deflate for; and a gzip of two members.
  const std::string framed = Deflated(Coding::kDeflate, text);
  EXPECT_EQ(*Inflated(Coding::kDeflate, framed.substr(2, framed.size() - 6)), text);
  EXPECT_EQ(*Inflated(Coding::kGzip, Deflated(Coding::kGzip, "a") + Deflated(Coding::kGzip, "b")),
            "ab");
}

TEST(CompressionTest, InflatingStopsAtTheCap) {
  const std::string bomb = Deflated(Coding::kGzip, std::string(8 << 20, '\0'));
  EXPECT_LT(bomb.size(), 64U << 10);
  EXPECT_TRUE(absl::IsOutOfRange(Inflated(Coding::kGzip, bomb).status()));
  EXPECT_TRUE(Inflated(Coding::kGzip, Deflated(Coding::kGzip, "12345"), 5).ok());
  EXPECT_TRUE(
      absl::IsOutOfRange(Inflated(Coding::kGzip, Deflated(Coding::kGzip, "123456"), 5).status()));
  ByteBudget small(16 << 10);
  BodyBuffer out(&small);
  EXPECT_TRUE(absl::IsUnavailable(Inflate(Coding::kGzip, Bytes(bomb), 8 << 20, out)));
}

TEST(CompressionTest, DamageIsRefused) {
  const std::string whole = Deflated(Coding::kGzip, std::string(1000, 'x'));
  std::string damaged = whole;
  damaged[whole.size() - 6] = static_cast<char>(damaged[whole.size() - 6] ^ 1);
  for (const std::string& text :
       {std::string(), whole.substr(0, whole.size() - 1), whole.substr(0, 5), damaged, whole + "x",
        std::string("{\"inputs\": []}")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Inflated(Coding::kGzip, text).status())) << text.size();
  }
  EXPECT_FALSE(Inflated(Coding::kDeflate, Deflated(Coding::kDeflate, "x") + "y").ok());
}

TEST(CompressionTest, ContentEncodingIsOneThatIsKnown) {
  EXPECT_EQ(ParseContentEncoding(""), Coding::kIdentity);
  EXPECT_EQ(ParseContentEncoding(" GZIP "), Coding::kGzip);
  EXPECT_EQ(ParseContentEncoding("x-gzip"), Coding::kGzip);
  EXPECT_EQ(ParseContentEncoding("deflate"), Coding::kDeflate);
  EXPECT_EQ(ParseContentEncoding("br"), std::nullopt);
  EXPECT_EQ(ParseContentEncoding("gzip, gzip"), std::nullopt);
}

TEST(CompressionTest, AcceptEncodingIsWeighed) {
  const auto coding = [](absl::string_view value) { return ParseAcceptEncoding(value).coding; };
  EXPECT_EQ(coding(""), Coding::kIdentity);
  EXPECT_EQ(coding("gzip"), Coding::kGzip);
  EXPECT_EQ(coding("deflate, gzip"), Coding::kGzip);
  EXPECT_EQ(coding("gzip;q=0.5, deflate;q=0.8"), Coding::kDeflate);
  EXPECT_EQ(coding("gzip;q=0"), Coding::kIdentity);
  EXPECT_EQ(coding("br, identity"), Coding::kIdentity);
  EXPECT_EQ(coding("gzip;q=x, deflate;q=2"), Coding::kIdentity);
  EXPECT_EQ(coding(",,;;q="), Coding::kIdentity);
  EXPECT_TRUE(ParseAcceptEncoding("gzip").is_alone);
  EXPECT_FALSE(ParseAcceptEncoding("gzip, deflate, br").is_alone);
}

TEST(BodyBufferTest, GrowsWithWhatComesWithinTheBudget) {
  ByteBudget budget(100'000);
  {
    BodyBuffer body(&budget);
    EXPECT_TRUE(body.Grow(1 << 30));
    EXPECT_LE(budget.used(), 16U << 10) << "not what was announced";
    BodyBuffer moved = std::move(body);
    while (moved.Grow(1 << 30)) moved.Commit(moved.room().size());
    EXPECT_LE(budget.used(), 100'000U);
    EXPECT_GE(moved.size(), 50'000U);
  }
  EXPECT_EQ(budget.used(), 0U);
  BodyBuffer exact(&budget);
  EXPECT_TRUE(exact.Grow(10));
  EXPECT_EQ(exact.room().size(), 10U);
  exact.Commit(10);
  EXPECT_FALSE(exact.Grow(10));
}

}  // namespace
}  // namespace octet
