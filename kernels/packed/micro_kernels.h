// SPDX-License-Identifier: Apache-2.0
// What an instruction set brings: raw loops, compiled with its own flags.
// Private to this room.
//
// Everything that packs, allocates or decides is compiled once, for any CPU, in
// this folder; a set's loops take pointers only, so that no inline function of
// the standard library is ever compiled for instructions that the CPU may lack.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_set.h"

namespace octet::kernels {

// The most rows of a tile of sums. A tile holds all columns of one panel for
// some rows.
inline constexpr std::size_t kTileRows = 48;
// The most columns of a panel, over all sets.
inline constexpr std::size_t kMaxColumns = 32;

struct EpilogueTable;
struct TileTarget;

// Packed inputs of some rows, at most kTileRows but where it is said, for panels of int8 weights.
// Row r's lie in segments: number s begins at lhs + row_offset[r] + segment_offset[s]. Offsets are
// in bytes: who prepares a product has made sure that 32 bits hold them. What is behind a segment's
// values, up to its size, may be anything that can be read: it meets weights of 0.
struct PanelInputs {
  const std::byte* lhs;
  const std::uint32_t* row_offset;
  std::size_t rows;
  const std::uint32_t* segment_offset;
  std::size_t num_segments;
  std::size_t segment_size;  // elements, a multiple of k_multiple
};

// An integer matrix product, panel by panel. A panel holds `columns` output
// channels of the packed weights as [k_padded /
// interleave][columns][interleave] int8, where k_padded is that of all segments.
struct S8Panels {
  const char* name;
  std::size_t columns;       // of one panel
  std::size_t interleave;    // neighbours along k that lie together
  std::size_t k_multiple;    // a segment's part of k is rounded up to this
  std::size_t row_multiple;  // rows are rounded up to this in packed inputs and tiles
  std::size_t lhs_element_size;
  std::int32_t lhs_offset;  // pack_lhs adds it to every input
  // Whether rows may lie anywhere, in several segments. Otherwise they follow one another, in one
  // segment each.
  bool takes_segments;
  // [rows, k] int8, rows lhs_stride apart -> [rows, k_padded] elements; padding
  // is 0 and takes no part in a sum, whatever weight it meets.
  void (*pack_lhs)(const std::int8_t* lhs, std::size_t lhs_stride, std::size_t rows, std::size_t k,
                   std::size_t k_padded, std::byte* out);
  // One of the two is null. The first: tile[rows, columns] = the product. Sums wrap modulo 2^32.
  void (*multiply)(const PanelInputs& inputs, const std::int8_t* panel, std::int32_t* tile);
  // The second: this and MicroKernels::store_s8 in one, for any number of rows and all panels that
  // the target's channels have, which follow one another: sums stay in registers.
  void (*multiply_and_store)(const PanelInputs& inputs, const std::int8_t* panels,
                             const EpilogueTable& table, const TileTarget& target) = nullptr;
};

// The same for int16 inputs, which are used as they are: lhs_element_size, interleave and
// k_multiple are 2, and segments are taken. Each sum is below 2^31.
struct S16Panels {
  const char* name;
  std::size_t columns;
  void (*multiply)(const PanelInputs& inputs, const std::int8_t* panel, std::int32_t* tile);
};
inline constexpr std::size_t kS16Interleave = 2;

// Some rows for some panels of int4 weights, as many as S4Panels says.
//
// A panel holds `columns` output channels in groups along k: [num_groups, group_padded / 4,
// columns * 2] bytes of unsigned weights u = w + bias. Byte b of four neighbours along k holds, in
// its low nibble, neighbour b % 4 of column b / 4, and in its high nibble the same of column
// columns / 2 + b / 4.
struct S4Run {
  const std::int8_t* lhs;  // row r's begin at lhs + r * lhs_stride: [num_groups, group_padded];
  std::size_t lhs_stride;  // padding is 0
  // What a zero point of 1 adds to row r's sums in group g: row_term[r * row_term_stride + g]. It
  // is minus the sum of the row's inputs; without a table of zero points, times the one of all.
  const std::int32_t* row_term;
  std::size_t row_term_stride;
  std::size_t rows;
  std::size_t num_groups;
  std::size_t group_padded;  // a multiple of S4Panels::k_multiple
  std::size_t num_panels;
  const std::uint8_t* panel;  // the first
  std::size_t panel_stride;   // bytes
  const std::int16_t* zero;   // [num_groups, columns], of u; null where row_term has it
  const float* scale;         // the same; null without scales by group
  std::size_t table_stride;   // from a panel's zero and scale to the next one's
};

// An integer matrix product whose int4 weights stay nibbles until they are in registers.
struct S4Panels {
  const char* name;
  std::size_t columns;       // those of the set's S8Panels
  std::size_t k_multiple;    // of 4; groups shorter than s4_many_rows's have s4's
  std::size_t row_multiple;  // inputs have so many rows, tiles room for them
  // Of one call. A multiple of row_multiple; max_row_panels, at most kTileRows, bounds their
  // product.
  std::size_t max_rows;
  std::size_t max_panels;
  std::size_t max_row_panels;
  // tile[num_panels, rows, columns] = sum of lhs * (u - zero). num_groups is 1. Sums wrap modulo
  // 2^32.
  void (*multiply)(const S4Run& run, std::int32_t* tile);
  // tile[num_panels, rows, columns] = sum over groups, rising, of float(the group's sum) * scale,
  // in float32.
  void (*multiply_groups)(const S4Run& run, float* tile);
};

// A float matrix product, panel by panel. A panel is [k][columns] float.
struct F32Panels {
  const char* name;
  std::size_t columns;
  // tile[num_panels, rows, columns] += the product of rows [rows, k] (of stride
  // lhs_stride) and `num_panels` panels, `panel_stride` floats apart. rows *
  // num_panels is at most kTileRows. Each sum runs in the order of k, whatever
  // rows and num_panels are.
  void (*multiply)(const float* lhs, std::size_t lhs_stride, std::size_t rows, std::size_t k,
                   const float* panels, std::size_t panel_stride, std::size_t num_panels,
                   float* tile);
};

// Panels that one call of F32Panels::multiply should take when it has a single
// row, to have more independent sums.
inline constexpr std::size_t kOneRowPanels = 4;

// FixedPointScale's of channels, member by member.
struct FixedPointTable {
  // Null, or for a shorter computation of all of them: each has a multiplier of at least 2^30, is
  // rounded twice, and then the second time by right_shift, 1 to 31; and no number that is
  // multiplied is so large that it and 2^(right_shift - 1) leave int32.
  const std::int32_t* right_shift;
  const std::int32_t* multiplier;
  const std::int64_t* round;
  const std::int64_t* round_negative;
  const std::int64_t* shift;
};

// An Epilogue with its arrays padded to whole panels, and all that is added to
// the int32 sum, the correction of the offsets included, in one array.
struct EpilogueTable {
  EpilogueKind kind;
  ScaleConvention convention;
  const std::int32_t* add;
  const std::int32_t* row_factor;  // of TileTarget::row_term; null: 1 for all columns
  const float* scale;              // weight_scale, or multiplier
  const float* bias;               // kDynamic; -0.0, the neutral element of addition, where
                                   // there is none
  FixedPointTable fixed;           // kStaticFixed
  std::int32_t zero_point;
  std::int32_t lo;
  std::int32_t hi;
  Activation activation;
};

// An EpilogueS16 with its arrays padded to whole panels.
struct S16EpilogueTable {
  EpilogueKind kind;
  const double* add;
  const double* scale;
  HalfRounding rounding;
  std::int32_t lo;
  std::int32_t hi;
  Activation activation;
};

// The scales of a kDynamic epilogue's rows: row r's is scale[(first_row + r) / rows_per_scale].
struct RowScales {
  const float* scale = nullptr;
  std::size_t first_row = 0;
  std::size_t rows_per_scale = SIZE_MAX;  // one for all rows
};

// Which rows and columns a tile holds, or is not even made for, and where its results go.
struct TileTarget {
  std::size_t rows;
  std::size_t first_channel;  // the tile's first column
  std::size_t num_channels;   // columns that are stored; the rest of the panels is padding
  RowScales row_scales = {};
  void* out;  // element (0, 0) of the tile
  std::size_t out_stride;
  // For weights with zero points: row_term[r] * row_factor is added to row r's sums. Null: nothing.
  const std::int32_t* row_term = nullptr;
  // Float results, after the activation: what is added to element (0, 0), rows out_stride apart.
  // Null: nothing.
  const float* residual = nullptr;
};

// Integer weights [rows, columns] that become floats: (value - zero[column]) * scale[column].
struct ExpandRun {
  std::size_t rows;
  std::size_t columns;  // those of the set's F32Panels: a multiple of 16
  const float* zero;
  const float* scale;
  float* out;
};

// The most rows that integer weights become floats for in registers.
inline constexpr std::size_t kFewRows = 4;

// Some rows, at most kFewRows, for panels of integer weights that become floats in registers, as
// ExpandRun says, but for the same zero in all columns, where `zero` is null.
struct FewRowsRun {
  const float* lhs;
  std::size_t lhs_stride;
  std::size_t rows;
  std::size_t k;
  std::size_t columns;
  std::size_t num_panels;    // rows * num_panels is at most kTileRows
  std::size_t panel_stride;  // bytes
  const float* zero;         // of the first panel, as scale; the next ones lie table_stride further
  std::int32_t one_zero;     // of nibbles, where there is no table of them; bytes have 0
  const float* scale;        // null: 1
  std::size_t table_stride;
  float* tile;  // [num_panels, rows, columns] += the product, each sum in the order of k
};

// A float tile's way out: y = activation(x + bias), or x / scale + bias, or x *
// scale + bias.
struct F32EpilogueTable {
  enum class Scaling : std::uint8_t { kNone, kDivide, kMultiply } scaling;
  const float* scale;  // padded, as bias; null for kNone
  const float* bias;   // -0.0 where there is none
  Activation activation;
};

// Neighbouring output pixels of one row of a depthwise convolution, for one panel of channels.
// taps[t] + first_channel is where the first pixel's tap t begins, and the next pixel's lies
// `pixel_step` values further; what is outside the image is read from elsewhere, and counts as any
// other input. num_channels is a multiple of kDepthwiseChannels.
template <typename T>
struct DepthwiseRun {
  const T* const* taps;
  std::size_t num_taps;
  std::size_t num_pixels;  // at most kTileRows
  std::size_t pixel_step;
  std::size_t first_channel;
  std::size_t num_channels;
  std::size_t padded_channels;  // of the filter
  std::size_t columns;          // of a row of sums
};

// A part of one row of output pixels of a depthwise convolution, or of two neighbouring rows that
// see the same four rows of inputs, for a block of channels, from int8 to int8.
//
// A tap takes four rows of one column at once. What is multiplied are vectors of kStripBlock bytes
// of four bytes a channel: vector_columns pixels with a quarter of the block's channels each. Of
// each 16 channels that lie together, quarter q has channels 4 q to 4 q + 3. So a block of 64 / 2 =
// 32 channels has, in quarter 0, channels 0 to 3 and 16 to 19 of one pixel and then of the next.
struct DepthwiseStrip {
  // Inputs: rows[r] is the first channel of column 0, null for a row of padding. There are four
  // rows a group.
  const std::int8_t* const* rows;
  const std::int8_t* image;  // its first row
  std::size_t column_step;   // from one column to the next
  std::size_t num_groups;
  std::size_t first_channel;
  std::size_t num_channels;     // of the block; at most kStripBlock / vector_columns
  std::size_t vector_columns;   // 1, 2 or 4
  std::ptrdiff_t first_column;  // that the first pixel sees; below 0: padding
  std::size_t in_width;
  std::int8_t padding;

  // Interleaved inputs, in scratch: [groups, phases, quarters] streams of columns. A stream has
  // the columns of one phase: column stride * i + phase, counted from first_column, is its number
  // i.
  std::byte* scratch;
  std::size_t stride;
  std::size_t num_phases;
  std::size_t num_columns;  // of a stream that are read; behind them there is room for a vector
  std::size_t stream_size;  // bytes, a multiple of kStripBlock

  // Taps: where the first pixel's lies in the first quarter's streams, and weights as [quarters,
  // taps, weight_rows, kStripBlock].
  const std::uint32_t* tap_offsets;
  std::size_t num_taps;
  const std::int8_t* weights;
  std::size_t weight_rows;  // at least num_rows

  // Static epilogue, of results that int32 holds even before they are clipped: tables are
  // [quarters, kStripBlock / 4]. Inputs are too large by kStripOffset.
  const std::int32_t* add;
  const float* scale;     // null: fixed
  FixedPointTable fixed;  // the same
  std::int32_t zero_point;
  std::int32_t lo;
  std::int32_t hi;

  std::int8_t* out;
  std::size_t num_rows;  // 1 or 2
  std::size_t num_pixels;
  std::size_t out_step;      // from one pixel to the next
  std::size_t out_row_step;  // from one row to the next
};
inline constexpr std::size_t kStripBlock = 64;
inline constexpr std::int32_t kStripOffset = 128;

// Channels that a depthwise loop takes at a time.
inline constexpr std::size_t kDepthwiseChannels = 8;

// The scores of some queries for a block of keys, and what the blocks before it came to.
struct AttentionScores {
  const float* scores;     // [panels of keys, panel_rows, columns]
  std::size_t panel_rows;  // at least rows
  std::size_t rows;
  std::size_t keys;
  float scale;  // above 0
  // [rows], of the blocks before this one; becomes that of this one too. The lowest float, and 0,
  // where this is the first.
  float* largest;  // score
  float* sum;      // of exp(scale * (score - largest))
  float* rescale;  // [rows]: what weights of the blocks before have to be multiplied by
};

// A product of bfloat16 matrices with sums in float32, panel by panel, for an attention of that
// precision. A panel is [k / 2][columns][2]; k and rows are padded with 0 to these multiples.
// Floats are rounded to the nearest bfloat16, ties to even, and NaNs stay NaNs.
inline constexpr std::size_t kBf16KMultiple = 32;
inline constexpr std::size_t kBf16RowMultiple = 16;
struct Bf16Panels {
  const char* name;
  std::size_t columns;
  // [rows, k], rows `stride` apart -> [padded rows, padded k].
  void (*pack_lhs)(const float* lhs, std::size_t stride, std::size_t rows, std::size_t k,
                   std::uint16_t* out);
  // Panels of [n, k], whose rows become columns, and of [k, n].
  void (*pack_transposed)(const float* matrix, std::size_t stride, std::size_t n, std::size_t k,
                          std::uint16_t* panels);
  void (*pack_rhs)(const float* matrix, std::size_t stride, std::size_t k, std::size_t n,
                   std::uint16_t* panels);
  // tile[num_panels, padded rows, columns] = the product, or += it, of padded k. Subnormal numbers
  // count as 0. A row's sums do not depend on other rows.
  void (*multiply)(const std::uint16_t* lhs, std::size_t rows, std::size_t k,
                   const std::uint16_t* panels, std::size_t num_panels, float* tile);
  void (*multiply_add)(const std::uint16_t* lhs, std::size_t rows, std::size_t k,
                       const std::uint16_t* panels, std::size_t num_panels, float* tile);
  // As MicroKernels::attention_weights, padded to `stride` and whole rows with 0; sums are those of
  // the rounded weights.
  void (*attention_weights)(const AttentionScores& scores, std::size_t stride,
                            std::uint16_t* weights);
};

struct MicroKernels {
  const S8Panels* s8;
  // For at least `many_rows_from` rows; null if there is no such thing. Packs
  // weights as s8 does.
  const S8Panels* s8_many_rows;
  std::size_t many_rows_from;
  const S4Panels* s4;
  const S4Panels* s4_many_rows;  // as s8_many_rows
  const S16Panels* s16;          // of as many columns as s8
  const F32Panels* f32;
  const Bf16Panels* bf16;  // null where it is not faster than f32

  // sums[r] = factor * (start + the sum of row r's k values), modulo 2^32; rows `stride` apart.
  void (*sum_rows)(const std::int8_t* values, std::size_t stride, std::size_t rows, std::size_t k,
                   std::uint32_t start, std::uint32_t factor, std::int32_t* sums);

  // The tile is overwritten where that is useful.
  void (*store_s8)(const EpilogueTable& table, const TileTarget& target, std::int32_t* tile);
  void (*store_f32)(const F32EpilogueTable& table, const TileTarget& target, float* tile);

  void (*store_s16)(const S16EpilogueTable& table, const TileTarget& target,
                    const std::int32_t* tile);
  // Of sums that are made of several tiles, which add_sums adds up: total[i] += tile[i].
  void (*store_s16_total)(const S16EpilogueTable& table, const TileTarget& target,
                          const double* total);
  void (*add_sums)(const std::int32_t* tile, std::size_t size, double* total);

  // Int4 with scales by group: sums / the row's scale + bias, activation.
  void (*store_scaled)(const EpilogueTable& table, const TileTarget& target, float* sums);

  void (*expand_s8)(const ExpandRun& run, const std::int8_t* values);
  // Nibbles are [rows, columns / 2]: the first half of the columns lies in the low ones.
  void (*expand_s4)(const ExpandRun& run, const std::uint8_t* nibbles);
  // Panels as those of expand_s8 and expand_s4. Equal to F32Panels::multiply with expanded weights.
  void (*multiply_few_rows_s8)(const FewRowsRun& run, const std::int8_t* panels);
  void (*multiply_few_rows_s4)(const FewRowsRun& run, const std::uint8_t* panels);

  // sums[num_pixels, columns]. The filter is [num_taps / 2][padded channels][2]: num_taps is even.
  void (*depthwise_s8)(const DepthwiseRun<std::int8_t>& run, const std::int16_t* filter,
                       std::int32_t* sums);
  // The same; each sum is below 2^31.
  void (*depthwise_s16)(const DepthwiseRun<std::int16_t>& run, const std::int16_t* filter,
                        std::int32_t* sums);
  // The filter is [num_taps][padded channels]; each sum runs in the order of the taps.
  void (*depthwise_f32)(const DepthwiseRun<float>& run, const float* filter, float* sums);

  // weights[rows, keys] = exp(scale * (score - largest)), rows `stride` apart.
  void (*attention_weights)(const AttentionScores& scores, std::size_t stride, float* weights);

  // Families without weights.
  QuantizeRowsS8 quantize_rows_s8;
  QuantizeS8 quantize_s8;
  DequantizeS8 dequantize_s8;
  RequantizeS8 requantize_s8;
  QuantizeS16 quantize_s16;
  DequantizeS16 dequantize_s16;
  Pool2dF32 pool2d_f32;
  Pool2dS8 pool2d_s8;
  Pool2dS16 pool2d_s16;
  ActivationF32 activation_f32;
  LookupS8 lookup_s8;
  BinaryF32 binary_f32;
  BinaryS8 binary_s8;
  BinaryFixedS8 binary_fixed_s8;
  BinaryFixedS16 binary_fixed_s16;
  BinaryS16 binary_s16;
  SoftmaxF32 softmax_f32;
  NormalizeF32 normalize_f32;

  // What depthwise_s8 and store_s8 do, at once and faster. Null where there is no such thing.
  void (*depthwise_strip_s8)(const DepthwiseStrip& strip);
};

}  // namespace octet::kernels
