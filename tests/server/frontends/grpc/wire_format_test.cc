// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/wire_format.h"

#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace octet {
namespace {

Bytes BytesOf(absl::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

TEST(WireFormatTest, VarintsOfAllSizesComeBack) {
  for (int bits = 0; bits <= 64; ++bits) {
    const std::uint64_t value = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
    std::string text;
    AppendVarint(value, text);
    WireReader reader(BytesOf(text));
    EXPECT_EQ(reader.NextVarint(), value);
    EXPECT_EQ(reader.NextVarint(), std::nullopt);
    EXPECT_TRUE(reader.ok());
  }
}

TEST(WireFormatTest, FaultsAreSeen) {
  const std::vector<std::string> faulty = {
      "\x08",                      // a tag without a value
      "\x0a\x05xy",                // a length beyond the end
      std::string("\x00\x00", 2),  // field 0
      "\x0b",                      // a group
      "\x0d\x01\x02",              // half a fixed32
      std::string(11, '\xff'),     // an endless varint
  };
  for (const std::string& text : faulty) {
    WireReader whole(BytesOf(text));
    EXPECT_FALSE(whole.Next().has_value());
    EXPECT_FALSE(whole.ok());
    const std::vector<Bytes> chunks = {BytesOf(text).first(1), BytesOf(text).subspan(1)};
    ChunkedReader chunked(chunks);
    EXPECT_FALSE(chunked.Next().has_value());
    EXPECT_FALSE(chunked.ok());
  }
}

TEST(WireFormatTest, FieldAcrossChunksIsCopiedAndOthersAreViews) {
  std::string text;
  AppendText(1, "inside", text);
  const std::size_t first_end = text.size();
  AppendText(2, "across", text);
  for (std::size_t cut = first_end + 3; cut < text.size(); ++cut) {
    const std::vector<Bytes> chunks = {BytesOf(text).first(cut), {}, BytesOf(text).subspan(cut)};
    ChunkedReader reader(chunks);
    const auto inside = reader.Next();
    ASSERT_TRUE(inside.has_value());
    EXPECT_EQ(static_cast<const void*>(inside->bytes.data()), text.data() + 2);
    const auto across = reader.Next();
    ASSERT_TRUE(across.has_value());
    EXPECT_EQ(AsText(across->bytes), "across");
    EXPECT_FALSE(reader.Next().has_value());
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.TakeCopies().size(), 1U);
  }
}

TEST(WireFormatTest, Utf8) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  for (const char* const bad : {"\x80", "\xc0\xaf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",
                                "\xf4\x90\x80\x80", "\xff", "\xe2\x82"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

}  // namespace
}  // namespace octet
