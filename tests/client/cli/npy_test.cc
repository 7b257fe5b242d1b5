// SPDX-License-Identifier: Apache-2.0
#include "client/cli/npy.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/small_bundle.h"

namespace octet::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ReadWhole;
using testing::TemporaryDirectory;
using testing::WriteWhole;

constexpr char kFloats[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

// An .npy file of this header and 24 bytes of data, or `data_size`.
std::string Npy(const std::string& header, char version = 1, std::size_t data_size = 24) {
  std::string bytes = std::string("\x93NUMPY", 6) + version + '\0';
  bytes += static_cast<char>(header.size() & 0xFF);
  bytes += static_cast<char>(header.size() >> 8);
  if (version >= 2) bytes += std::string(2, '\0');
  return bytes + header + std::string(data_size, '\0');
}

class NpyTest : public ::testing::Test {
 protected:
  absl::StatusOr<Tensor> Read(const std::string& bytes) {
    WriteWhole(path_, bytes);
    return ReadNpy(path_);
  }
  void ExpectRefused(const std::string& bytes, const std::string& message) {
    const absl::Status status = Read(bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path_), HasSubstr(message)));
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "x.npy";
};

TEST_F(NpyTest, EveryTypeComesBackAsItWasWritten) {
  for (const DataType type :
       {DataType::kBool, DataType::kInt8, DataType::kUint8, DataType::kInt16, DataType::kUint16,
        DataType::kInt32, DataType::kUint32, DataType::kInt64, DataType::kUint64,
        DataType::kFloat16, DataType::kFloat32, DataType::kFloat64}) {
    SCOPED_TRACE(DataTypeName(type));
    Tensor tensor(type, {3, 2});
    std::uint8_t next = 0;
    for (std::byte& byte : tensor.bytes()) byte = static_cast<std::byte>(next++);
    ASSERT_TRUE(WriteNpy(path_, tensor.view()).ok());
    const auto read = ReadNpy(path_);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->data_type(), type);
    EXPECT_EQ(read->dims(), (Dims{3, 2}));
    EXPECT_TRUE(std::ranges::equal(read->bytes(), tensor.bytes()));
  }
}

TEST_F(NpyTest, ShapesOfEveryRankComeBack) {
  for (const Dims& dims : {Dims{}, Dims{5}, Dims{0, 4}, Dims{1, 2, 3, 4}}) {
    SCOPED_TRACE(ToString(dims));
    ASSERT_TRUE(WriteNpy(path_, Tensor(DataType::kInt16, dims).view()).ok());
    const auto read = ReadNpy(path_);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->dims(), dims);
  }
}

TEST_F(NpyTest, TheDataBeginsAtAMultipleOf64) {
  ASSERT_TRUE(WriteNpy(path_, Tensor(DataType::kFloat32, {2, 3}).view()).ok());
  const std::string bytes = ReadWhole(path_);
  EXPECT_EQ((bytes.size() - 24) % 64, 0U);
  EXPECT_EQ(bytes[bytes.size() - 25], '\n');
  EXPECT_EQ(bytes.substr(10, 60), std::string(kFloats) + " ");
}

TEST_F(NpyTest, ReadsAllThreeVersions) {
  for (const char version : {'\1', '\2', '\3'}) {
    const auto read = Read(Npy(kFloats, version));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->dims(), (Dims{2, 3}));
  }
}

TEST_F(NpyTest, ReadsAHeaderInAnotherOrderWithoutSpaces) {
  const auto read = Read(Npy("{'shape':(24,),'fortran_order':False,'descr':'|u1'}"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->data_type(), DataType::kUint8);
  EXPECT_EQ(read->dims(), (Dims{24}));
}

TEST_F(NpyTest, OtherVersionsAreRefused) {
  ExpectRefused(Npy(kFloats, 0), "version 0");
  ExpectRefused(Npy(kFloats, 4), "version 4");
  ExpectRefused(Npy(kFloats, '\x81'), "version 129");
}

TEST_F(NpyTest, FortranOrderIsRefusedWithTheWayOut) {
  ExpectRefused(Npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }"),
                "np.ascontiguousarray");
}

TEST_F(NpyTest, OtherTypesAreRefusedWithTheKnownOnes) {
  for (const char* const descr :
       {"'>f4'", "'<c8'", "'|O'", "'<U3'", "'|S4'", "''", "[('a', '<f4'), ('b', '<i4')]"}) {
    ExpectRefused(
        Npy(std::string("{'descr': ") + descr + ", 'fortran_order': False, 'shape': (2, 3), }"),
        "wants a little-endian number: |b1 |i1");
  }
}

TEST_F(NpyTest, ShapesThatAreNoSizesAreRefused) {
  for (const char* const shape :
       {"(-2, 3)", "(2, x)", "(2.5,)", "(99999999999999999999,)", "(2 3)"}) {
    ExpectRefused(
        Npy(std::string("{'descr': '<f4', 'fortran_order': False, 'shape': ") + shape + ", }"),
        "is no tuple of sizes");
  }
}

TEST_F(NpyTest, GiantShapesAreRefusedBeforeTheyAreAllocated) {
  const std::string start = "{'descr': '<f8', 'fortran_order': False, 'shape': ";
  ExpectRefused(Npy(start + "(4294967296, 4294967296), }"), "2^48");
  ExpectRefused(Npy(start + "(0, 9223372036854775807, 9), }"), "2^48");
  ExpectRefused(Npy(start + "(140737488355328,), }"), "wants 1125899906842624 bytes");
}

TEST_F(NpyTest, DataOfAnotherSizeIsRefused) {
  ExpectRefused(Npy(kFloats, 1, 23), "FP32 wants 24 bytes of data, got 23");
  ExpectRefused(Npy(kFloats, 1, 25), "FP32 wants 24 bytes of data, got 25");
}

TEST_F(NpyTest, EveryTruncationIsRefused) {
  const std::string whole = Npy(kFloats, 2);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    ExpectRefused(whole.substr(0, size), "");
  }
}

TEST_F(NpyTest, HeadersThatLieAboutTheirLengthAreRefused) {
  std::string longer = Npy(kFloats, 1, 0);
  longer[8] = static_cast<char>(longer[8] + 1);
  ExpectRefused(longer, "its header ends beyond the file");
  std::string longest = Npy(kFloats, 2);
  longest.replace(8, 4, "\xFF\xFF\xFF\xFF");
  ExpectRefused(longest, "its header ends beyond the file");
}

TEST_F(NpyTest, HeadersThatLackAFieldAreRefused) {
  for (const char* const header :
       {"", "{}", "{'descr': '<f4', 'fortran_order': False}", "{'descr': '<f4', 'shape': (2, 3)}",
        "{'fortran_order': False, 'shape': (2, 3)}", "{'descr': '<f4",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 6}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3"}) {
    ExpectRefused(Npy(header), "its header lacks descr, fortran_order or shape");
  }
}

TEST_F(NpyTest, AFileThatIsNoNpyIsRefused) {
  ExpectRefused("PK\x03\x04 not an array", "does not start as an .npy file does");
}

TEST_F(NpyTest, AFileThatIsNotThereIsNotFound) {
  const absl::Status status = ReadNpy(directory_ / "absent.npy").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("absent.npy"));
}

TEST_F(NpyTest, TypesThatNumPyLacksAreNotWritten) {
  const absl::Status status = WriteNpy(path_, Tensor(DataType::kBfloat16, {2}).view());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("BF16"));
}

TEST_F(NpyTest, AFileThatCannotBeWrittenIsSaid) {
  const absl::Status status =
      WriteNpy(directory_ / "no/such/folder/x.npy", Tensor(DataType::kInt8, {2}).view());
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no/such/folder/x.npy"));
}

}  // namespace
}  // namespace octet::cli
