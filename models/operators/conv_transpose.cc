// SPDX-License-Identifier: Apache-2.0

#include "models/operators/conv_transpose.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/graph/product_counts.h"
#include "models/operators/fused_activation.h"
#include "models/operators/node_checks.h"
#include "models/operators/scratch_layout.h"
#include "models/operators/spatial_window.h"

namespace octet {
namespace {

constexpr std::size_t kX = 0;
constexpr std::size_t kFilter = 1;  // [kh, kw, O, C], of volumes [kd, kh, kw, O, C]
constexpr std::size_t kBias = 2;

// One axis: input i meets output i * stride + dilation * k - crop.
struct TransposedAxis {
  std::int64_t in = 1;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t crop = 0;
  std::int64_t out = 1;
};

struct TransposedForm {
  TransposedAxis depth;  // of images: one plane
  TransposedAxis height;
  TransposedAxis width;
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
};

// Output size and crop as Keras has them. Every size is below 2^31, so that nothing overflows.
absl::Status Complete(const Node& node, bool is_same, std::optional<std::int64_t> output_padding,
                      TransposedAxis& axis) {
  const std::int64_t extent = (axis.kernel - 1) * axis.dilation + 1;
  std::int64_t pad_sum = 0;
  std::int64_t pad_before = extent - 1;
  if (is_same) {
    pad_sum = output_padding.has_value() ? extent + extent % 2 - 2 + *output_padding
                                         : axis.stride + extent - 2;
    pad_before = std::min((pad_sum + 1) / 2, extent - 1);
  } else {
    const std::int64_t extra = output_padding.value_or(std::max(extent, axis.stride) - extent);
    pad_sum = 2 * (extent - 1) + extra;
  }
  axis.crop = extent - 1 - pad_before;
  axis.out = (axis.in - 1) * axis.stride + 2 + pad_sum - extent;
  if (axis.out < 1) return InvalidNode(node, "the result would have a size of ", axis.out);
  return absl::OkStatus();
}

absl::StatusOr<TransposedForm> CheckTransposed(const Node& node, const NodeInputs& inputs,
                                               std::size_t num_axes) {
  const std::size_t rank = num_axes + 2;
  RETURN_IF_ERROR(inputs.CheckCounts(2, 3));
  RETURN_IF_ERROR(inputs.CheckRank(kX, "x", rank, rank));
  RETURN_IF_ERROR(inputs.CheckDataType(kX, "x", {DataType::kFloat32}));
  RETURN_IF_ERROR(inputs.CheckDataType(kFilter, "filter", {DataType::kFloat32}));
  RETURN_IF_ERROR(inputs.CheckConstant(kFilter, "filter"));
  RETURN_IF_ERROR(inputs.CheckRank(kFilter, "filter", rank, rank));
  const Dims& filter = inputs.constant(kFilter)->dims();
  for (const std::int64_t dim : filter) RETURN_IF_ERROR(KnownSize(node, Dim(dim)).status());
  TransposedForm form;
  form.out_channels = filter[num_axes];
  form.in_channels = filter[num_axes + 1];
  if (inputs.shape(kX)[num_axes + 1] != Dim(form.in_channels)) {
    return InvalidNode(node, "input \"x\" has shape ", ToString(inputs.shape(kX), {}), ", wants ",
                       form.in_channels, " channels");
  }
  const std::vector<std::int64_t> ones(num_axes, 1);
  ASSIGN_OR_RETURN(const auto strides, IntsAttribute(node, "strides", ones, num_axes, 1));
  ASSIGN_OR_RETURN(const auto dilations, IntsAttribute(node, "dilations", ones, num_axes, 1));
  ASSIGN_OR_RETURN(const std::string padding,
                   NameAttribute(node, "padding", "valid", {"valid", "same"}));
  std::vector<std::optional<std::int64_t>> output_padding(num_axes);
  if (node.attributes.find("output_padding") != node.attributes.end()) {
    ASSIGN_OR_RETURN(const auto given, IntsAttribute(node, "output_padding", {}, num_axes, 0));
    output_padding.assign(given.begin(), given.end());
  }
  const std::array<TransposedAxis*, 3> axes = {&form.depth, &form.height, &form.width};
  for (std::size_t i = 0; i < num_axes; ++i) {
    TransposedAxis& axis = *axes.at(axes.size() - num_axes + i);
    ASSIGN_OR_RETURN(axis.in, KnownSize(node, inputs.shape(kX)[i + 1]));
    axis.kernel = filter[i];
    axis.stride = strides[i];
    axis.dilation = dilations[i];
    RETURN_IF_ERROR(Complete(node, padding == "same", output_padding[i], axis));
  }
  if (inputs.Has(kBias)) {
    RETURN_IF_ERROR(
        inputs.CheckConstant(kBias, "bias", DataType::kFloat32, std::array{form.out_channels}));
  }
  return form;
}

// Each input row is multiplied by the whole filter; the products are added where they belong.
class TransposedStep final : public Step {
 public:
  TransposedStep(TransposedForm form, FusedActivation activation, std::vector<float> bias,
                 std::unique_ptr<const kernels::MatmulF32> matmul,
                 const kernels::KernelSet& kernels)
      : form_(form),
        activation_(activation),
        bias_(std::move(bias)),
        matmul_(std::move(matmul)),
        kernels_(kernels) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView>) const override {
    ScratchLayout layout;
    layout.Take<float>(RowProducts());
    layout.Take<std::byte>(matmul_->ScratchByteSize(static_cast<std::size_t>(form_.width.in)));
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override {
    ScratchLayout layout(arguments.scratch);
    const auto row_pixels = static_cast<std::size_t>(form_.width.in);
    const std::span<float> products = layout.Take<float>(RowProducts());
    const std::span<std::byte> scratch =
        layout.Take<std::byte>(matmul_->ScratchByteSize(row_pixels));
    const std::int64_t images = arguments.inputs[kX].dims[0];
    const std::int64_t row_size = form_.width.in * form_.in_channels;
    const std::int64_t out_size =
        form_.depth.out * form_.height.out * form_.width.out * form_.out_channels;
    const float* x = arguments.inputs[kX].as<float>();
    const std::span<float> out(arguments.outputs[0].as<float>(),
                               static_cast<std::size_t>(images * out_size));
    FillWithBias(out);
    for (std::int64_t image = 0; image < images; ++image) {
      float* to = out.data() + image * out_size;
      for (std::int64_t row = 0; row < form_.depth.in * form_.height.in; ++row) {
        matmul_->Run({.m = row_pixels,
                      .lhs = {x, static_cast<std::size_t>(row_size)},
                      .out = products,
                      .scratch = scratch});
        x += row_size;
        AddRow(row / form_.height.in, row % form_.height.in, products.data(), to);
      }
    }
    kernels_.activation_f32(activation_.elementwise, out, out);
    ApplyOverRows(kernels_, activation_, static_cast<std::size_t>(form_.out_channels), out);
  }

  [[nodiscard]] std::string kernel_name() const override {
    return std::string(matmul_->Provider());
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override { return index == kX; }
  [[nodiscard]] std::size_t packed_byte_size() const override { return matmul_->PackedByteSize(); }

 private:
  [[nodiscard]] std::size_t RowProducts() const {
    return static_cast<std::size_t>(form_.width.in * form_.depth.kernel * form_.height.kernel *
                                    form_.width.kernel * form_.out_channels);
  }

  void FillWithBias(std::span<float> out) const {
    if (bias_.empty()) {
      std::fill(out.begin(), out.end(), 0.0F);
      return;
    }
    for (std::size_t at = 0; at < out.size(); at += bias_.size()) {
      std::copy(bias_.begin(), bias_.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }

  // Where element `k` of the filter puts what is at `in`; -1: nowhere.
  static std::int64_t Place(const TransposedAxis& axis, std::int64_t in, std::int64_t k) {
    const std::int64_t place = in * axis.stride + k * axis.dilation - axis.crop;
    return place < axis.out ? place : -1;
  }

  // `products` [W, kd, kh, kw, O] of row `row` of input plane `plane`, added to one output.
  void AddRow(std::int64_t plane, std::int64_t row, const float* products, float* out) const {
    for (std::int64_t column = 0; column < form_.width.in; ++column) {
      for (std::int64_t kd = 0; kd < form_.depth.kernel; ++kd) {
        const std::int64_t od = Place(form_.depth, plane, kd);
        for (std::int64_t kh = 0; kh < form_.height.kernel; ++kh) {
          const std::int64_t oh = Place(form_.height, row, kh);
          for (std::int64_t kw = 0; kw < form_.width.kernel; ++kw) {
            const std::int64_t ow = Place(form_.width, column, kw);
            const float* from = products;
            products += form_.out_channels;
            if (od < 0 || oh < 0 || ow < 0) continue;
            float* to =
                out + ((od * form_.height.out + oh) * form_.width.out + ow) * form_.out_channels;
            for (std::int64_t o = 0; o < form_.out_channels; ++o) to[o] += from[o];
          }
        }
      }
    }
  }

  const TransposedForm form_;
  const FusedActivation activation_;
  const std::vector<float> bias_;
  const std::unique_ptr<const kernels::MatmulF32> matmul_;
  const kernels::KernelSet& kernels_;
};

class ConvTranspose final : public Operator {
 public:
  explicit ConvTranspose(std::size_t num_axes) : num_axes_(num_axes) {}

  [[nodiscard]] absl::string_view name() const override {
    return num_axes_ == 2 ? "ConvTranspose2d" : "ConvTranspose3d";
  }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    ASSIGN_OR_RETURN(const TransposedForm form,
                     CheckTransposed(node, NodeInputs(node, types, constants), num_axes_));
    RETURN_IF_ERROR(FusedActivationAttributes(node).status());
    Shape shape = {types[kX].shape[0]};
    if (num_axes_ == 3) shape.emplace_back(form.depth.out);
    shape.emplace_back(form.height.out);
    shape.emplace_back(form.width.out);
    shape.emplace_back(form.out_channels);
    return OneOutput(node, {DataType::kFloat32, std::move(shape), std::nullopt});
  }

  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims&) const override {
    return {.count = ElementCount(std::span(inputs[kX]).first(num_axes_ + 1)) *
                     ElementCount(inputs[kFilter])};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(
        const TransposedForm form,
        CheckTransposed(context.node, NodeInputs(context.node, context.inputs, context.constants),
                        num_axes_));
    ASSIGN_OR_RETURN(const FusedActivation activation, FusedActivationAttributes(context.node));
    const std::vector<float> filter = FloatElements(*context.constants[kFilter]);
    kernels::MatmulF32Spec spec;
    spec.k = static_cast<std::size_t>(form.in_channels);
    spec.n = filter.size() / spec.k;
    spec.layout = kernels::WeightLayout::kOutputMajor;
    spec.weight = filter;
    auto prepared = context.kernels.prepare_matmul_f32(spec);
    if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
    std::vector<float> bias;
    if (context.node.HasInput(kBias)) bias = FloatElements(*context.constants[kBias]);
    return std::make_unique<const TransposedStep>(form, activation, std::move(bias),
                                                  std::move(prepared.kernel), context.kernels);
  }

 private:
  const std::size_t num_axes_;
};

}  // namespace

std::unique_ptr<const Operator> MakeConvTranspose2d() {
  return std::make_unique<const ConvTranspose>(2);
}
std::unique_ptr<const Operator> MakeConvTranspose3d() {
  return std::make_unique<const ConvTranspose>(3);
}

}  // namespace octet
