// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/wire_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/support/onnx_writer.h"

namespace octet::onnx {
namespace {

using ::octet::testing::WireMessage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(WireReaderTest, FieldsComeInTheirOrder) {
  const std::string bytes = WireMessage().Number(1, 300).Bytes(2, "abc").Real(3, 1.5F).bytes();
  WireReader reader(bytes);
  WireField field;
  ASSERT_TRUE(reader.Next(field));
  EXPECT_EQ(field.number, 1U);
  EXPECT_EQ(field.integer(), 300);
  ASSERT_TRUE(reader.Next(field));
  EXPECT_EQ(field.number, 2U);
  EXPECT_EQ(field.bytes, "abc");
  ASSERT_TRUE(reader.Next(field));
  EXPECT_EQ(field.real(), 1.5F);
  EXPECT_FALSE(reader.Next(field));
  EXPECT_TRUE(reader.status().ok());
}

TEST(WireReaderTest, ANegativeNumberHasTenBytes) {
  const std::string bytes = WireMessage().Number(1, static_cast<std::uint64_t>(-7)).bytes();
  EXPECT_EQ(bytes.size(), 11U);
  WireReader reader(bytes);
  WireField field;
  ASSERT_TRUE(reader.Next(field));
  EXPECT_EQ(field.integer(), -7);
}

TEST(WireReaderTest, EveryCutIsAnError) {
  const std::string whole = WireMessage().Number(1, 300).Bytes(2, "abc").Real(3, 1.5F).bytes();
  const std::vector<std::size_t> ends = {0, 3, 8, whole.size()};  // of whole fields
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    WireReader reader(absl::string_view(whole).substr(0, size));
    WireField field;
    while (reader.Next(field)) {
    }
    const bool is_whole = std::find(ends.begin(), ends.end(), size) != ends.end();
    EXPECT_EQ(reader.status().ok(), is_whole) << size;
  }
}

TEST(WireReaderTest, AMessageLargerThanTheFileIsAnError) {
  WireReader reader(absl::string_view("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10));
  WireField field;
  EXPECT_FALSE(reader.Next(field));
  EXPECT_EQ(reader.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(reader.status().message()), HasSubstr("0 are left"));
}

TEST(WireReaderTest, GroupsAndUnknownWireTypesAreErrors) {
  for (const char tag : {'\x0b', '\x0c', '\x0e', '\x0f', '\x00'}) {
    const std::string bytes(1, tag);
    WireReader reader(bytes);
    WireField field;
    EXPECT_FALSE(reader.Next(field));
    EXPECT_FALSE(reader.status().ok()) << static_cast<int>(tag);
  }
}

TEST(WireReaderTest, ANumberOfMoreThan64BitsIsAnError) {
  const std::string bytes = std::string(1, '\x08') + std::string(11, '\xff');
  WireReader reader(bytes);
  WireField field;
  EXPECT_FALSE(reader.Next(field));
  EXPECT_FALSE(reader.status().ok());
}

TEST(WireReaderTest, RepeatedNumbersMayBePacked) {
  const std::string packed = WireMessage().Bytes(1, std::string("\x01\xac\x02", 3)).bytes();
  WireReader reader(packed);
  WireField field;
  ASSERT_TRUE(reader.Next(field));
  std::vector<std::int64_t> numbers;
  ASSERT_TRUE(AppendIntegers(field, numbers).ok());
  field = {};
  field.bits = 5;
  ASSERT_TRUE(AppendIntegers(field, numbers).ok());
  EXPECT_THAT(numbers, ElementsAre(1, 300, 5));
}

TEST(WireReaderTest, PackedNumbersThatAreCutAreErrors) {
  WireField field;
  field.wire_type = WireField::kBytes;
  field.bytes = absl::string_view("\x01\xac", 2);
  std::vector<std::int64_t> integers;
  EXPECT_FALSE(AppendIntegers(field, integers).ok());
  std::vector<float> floats;
  EXPECT_FALSE(AppendFloats(field, floats).ok());
  std::vector<double> doubles;
  EXPECT_FALSE(AppendDoubles(field, doubles).ok());
}

}  // namespace
}  // namespace octet::onnx
