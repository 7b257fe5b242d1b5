// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/depthwise_strips.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/packed/aligned_array.h"
#include "kernels/packed/depthwise_filter.h"
#include "kernels/packed/s8_product.h"

namespace octet::kernels {
namespace {

// Rows of inputs that a tap takes.
constexpr std::size_t kGroupRows = 4;
// Vectors of a block.
constexpr std::size_t kQuarters = 4;
constexpr std::size_t kMostVectorColumns = 4;
// Pixels of an output row at a time: so many that their inputs of all channels, and those of a
// block interleaved, stay in L1, but not fewer than a few. Where those see too much, strips are of
// no use.
constexpr std::size_t kInputBytes = std::size_t{28} << 10;
constexpr std::size_t kFewestPixels = 16;
constexpr std::size_t kMostInputBytes = std::size_t{256} << 10;
// Larger ones are of no use, either, and what is computed below does not overflow.
constexpr std::size_t kLargestSize = 256;

// How the inputs of a strip lie in scratch.
struct StripLayout {
  explicit StripLayout(const Conv2dGeometry& g)
      : stride(g.stride_width),
        reach((g.kernel_width - 1) * g.dilation_width + 1),
        num_groups((g.kernel_height + kGroupRows - 1) / kGroupRows),
        num_phases(std::min(stride, reach)),
        num_rows(g.dilation_height == 1 && g.stride_height < kGroupRows &&
                         g.kernel_height + g.stride_height <= kGroupRows
                     ? 2
                     : 1),
        num_pixels(kFewestPixels) {
    const std::size_t column_bytes = num_groups * num_phases * kQuarters * kStripBlock +
                                     num_groups * kGroupRows * stride * g.in_channels;
    const std::size_t columns = kInputBytes / column_bytes;
    const std::size_t others = StreamColumns(0);
    if (columns > others + num_pixels) {
      num_pixels = (columns - others) / kMostVectorColumns * kMostVectorColumns;
    }
  }

  // Of `pixels`, which fill vectors, and room for a vector behind them.
  std::size_t StreamColumns(std::size_t pixels) const {
    return pixels + (reach - 1) / stride + kMostVectorColumns;
  }
  std::size_t StreamSize(std::size_t vector_columns) const {
    return RoundUp(StreamColumns(num_pixels) * kStripBlock / vector_columns, kStripBlock);
  }
  std::size_t ByteSize() const { return num_groups * num_phases * kQuarters * StreamSize(1); }

  // In a stream, of what tap `kernel_column` of a group of rows takes for the first pixel.
  std::uint32_t TapOffset(std::size_t group, std::size_t column, std::size_t vector_columns) const {
    const std::size_t first_stream = (group * num_phases + column % stride) * kQuarters;
    return static_cast<std::uint32_t>(first_stream * StreamSize(vector_columns) +
                                      column / stride * (kStripBlock / vector_columns));
  }

  std::size_t stride;
  std::size_t reach;  // columns from the first to the last one that a pixel sees
  std::size_t num_groups;
  std::size_t num_phases;
  std::size_t num_rows;    // of output that see the same group of rows
  std::size_t num_pixels;  // of an output row, at most
};

// Channels that are computed together.
struct Block {
  std::size_t first_channel;
  std::size_t num_channels;
  std::size_t vector_columns;

  // Of a vector's value, of `quarter`; num_channels or more: of none.
  std::size_t ChannelOf(std::size_t quarter, std::size_t index) const {
    return (index / 4 * 16 + quarter * 4 + index % 4) % (kStripBlock / vector_columns);
  }
};

// Whole vectors of channels, then the narrowest part of one that holds the rest.
std::vector<Block> BlocksOf(std::size_t channels) {
  std::vector<Block> blocks;
  for (std::size_t first = 0; first < channels; first += kStripBlock) {
    const std::size_t size = std::min(kStripBlock, channels - first);
    blocks.push_back({.first_channel = first,
                      .num_channels = size,
                      .vector_columns = size <= kStripBlock / 4   ? std::size_t{4}
                                        : size <= kStripBlock / 2 ? std::size_t{2}
                                                                  : std::size_t{1}});
  }
  return blocks;
}

// Four rows of one of the kernel's columns. A filter whose values, their zero points taken away,
// are no int8 is the sum of several, each with taps of its own.
struct Tap {
  std::size_t group;
  std::size_t kernel_column;
  std::size_t part;
};

// The part of a value that is a sum of int8.
int PartOf(int value, std::size_t part) {
  for (; part > 0; --part) value -= std::clamp(value, -128, 127);
  return std::clamp(value, -128, 127);
}

// The taps, but for those parts of them that are all 0.
std::vector<Tap> TapsOf(const Conv2dS8Spec& spec, std::size_t num_groups) {
  const Conv2dGeometry& g = spec.geometry;
  std::vector<Tap> taps;
  for (std::size_t group = 0; group < num_groups; ++group) {
    for (std::size_t kw = 0; kw < g.kernel_width; ++kw) {
      std::size_t parts = 1;
      const std::size_t last = std::min(g.kernel_height, (group + 1) * kGroupRows);
      for (std::size_t kh = group * kGroupRows; kh < last; ++kh) {
        for (std::size_t c = 0; c < g.out_channels; ++c) {
          const int value = FilterDifference(spec, (kh * g.kernel_width + kw) * g.out_channels + c);
          while (PartOf(value, parts) != 0) ++parts;
        }
      }
      for (std::size_t part = 0; part < parts; ++part) taps.push_back({group, kw, part});
    }
  }
  return taps;
}

// Whether int32 holds all results of a static epilogue before they are clipped.
bool ResultsFit(const Conv2dS8Spec& spec) {
  constexpr double kLargestInput = 255;  // its zero point taken away
  constexpr double kLargestResult = 1 << 30;
  const std::size_t channels = spec.geometry.out_channels;
  std::vector<double> sum(channels);
  for (std::size_t i = 0; i < spec.filter.size(); ++i) {
    sum[i % channels] += kLargestInput * std::abs(FilterDifference(spec, i));
  }
  for (std::size_t c = 0; c < channels; ++c) {
    if (!spec.epilogue.bias_s32.empty())
      sum[c] += std::abs(static_cast<double>(spec.epilogue.bias_s32[c]));
    const double multiplier = spec.epilogue.kind == EpilogueKind::kStaticFixed
                                  ? spec.epilogue.fixed[c].Real()
                                  : std::abs(static_cast<double>(spec.epilogue.multiplier[c]));
    if (sum[c] * multiplier > kLargestResult) return false;
  }
  return true;
}

class StripDepthwiseConv2dS8 final : public Conv2dS8 {
 public:
  StripDepthwiseConv2dS8(const MicroKernels& micro, const Conv2dS8Spec& spec)
      : micro_(micro),
        geometry_(spec.geometry),
        layout_(geometry_),
        blocks_(BlocksOf(geometry_.out_channels)),
        taps_(TapsOf(spec, layout_.num_groups)),
        tap_offsets_((kMostVectorColumns + 1) * taps_.size()),
        weights_(blocks_.size() * BlockWeights()),
        add_(blocks_.size() * kStripBlock),
        is_fixed_(spec.epilogue.kind == EpilogueKind::kStaticFixed),
        scale_(is_fixed_ ? 0 : blocks_.size() * kStripBlock, 1.0F),
        fixed_(is_fixed_ ? blocks_.size() * kStripBlock : 0,
               LargestSum(spec.epilogue, geometry_.kernel_height * geometry_.kernel_width)),
        padding_(static_cast<std::int8_t>(spec.in_zero_point.value)),
        zero_point_(spec.epilogue.out_zero_point.value),
        lo_(spec.epilogue.lo),
        hi_(spec.epilogue.hi),
        provider_(std::string(micro.s8->name) + " depthwise strips") {
    const PaddedEpilogue epilogue(spec.epilogue, geometry_.out_channels,
                                  geometry_.kernel_height * geometry_.kernel_width, SumFilter(spec),
                                  spec.in_zero_point.value + kStripOffset);
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      PackTables(b, epilogue.table(), spec.epilogue);
      PackWeights(b, spec);
    }
    for (const Block& block : blocks_) {
      for (std::size_t t = 0; t < taps_.size(); ++t) {
        tap_offsets_[block.vector_columns * taps_.size() + t] =
            layout_.TapOffset(taps_[t].group, taps_[t].kernel_column * geometry_.dilation_width,
                              block.vector_columns);
      }
    }
  }

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override {
    return tap_offsets_.ByteSize() + weights_.ByteSize() + add_.ByteSize() + scale_.ByteSize() +
           fixed_.ByteSize();
  }
  std::size_t ScratchByteSize(std::size_t) const override {
    return RowsByteSize() + layout_.ByteSize();
  }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    assert(a.scratch.size() >= ScratchByteSize(a.num_images));
    const std::size_t pitch = RunPitch(a.out_pitch, g);
    const std::size_t out_pixels = g.OutHeight() * g.OutWidth();
    for (std::size_t image = 0; image < a.num_images; ++image) {
      RunImage(g, a.in.data() + image * g.InSize(), pitch,
               a.out.s8.data() + image * out_pixels * pitch, a.scratch.data());
    }
  }

 private:
  std::size_t NumInputRows() const { return layout_.num_groups * kGroupRows; }
  std::size_t RowsByteSize() const {
    return RoundUp(NumInputRows() * sizeof(const std::int8_t*), kScratchAlignment);
  }
  std::size_t BlockWeights() const {
    return kQuarters * taps_.size() * layout_.num_rows * kStripBlock;
  }

  void PackTables(std::size_t b, const EpilogueTable& table, const Epilogue& epilogue) {
    const Block& block = blocks_[b];
    for (std::size_t i = 0; i < kStripBlock; ++i) {
      const std::size_t channel = block.ChannelOf(i / 16, i % 16);
      if (channel >= block.num_channels) continue;
      add_[b * kStripBlock + i] = table.add[block.first_channel + channel];
      if (is_fixed_) {
        fixed_.Set(b * kStripBlock + i, epilogue.fixed[block.first_channel + channel]);
      } else {
        scale_[b * kStripBlock + i] = table.scale[block.first_channel + channel];
      }
    }
  }

  void PackWeights(std::size_t b, const Conv2dS8Spec& spec) {
    const Block& block = blocks_[b];
    std::int8_t* target = weights_.data() + b * BlockWeights();
    for (std::size_t quarter = 0; quarter < kQuarters; ++quarter) {
      for (const Tap& tap : taps_) {
        for (std::size_t row = 0; row < layout_.num_rows; ++row) {
          for (std::size_t i = 0; i < kStripBlock; ++i) {
            const std::size_t channel = block.ChannelOf(quarter, i / kGroupRows);
            // The second row of output sees rows of inputs that lie a stride further.
            const std::size_t skipped = row * geometry_.stride_height;
            const std::size_t kh = tap.group * kGroupRows + i % kGroupRows - skipped;
            if (channel < block.num_channels && i % kGroupRows >= skipped &&
                kh < geometry_.kernel_height) {
              target[i] = Weight(spec, tap, kh, block.first_channel + channel);
            }
          }
          target += kStripBlock;
        }
      }
    }
  }

  std::int8_t Weight(const Conv2dS8Spec& spec, const Tap& tap, std::size_t kh,
                     std::size_t channel) const {
    const std::size_t index =
        (kh * geometry_.kernel_width + tap.kernel_column) * geometry_.out_channels + channel;
    return static_cast<std::int8_t>(PartOf(FilterDifference(spec, index), tap.part));
  }

  void RunImage(const Conv2dGeometry& g, const std::int8_t* image, std::size_t pitch,
                std::int8_t* out, std::byte* scratch) const {
    const auto** rows = reinterpret_cast<const std::int8_t**>(scratch);
    const std::size_t out_width = g.OutWidth();
    DepthwiseStrip strip = Strip(g, pitch);
    strip.rows = rows;
    strip.image = image;
    strip.scratch = scratch + RowsByteSize();
    // Strips of about the same length.
    const std::size_t strips = (out_width + layout_.num_pixels - 1) / layout_.num_pixels;
    const std::size_t length = RoundUp((out_width + strips - 1) / strips, kMostVectorColumns);
    for (std::size_t y = 0; y < g.OutHeight(); y += layout_.num_rows) {
      SetRows(g, image, y, rows);
      strip.num_rows = std::min(layout_.num_rows, g.OutHeight() - y);
      for (std::size_t x = 0; x < out_width; x += length) {
        strip.num_pixels = std::min(length, out_width - x);
        strip.first_column = static_cast<std::ptrdiff_t>(x * g.stride_width) -
                             static_cast<std::ptrdiff_t>(g.pad_left);
        RunBlocks(strip, out + (y * out_width + x) * pitch);
      }
    }
  }

  // What all strips of an image have in common.
  DepthwiseStrip Strip(const Conv2dGeometry& g, std::size_t pitch) const {
    DepthwiseStrip strip = {};
    strip.num_groups = layout_.num_groups;
    strip.in_width = g.in_width;
    strip.padding = padding_;
    strip.column_step = g.in_channels;
    strip.stride = g.stride_width;
    strip.num_phases = layout_.num_phases;
    strip.num_taps = taps_.size();
    strip.weight_rows = layout_.num_rows;
    strip.zero_point = zero_point_;
    strip.lo = lo_;
    strip.hi = hi_;
    strip.out_step = pitch;
    strip.out_row_step = g.OutWidth() * pitch;
    return strip;
  }

  // The rows of inputs that the rows of output from y on see.
  void SetRows(const Conv2dGeometry& g, const std::int8_t* image, std::size_t y,
               const std::int8_t** rows) const {
    const std::size_t used =
        geometry_.kernel_height + (layout_.num_rows - 1) * geometry_.stride_height;
    for (std::size_t r = 0; r < NumInputRows(); ++r) {
      if (r >= used) {  // meets weights of 0
        rows[r] = rows[r - 1];
        continue;
      }
      const std::size_t row = y * g.stride_height + r * g.dilation_height;  // padded
      const bool is_inside = row >= g.pad_top && row - g.pad_top < g.in_height;
      rows[r] = is_inside ? image + (row - g.pad_top) * g.in_width * g.in_channels : nullptr;
    }
  }

  void RunBlocks(DepthwiseStrip& strip, std::int8_t* out) const {
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      const Block& block = blocks_[b];
      strip.first_channel = block.first_channel;
      strip.num_channels = block.num_channels;
      strip.vector_columns = block.vector_columns;
      strip.num_columns =
          RoundUp(strip.num_pixels, block.vector_columns) + (layout_.reach - 1) / layout_.stride;
      strip.stream_size = layout_.StreamSize(block.vector_columns);
      strip.tap_offsets = tap_offsets_.data() + block.vector_columns * taps_.size();
      strip.weights = weights_.data() + b * BlockWeights();
      strip.add = add_.data() + b * kStripBlock;
      if (is_fixed_) {
        strip.fixed = fixed_.Table(b * kStripBlock);
      } else {
        strip.scale = scale_.data() + b * kStripBlock;
      }
      strip.out = out + block.first_channel;
      micro_.depthwise_strip_s8(strip);
    }
  }

  const MicroKernels& micro_;
  const Conv2dGeometry geometry_;
  const StripLayout layout_;
  const std::vector<Block> blocks_;
  const std::vector<Tap> taps_;
  AlignedArray<std::uint32_t> tap_offsets_;  // [vector_columns, taps]
  AlignedArray<std::int8_t> weights_;
  AlignedArray<std::int32_t> add_;
  const bool is_fixed_;
  AlignedArray<float> scale_;
  PaddedFixedPoint fixed_;
  const std::int8_t padding_;
  const std::int32_t zero_point_;
  const std::int32_t lo_;
  const std::int32_t hi_;
  const std::string provider_;
};

}  // namespace

bool FitsStrips(const MicroKernels& micro, const Conv2dS8Spec& spec) {
  const Conv2dGeometry& g = spec.geometry;
  const bool is_static = spec.epilogue.kind == EpilogueKind::kStatic ||
                         spec.epilogue.kind == EpilogueKind::kStaticFixed;
  if (micro.depthwise_strip_s8 == nullptr || !is_static || g.in_channels != g.out_channels) {
    return false;
  }
  const std::size_t sizes[] = {g.kernel_height, g.kernel_width, g.stride_width, g.dilation_width};
  return *std::max_element(std::begin(sizes), std::end(sizes)) <= kLargestSize &&
         StripLayout(g).ByteSize() <= kMostInputBytes && ResultsFit(spec);
}

std::unique_ptr<const Conv2dS8> MakeStripDepthwiseConv2dS8(const MicroKernels& micro,
                                                           const Conv2dS8Spec& spec) {
  return std::make_unique<StripDepthwiseConv2dS8>(micro, spec);
}

}  // namespace octet::kernels
