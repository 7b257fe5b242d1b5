// SPDX-License-Identifier: Apache-2.0
// Attention by blocks of keys, for products of any precision. Private to this room.
//
// The softmax is online: a query keeps its largest score and the sum of its weights, and what was
// added up before a larger score shrinks (Milakov and Gimelshein, 2018; Dao et al., 2022). So
// scratch is bounded by the widths, however many keys and queries there are. Blocks of keys begin
// at multiples of a constant: a query's result depends on no other query.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "kernels/activation.h"
#include "kernels/attention.h"
#include "kernels/packed/aligned_array.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

// The queries of a block, `stride` floats apart.
struct QueryRows {
  const float* query;
  std::size_t stride;
  std::size_t rows;
  std::size_t width;
};

// `Products` makes the two products of an attention from panels of keys and values:
//
//   Element          of packed keys, values, queries and weights
//   kMostKeys        of a block; a multiple of every set's columns
//   kDepthMultiple   widths of keys, and numbers of keys of values, are padded to it
//   kRowMultiple     rows are padded to it, in scores, weights and sums
//   kValuePanels     that Add takes at a time
//   columns()        of a panel
//   MostRows(keys)   queries of a block of so many keys, at most kTileRows
//   PackedQuerySize(rows, depth)                   elements that Score may use
//   PackKeys(key, stride, keys, width, panels)     panels of keys
//   PackValues(value, stride, keys, width, panels) panels of elements of a value
//   Score(queries, packed, panels, num_panels, scores)
//                                                  scores[panel, padded row, column]
//   Weigh(scores, stride, weights)                 MicroKernels::attention_weights
//   Add(weights, rows, depth, panels, num_panels, tile)
//                                                  tile[panel, padded row, column] += the product
template <typename Products>
class OnlineAttention {
 public:
  OnlineAttention(const MicroKernels& micro, const Products& products, const AttentionShape& shape)
      : micro_(micro),
        products_(products),
        shape_(shape),
        columns_(products.columns()),
        block_keys_(std::min(shape.keys, Products::kMostKeys)),
        most_rows_(std::min(shape.queries, products.MostRows(block_keys_))),
        value_panels_((shape.value_width - 1) / columns_ + 1) {
    const std::size_t padded_columns = RoundUp(block_keys_, columns_);
    const std::size_t depth = RoundUp(shape.width, Products::kDepthMultiple);
    const std::size_t padded_keys = RoundUp(block_keys_, Products::kDepthMultiple);
    const std::size_t rows = RoundUp(most_rows_, Products::kRowMultiple);
    keys_ = Take<Element>(padded_columns * depth);
    values_ = Take<Element>(value_panels_ * columns_ * padded_keys);
    packed_query_ = Take<Element>(products.PackedQuerySize(rows, depth));
    scores_ = Take<float>(padded_columns * rows);
    weights_ = Take<Element>(padded_keys * rows);
    const std::size_t states = std::min(kStates, shape.heads * shape.queries);
    largest_ = Take<float>(states);
    sum_ = Take<float>(states);
  }

  [[nodiscard]] std::size_t ScratchByteSize() const { return end_; }

  // Preconditions: there are queries and keys; `scratch` is as large as ScratchByteSize() says.
  void Run(const float* query, const float* key, const float* value, float* out,
           std::byte* scratch) const {
    const Inputs in = {query, key, value};
    const std::size_t rows = shape_.heads * shape_.queries;
    for (std::size_t first = 0; first < rows; first += kStates) {
      RunRows(in, first, std::min(rows, first + kStates), out, scratch);
    }
  }

 private:
  using Element = typename Products::Element;

  // Rows of all heads that share one packing of the keys.
  static constexpr std::size_t kStates = 1024;
  // In place of an excluded score: far below any other, and finite, so that a row of nothing else
  // gets equal weights.
  static constexpr float kExcluded = -1e30F;
  // Below it, an excluded score times the scale would not be far below any other.
  static constexpr float kLeastScale = 1e-20F;

  struct Inputs {
    const float* query;
    const float* key;
    const float* value;
  };
  // Some keys, and some queries of one head.
  struct Block {
    std::size_t first_key = 0;
    std::size_t keys = 0;
    std::size_t head = 0;
    std::size_t query = 0;
    std::size_t rows = 0;
    std::size_t state = 0;  // of the first query
    [[nodiscard]] std::size_t padded_keys() const {
      return RoundUp(keys, Products::kDepthMultiple);
    }
    [[nodiscard]] std::size_t padded_rows() const { return RoundUp(rows, Products::kRowMultiple); }
  };

  // Where `count` values begin.
  template <typename T>
  std::size_t Take(std::size_t count) {
    const std::size_t begin = end_;
    end_ += RoundUp(count * sizeof(T), kScratchAlignment);
    return begin;
  }
  template <typename T>
  static T* At(std::byte* scratch, std::size_t offset) {
    return reinterpret_cast<T*>(scratch + offset);
  }

  // Rows are those of one head after the other.
  void RunRows(const Inputs& in, std::size_t begin, std::size_t end, float* out,
               std::byte* scratch) const {
    std::fill_n(At<float>(scratch, largest_), end - begin, std::numeric_limits<float>::lowest());
    std::fill_n(At<float>(scratch, sum_), end - begin, 0.0F);
    for (std::size_t first = 0; first < shape_.keys; first += block_keys_) {
      Block block;
      block.first_key = first;
      block.keys = std::min(block_keys_, shape_.keys - first);
      products_.PackKeys(in.key + first * shape_.key_stride, shape_.key_stride, block.keys,
                         shape_.width, At<Element>(scratch, keys_));
      products_.PackValues(in.value + first * shape_.value_stride, shape_.value_stride, block.keys,
                           shape_.value_width, At<Element>(scratch, values_));
      for (std::size_t row = begin; row < end; row += block.rows) {
        block.head = row / shape_.queries;
        block.query = row % shape_.queries;
        block.rows = std::min({most_rows_, shape_.queries - block.query, end - row});
        block.state = row - begin;
        RunBlock(block, in.query, out, scratch);
      }
    }
  }

  void RunBlock(const Block& block, const float* query, float* out, std::byte* scratch) const {
    products_.Score(
        {.query = query + block.head * shape_.query_head_stride + block.query * shape_.query_stride,
         .stride = shape_.query_stride,
         .rows = block.rows,
         .width = shape_.width},
        At<Element>(scratch, packed_query_), At<Element>(scratch, keys_),
        (block.keys - 1) / columns_ + 1, At<float>(scratch, scores_));
    float rescale[kTileRows];
    Weigh(block, rescale, scratch);
    Add(block, rescale, out + block.head * shape_.out_head_stride + block.query * shape_.out_stride,
        scratch);
  }

  // Calls exclude(row, key) for each key that a query of the block must not attend to; keys are
  // counted from the block's first.
  template <typename Exclude>
  void ForEachExcluded(const Block& block, const Exclude& exclude) const {
    const AttentionMask& mask = shape_.mask;
    for (std::size_t row = 0; row < block.rows; ++row) {
      const std::size_t query = block.query + row;
      if (mask.keep != nullptr) {
        const std::uint8_t* keep = mask.keep + block.head * mask.head_stride +
                                   query * mask.query_stride + block.first_key * mask.key_stride;
        for (std::size_t j = 0; j < block.keys; ++j) {
          if (keep[j * mask.key_stride] == 0) exclude(row, j);
        }
      }
      if (!shape_.is_causal) continue;
      const std::size_t first = std::max(query + 1, block.first_key);
      for (std::size_t j = first; j < block.first_key + block.keys; ++j) {
        exclude(row, j - block.first_key);
      }
    }
  }

  // NOLINTNEXTLINE(readability-non-const-parameter): written through AttentionScores
  void Weigh(const Block& block, float* rescale, std::byte* scratch) const {
    const std::size_t rows = block.padded_rows();
    const std::span<float> scores(At<float>(scratch, scores_),
                                  RoundUp(block.keys, columns_) * rows);
    float scale = shape_.scale;
    // The largest score is to have the largest weight, and an excluded one none.
    if (shape_.soft_cap > 0.0F || scale < kLeastScale) {
      for (float& score : scores) score *= scale;
      scale = 1.0F;
    }
    if (shape_.soft_cap > 0.0F) {
      for (float& score : scores) score /= shape_.soft_cap;
      micro_.activation_f32({.kind = ActivationKind::kTanh}, scores, scores);
      scale = shape_.soft_cap;
    }
    ForEachExcluded(block, [&](std::size_t row, std::size_t j) {
      scores[(j / columns_ * rows + row) * columns_ + j % columns_] = kExcluded;
    });
    Element* const weights = At<Element>(scratch, weights_);
    const std::size_t stride = block.padded_keys();
    products_.Weigh({.scores = scores.data(),
                     .panel_rows = rows,
                     .rows = block.rows,
                     .keys = block.keys,
                     .scale = scale,
                     .largest = At<float>(scratch, largest_) + block.state,
                     .sum = At<float>(scratch, sum_) + block.state,
                     .rescale = rescale},
                    stride, weights);
    if (!shape_.zero_masked_rows) return;
    ForEachExcluded(
        block, [&](std::size_t row, std::size_t j) { weights[row * stride + j] = Element{0}; });
  }

  // out[row] = out[row] * rescale[row] + the weighted values, and behind the last key over the sum
  // of the weights.
  void Add(const Block& block, const float* rescale, float* out, std::byte* scratch) const {
    alignas(64) float tile[Products::kValuePanels * kTileRows * kMaxColumns];
    const Element* const values = At<Element>(scratch, values_);
    const float* const sum = At<float>(scratch, sum_) + block.state;
    const bool is_first = block.first_key == 0;
    const bool is_last = block.first_key + block.keys == shape_.keys;
    const std::size_t panel_size = block.padded_rows() * columns_;
    for (std::size_t panel = 0; panel < value_panels_; panel += Products::kValuePanels) {
      const std::size_t num_panels = std::min(Products::kValuePanels, value_panels_ - panel);
      if (is_first) {
        std::fill_n(tile, num_panels * panel_size, 0.0F);
      } else {
        for (std::size_t i = 0; i < num_panels; ++i) {
          LoadSums(block, panel + i, out, rescale, tile + i * panel_size);
        }
      }
      products_.Add(At<Element>(scratch, weights_), block.rows, block.padded_keys(),
                    values + panel * columns_ * block.padded_keys(), num_panels, tile);
      for (std::size_t i = 0; i < num_panels; ++i) {
        StoreSums(block, panel + i, tile + i * panel_size, is_last ? sum : nullptr, out);
      }
    }
  }

  // tile[row, column] = out[row] * rescale[row], for one panel.
  void LoadSums(const Block& block, std::size_t panel, const float* out, const float* rescale,
                float* tile) const {
    const std::size_t first = panel * columns_;
    const std::size_t count = std::min(columns_, shape_.value_width - first);
    std::fill_n(tile, block.padded_rows() * columns_, 0.0F);
    for (std::size_t row = 0; row < block.rows; ++row) {
      const float factor = rescale[row];
      const float* source = out + row * shape_.out_stride + first;
      float* target = tile + row * columns_;
      for (std::size_t e = 0; e < count; ++e) target[e] = source[e] * factor;
    }
  }

  // out[row] = tile[row, column], over sum[row] unless that is null.
  void StoreSums(const Block& block, std::size_t panel, const float* tile, const float* sum,
                 float* out) const {
    const std::size_t first = panel * columns_;
    const std::size_t count = std::min(columns_, shape_.value_width - first);
    for (std::size_t row = 0; row < block.rows; ++row) {
      const float factor = sum == nullptr ? 1.0F : 1.0F / sum[row];
      const float* source = tile + row * columns_;
      float* target = out + row * shape_.out_stride + first;
      for (std::size_t e = 0; e < count; ++e) target[e] = source[e] * factor;
    }
  }

  const MicroKernels& micro_;
  const Products& products_;
  const AttentionShape& shape_;
  const std::size_t columns_;
  const std::size_t block_keys_;
  const std::size_t most_rows_;
  const std::size_t value_panels_;
  std::size_t end_ = 0;  // of the scratch
  // Where in it these begin.
  std::size_t keys_;
  std::size_t values_;
  std::size_t packed_query_;
  std::size_t scores_;
  std::size_t weights_;
  std::size_t largest_;
  std::size_t sum_;
};

}  // namespace octet::kernels
