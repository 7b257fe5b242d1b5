// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/ragged_batch.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using Ints = std::vector<std::int64_t>;

std::vector<Ints> SymbolsOf(const RaggedBatch& batch) {
  std::vector<Ints> symbols;
  for (std::size_t i = 0; i < batch.size(); ++i)
    symbols.emplace_back(batch[i].begin(), batch[i].end());
  return symbols;
}

RaggedBatch ThreeStretches() {
  RaggedBatch batch(2);
  batch.Append(Ints{1, 7});
  batch.Append(Ints{2, 7});
  batch.Append(Ints{1, 12});
  batch.Append(Ints{4, 7});
  return batch;
}

TEST(RaggedBatchTest, RowsThatAreAlikeAndFollowEachOtherAreOneStretch) {
  const RaggedBatch batch = ThreeStretches();
  EXPECT_THAT(SymbolsOf(batch), ElementsAre(Ints{3, 7}, Ints{1, 12}, Ints{4, 7}));
  EXPECT_EQ(batch.rows(), 8);
}

TEST(RaggedBatchTest, SomeRowsAreTakenFromTheMiddle) {
  const RaggedBatch all = ThreeStretches();
  RaggedBatch some(2, 8);
  some.Assign(all, {.first = 2, .count = 4}, 8);
  EXPECT_THAT(SymbolsOf(some), ElementsAre(Ints{1, 7}, Ints{1, 12}, Ints{2, 7}));
  EXPECT_EQ(some.rows(), 4);
  some.Assign(all, {.first = 3, .count = 1}, 8);
  EXPECT_THAT(SymbolsOf(some), ElementsAre(Ints{1, 12}));
  some.Assign(all, {.first = 0, .count = 8}, 2);
  EXPECT_THAT(SymbolsOf(some), ElementsAre(Ints{3, 7}, Ints{1, 12}))
      << "no more stretches than that";
  some.Assign(all, {.first = 0, .count = 8}, 8);
  EXPECT_EQ(some, all);
}

TEST(RaggedBatchTest, TellsWhereARowBegins) {
  const RaggedBatch batch = ThreeStretches();
  const TensorType words = {DataType::kInt16, {Dim(kRows), Dim(Symbol{1}), 3}, std::nullopt};
  EXPECT_EQ(PackedOffset(batch, words, 0), 0U);
  EXPECT_EQ(PackedOffset(batch, words, 2), 2U * 7 * 3 * 2);
  EXPECT_EQ(PackedOffset(batch, words, 3), 3U * 7 * 3 * 2);
  EXPECT_EQ(PackedOffset(batch, words, 5), (4U * 7 + 12) * 3 * 2);
  EXPECT_EQ(PackedOffset(batch, words, 8), (7U * 7 + 12) * 3 * 2) << "how large it is";
  const TensorType pooled = {DataType::kFloat32, {Dim(kRows), 3}, std::nullopt};
  EXPECT_EQ(PackedOffset(batch, pooled, 8), 8U * 3 * 4);
}

}  // namespace
}  // namespace octet
