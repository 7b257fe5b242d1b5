// SPDX-License-Identifier: Apache-2.0

#include "models/operators/conv_transpose2d.h"

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
constexpr std::size_t kFilter = 1;  // [kh, kw, O, C]
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

absl::StatusOr<TransposedForm> CheckTransposed(const Node& node, const NodeInputs& inputs) {
  RETURN_IF_ERROR(inputs.CheckCounts(2, 3));
  RETURN_IF_ERROR(inputs.CheckRank(kX, "x", 4, 4));
  RETURN_IF_ERROR(inputs.CheckDataType(kX, "x", {DataType::kFloat32}));
  RETURN_IF_ERROR(inputs.CheckDataType(kFilter, "filter", {DataType::kFloat32}));
  RETURN_IF_ERROR(inputs.CheckConstant(kFilter, "filter"));
  RETURN_IF_ERROR(inputs.CheckRank(kFilter, "filter", 4, 4));
  const Dims& filter = inputs.constant(kFilter)->dims();
  for (const std::int64_t dim : filter) RETURN_IF_ERROR(KnownSize(node, Dim(dim)).status());
  TransposedForm form;
  form.height.kernel = filter[0];
  form.width.kernel = filter[1];
  form.out_channels = filter[2];
  form.in_channels = filter[3];
  ASSIGN_OR_RETURN(form.height.in, KnownSize(node, inputs.shape(kX)[1]));
  ASSIGN_OR_RETURN(form.width.in, KnownSize(node, inputs.shape(kX)[2]));
  if (inputs.shape(kX)[3] != Dim(form.in_channels)) {
    return InvalidNode(node, "input \"x\" has shape ", ToString(inputs.shape(kX), {}), ", wants ",
                       form.in_channels, " channels");
  }
  ASSIGN_OR_RETURN(const auto strides, IntsAttribute(node, "strides", {1, 1}, 2, 1));
  ASSIGN_OR_RETURN(const auto dilations, IntsAttribute(node, "dilations", {1, 1}, 2, 1));
  ASSIGN_OR_RETURN(const std::string padding,
                   NameAttribute(node, "padding", "valid", {"valid", "same"}));
  std::array<std::optional<std::int64_t>, 2> output_padding;
  if (node.attributes.find("output_padding") != node.attributes.end()) {
    ASSIGN_OR_RETURN(const auto given, IntsAttribute(node, "output_padding", {}, 2, 0));
    output_padding = {given[0], given[1]};
  }
  form.height.stride = strides[0];
  form.width.stride = strides[1];
  form.height.dilation = dilations[0];
  form.width.dilation = dilations[1];
  RETURN_IF_ERROR(Complete(node, padding == "same", output_padding[0], form.height));
  RETURN_IF_ERROR(Complete(node, padding == "same", output_padding[1], form.width));
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
    const std::int64_t out_size = form_.height.out * form_.width.out * form_.out_channels;
    const float* x = arguments.inputs[kX].as<float>();
    const std::span<float> out(arguments.outputs[0].as<float>(),
                               static_cast<std::size_t>(images * out_size));
    FillWithBias(out);
    for (std::int64_t image = 0; image < images; ++image) {
      float* to = out.data() + image * out_size;
      for (std::int64_t row = 0; row < form_.height.in; ++row) {
        matmul_->Run({.m = row_pixels,
                      .lhs = {x, static_cast<std::size_t>(row_size)},
                      .out = products,
                      .scratch = scratch});
        x += row_size;
        AddRow(row, products.data(), to);
      }
    }
    kernels_.activation_f32(activation_.elementwise, out, out);
    ApplyOverRows(kernels_, activation_, static_cast<std::size_t>(form_.out_channels), out);
  }

  [[nodiscard]] std::string kernel_name() const override {
    return std::string(matmul_->Provider());
  }
  [[nodiscard]] std::size_t packed_byte_size() const override { return matmul_->PackedByteSize(); }

 private:
  [[nodiscard]] std::size_t RowProducts() const {
    return static_cast<std::size_t>(form_.width.in * form_.height.kernel * form_.width.kernel *
                                    form_.out_channels);
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

  // `products` [W, kh, kw, O] of input row `row`, added to one output image.
  void AddRow(std::int64_t row, const float* products, float* out) const {
    for (std::int64_t column = 0; column < form_.width.in; ++column) {
      for (std::int64_t kh = 0; kh < form_.height.kernel; ++kh) {
        const std::int64_t oh =
            row * form_.height.stride + kh * form_.height.dilation - form_.height.crop;
        for (std::int64_t kw = 0; kw < form_.width.kernel; ++kw) {
          const std::int64_t ow =
              column * form_.width.stride + kw * form_.width.dilation - form_.width.crop;
          const float* from = products;
          products += form_.out_channels;
          if (oh < 0 || oh >= form_.height.out || ow < 0 || ow >= form_.width.out) continue;
          float* to = out + (oh * form_.width.out + ow) * form_.out_channels;
          for (std::int64_t o = 0; o < form_.out_channels; ++o) to[o] += from[o];
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

class ConvTranspose2d final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "ConvTranspose2d"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    ASSIGN_OR_RETURN(const TransposedForm form,
                     CheckTransposed(node, NodeInputs(node, types, constants)));
    RETURN_IF_ERROR(FusedActivationAttributes(node).status());
    return OneOutput(node, {DataType::kFloat32,
                            {types[kX].shape[0], Dim(form.height.out), Dim(form.width.out),
                             Dim(form.out_channels)},
                            std::nullopt});
  }

  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims&) const override {
    return {.count = ElementCount(std::span(inputs[kX]).first(3)) * ElementCount(inputs[kFilter])};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(
        const TransposedForm form,
        CheckTransposed(context.node, NodeInputs(context.node, context.inputs, context.constants)));
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
};

}  // namespace

std::unique_ptr<const Operator> MakeConvTranspose2d() {
  return std::make_unique<const ConvTranspose2d>();
}

}  // namespace octet
