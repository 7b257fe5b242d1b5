// SPDX-License-Identifier: Apache-2.0
// One int8 convolution with ReLU, int8 in and out, by our kernels (--variant octet) or by oneDNN
// (--variant onednn): the same integers, scales for each output channel.
//
// --model is a folder: filter.npy [kernel height, kernel width, in / groups, out], bias.npy [out],
// and convolution.json {"stride": S, "groups": G, "in_scale": X, "out_scale": Y}; padding is
// "same". The float input is quantized before, and the answer dequantized after what is measured.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/cli/local_model.h"
#include "client/cli/npy.h"
#include "kernels/kernel_set.h"
#include "tests/bench/engine/contender.h"

namespace octet::bench {
namespace {

using kernels::Conv2dGeometry;

struct Convolution {
  Conv2dGeometry geometry;
  float in_scale = 1.0F;
  float out_scale = 1.0F;
  std::vector<std::int8_t> filter;   // as in the file
  std::vector<float> filter_scale;   // by output channel
  std::vector<float> bias;           // real
  std::vector<std::int8_t> in, out;  // one image
};

std::int8_t Round(float value) {
  return static_cast<std::int8_t>(std::clamp(std::nearbyint(value), -127.0F, 127.0F));
}

// Pads one axis like TensorFlow's "same".
std::pair<std::size_t, std::size_t> SamePads(std::size_t size, std::size_t kernel,
                                             std::size_t stride) {
  const std::size_t covered = ((size + stride - 1) / stride - 1) * stride + kernel;
  const std::size_t total = covered > size ? covered - size : 0;
  return {total / 2, total - total / 2};
}

Tensor ReadTensor(const std::string& path) {
  absl::StatusOr<Tensor> tensor = cli::ReadNpy(path);
  Require(tensor.status());
  return *std::move(tensor);
}

Convolution ReadConvolution(const ContenderOptions& options) {
  std::ifstream file(options.model + "/convolution.json");
  if (!file) Fail(options.model + "/convolution.json cannot be read");
  const nlohmann::json json = nlohmann::json::parse(file);
  const Tensor filter = ReadTensor(options.model + "/filter.npy");
  const Tensor bias = ReadTensor(options.model + "/bias.npy");
  const Tensor input = std::move(ReadInputs(options)[0]);
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };

  Convolution c;
  Conv2dGeometry& g = c.geometry;
  g.in_height = size(input.dims()[1]);
  g.in_width = size(input.dims()[2]);
  g.in_channels = size(input.dims()[3]);
  g.kernel_height = size(filter.dims()[0]);
  g.kernel_width = size(filter.dims()[1]);
  g.out_channels = size(bias.dims()[0]);
  g.stride_height = g.stride_width = json.at("stride").get<std::size_t>();
  g.groups = json.at("groups").get<std::size_t>();
  std::tie(g.pad_top, g.pad_bottom) = SamePads(g.in_height, g.kernel_height, g.stride_height);
  std::tie(g.pad_left, g.pad_right) = SamePads(g.in_width, g.kernel_width, g.stride_width);
  c.in_scale = json.at("in_scale").get<float>();
  c.out_scale = json.at("out_scale").get<float>();
  c.bias.assign(bias.as<float>().begin(), bias.as<float>().end());

  const auto weights = filter.as<float>();
  std::vector<float> largest(g.out_channels, 0.0F);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    float& of_channel = largest[i % g.out_channels];
    of_channel = std::max(of_channel, std::abs(weights[i]));
  }
  for (const float value : largest) c.filter_scale.push_back(value / 127.0F);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    c.filter.push_back(Round(weights[i] / c.filter_scale[i % g.out_channels]));
  }
  for (const float value : input.as<float>()) c.in.push_back(Round(value / c.in_scale));
  c.out.resize(g.OutSize());
  return c;
}

// The answer as floats, and then the measurements.
int Answer(const ContenderOptions& options, const Convolution& c, const Contender& contender) {
  contender.run();
  std::vector<float> answer;
  for (const std::int8_t value : c.out) {
    answer.push_back(static_cast<float>(value) * c.out_scale);
  }
  const auto size = [](std::size_t value) { return static_cast<std::int64_t>(value); };
  const std::vector<std::int64_t> dims = {
      1, size(c.geometry.OutHeight()), size(c.geometry.OutWidth()), size(c.geometry.out_channels)};
  WriteAnswer(options, {DataType::kFloat32, dims, answer.data()});
  return Serve(contender);
}

int RunOctet(const ContenderOptions& options, Convolution& c) {
  std::vector<float> multiplier;
  std::vector<std::int32_t> bias;
  for (std::size_t j = 0; j < c.filter_scale.size(); ++j) {
    const double step = static_cast<double>(c.in_scale) * c.filter_scale[j];
    multiplier.push_back(static_cast<float>(step / c.out_scale));
    bias.push_back(static_cast<std::int32_t>(std::nearbyint(c.bias[j] / step)));
  }
  const auto chosen = cli::ChooseKernelSet(KernelSetName());
  Require(chosen.status());
  const kernels::KernelSet& set = **chosen;
  const auto prepared = set.prepare_conv2d_s8({.geometry = c.geometry,
                                               .filter = c.filter,
                                               .epilogue = {.kind = kernels::EpilogueKind::kStatic,
                                                            .bias_s32 = bias,
                                                            .multiplier = multiplier,
                                                            .lo = 0}});
  if (prepared.kernel == nullptr) Fail(prepared.error);
  const std::size_t scratch_size = prepared.kernel->ScratchByteSize(1);
  const std::unique_ptr<std::byte[]> memory(new std::byte[scratch_size + 64]);
  void* aligned = memory.get();
  std::size_t space = scratch_size + 64;
  std::align(kernels::kScratchAlignment, scratch_size, aligned, space);
  const kernels::Conv2dS8::Arguments arguments = {
      .num_images = 1,
      .in = c.in,
      .out = {.s8 = c.out},
      .scratch = {static_cast<std::byte*>(aligned), scratch_size}};
  return Answer(options, c,
                {.version = std::string(set.name),
                 .detail = std::string(prepared.kernel->Provider()),
                 .run = [&] { prepared.kernel->Run(arguments); }});
}

int RunOneDnn(const ContenderOptions& options, Convolution& c) {
  using dnnl::memory;
  using Type = memory::data_type;
  using Format = memory::format_tag;
  const Conv2dGeometry& g = c.geometry;
  const auto dim = [](std::size_t size) { return static_cast<memory::dim>(size); };
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const bool has_groups = g.groups > 1;

  memory::dims filter_dims = {dim(g.out_channels / g.groups), dim(g.in_channels / g.groups),
                              dim(g.kernel_height), dim(g.kernel_width)};
  const std::size_t tap = g.in_channels / g.groups * g.out_channels;
  memory::dims filter_strides = {1, dim(g.out_channels), dim(g.kernel_width * tap), dim(tap)};
  if (has_groups) {
    filter_dims.insert(filter_dims.begin(), dim(g.groups));
    filter_strides.insert(filter_strides.begin(), dim(g.out_channels / g.groups));
  }
  dnnl::primitive_attr attributes;
  attributes.set_scales_mask(DNNL_ARG_SRC, 0);
  attributes.set_scales_mask(DNNL_ARG_WEIGHTS, has_groups ? 3 : 1);
  attributes.set_scales_mask(DNNL_ARG_DST, 0);
  dnnl::post_ops relu;
  relu.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
  attributes.set_post_ops(relu);
  const dnnl::convolution_forward::primitive_desc description(
      engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
      {{1, dim(g.in_channels), dim(g.in_height), dim(g.in_width)}, Type::s8, Format::nhwc},
      {filter_dims, Type::s8, Format::any}, {{dim(g.out_channels)}, Type::f32, Format::x},
      {{1, dim(g.out_channels), dim(g.OutHeight()), dim(g.OutWidth())}, Type::s8, Format::nhwc},
      {dim(g.stride_height), dim(g.stride_width)}, {0, 0}, {dim(g.pad_top), dim(g.pad_left)},
      {dim(g.pad_bottom), dim(g.pad_right)}, attributes);

  memory given({filter_dims, Type::s8, filter_strides}, engine, c.filter.data());
  memory filter(description.weights_desc(), engine);
  dnnl::reorder(given, filter).execute(stream, given, filter);
  const auto floats = [&](std::vector<float>& values) {
    return memory({{dim(values.size())}, Type::f32, Format::x}, engine, values.data());
  };
  std::vector<float> in_scale = {c.in_scale};
  std::vector<float> out_scale = {c.out_scale};
  const std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, memory(description.src_desc(), engine, c.in.data())},
      {DNNL_ARG_WEIGHTS, filter},
      {DNNL_ARG_BIAS, floats(c.bias)},
      {DNNL_ARG_DST, memory(description.dst_desc(), engine, c.out.data())},
      {DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC, floats(in_scale)},
      {DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, floats(c.filter_scale)},
      {DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST, floats(out_scale)}};
  const dnnl::convolution_forward primitive(description);
  return Answer(
      options, c,
      {.version = kernels::OneDnnVersion(), .detail = description.impl_info_str(), .run = [&] {
         primitive.execute(stream, arguments);
         stream.wait();
       }});
}

int Run(const ContenderOptions& options) {
  kernels::PrepareThread();
  Convolution convolution = ReadConvolution(options);
  if (options.variant == "octet") return RunOctet(options, convolution);
  if (options.variant == "onednn") return RunOneDnn(options, convolution);
  Fail("--variant is \"" + options.variant + "\", want octet or onednn");
}

}  // namespace
}  // namespace octet::bench

int main(int argc, char** argv) {
  return octet::bench::ContenderMain(argc, argv, octet::bench::Run);
}
