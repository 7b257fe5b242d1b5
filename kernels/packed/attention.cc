// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/attention.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/activation.h"
#include "kernels/packed/aligned_array.h"

namespace octet::kernels {
namespace {

// Scores that are in memory at one time: with the weights made of them they fit into L2.
constexpr std::size_t kScores = 8192;
// In place of an excluded score: far below any other, and finite, so that a row of nothing else
// gets equal weights.
constexpr float kExcluded = -1e30F;

std::size_t BlockRows(std::size_t queries, std::size_t padded_keys) {
  constexpr std::size_t kFewest = 6;
  return std::min(queries, std::clamp(kScores / padded_keys, kFewest, kTileRows));
}

// The keys and values of a head as panels, and room for the scores of one block of queries.
class Layout {
 public:
  Layout(const MicroKernels& micro, const AttentionShape& shape)
      : columns(micro.f32->columns),
        key_panels((shape.keys - 1) / columns + 1),
        value_panels((shape.value_width - 1) / columns + 1),
        block_rows(BlockRows(shape.queries, key_panels * columns)) {
    value_ = Take(key_panels * columns * shape.width);
    scores_ = Take(value_panels * columns * shape.keys);
    weights_ = Take(key_panels * columns * block_rows);
    sum_ = Take(block_rows * shape.keys);
    size_ = Take(block_rows);
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  static float* Keys(std::byte* scratch) { return At(scratch, 0); }
  [[nodiscard]] float* Values(std::byte* scratch) const { return At(scratch, value_); }
  [[nodiscard]] float* Scores(std::byte* scratch) const { return At(scratch, scores_); }
  [[nodiscard]] float* Weights(std::byte* scratch) const { return At(scratch, weights_); }
  [[nodiscard]] float* Sums(std::byte* scratch) const { return At(scratch, sum_); }

  const std::size_t columns;
  const std::size_t key_panels;
  const std::size_t value_panels;
  const std::size_t block_rows;

 private:
  static float* At(std::byte* scratch, std::size_t offset) {
    return reinterpret_cast<float*>(scratch + offset);
  }
  // Where what follows `count` floats begins.
  std::size_t Take(std::size_t count) {
    end_ += RoundUp(count * sizeof(float), kScratchAlignment);
    return end_;
  }

  std::size_t end_ = 0;
  std::size_t value_ = 0;
  std::size_t scores_ = 0;
  std::size_t weights_ = 0;
  std::size_t sum_ = 0;
  std::size_t size_ = 0;
};

// [panels, width, columns]: a panel's columns are keys.
void PackKeys(const AttentionShape& shape, const Layout& layout, const float* key, float* panels) {
  for (std::size_t first = 0; first < shape.keys; first += layout.columns) {
    const std::size_t count = std::min(layout.columns, shape.keys - first);
    for (std::size_t p = 0; p < shape.width; ++p, panels += layout.columns) {
      const float* source = key + first * shape.key_stride + p;
      for (std::size_t j = 0; j < count; ++j) panels[j] = source[j * shape.key_stride];
      std::fill(panels + count, panels + layout.columns, 0.0F);
    }
  }
}

// [panels, keys, columns]: a panel's columns are elements of a value.
void PackValues(const AttentionShape& shape, const Layout& layout, const float* value,
                float* panels) {
  for (std::size_t first = 0; first < shape.value_width; first += layout.columns) {
    const std::size_t count = std::min(layout.columns, shape.value_width - first);
    for (std::size_t j = 0; j < shape.keys; ++j, panels += layout.columns) {
      std::copy_n(value + j * shape.value_stride + first, count, panels);
      std::fill(panels + count, panels + layout.columns, 0.0F);
    }
  }
}

// Some queries of one head.
struct Block {
  std::size_t head;
  std::size_t first;
  std::size_t rows;
};

// Calls exclude(row, key) for each key that a query of the block must not attend to.
template <typename Exclude>
void ForEachExcluded(const AttentionShape& shape, const Block& block, const Exclude& exclude) {
  const AttentionMask& mask = shape.mask;
  for (std::size_t row = 0; row < block.rows; ++row) {
    const std::size_t query = block.first + row;
    if (mask.keep != nullptr) {
      const std::uint8_t* keep =
          mask.keep + block.head * mask.head_stride + query * mask.query_stride;
      for (std::size_t j = 0; j < shape.keys; ++j) {
        if (keep[j * mask.key_stride] == 0) exclude(row, j);
      }
    }
    if (!shape.is_causal) continue;
    for (std::size_t j = query + 1; j < shape.keys; ++j) exclude(row, j);
  }
}

void FillZero(const AttentionShape& shape, float* out) {
  for (std::size_t head = 0; head < shape.heads; ++head) {
    for (std::size_t query = 0; query < shape.queries; ++query) {
      std::fill_n(out + head * shape.out_head_stride + query * shape.out_stride, shape.value_width,
                  0.0F);
    }
  }
}

class HeadsOfOneKey {
 public:
  HeadsOfOneKey(const MicroKernels& micro, const AttentionShape& shape, std::byte* scratch)
      : micro_(micro),
        shape_(shape),
        layout_(micro, shape),
        keys_(Layout::Keys(scratch)),
        values_(layout_.Values(scratch)),
        scores_(layout_.Scores(scratch)),
        weights_(layout_.Weights(scratch)),
        sums_(layout_.Sums(scratch)) {}

  void Run(const float* query, const float* key, const float* value, float* out) const {
    PackKeys(shape_, layout_, key, keys_);
    PackValues(shape_, layout_, value, values_);
    for (std::size_t head = 0; head < shape_.heads; ++head) {
      for (std::size_t first = 0; first < shape_.queries; first += layout_.block_rows) {
        const Block block = {head, first, std::min(layout_.block_rows, shape_.queries - first)};
        Score(block, query + head * shape_.query_head_stride + first * shape_.query_stride);
        Weigh(block);
        Add(block, out + head * shape_.out_head_stride + first * shape_.out_stride);
      }
    }
  }

 private:
  // scores[panel, row, column] = query . key
  void Score(const Block& block, const float* query) const {
    const std::size_t panel_size = shape_.width * layout_.columns;
    const std::size_t at_a_time = block.rows == 1 ? kOneRowPanels : 1;
    std::fill_n(scores_, layout_.key_panels * block.rows * layout_.columns, 0.0F);
    for (std::size_t panel = 0; panel < layout_.key_panels; panel += at_a_time) {
      micro_.f32->multiply(query, shape_.query_stride, block.rows, shape_.width,
                           keys_ + panel * panel_size, panel_size,
                           std::min(at_a_time, layout_.key_panels - panel),
                           scores_ + panel * block.rows * layout_.columns);
    }
  }

  void Weigh(const Block& block) const {
    float scale = shape_.scale;
    const std::span<float> scores(scores_, layout_.key_panels * block.rows * layout_.columns);
    // The largest score is to have the largest weight, and an excluded one none.
    if (shape_.soft_cap > 0.0F || scale <= 0.0F) {
      for (float& score : scores) score *= scale;
      scale = 1.0F;
    }
    if (shape_.soft_cap > 0.0F) {
      for (float& score : scores) score /= shape_.soft_cap;
      micro_.activation_f32({.kind = ActivationKind::kTanh}, scores, scores);
      scale = shape_.soft_cap;
    }
    ForEachExcluded(shape_, block, [&](std::size_t row, std::size_t j) {
      scores_[(j / layout_.columns * block.rows + row) * layout_.columns + j % layout_.columns] =
          kExcluded;
    });
    micro_.attention_weights({.scores = scores_,
                              .rows = block.rows,
                              .keys = shape_.keys,
                              .scale = scale,
                              .weights = weights_,
                              .sum = sums_});
    if (!shape_.zero_masked_rows) return;
    ForEachExcluded(shape_, block, [&](std::size_t row, std::size_t j) {
      weights_[row * shape_.keys + j] = 0.0F;
    });
  }

  // out[row] = the weighted values over the sum of the weights
  void Add(const Block& block, float* out) const {
    alignas(64) float tile[kTileRows * kMaxColumns];
    for (std::size_t panel = 0; panel < layout_.value_panels; ++panel) {
      const std::size_t first = panel * layout_.columns;
      const std::size_t count = std::min(layout_.columns, shape_.value_width - first);
      std::fill_n(tile, block.rows * layout_.columns, 0.0F);
      micro_.f32->multiply(weights_, shape_.keys, block.rows, shape_.keys,
                           values_ + panel * shape_.keys * layout_.columns, 0, 1, tile);
      for (std::size_t row = 0; row < block.rows; ++row) {
        const float factor = 1.0F / sums_[row];
        float* target = out + row * shape_.out_stride + first;
        const float* source = tile + row * layout_.columns;
        for (std::size_t e = 0; e < count; ++e) target[e] = source[e] * factor;
      }
    }
  }

  const MicroKernels& micro_;
  const AttentionShape& shape_;
  const Layout layout_;
  float* const keys_;
  float* const values_;
  float* const scores_;
  float* const weights_;
  float* const sums_;
};

}  // namespace

std::size_t PackedAttentionF32ScratchByteSize(const MicroKernels& micro,
                                              const AttentionShape& shape) {
  return shape.queries == 0 || shape.keys == 0 ? 0 : Layout(micro, shape).size();
}

void RunAttentionF32(const MicroKernels& micro, const AttentionShape& shape, const float* query,
                     const float* key, const float* value, float* out, std::byte* scratch) {
  if (shape.queries == 0) return;
  if (shape.keys == 0) {
    FillZero(shape, out);
    return;
  }
  HeadsOfOneKey(micro, shape, scratch).Run(query, key, value, out);
}

}  // namespace octet::kernels
