// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/attention.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/packed/online_attention.h"

namespace octet::kernels {
namespace {

// Scores that are in memory at one time: with the weights made of them they fit into L2.
constexpr std::size_t kScores = 8192;

// Float32, on the panels that products of constant matrices have.
class F32Products {
 public:
  using Element = float;
  static constexpr std::size_t kMostKeys = 512;
  static constexpr std::size_t kDepthMultiple = 1;
  static constexpr std::size_t kRowMultiple = 1;
  static constexpr std::size_t kValuePanels = 1;

  explicit F32Products(const MicroKernels& micro) : micro_(micro) {}

  [[nodiscard]] std::size_t columns() const { return micro_.f32->columns; }
  [[nodiscard]] std::size_t MostRows(std::size_t keys) const {
    return std::min(kScores / RoundUp(keys, columns()), kTileRows);
  }
  static std::size_t PackedQuerySize(std::size_t, std::size_t) { return 0; }

  // [panels, width, columns]: a panel's columns are keys.
  void PackKeys(const float* key, std::size_t stride, std::size_t keys, std::size_t width,
                float* panels) const {
    for (std::size_t first = 0; first < keys; first += columns()) {
      const std::size_t count = std::min(columns(), keys - first);
      for (std::size_t p = 0; p < width; ++p, panels += columns()) {
        const float* source = key + first * stride + p;
        for (std::size_t j = 0; j < count; ++j) panels[j] = source[j * stride];
        std::fill(panels + count, panels + columns(), 0.0F);
      }
    }
  }

  // [panels, keys, columns]: a panel's columns are elements of a value.
  void PackValues(const float* value, std::size_t stride, std::size_t keys, std::size_t width,
                  float* panels) const {
    for (std::size_t first = 0; first < width; first += columns()) {
      const std::size_t count = std::min(columns(), width - first);
      for (std::size_t j = 0; j < keys; ++j, panels += columns()) {
        std::copy_n(value + j * stride + first, count, panels);
        std::fill(panels + count, panels + columns(), 0.0F);
      }
    }
  }

  void Score(const QueryRows& queries, float* /*packed*/, const float* panels,
             std::size_t num_panels, float* scores) const {
    const std::size_t panel_size = queries.width * columns();
    const std::size_t at_a_time = queries.rows == 1 ? kOneRowPanels : 1;
    std::fill_n(scores, num_panels * queries.rows * columns(), 0.0F);
    for (std::size_t panel = 0; panel < num_panels; panel += at_a_time) {
      micro_.f32->multiply(queries.query, queries.stride, queries.rows, queries.width,
                           panels + panel * panel_size, panel_size,
                           std::min(at_a_time, num_panels - panel),
                           scores + panel * queries.rows * columns());
    }
  }

  void Weigh(const AttentionScores& scores, std::size_t stride, float* weights) const {
    micro_.attention_weights(scores, stride, weights);
  }

  void Add(const float* weights, std::size_t rows, std::size_t depth, const float* panels,
           std::size_t num_panels, float* tile) const {
    micro_.f32->multiply(weights, depth, rows, depth, panels, depth * columns(), num_panels, tile);
  }

 private:
  const MicroKernels& micro_;
};

// Bfloat16 with sums in float32.
class Bf16Products {
 public:
  using Element = std::uint16_t;
  // Scores of 32 queries, and the weights made of them, fit into L1.
  static constexpr std::size_t kMostKeys = 256;
  static constexpr std::size_t kDepthMultiple = kBf16KMultiple;
  static constexpr std::size_t kRowMultiple = kBf16RowMultiple;
  static constexpr std::size_t kValuePanels = 4;

  explicit Bf16Products(const MicroKernels& micro) : panels_(*micro.bf16) {}

  [[nodiscard]] std::size_t columns() const { return panels_.columns; }
  static std::size_t MostRows(std::size_t /*keys*/) { return 2 * kBf16RowMultiple; }
  static std::size_t PackedQuerySize(std::size_t rows, std::size_t depth) { return rows * depth; }

  void PackKeys(const float* key, std::size_t stride, std::size_t keys, std::size_t width,
                std::uint16_t* panels) const {
    panels_.pack_transposed(key, stride, keys, width, panels);
  }

  void PackValues(const float* value, std::size_t stride, std::size_t keys, std::size_t width,
                  std::uint16_t* panels) const {
    panels_.pack_rhs(value, stride, keys, width, panels);
  }

  void Score(const QueryRows& queries, std::uint16_t* packed, const std::uint16_t* panels,
             std::size_t num_panels, float* scores) const {
    panels_.pack_lhs(queries.query, queries.stride, queries.rows, queries.width, packed);
    panels_.multiply(packed, queries.rows, RoundUp(queries.width, kDepthMultiple), panels,
                     num_panels, scores);
  }

  void Weigh(const AttentionScores& scores, std::size_t stride, std::uint16_t* weights) const {
    panels_.attention_weights(scores, stride, weights);
  }

  void Add(const std::uint16_t* weights, std::size_t rows, std::size_t depth,
           const std::uint16_t* panels, std::size_t num_panels, float* tile) const {
    panels_.multiply_add(weights, rows, depth, panels, num_panels, tile);
  }

 private:
  const Bf16Panels& panels_;
};

// What attends to nothing.
void FillZero(const AttentionShape& shape, float* out) {
  for (std::size_t head = 0; head < shape.heads; ++head) {
    for (std::size_t query = 0; query < shape.queries; ++query) {
      std::fill_n(out + head * shape.out_head_stride + query * shape.out_stride, shape.value_width,
                  0.0F);
    }
  }
}

template <typename Products>
std::size_t ScratchByteSize(const MicroKernels& micro, const AttentionShape& shape) {
  if (shape.queries == 0 || shape.keys == 0) return 0;
  const Products products(micro);
  return OnlineAttention<Products>(micro, products, shape).ScratchByteSize();
}

template <typename Products>
void RunAttention(const MicroKernels& micro, const AttentionShape& shape, const float* query,
                  const float* key, const float* value, float* out, std::byte* scratch) {
  if (shape.queries == 0) return;
  if (shape.keys == 0) {
    FillZero(shape, out);
    return;
  }
  const Products products(micro);
  OnlineAttention<Products>(micro, products, shape).Run(query, key, value, out, scratch);
}

}  // namespace

std::size_t PackedAttentionF32ScratchByteSize(const MicroKernels& micro,
                                              const AttentionShape& shape) {
  return ScratchByteSize<F32Products>(micro, shape);
}

void RunAttentionF32(const MicroKernels& micro, const AttentionShape& shape, const float* query,
                     const float* key, const float* value, float* out, std::byte* scratch) {
  RunAttention<F32Products>(micro, shape, query, key, value, out, scratch);
}

std::size_t PackedAttentionBf16ScratchByteSize(const MicroKernels& micro,
                                               const AttentionShape& shape) {
  return ScratchByteSize<Bf16Products>(micro, shape);
}

void RunAttentionBf16(const MicroKernels& micro, const AttentionShape& shape, const float* query,
                      const float* key, const float* value, float* out, std::byte* scratch) {
  RunAttention<Bf16Products>(micro, shape, query, key, value, out, scratch);
}

}  // namespace octet::kernels
