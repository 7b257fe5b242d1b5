// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/kernel_choices_file.h"

#include <filesystem>
#include <iterator>
#include <random>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/runtime/cache_file.h"
#include "tests/support/small_bundle.h"

namespace octet {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

KernelChoices Example() {
  KernelChoices choices;
  choices.Set({"A CPU, family 25", "avx2", "conv2d_s8 8x8x16 kernel 3x3"},
              {.implementation = "rows",
               .batch_sizes = {1, 16},
               .times = {{"windows", {12.25, 190}}, {"rows", {10.5, 0.001}}}});
  choices.Set(
      {"A CPU, family 25", "amx", "matmul_s8 64x64"},
      {.implementation = "few_rows_only", .batch_sizes = {4}, .times = {{"few_rows_only", {1e6}}}});
  return choices;
}

class KernelChoicesFileTest : public ::testing::Test {
 protected:
  std::string Path() const { return root_ / "choices.txt"; }
  void Write(const std::string& text) const { testing::WriteWhole(Path(), text); }

  testing::TemporaryDirectory root_;
};

TEST_F(KernelChoicesFileTest, WhatIsWrittenIsRead) {
  const absl::Status status = WriteKernelChoices(Path(), Example());
  ASSERT_TRUE(status.ok()) << status;
  const StoredKernelChoices stored = ReadKernelChoices(Path());
  EXPECT_THAT(stored.warning, IsEmpty());
  EXPECT_EQ(stored.choices.entries(), Example().entries());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root_ / ""), {}), 1)
      << "no temporary file stays";
}

TEST_F(KernelChoicesFileTest, IsTextForPeople) {
  EXPECT_EQ(SerializeKernelChoices(Example()),
            "octet-kernel-choices 1 kernels 1\n"
            "A CPU, family 25\tamx\tmatmul_s8 64x64\tfew_rows_only\t4\tfew_rows_only=1e+06\n"
            "A CPU, family 25\tavx2\tconv2d_s8 8x8x16 kernel 3x3\trows\t1,16"
            "\twindows=12.25,190\trows=10.5,0.001\n");
}

TEST_F(KernelChoicesFileTest, AFileThatIsNotThereHoldsNothing) {
  const StoredKernelChoices stored = ReadKernelChoices(Path());
  EXPECT_THAT(stored.warning, IsEmpty());
  EXPECT_TRUE(stored.choices.entries().empty());
}

TEST_F(KernelChoicesFileTest, AnotherFormatOrRevisionIsNotUsed) {
  const std::string text = SerializeKernelChoices(Example());
  for (const std::string& other :
       {std::string(), std::string("\n"), std::string("{}"), text.substr(1),
        absl::StrReplaceAll(text, {{"choices 1", "choices 2"}}),
        absl::StrReplaceAll(text, {{"kernels 1", "kernels 0"}}), std::string(1000, '\0')}) {
    Write(other);
    const StoredKernelChoices stored = ReadKernelChoices(Path());
    EXPECT_TRUE(stored.choices.entries().empty());
    EXPECT_THAT(stored.warning, HasSubstr(Path()));
    EXPECT_THAT(stored.warning, HasSubstr("wants \"octet-kernel-choices 1 kernels 1\""));
  }
}

TEST_F(KernelChoicesFileTest, ABadLineIsLeftOut) {
  const std::string good = "cpu\tset\tlayer\tb\t1,2\ta=1,2\tb=3,4\n";
  const std::string head = "octet-kernel-choices 1 kernels 1\n";
  ASSERT_EQ(ParseKernelChoices(head + good).choices.entries().size(), 1U);
  for (const char* const bad : {"cpu\tset\tlayer\tb\t1,2",
                                "cpu",
                                "\t\t\t\t\t",
                                "cpu\tset\tlayer\tc\t1,2\ta=1,2\tb=3,4",
                                "\tset\tlayer\tb\t1,2\tb=1,2",
                                "cpu\tset\tlayer\t\t1,2\t=1,2",
                                "cpu\tset\tlayer\tb\t\tb=1",
                                "cpu\tset\tlayer\tb\t0\tb=1",
                                "cpu\tset\tlayer\tb\t-4\tb=1",
                                "cpu\tset\tlayer\tb\t99999999999999999999\tb=1",
                                "cpu\tset\tlayer\tb\t1\tb=1,2",
                                "cpu\tset\tlayer\tb\t1,2\tb=1",
                                "cpu\tset\tlayer\tb\t1\tb=nan",
                                "cpu\tset\tlayer\tb\t1\tb=inf",
                                "cpu\tset\tlayer\tb\t1\tb=-1",
                                "cpu\tset\tlayer\tb\t1\tb=0",
                                "cpu\tset\tlayer\tb\t1\tb=1e999",
                                "cpu\tset\tlayer\tb\t1\tb=",
                                "cpu\tset\tlayer\tb\t1\tb",
                                "c\x01pu\tset\tlayer\tb\t1\tb=1",
                                "cpu\tset\tlayer\tb\t1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1\tb=1"}) {
    const StoredKernelChoices stored = ParseKernelChoices(absl::StrCat(head, bad, "\n", good));
    EXPECT_EQ(stored.choices.entries().size(), 1U) << bad;
    EXPECT_THAT(stored.warning, HasSubstr("line 2 is \"")) << bad;
  }
  const StoredKernelChoices stored = ParseKernelChoices(absl::StrCat(head, "x\ny\n", good, "z"));
  EXPECT_EQ(stored.choices.entries().size(), 1U);
  EXPECT_THAT(stored.warning, HasSubstr("line 2 is \"x\", which is left out, and 2 more"));
}

TEST_F(KernelChoicesFileTest, LongTextIsLeftOut) {
  const std::string head = "octet-kernel-choices 1 kernels 1\n";
  const std::string cpu(513, 'c');
  std::string many = "cpu\tset\tlayer\tb\t1";
  for (int i = 0; i < 17; ++i) many += "\tb=1";
  for (const std::string& bad : {cpu + "\tset\tlayer\tb\t1\tb=1", many}) {
    EXPECT_TRUE(ParseKernelChoices(head + bad).choices.entries().empty());
  }
}

// Whatever a byte becomes, reading ends well, and what it gives can be written and read again.
TEST_F(KernelChoicesFileTest, ChangedBytesDoNoHarm) {
  const std::string text = SerializeKernelChoices(Example());
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string changed = text;
    for (int change = 0; change < 3; ++change) {
      changed[random() % changed.size()] = static_cast<char>(random() % 256);
    }
    if (i % 3 == 0) changed.resize(random() % changed.size());
    const StoredKernelChoices stored = ParseKernelChoices(changed);
    for (const auto& [key, choice] : stored.choices.entries()) {
      EXPECT_LT(FastestImplementation(choice.times), choice.times.size());
    }
    const StoredKernelChoices again = ParseKernelChoices(SerializeKernelChoices(stored.choices));
    EXPECT_THAT(again.warning, IsEmpty());
    EXPECT_EQ(again.choices.entries().size(), stored.choices.entries().size());
  }
}

TEST_F(KernelChoicesFileTest, WhatIsNoFileIsNotOpened) {
  EXPECT_THAT(ReadKernelChoices(root_ / "").warning, HasSubstr("is not a file that can be read"));
  ASSERT_EQ(mkfifo(Path().c_str(), 0600), 0);
  EXPECT_THAT(ReadKernelChoices(Path()).warning, HasSubstr("is not a file that can be read"));
}

TEST_F(KernelChoicesFileTest, AHugeFileIsNotRead) {
  Write("octet-kernel-choices 1 kernels 1\n");
  std::filesystem::resize_file(Path(), kMaxCacheFileByteSize + 1);
  EXPECT_THAT(ReadKernelChoices(Path()).warning, HasSubstr("has more than 16777216 bytes"));
}

TEST_F(KernelChoicesFileTest, WhatOthersWroteMeanwhileIsKept) {
  ASSERT_TRUE(WriteKernelChoices(Path(), Example()).ok());
  KernelChoices mine;
  mine.Set({"cpu", "set", "mine"},
           {.implementation = "a", .batch_sizes = {1}, .times = {{"a", {1}}}});
  ASSERT_TRUE(AddToKernelChoices(Path(), mine).ok());
  const StoredKernelChoices stored = ReadKernelChoices(Path());
  EXPECT_THAT(stored.warning, IsEmpty());
  EXPECT_EQ(stored.choices.entries().size(), Example().entries().size() + 1);
}

TEST_F(KernelChoicesFileTest, WhoWritesAtTheSameMomentDoesNoHarm) {
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([this, writer] {
      KernelChoices mine = Example();
      mine.Set({"cpu", "set", absl::StrCat("layer ", writer)},
               {.implementation = "a", .batch_sizes = {1}, .times = {{"a", {1}}}});
      for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(AddToKernelChoices(Path(), mine).ok());
        const StoredKernelChoices stored = ReadKernelChoices(Path());
        EXPECT_THAT(stored.warning, IsEmpty());
        EXPECT_GT(stored.choices.entries().size(), Example().entries().size());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root_ / ""), {}), 1)
      << "no temporary file stays";
}

TEST_F(KernelChoicesFileTest, AFolderThatIsNotThereIsAnError) {
  const absl::Status status = WriteKernelChoices(root_ / "no/such", Example());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no/such\": cannot be written"));
}

}  // namespace
}  // namespace octet
