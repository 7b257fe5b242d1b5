// SPDX-License-Identifier: Apache-2.0

#include "models/operators/pool3d.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/scratch_layout.h"
#include "models/operators/spatial_window.h"

namespace octet {
namespace {

enum class VolumePoolKind { kMax, kAverage };

// The elements of an axis under one window that are inside: `count` of them from `first` on, the
// axis's dilation apart.
struct Taps {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

Taps TapsAt(const AxisWindow& axis, std::int64_t out) {
  const std::int64_t begin = out * axis.stride - axis.pad_before;
  const auto steps_to = [&axis](std::int64_t distance) {
    return distance <= 0 ? 0 : (distance - 1) / axis.dilation + 1;
  };
  const std::int64_t outside = steps_to(-begin);
  const std::int64_t end = std::min(axis.kernel, steps_to(axis.in - begin));
  return {begin + outside * axis.dilation, std::max<std::int64_t>(end - outside, 0)};
}

struct PoolForm {
  VolumeWindow window;
  std::int64_t channels = 0;

  [[nodiscard]] std::int64_t InSize() const {
    return window[0].in * window[1].in * window[2].in * channels;
  }
  [[nodiscard]] std::int64_t OutSize() const {
    return window[0].out * window[1].out * window[2].out * channels;
  }
};

bool IsIdentity(const AxisWindow& axis) {
  return axis.kernel == 1 && axis.stride == 1 && axis.out == axis.in;
}

// What a window makes of its elements so far, `out`, and of one more.
template <VolumePoolKind kKind, typename T>
T Pooled(T out, T element) {
  if constexpr (kKind == VolumePoolKind::kMax) return element > out ? element : out;
  return static_cast<T>(out + element);
}

// [outer, axis.in, inner] to [outer, axis.out, inner].
template <VolumePoolKind kKind, typename T>
void PoolAxis(const AxisWindow& axis, std::int64_t outer, std::int64_t inner, const T* in, T* out) {
  constexpr T kNothing = kKind == VolumePoolKind::kMax ? std::numeric_limits<T>::lowest() : T{0};
  for (std::int64_t i = 0; i < outer; ++i, in += axis.in * inner) {
    for (std::int64_t o = 0; o < axis.out; ++o, out += inner) {
      const Taps taps = TapsAt(axis, o);
      if (taps.count == 0) {
        std::fill_n(out, inner, kNothing);
        continue;
      }
      const T* from = in + taps.first * inner;
      std::copy_n(from, inner, out);
      for (std::int64_t tap = 1; tap < taps.count; ++tap) {
        from += axis.dilation * inner;
        for (std::int64_t j = 0; j < inner; ++j) out[j] = Pooled<kKind>(out[j], from[j]);
      }
    }
  }
}

// Divides sums by the number of elements that they are of: a box.
void DivideByCounts(const PoolForm& form, float* sums) {
  const auto& [depth, height, width] = form.window;
  for (std::int64_t d = 0; d < depth.out; ++d) {
    for (std::int64_t h = 0; h < height.out; ++h) {
      const std::int64_t plane = TapsAt(depth, d).count * TapsAt(height, h).count;
      for (std::int64_t w = 0; w < width.out; ++w, sums += form.channels) {
        const auto count = static_cast<float>(plane * TapsAt(width, w).count);
        for (std::int64_t c = 0; c < form.channels; ++c) sums[c] /= count;
      }
    }
  }
}

// A box is pooled one axis after the other, since the maximum and the sum over it are those of its
// rows' rows.
struct AxisPass {
  AxisWindow axis;
  std::int64_t outer = 1;
  std::int64_t inner = 1;
};

// Axes that become shorter come first, so that nothing in between is larger than what comes in or
// goes out.
std::vector<AxisPass> PassesOf(const PoolForm& form) {
  std::vector<AxisPass> passes;
  std::array<std::int64_t, 3> sizes = {form.window[0].in, form.window[1].in, form.window[2].in};
  for (const bool grows : {false, true}) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const AxisWindow& axis = form.window.at(i);
      if (IsIdentity(axis) || (axis.out > axis.in) != grows) continue;
      AxisPass pass{axis, 1, form.channels};
      for (std::size_t j = 0; j < i; ++j) pass.outer *= sizes.at(j);
      for (std::size_t j = i + 1; j < sizes.size(); ++j) pass.inner *= sizes.at(j);
      passes.push_back(pass);
      sizes.at(i) = axis.out;
    }
  }
  return passes;
}

// What lies between two passes.
std::size_t BetweenSize(const std::vector<AxisPass>& passes) {
  std::int64_t size = 0;
  for (std::size_t i = 0; i + 1 < passes.size(); ++i) {
    size = std::max(size, passes[i].outer * passes[i].axis.out * passes[i].inner);
  }
  return static_cast<std::size_t>(size);
}

template <VolumePoolKind kKind, typename T>
void PoolVolume(const PoolForm& form, const std::vector<AxisPass>& passes,
                std::array<T*, 2> between, const T* in, T* out) {
  if (passes.empty()) std::copy_n(in, form.InSize(), out);
  for (std::size_t i = 0; i < passes.size(); ++i) {
    T* const to = i + 1 == passes.size() ? out : between.at(i % 2);
    PoolAxis<kKind>(passes[i].axis, passes[i].outer, passes[i].inner, in, to);
    in = to;
  }
  if constexpr (kKind == VolumePoolKind::kAverage) DivideByCounts(form, out);
}

template <VolumePoolKind kKind, typename T>
std::unique_ptr<const Step> MakePoolStep(const PoolForm& form) {
  const std::vector<AxisPass> passes = PassesOf(form);
  const std::size_t between = BetweenSize(passes);
  return MakeStepWithScratch(
      kKind == VolumePoolKind::kMax ? "portable:max_pool3d" : "portable:average_pool3d",
      [form, passes, between](const StepArguments& arguments) {
        ScratchLayout layout(arguments.scratch);
        const std::array<T*, 2> buffers = {layout.Take<T>(between).data(),
                                           layout.Take<T>(between).data()};
        const T* in = arguments.inputs[0].as<T>();
        T* out = arguments.outputs[0].as<T>();
        for (std::int64_t n = 0; n < arguments.inputs[0].dims[0]; ++n) {
          PoolVolume<kKind>(form, passes, buffers, in, out);
          in += form.InSize();
          out += form.OutSize();
        }
      },
      [between](std::span<const TensorView>) {
        ScratchLayout layout;
        layout.Take<T>(between);
        layout.Take<T>(between);
        return layout.byte_size();
      });
}

// What to multiply places along depth, height, width and channels with for the position of an
// element: in a volume of [C, D, H, W], or of [C, W, H, D].
using PositionSteps = std::array<std::int64_t, 4>;

PositionSteps StepsOf(const PoolForm& form, bool column_major) {
  const auto& [depth, height, width] = form.window;
  const std::int64_t channel = depth.in * height.in * width.in;
  if (column_major) return {1, depth.in, depth.in * height.in, channel};
  return {height.in * width.in, width.in, 1, channel};
}

// One window's maxima and the positions of the first element of each that is as large.
struct Maxima {
  std::int64_t channels = 0;
  float* values = nullptr;
  std::int64_t* positions = nullptr;
  bool is_empty = true;

  void Take(const float* pixel, std::int64_t position, std::int64_t channel_step) {
    for (std::int64_t c = 0; c < channels; ++c, position += channel_step) {
      if (!is_empty && !(pixel[c] > values[c])) continue;
      values[c] = pixel[c];
      positions[c] = position;
    }
    is_empty = false;
  }
};

// Of all windows, one behind the other, from `maxima` on.
void MaximaOfVolume(const PoolForm& form, const PositionSteps& steps, const float* in,
                    Maxima maxima) {
  const auto& [depth, height, width] = form.window;
  for (std::int64_t d = 0; d < depth.out; ++d) {
    const Taps planes = TapsAt(depth, d);
    for (std::int64_t h = 0; h < height.out; ++h) {
      const Taps rows = TapsAt(height, h);
      for (std::int64_t w = 0; w < width.out; ++w) {
        const Taps columns = TapsAt(width, w);
        maxima.is_empty = true;
        for (std::int64_t i = 0; i < planes.count; ++i) {
          const std::int64_t z = planes.first + i * depth.dilation;
          for (std::int64_t j = 0; j < rows.count; ++j) {
            const std::int64_t y = rows.first + j * height.dilation;
            for (std::int64_t k = 0; k < columns.count; ++k) {
              const std::int64_t x = columns.first + k * width.dilation;
              maxima.Take(in + ((z * height.in + y) * width.in + x) * form.channels,
                          z * steps[0] + y * steps[1] + x * steps[2], steps[3]);
            }
          }
        }
        maxima.values += form.channels;
        maxima.positions += form.channels;
      }
    }
  }
}

absl::StatusOr<PoolForm> PoolFormOf(const Node& node, const Shape& shape) {
  ASSIGN_OR_RETURN(const auto pool_size, IntsAttribute(node, "pool_size", {}, 3, 1));
  PoolForm form;
  ASSIGN_OR_RETURN(form.window, VolumeWindowAttributes(node, shape, pool_size));
  ASSIGN_OR_RETURN(form.channels, KnownSize(node, shape[4]));
  return form;
}

class Pool3d final : public Operator {
 public:
  explicit Pool3d(VolumePoolKind kind) : kind_(kind) {}

  [[nodiscard]] absl::string_view name() const override {
    return kind_ == VolumePoolKind::kMax ? "MaxPool3d" : "AveragePool3d";
  }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1, 1, kind_ == VolumePoolKind::kMax ? 2 : 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 5, 5));
    const bool may_be_int8 = kind_ == VolumePoolKind::kMax && node.outputs.size() == 1;
    RETURN_IF_ERROR(may_be_int8
                        ? inputs.CheckDataType(0, "x", {DataType::kFloat32, DataType::kInt8})
                        : inputs.CheckDataType(0, "x", {DataType::kFloat32}));
    ASSIGN_OR_RETURN(const PoolForm form, PoolFormOf(node, types[0].shape));
    RETURN_IF_ERROR(CheckWindows(node, form));
    Shape shape = types[0].shape;
    for (std::size_t i = 0; i < form.window.size(); ++i) shape[i + 1] = Dim(form.window.at(i).out);
    RETURN_IF_ERROR(CheckShape(node, shape));
    std::vector<TensorType> outputs = {{types[0].data_type, shape, types[0].quantization}};
    if (node.outputs.size() == 2) {
      RETURN_IF_ERROR(IsColumnMajor(node).status());
      outputs.push_back({DataType::kInt64, shape, std::nullopt});
    }
    return outputs;
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const PoolForm form, PoolFormOf(context.node, context.inputs[0].shape));
    if (kind_ == VolumePoolKind::kAverage) {
      return MakePoolStep<VolumePoolKind::kAverage, float>(form);
    }
    if (context.inputs[0].data_type == DataType::kInt8) {
      return MakePoolStep<VolumePoolKind::kMax, std::int8_t>(form);
    }
    if (context.node.outputs.size() == 1) return MakePoolStep<VolumePoolKind::kMax, float>(form);
    ASSIGN_OR_RETURN(const bool column_major, IsColumnMajor(context.node));
    const PositionSteps steps = StepsOf(form, column_major);
    return MakeStep("portable:max_pool3d_positions", [form, steps](const StepArguments& arguments) {
      const float* in = arguments.inputs[0].as<float>();
      float* out = arguments.outputs[0].as<float>();
      std::int64_t* positions = arguments.outputs[1].as<std::int64_t>();
      for (std::int64_t n = 0; n < arguments.inputs[0].dims[0]; ++n) {
        MaximaOfVolume(form, steps, in, {form.channels, out, positions});
        in += form.InSize();
        out += form.OutSize();
        positions += form.OutSize();
      }
    });
  }

 private:
  // No window begins or ends so far outside that it has nothing inside, gaps excepted.
  static absl::Status CheckWindows(const Node& node, const PoolForm& form) {
    for (const AxisWindow& axis : form.window) {
      const std::int64_t extent = (axis.kernel - 1) * axis.dilation + 1;
      if (axis.pad_before < extent && axis.pad_after < extent) continue;
      return InvalidNode(node, "pads of ", axis.pad_before, " and ", axis.pad_after,
                         " for a window of ", extent,
                         ": some windows would lie outside of the volume");
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<bool> IsColumnMajor(const Node& node) {
    ASSIGN_OR_RETURN(const std::string order, NameAttribute(node, "position_order", "row_major",
                                                            {"row_major", "column_major"}));
    return order == "column_major";
  }

  const VolumePoolKind kind_;
};

}  // namespace

std::unique_ptr<const Operator> MakeMaxPool3d() {
  return std::make_unique<const Pool3d>(VolumePoolKind::kMax);
}
std::unique_ptr<const Operator> MakeAveragePool3d() {
  return std::make_unique<const Pool3d>(VolumePoolKind::kAverage);
}

}  // namespace octet
