// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/h5_file.h"

#include <array>
#include <cstring>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <string>
#include <string_view>
#include <vector>

namespace octet::keras {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kLimit = 1 << 24;

// The bytes of an HDF5 file that `fill` makes in memory.
std::vector<std::byte> MakeH5(const std::function<void(hid_t)>& fill) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(access, 1 << 16, false);
  const hid_t file = H5Fcreate("test.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  fill(file);
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  std::vector<std::byte> bytes(static_cast<std::size_t>(H5Fget_file_image(file, nullptr, 0)));
  H5Fget_file_image(file, bytes.data(), bytes.size());
  H5Fclose(file);
  H5Pclose(access);
  return bytes;
}

// Adds a dataset; its data are 0, 1, 2 ...
void AddDataset(hid_t file, const char* name, const std::vector<hsize_t>& dims,
                hid_t properties = H5P_DEFAULT, hid_t type = H5T_IEEE_F32LE) {
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (count < 100000) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  }
  H5Dclose(dataset);
  H5Sclose(space);
}

void AddGroup(hid_t file, const char* name) {
  H5Gclose(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

std::string ReadError(const std::vector<std::byte>& bytes, const std::string& path) {
  const auto file = H5File::Open(bytes, kLimit);
  EXPECT_TRUE(file.ok()) << file.status();
  const auto tensor = file->ReadDataset(path);
  EXPECT_FALSE(tensor.ok());
  return std::string(tensor.status().message());
}

TEST(H5FileTest, ReadsDatasetsAndNames) {
  const auto bytes = MakeH5([](hid_t file) {
    AddGroup(file, "vars");
    AddDataset(file, "vars/0", {2, 3});
    AddDataset(file, "vars/1", {3}, H5P_DEFAULT, H5T_STD_I8LE);
  });
  const auto file = H5File::Open(bytes, kLimit);
  ASSERT_TRUE(file.ok());
  EXPECT_THAT(*file->ListNames("vars"), ElementsAre("0", "1"));
  EXPECT_TRUE(*file->HasGroup("vars"));
  EXPECT_FALSE(*file->HasGroup("vars/0"));
  EXPECT_FALSE(*file->HasGroup("nothing"));
  const auto tensor = file->ReadDataset("vars/0");
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ(tensor->dims(), (Dims{2, 3}));
  EXPECT_EQ(tensor->as<float>()[5], 5.0F);
  EXPECT_EQ(file->ReadDataset("vars/1")->data_type(), DataType::kInt8);
}

TEST(H5FileTest, ReadsDeflatedAndShuffledChunks) {
  const auto bytes = MakeH5([](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const std::vector<hsize_t> chunk = {4, 4};
    H5Pset_chunk(properties, 2, chunk.data());
    H5Pset_shuffle(properties);
    H5Pset_deflate(properties, 6);
    AddDataset(file, "x", {8, 8}, properties);
    H5Pclose(properties);
  });
  const auto file = H5File::Open(bytes, kLimit);
  ASSERT_TRUE(file.ok());
  const auto tensor = file->ReadDataset("x");
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ(tensor->as<float>()[63], 63.0F);
}

TEST(H5FileTest, RefusesLinksThatAreNotHard) {
  const auto bytes = MakeH5([](hid_t file) {
    AddDataset(file, "real", {2});
    H5Lcreate_soft("/real", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "/x", file, "external", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(ReadError(bytes, "soft"), HasSubstr("soft or external link"));
  EXPECT_THAT(ReadError(bytes, "external"), HasSubstr("soft or external link"));
}

TEST(H5FileTest, RefusesDataInOtherFiles) {
  const auto bytes = MakeH5([](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(properties, "/etc/passwd", 0, 400000000);
    AddDataset(file, "x", {100000}, properties);
    H5Pclose(properties);
  });
  EXPECT_THAT(ReadError(bytes, "x"), HasSubstr("other files"));
}

TEST(H5FileTest, RefusesOtherFilters) {
  const auto bytes = MakeH5([](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const std::vector<hsize_t> chunk = {8};
    H5Pset_chunk(properties, 1, chunk.data());
    H5Pset_fletcher32(properties);
    AddDataset(file, "x", {8}, properties);
    H5Pclose(properties);
  });
  EXPECT_THAT(ReadError(bytes, "x"), HasSubstr("filter"));
}

TEST(H5FileTest, RefusesShapesWithoutData) {
  // Declared, but never written: a few bytes on disk, gigabytes when read.
  const auto bytes = MakeH5([](hid_t file) { AddDataset(file, "x", {1 << 20, 2}); });
  EXPECT_THAT(ReadError(bytes, "x"), HasSubstr("stored bytes"));
  const auto huge = MakeH5([](hid_t file) { AddDataset(file, "x", {1 << 24, 1 << 20}); });
  EXPECT_THAT(ReadError(huge, "x"), HasSubstr("at most"));
}

TEST(H5FileTest, StringsThatAreSaidToBeHugeAreRefusedBeforeTheyAreRead) {
  constexpr std::string_view kText = "twenty-three characters";
  std::vector<std::byte> bytes = MakeH5([&](hid_t file) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    const hsize_t count = 2;
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t attribute = H5Acreate2(file, "names", type, space, H5P_DEFAULT, H5P_DEFAULT);
    const std::array<const char*, 2> names = {"short", kText.data()};
    H5Awrite(attribute, type, names.data());
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
  });
  {
    const auto good = H5File::Open(bytes, kLimit);
    ASSERT_TRUE(good.ok()) << good.status();
    EXPECT_TRUE(good->HasAttribute("", "names"));
    EXPECT_FALSE(good->HasAttribute("", "other"));
    EXPECT_THAT(good->ReadStrings("", "names").value(), ElementsAre("short", std::string(kText)));
  }
  // The reference to the longer string is its length, its heap's place, and its number there.
  int changed = 0;
  for (std::size_t at = 0; at + 16 <= bytes.size(); ++at) {
    std::uint32_t length = 0;
    std::uint64_t heap = 0;
    std::memcpy(&length, bytes.data() + at, 4);
    std::memcpy(&heap, bytes.data() + at + 4, 8);
    if (length != kText.size() || heap + 4 > bytes.size()) continue;
    if (std::memcmp(bytes.data() + heap, "GCOL", 4) != 0) continue;
    length = 0xFFFFFF00;
    std::memcpy(bytes.data() + at, &length, 4);
    ++changed;
  }
  ASSERT_EQ(changed, 1);
  const auto bad = H5File::Open(bytes, kLimit);
  ASSERT_TRUE(bad.ok()) << bad.status();
  EXPECT_THAT(std::string(bad->ReadStrings("", "names").status().message()),
              HasSubstr("is too large"));
}

TEST(H5FileTest, RefusesTypesThatNeedConversion) {
  const auto bytes =
      MakeH5([](hid_t file) { AddDataset(file, "x", {4}, H5P_DEFAULT, H5T_IEEE_F32BE); });
  EXPECT_THAT(ReadError(bytes, "x"), HasSubstr("little-endian"));
}

TEST(H5FileTest, RefusesWhatIsNoHdf5) {
  const std::vector<std::byte> garbage(1000, std::byte{7});
  EXPECT_FALSE(H5File::Open(garbage, kLimit).ok());
  EXPECT_FALSE(H5File::Open({}, kLimit).ok());
}

}  // namespace
}  // namespace octet::keras
