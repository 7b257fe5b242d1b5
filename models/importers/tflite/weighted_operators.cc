// SPDX-License-Identifier: Apache-2.0
// CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED: what has weights, and is a layer of the bundle.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/int8_constant.h"
#include "models/importers/tflite/translators.h"

namespace octet::tflite {
namespace {

constexpr std::size_t kX = 0;
constexpr std::size_t kWeights = 1;
constexpr std::size_t kBias = 2;

// How the weights of a kind of layer lie in the file, and where the graph's operator wants them.
struct LayerKind {
  std::string op;
  std::string layer_class;                 // in the bundle
  std::int64_t channel_axis;               // of the weights in the file
  std::array<std::size_t, 4> graph_input;  // weights, scales, zero points and bias
};
const LayerKind kConv2d = {"Conv2d", "Conv2D", 0, {1, 2, 4, 3}};
const LayerKind kDepthwise = {"DepthwiseConv2d", "DepthwiseConv2D", 3, {1, 2, 4, 3}};
const LayerKind kFullyConnected = {"FullyConnected", "Dense", 0, {1, 2, 3, 4}};

// The weights as the graph wants them: the output channels, which come first in the file, last.
ConstantTensor ChannelsLast(const ConstantTensor& weights, Dims dims) {
  const std::size_t size = BitWidth(weights.data_type()) / 8;
  const auto channels = static_cast<std::size_t>(weights.dims()[0]);
  const std::size_t elements = weights.bytes().size() / size;
  const std::size_t inner = channels == 0 ? 0 : elements / channels;
  std::vector<std::byte> moved(weights.bytes().size());
  for (std::size_t channel = 0; channel < channels; ++channel) {
    for (std::size_t i = 0; i < inner; ++i) {
      std::memcpy(moved.data() + (i * channels + channel) * size,
                  weights.bytes().data() + (channel * inner + i) * size, size);
    }
  }
  return ConstantTensor::Copy(weights.data_type(), std::move(dims), moved);
}

// How a layer of float activations and integer weights ("hybrid") quantizes the former when it
// runs.
enum class HybridRange {
  kSymmetric,   // int8 with the scale alone
  kAsymmetric,  // with a zero point too
};

// One layer: what the graph's node takes, and what the bundle lists.
class WeightedLayer {
 public:
  WeightedLayer(OperatorCall& call, const LayerKind& kind) : call_(call), kind_(kind) {}

  // Reads the weights, which get the dimensions `dims`, and the bias of `channels` elements.
  absl::Status Read(Dims dims, std::int64_t channels) {
    channels_ = channels;
    is_static_ = call_.IsQuantized(kX);
    ASSIGN_OR_RETURN(ConstantTensor weights, call_.Constant(kWeights));
    is_hybrid_ = !is_static_ && weights.data_type() == DataType::kInt8;
    RETURN_IF_ERROR(CheckTypes(weights));
    const bool moves = kind_.channel_axis == 0;
    weights = moves ? ChannelsLast(weights, std::move(dims))
                    : ConstantTensor::Copy(weights.data_type(), std::move(dims), weights.bytes());
    Add(0, "kernel", is_static_ ? AsInt8(weights) : weights);
    RETURN_IF_ERROR(ReadBias());
    return is_static_ || is_hybrid_ ? ReadQuantization() : absl::OkStatus();
  }

  // Emits the node for `x` and sets the operator's output. `range` is that of a hybrid layer.
  absl::Status Emit(ValueId x, Attributes attributes, int fused_activation, HybridRange range) {
    ASSIGN_OR_RETURN(const std::string activation, FusedActivation(fused_activation));
    if (is_hybrid_ && range == HybridRange::kAsymmetric) {
      return EmitAsymmetric(x, std::move(attributes), activation);
    }
    const bool is_fused = !is_static_ || IsClip(activation);
    if (is_fused) attributes["activation"] = activation;
    if (is_static_) {
      ASSIGN_OR_RETURN(const Attributes output, QuantizationAttributes(call_.output(0), "output_"));
      attributes.insert(output.begin(), output.end());
      attributes["activation_quantization"] = std::string("static");
      attributes["scale_convention"] = std::string("multiply");
      attributes["requantization"] = Requantization();
      if (IsProductInFloat32()) attributes["scale_product"] = std::string("float32");
    }
    if (is_hybrid_) {
      attributes["activation_quantization"] = std::string("dynamic");
      attributes["dynamic_epsilon"] = 0.0;
    }
    inputs_[0] = x;
    ASSIGN_OR_RETURN(ValueId value, call_.Emit(kind_.op, inputs_, std::move(attributes)));
    Record();
    if (!is_fused) {
      ASSIGN_OR_RETURN(value, Activated(call_, value, activation));
    }
    return call_.SetOutput(0, value);
  }

  // Whether the weights have scales that differ.
  [[nodiscard]] bool HasSeveralScales() const {
    const std::span<const float> scales = call_.input(kWeights).quantization.scale;
    return std::any_of(scales.begin(), scales.end(),
                       [&scales](float scale) { return scale != scales[0]; });
  }

 private:
  // With the zero points that int8 activations have, the product is one of integers, whose sums are
  // scaled behind it.
  absl::Status EmitAsymmetric(ValueId x, Attributes attributes, const std::string& activation) {
    const bool is_matrix = kind_.layer_class == kFullyConnected.layer_class;
    GraphBuilder& graph = call_.graph();
    const auto rank = static_cast<std::size_t>(graph.Rank(x));
    const std::string rows = is_matrix && rank > 1 ? "vectors" : "batch";
    ASSIGN_OR_RETURN(const std::vector<ValueId> quantized,
                     graph.EmitMany("DynamicQuantize", call_.Name("quantize"), {x},
                                    {{"formula", std::string("tflite")}, {"rows", rows}}, 3));
    if (kind_.layer_class == kDepthwise.layer_class) {
      // [height, width, channels, multiplier] lies in memory as a filter of so many groups.
      const Dims& dims = kernel_.dims();
      attributes["groups"] = dims[2];
      inputs_[kind_.graph_input[0]] = call_.AddConstant(
          "grouped",
          ConstantTensor::Copy(DataType::kInt8, {dims[0], dims[1], 1, channels_}, kernel_.bytes()));
    }
    ASSIGN_OR_RETURN(ValueId value, call_.Emit(is_matrix ? "IntegerMatMul" : "IntegerConv2d",
                                               {quantized[0], inputs_[kind_.graph_input[0]],
                                                quantized[2], inputs_[kind_.graph_input[2]]},
                                               std::move(attributes)));
    Record();
    ASSIGN_OR_RETURN(value, graph.Cast(call_.Name("sums"), value, DataType::kFloat32));
    ASSIGN_OR_RETURN(
        value, call_.Emit("Divide", {value, inputs_[kind_.graph_input[1]]}, {}, "weight_scaled"));
    const ValueId bias = inputs_[kind_.graph_input[3]];
    const Attributes last = {{"activation", activation}};
    ASSIGN_OR_RETURN(value, call_.Emit("Multiply", {value, quantized[1]},
                                       bias == kNoValue ? last : Attributes{}, "scaled"));
    if (bias != kNoValue) {
      ASSIGN_OR_RETURN(value, call_.Emit("Add", {value, bias}, last, "biased"));
    }
    return call_.SetOutput(0, value);
  }

  absl::Status CheckTypes(const ConstantTensor& weights) const {
    const DataType x = *call_.input(kX).data_type;
    if (is_static_) {
      const DataType wanted = x == DataType::kInt16 ? DataType::kInt8 : x;
      if (!call_.IsQuantized(kWeights) || weights.data_type() != wanted ||
          !call_.IsQuantizedOutput(0)) {
        return OperatorCall::Unimplemented(
            Describe(call_.input(kWeights)), " for ", Describe(call_.input(kX)),
            " and a result of ", Describe(call_.output(0)),
            ", wants all quantized, and of one type, or INT8 weights for INT16");
      }
      return CheckWeightQuantization(call_.input(kWeights), kind_.channel_axis);
    }
    if (x == DataType::kFloat32 && weights.data_type() == DataType::kFloat32) {
      return absl::OkStatus();
    }
    if (x == DataType::kFloat32 && is_hybrid_ && call_.IsQuantized(kWeights)) {
      return CheckWeightQuantization(call_.input(kWeights), kind_.channel_axis);
    }
    return OperatorCall::Unimplemented(Describe(call_.input(kWeights)), " for ",
                                       Describe(call_.input(kX)),
                                       ", wants floats or INT8 with a scale for FP32, or both "
                                       "quantized");
  }

  // LiteRT's reference kernel of fully connected layers, the only one there is for uint8, computes
  // in float32, and for int16, where all its kernels do the same, in float64.
  [[nodiscard]] std::string Requantization() const {
    const bool is_fully_connected = kind_.layer_class == kFullyConnected.layer_class;
    if (is_fully_connected && call_.IsInt16(kX)) return "float64_away";
    return is_fully_connected && call_.input(kWeights).data_type == DataType::kUint8
               ? "float32"
               : call_.ProfileOf(call_.input(kX)).requantization();
  }

  // Whether TensorFlow Lite multiplies the scales of input and weights in float32: where kernels
  // know one scale of all weights.
  [[nodiscard]] bool IsProductInFloat32() const {
    const StoredTensor& weights = call_.input(kWeights);
    const bool knows_one =
        kind_.layer_class == kFullyConnected.layer_class || weights.data_type == DataType::kUint8;
    return Requantization() != "float32" && knows_one && !call_.IsInt16(kX) &&
           weights.quantization.scale.size() == 1;
  }

  absl::Status ReadBias() {
    if (!call_.HasInput(kBias)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const ConstantTensor bias, call_.Constant(kBias));
    DataType wanted = is_static_ ? DataType::kInt32 : DataType::kFloat32;
    if (call_.IsInt16(kX)) {
      wanted = DataType::kInt64;
      if (bias.data_type() == DataType::kInt32) {  // its sums are rounded in another way
        return OperatorCall::Unimplemented("an INT32 bias beside INT16, wants INT64");
      }
    }
    if (bias.data_type() != wanted || NumElements(bias.dims()) != channels_) {
      return OperatorCall::Invalid("got bias ", Describe(call_.input(kBias)), ", wants ",
                                   DataTypeName(wanted), "[", channels_, "]");
    }
    Add(3, "bias", ConstantTensor::Copy(wanted, {channels_}, bias.bytes()));
    return absl::OkStatus();
  }

  // The scale and zero point of each channel, also where one is for all.
  absl::Status ReadQuantization() {
    const StoredTensor& weights = call_.input(kWeights);
    const StoredQuantization& stored = weights.quantization;
    const std::int64_t shift = weights.data_type == DataType::kUint8 ? 128 : 0;
    std::vector<float> scales;
    std::vector<std::int8_t> zero_points;
    for (std::size_t i = 0; i < static_cast<std::size_t>(channels_); ++i) {
      const std::size_t from = stored.scale.size() == 1 ? 0 : i;
      const std::int64_t zero_point = stored.ZeroPoint(from) - shift;
      if (zero_point < -128 || zero_point > 127) {
        return OperatorCall::Invalid("got zero point ", stored.ZeroPoint(from), " for ",
                                     Describe(weights), ", wants ", shift - 128, " to ",
                                     shift + 127);
      }
      // Those of a hybrid layer are kept as Keras has them.
      const float scale = is_hybrid_ ? 1.0F / stored.scale[from] : stored.scale[from];
      if (!std::isfinite(scale)) {
        return OperatorCall::Invalid("got scale ", stored.scale[from], " for ", Describe(weights),
                                     ", wants one whose reciprocal is finite");
      }
      scales.push_back(scale);
      zero_points.push_back(static_cast<std::int8_t>(zero_point));
    }
    Add(1, "kernel_scale", ConstantTensor::Copy(DataType::kFloat32, {channels_}, scales));
    const bool is_symmetric = std::all_of(zero_points.begin(), zero_points.end(),
                                          [](std::int8_t zero) { return zero == 0; });
    if (!is_symmetric) {
      Add(2, "kernel_zero_point", ConstantTensor::Copy(DataType::kInt8, {channels_}, zero_points));
    }
    return absl::OkStatus();
  }

  // `which`: of LayerKind::graph_input.
  void Add(std::size_t which, const std::string& name, const ConstantTensor& tensor) {
    inputs_[kind_.graph_input[which]] = call_.AddConstant(name, tensor);
    const bool is_scale = name == "kernel_scale";
    if (which == 0) kernel_ = tensor;
    variables_.push_back({name, tensor, is_scale ? is_hybrid_ ? "reciprocal" : "multiply" : ""});
  }

  void Record() {
    octet::Layer layer;
    // The node's name may have got a number.
    layer.path = call_.graph().graph().nodes.back().name;
    layer.layer_class = kind_.layer_class;
    layer.mode = is_static_ ? "int8_static" : is_hybrid_ ? "int8" : "float";
    layer.variables = std::move(variables_);
    call_.translation().layers.push_back(std::move(layer));
  }

  OperatorCall& call_;
  const LayerKind& kind_;
  std::int64_t channels_ = 0;
  bool is_static_ = false;
  bool is_hybrid_ = false;  // float activations, int8 weights
  ConstantTensor kernel_;
  std::vector<ValueId> inputs_ = std::vector<ValueId>(5, kNoValue);
  std::vector<octet::LayerVariable> variables_;  // in serialized order
};

absl::Status CheckRanks(const OperatorCall& call, std::size_t x, std::size_t weights) {
  if (call.input(kX).dims.size() == x && call.input(kWeights).dims.size() == weights) {
    return absl::OkStatus();
  }
  return OperatorCall::Invalid("got ", Describe(call.input(kX)), " and weights ",
                               Describe(call.input(kWeights)), ", wants ", x, " and ", weights,
                               " dimensions");
}

template <typename Options>
absl::StatusOr<Attributes> WindowAttributes(const Options& options) {
  ASSIGN_OR_RETURN(const std::string padding, Padding(options.padding()));
  return Attributes{{"padding", padding},
                    {"strides", std::vector<std::int64_t>{options.stride_h(), options.stride_w()}},
                    {"dilations", std::vector<std::int64_t>{options.dilation_h_factor(),
                                                            options.dilation_w_factor()}}};
}

absl::StatusOr<std::int64_t> NumChannels(const OperatorCall& call, ValueId x) {
  const Dim& dim = call.graph().ShapeOf(x).back();
  if (dim.is_constant() && dim.value() > 0) return dim.value();
  return OperatorCall::Unimplemented("an open or empty last dimension of ",
                                     Describe(call.input(kX)));
}

absl::Status TranslateConv2d(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 3));
  const auto* const options = call.options<schema::Conv2DOptions>();
  if (options == nullptr) return NoOptions();
  RETURN_IF_ERROR(CheckRanks(call, 4, 4));
  ASSIGN_OR_RETURN(const ValueId x, call.Activation(kX));
  ASSIGN_OR_RETURN(const std::int64_t channels, NumChannels(call, x));
  const Dims& filter = call.input(kWeights).dims;  // [out, height, width, in / groups]
  if (filter[3] == 0 || channels % filter[3] != 0) {
    return OperatorCall::Invalid("got ", channels, " channels for a filter ",
                                 Describe(call.input(kWeights)),
                                 ", wants a multiple of its last dimension");
  }
  ASSIGN_OR_RETURN(Attributes attributes, WindowAttributes(*options));
  attributes["groups"] = channels / filter[3];
  const bool is_grouped = channels != filter[3];
  WeightedLayer layer(call, kConv2d);
  RETURN_IF_ERROR(layer.Read({filter[1], filter[2], filter[3], filter[0]}, filter[0]));
  const bool is_symmetric = !layer.HasSeveralScales() && !is_grouped;
  return layer.Emit(x, std::move(attributes), options->fused_activation_function(),
                    is_symmetric ? HybridRange::kSymmetric : HybridRange::kAsymmetric);
}

absl::Status TranslateDepthwiseConv2d(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 3));
  const auto* const options = call.options<schema::DepthwiseConv2DOptions>();
  if (options == nullptr) return NoOptions();
  RETURN_IF_ERROR(CheckRanks(call, 4, 4));
  ASSIGN_OR_RETURN(const ValueId x, call.Activation(kX));
  ASSIGN_OR_RETURN(const std::int64_t channels, NumChannels(call, x));
  const Dims& filter = call.input(kWeights).dims;  // [1, height, width, channels * multiplier]
  if (filter[0] != 1 || filter[3] == 0 || filter[3] % channels != 0) {
    return OperatorCall::Invalid("got ", channels, " channels for a filter ",
                                 Describe(call.input(kWeights)), ", wants [1, height, width, ",
                                 channels, " * multiplier]");
  }
  ASSIGN_OR_RETURN(Attributes attributes, WindowAttributes(*options));
  WeightedLayer layer(call, kDepthwise);
  RETURN_IF_ERROR(layer.Read({filter[1], filter[2], channels, filter[3] / channels}, filter[3]));
  return layer.Emit(x, std::move(attributes), options->fused_activation_function(),
                    HybridRange::kAsymmetric);
}

absl::Status TranslateFullyConnected(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 3));
  const auto* const options = call.options<schema::FullyConnectedOptions>();
  if (options == nullptr) return NoOptions();
  if (options->weights_format() != 0) return OperatorCall::Unimplemented("shuffled weights");
  RETURN_IF_ERROR(CheckRanks(call, call.input(kX).dims.size(), 2));
  ASSIGN_OR_RETURN(ValueId x, call.Activation(kX));
  const Dims& weights = call.input(kWeights).dims;  // [out, in]
  const Shape& shape = call.graph().ShapeOf(x);
  if (!options->keep_num_dims() && (shape.size() != 2 || shape.back() != Dim(weights[1]))) {
    ASSIGN_OR_RETURN(x, call.graph().Reshape(call.Name("flat"), x, {0, weights[1]}));
  }
  WeightedLayer layer(call, kFullyConnected);
  RETURN_IF_ERROR(layer.Read({weights[1], weights[0]}, weights[0]));
  return layer.Emit(
      x, {}, options->fused_activation_function(),
      options->asymmetric_quantize_inputs() ? HybridRange::kAsymmetric : HybridRange::kSymmetric);
}

}  // namespace

std::vector<Translator> WeightedTranslators() {
  return {{3, TranslateConv2d}, {4, TranslateDepthwiseConv2d}, {9, TranslateFullyConnected}};
}

}  // namespace octet::tflite
