// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/archive.h"

#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>
#include <zip.h>

namespace octet::keras {
namespace {

using ::testing::HasSubstr;
using Members = std::vector<std::pair<std::string, std::string>>;

constexpr std::int64_t kLimit = 1 << 24;

std::vector<std::byte> MakeZip(const Members& members, zip_int32_t method = ZIP_CM_STORE) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const target = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(target);
  zip_t* const archive = zip_open_from_source(target, ZIP_TRUNCATE, &error);
  for (const auto& [name, text] : members) {
    zip_source_t* const source = zip_source_buffer(archive, text.data(), text.size(), 0);
    const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0);
  }
  EXPECT_EQ(zip_close(archive), 0);
  zip_source_open(target);
  zip_source_seek(target, 0, SEEK_END);
  std::vector<std::byte> bytes(static_cast<std::size_t>(zip_source_tell(target)));
  zip_source_seek(target, 0, SEEK_SET);
  zip_source_read(target, bytes.data(), bytes.size());
  zip_source_close(target);
  zip_source_free(target);
  return bytes;
}

TEST(ArchiveTest, ReadsItsMembers) {
  const auto bytes = MakeZip({{"metadata.json", "m"},
                              {"config.json", "c"},
                              {"model.weights.h5", "w"},
                              {"assets/a.txt", "a"}});
  const auto archive = ReadKerasArchive(bytes, kLimit);
  ASSERT_TRUE(archive.ok()) << archive.status();
  EXPECT_EQ(archive->metadata_json, "m");
  EXPECT_EQ(archive->config_json, "c");
  ASSERT_EQ(archive->weights.size(), 1U);
  EXPECT_EQ(archive->weights[0], std::byte{'w'});
}

TEST(ArchiveTest, RefusesNamesThatClimbOut) {
  for (const char* const name : {"../x", "/etc/passwd", "a/../../x", "a\\b"}) {
    const auto archive = ReadKerasArchive(
        MakeZip({{"config.json", "c"}, {"model.weights.h5", "w"}, {name, "x"}}), kLimit);
    EXPECT_EQ(archive.status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST(ArchiveTest, RefusesANameThatOccursTwice) {
  // libzip would not write one: rename the second member in the bytes.
  auto bytes = MakeZip({{"config.json", "c"}, {"konfig.json", "d"}, {"model.weights.h5", "w"}});
  for (std::size_t i = 0; i + 6 < bytes.size(); ++i) {
    if (std::memcmp(&bytes[i], "konfig", 6) == 0) bytes[i] = std::byte{'c'};
  }
  for (std::size_t i = 0; i + 6 < bytes.size(); ++i) {
    if (std::memcmp(&bytes[i], "confjg", 6) == 0) bytes[i + 4] = std::byte{'i'};
  }
  const auto archive = ReadKerasArchive(bytes, kLimit);
  EXPECT_EQ(archive.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ArchiveTest, RefusesBombs) {
  const std::string zeros(std::size_t{8} << 20, '\0');
  const Members members = {{"config.json", "c"}, {"model.weights.h5", zeros}};
  EXPECT_EQ(ReadKerasArchive(MakeZip(members, ZIP_CM_DEFLATE), kLimit).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadKerasArchive(MakeZip(members), 1 << 20).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(ArchiveTest, TellsWhatIsMissing) {
  EXPECT_THAT(std::string(ReadKerasArchive(MakeZip({{"a", "b"}}), kLimit).status().message()),
              HasSubstr("config.json"));
  EXPECT_EQ(ReadKerasArchive(MakeZip({{"config.json", "c"}, {"model.weights.npz", "w"}}), kLimit)
                .status()
                .code(),
            absl::StatusCode::kUnimplemented);
}

TEST(ArchiveTest, RefusesDamage) {
  const auto bytes = MakeZip({{"config.json", "config"}, {"model.weights.h5", "weights"}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::byte> cut(bytes.begin(),
                                     bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(ReadKerasArchive(cut, kLimit).ok()) << size;
  }
  auto changed = bytes;
  for (std::size_t i = 0; i + 7 < changed.size(); ++i) {
    if (std::memcmp(&changed[i], "weights", 7) == 0 && changed[i + 7] != std::byte{'.'}) {
      changed[i] = std::byte{'W'};
    }
  }
  EXPECT_FALSE(ReadKerasArchive(changed, kLimit).ok()) << "checksum";
}

}  // namespace
}  // namespace octet::keras
