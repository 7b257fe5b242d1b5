// SPDX-License-Identifier: Apache-2.0
#include "kernels/onednn/conv2d_f32.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

// Of libgomp. Its header is g++'s own: Clang has none.
extern "C" void omp_set_num_threads(int);  // NOLINT(readability-identifier-naming)

namespace octet::kernels::onednn {
namespace {

using Dims = dnnl::memory::dims;
using Format = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

dnnl::memory::dim Dim(std::size_t size) { return static_cast<dnnl::memory::dim>(size); }

// Names have parts: "jit:avx2", "ref:any", "x64:gemm:jit". The two that are slow may stand
// anywhere.
bool IsWantedImplementation(std::string_view name) {
  while (!name.empty()) {
    const std::string_view part = name.substr(0, name.find(':'));
    if (part == "ref" || part == "gemm") return false;
    name.remove_prefix(std::min(name.size(), part.size() + 1));
  }
  return true;
}

dnnl::convolution_forward::primitive_desc Describe(const Conv2dF32Spec& spec,
                                                   const dnnl::engine& engine,
                                                   const Dims& filter_dims) {
  const Conv2dGeometry& g = spec.geometry;
  const dnnl::memory::desc in({1, Dim(g.in_channels), Dim(g.in_height), Dim(g.in_width)}, Type::f32,
                              Format::nhwc);
  const dnnl::memory::desc out({1, Dim(g.out_channels), Dim(g.OutHeight()), Dim(g.OutWidth())},
                               Type::f32, Format::nhwc);
  const dnnl::memory::desc filter(filter_dims, Type::f32, Format::any);
  const dnnl::memory::desc bias({Dim(g.out_channels)}, Type::f32, Format::x);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return {engine,
          dnnl::prop_kind::forward_inference,
          dnnl::algorithm::convolution_direct,
          in,
          filter,
          bias,
          out,
          {Dim(g.stride_height), Dim(g.stride_width)},
          {Dim(g.dilation_height - 1), Dim(g.dilation_width - 1)},
          {Dim(g.pad_top), Dim(g.pad_left)},
          {Dim(g.pad_bottom), Dim(g.pad_right)},
          attributes};
}

// [groups, out / groups, in / groups, kernel height, kernel width], as oneDNN counts them.
Dims FilterDims(const Conv2dGeometry& g) {
  Dims dims = {Dim(g.out_channels / g.groups), Dim(g.in_channels / g.groups), Dim(g.kernel_height),
               Dim(g.kernel_width)};
  if (g.groups > 1) dims.insert(dims.begin(), Dim(g.groups));
  return dims;
}

// The steps of those dimensions in [kernel height, kernel width, in / groups, out].
Dims FilterStrides(const Conv2dGeometry& g) {
  const std::size_t tap = g.in_channels / g.groups * g.out_channels;
  Dims strides = {1, Dim(g.out_channels), Dim(g.kernel_width * tap), Dim(tap)};
  if (g.groups > 1) strides.insert(strides.begin(), Dim(g.out_channels / g.groups));
  return strides;
}

class OneDnnConv2dF32 final : public Conv2dF32 {
 public:
  OneDnnConv2dF32(const Conv2dF32Spec& spec, ActivationF32 activate, dnnl::engine engine,
                  const dnnl::convolution_forward::primitive_desc& description)
      : geometry_(spec.geometry),
        activation_(spec.activation),
        activate_(activate),
        provider_(std::string("onednn ") + description.impl_info_str()),
        engine_(std::move(engine)),
        primitive_(description),
        filter_(description.weights_desc(), engine_),
        bias_(description.bias_desc(), engine_),
        scratch_byte_size_(description.scratchpad_desc().get_size()),
        contexts_(std::max(2U, std::thread::hardware_concurrency() + 2)) {
    auto* bias = static_cast<float*>(bias_.get_data_handle());
    std::fill_n(bias, geometry_.out_channels, 0.0F);
    std::copy(spec.bias.begin(), spec.bias.end(), bias);
    dnnl::stream stream(engine_);
    const dnnl::memory::desc given(FilterDims(geometry_), Type::f32, FilterStrides(geometry_));
    // The reorder reads only.
    dnnl::memory from(given, engine_, const_cast<float*>(spec.filter.data()));
    dnnl::reorder(from, filter_).execute(stream, from, filter_);
    stream.wait();
    for (Context& context : contexts_) context.Create(*this, description);
  }

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override {
    return filter_.get_desc().get_size() + bias_.get_desc().get_size();
  }
  std::size_t ScratchByteSize(std::size_t) const override { return scratch_byte_size_; }

  void Run(const Arguments& a) const override {
    assert(a.in.size() == a.num_images * geometry_.InSize());
    assert(a.scratch.size() >= scratch_byte_size_);
    UseOneThread();
    Context& context = TakeContext();
    context.scratch.set_data_handle(a.scratch.data());
    for (std::size_t image = 0; image < a.num_images; ++image) {
      // oneDNN reads it only.
      context.in.set_data_handle(const_cast<float*>(a.in.data()) + image * geometry_.InSize());
      context.out.set_data_handle(a.out.data() + image * geometry_.OutSize());
      primitive_.execute(context.stream, context.arguments);
    }
    context.stream.wait();
    context.is_taken.store(false, std::memory_order_release);
    if (activation_.kind != ActivationKind::kLinear) activate_(activation_, a.out, a.out);
  }

 private:
  // What one thread needs while it runs: handles that point to its buffers. There are more than
  // there are CPUs.
  struct Context {
    void Create(const OneDnnConv2dF32& owner,
                const dnnl::convolution_forward::primitive_desc& description) {
      stream = dnnl::stream(owner.engine_);
      in = dnnl::memory(description.src_desc(), owner.engine_, nullptr);
      out = dnnl::memory(description.dst_desc(), owner.engine_, nullptr);
      scratch = dnnl::memory(description.scratchpad_desc(), owner.engine_, nullptr);
      arguments = {{DNNL_ARG_SRC, in},
                   {DNNL_ARG_WEIGHTS, owner.filter_},
                   {DNNL_ARG_BIAS, owner.bias_},
                   {DNNL_ARG_DST, out},
                   {DNNL_ARG_SCRATCHPAD, scratch}};
    }

    std::atomic<bool> is_taken = false;
    dnnl::stream stream;
    dnnl::memory in;
    dnnl::memory out;
    dnnl::memory scratch;
    std::unordered_map<int, dnnl::memory> arguments;  // handles of the above
  };

  Context& TakeContext() const {
    for (;;) {
      for (Context& context : contexts_) {
        if (!context.is_taken.exchange(true, std::memory_order_acquire)) return context;
      }
      std::this_thread::yield();
    }
  }

  const Conv2dGeometry geometry_;
  const Activation activation_;
  const ActivationF32 activate_;
  const std::string provider_;
  const dnnl::engine engine_;
  const dnnl::convolution_forward primitive_;
  dnnl::memory filter_;
  dnnl::memory bias_;
  const std::size_t scratch_byte_size_;
  mutable std::vector<Context> contexts_;  // each used by who has taken it
};

}  // namespace

bool IsWorthwhile(const Conv2dGeometry& g) {
  const std::size_t taps = g.kernel_height * g.kernel_width * (g.in_channels / g.groups);
  return g.OutSize() * taps >= 2000000;
}

Conv2dF32Offer OfferConv2dF32(const Conv2dF32Spec& spec, ActivationF32 activate) {
  UseOneThread();
  try {
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    const auto description = Describe(spec, engine, FilterDims(spec.geometry));
    if (!IsWantedImplementation(description.impl_info_str())) {
      return {nullptr, description.impl_info_str()};
    }
    return {std::make_unique<OneDnnConv2dF32>(spec, activate, engine, description), ""};
  } catch (const dnnl::error&) {
    return {};
  }
}

std::string Version() {
  const dnnl_version_t& version = *dnnl_version();
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch);
}

void UseOneThread() { omp_set_num_threads(1); }

}  // namespace octet::kernels::onednn
