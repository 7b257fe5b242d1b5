// SPDX-License-Identifier: Apache-2.0
// The list of layer classes with their variables, in serialized order, mode by mode.

#include <string>
#include <utility>
#include <vector>

#include "models/bundle/variable_order.h"

namespace octet {

namespace {

using Variables = std::vector<VariableSpec>;

VariableSpec Required(std::string name, VariableKind kind, std::string shape = "*") {
  return {std::move(name), kind, std::move(shape), VariableSpec::Presence::kRequired};
}
VariableSpec Optional(std::string name, VariableKind kind, std::string shape = "*") {
  return {std::move(name), kind, std::move(shape), VariableSpec::Presence::kOptional};
}

constexpr VariableKind kFloat = VariableKind::kFloat;
constexpr VariableKind kInt8 = VariableKind::kInt8;
constexpr VariableKind kPacked = VariableKind::kPacked;
constexpr VariableKind kPackedRows = VariableKind::kPackedRows;
constexpr VariableKind kReciprocal = VariableKind::kReciprocal;
constexpr VariableKind kMultiply = VariableKind::kMultiply;
constexpr VariableKind kZeroPoint = VariableKind::kZeroPoint;
constexpr VariableKind kIndex = VariableKind::kIndex;

// GPTQ and AWQ: the kernel is a matrix of output columns by input rows, whatever the layer's own
// shape, and the bias comes first.
Variables Gptq(const std::string& bias_shape) {
  return {Optional("bias", kFloat, bias_shape), Required("quantized_kernel", kPacked, "out,in"),
          Required("kernel_scale", kMultiply, "out,groups"),
          Required("kernel_zero", kZeroPoint, "out,groups"), Required("g_idx", kIndex, "in")};
}
Variables Awq(const std::string& bias_shape) {
  return {Optional("bias", kFloat, bias_shape), Required("quantized_kernel", kPacked, "out,in"),
          Required("kernel_scale", kMultiply, "out,groups"),
          Required("kernel_zero", kZeroPoint, "out,groups"),
          // The dequantized kernel is divided by it, row by row.
          Required("awq_scales", kReciprocal, "in"), Required("g_idx", kIndex, "in")};
}

// The weights, and the scales and histories of a training scheme, which serving does not use.
Variables Float8(const std::string& kernel_shape, const std::string& bias_shape) {
  return {Required("kernel", kFloat, kernel_shape),
          Optional("bias", kFloat, bias_shape),
          Required("inputs_scale", kFloat, ""),
          Required("inputs_amax_history", kFloat, "history"),
          Required("kernel_scale", kFloat, ""),
          Required("kernel_amax_history", kFloat, "history"),
          Required("outputs_grad_scale", kFloat, ""),
          Required("outputs_grad_amax_history", kFloat, "history")};
}

void AddDense(LayerOrders& orders) {
  const std::string name = "Dense";
  const VariableSpec bias = Optional("bias", kFloat, "out");
  orders.Add({name, "float", {Required("kernel", kFloat, "in,out"), bias}});
  orders.Add(
      {name,
       "int8",
       {Required("kernel", kInt8, "in,out"), bias, Required("kernel_scale", kReciprocal, "out")}});
  // Trained with quantization in mind.
  orders.Add(
      {name,
       "int8_trained",
       {Required("kernel", kInt8, "in,out"), bias, Required("kernel_scale", kMultiply, "out")}});
  // Calibrated: the bias is in units of input scale * kernel scale.
  orders.Add(
      {name,
       "int8_static",
       {Required("kernel", kInt8, "in,out"), Optional("bias", VariableKind::kIntegerBias, "out"),
        Required("kernel_scale", kMultiply, "out")}});
  // The same with weights that are not symmetric: TensorFlow Lite's uint8, less 128.
  orders.Add(
      {name,
       "int8_static",
       {Required("kernel", kInt8, "in,out"), Optional("bias", VariableKind::kIntegerBias, "out"),
        Required("kernel_scale", kMultiply, "out"),
        Required("kernel_zero_point", kZeroPoint, "out")}});
  // One scale a column: Keras to 3.13 packs along the inputs (axis 0), 3.14 and newer along the
  // outputs; Layer::packing tells which.
  orders.Add({name,
              "int4",
              {Required("kernel", kPacked, "in,out"), bias,
               Required("kernel_scale", kReciprocal, "out")}});
  // Keras 3.14 and newer, grouped.
  orders.Add(
      {name,
       "int4",
       {Required("kernel", kPacked, "in,out"), bias,
        Required("kernel_scale", kMultiply, "groups,out"),
        Required("kernel_zero", kZeroPoint, "groups,out"), Required("g_idx", kIndex, "in")}});
  orders.Add({name, "float8", Float8("in,out", "out")});
  orders.Add({name, "gptq", Gptq("out")});
  orders.Add({name, "awq", Awq("out")});
}

// PyTorch's, whose scales multiply: one a column, or one for each group of rows and column.
void AddLinear(LayerOrders& orders) {
  for (const bool is_grouped : {false, true}) {
    const char* const shape = is_grouped ? "groups,out" : "out";
    orders.Add({"Linear",
                is_grouped ? "int8_grouped" : "int8",
                {Required("kernel", kInt8, "in,out"), Optional("bias", kFloat, "out"),
                 Required("kernel_scale", kMultiply, shape),
                 Optional("kernel_zero_point", kZeroPoint, shape)}});
  }
  // Calibrated. The bias is added behind the product, in float.
  orders.Add({"Linear",
              "int8_static",
              {Required("kernel", kInt8, "in,out"), Optional("bias", kFloat, "out"),
               Required("kernel_scale", kMultiply, "out"),
               Optional("kernel_zero_point", kZeroPoint, "out")}});
}

// As Dense; the shapes follow from the equation.
void AddEinsumDense(LayerOrders& orders) {
  const std::string name = "EinsumDense";
  const VariableSpec bias = Optional("bias", kFloat);
  orders.Add({name, "float", {Required("kernel", kFloat), bias}});
  orders.Add(
      {name, "int8", {Required("kernel", kInt8), bias, Required("kernel_scale", kReciprocal)}});
  // Octet's own. A bias that is no vector over the columns is added behind the product, in float.
  orders.Add({name,
              "int8_static",
              {Required("kernel", kInt8), Optional("bias", VariableKind::kAny),
               Required("kernel_scale", kMultiply)}});
  orders.Add(
      {name, "int4", {Required("kernel", kPacked), bias, Required("kernel_scale", kReciprocal)}});
  orders.Add(
      {name,
       "int4",
       {Required("kernel", kPacked, "rows,columns"), bias,
        Required("kernel_scale", kMultiply, "groups,columns"),
        Required("kernel_zero", kZeroPoint, "groups,columns"), Required("g_idx", kIndex, "rows")}});
  orders.Add({name, "float8", Float8("*", "*")});
  orders.Add({name, "gptq", Gptq("*")});
  orders.Add({name, "awq", Awq("*")});
}

void AddEmbedding(LayerOrders& orders) {
  const std::string name = "Embedding";
  orders.Add({name, "float", {Required("embeddings", kFloat, "vocabulary,dim")}});
  orders.Add({name,
              "int8",
              {Required("embeddings", kInt8, "vocabulary,dim"),
               Required("embeddings_scale", kReciprocal, "vocabulary")}});
  orders.Add({name,
              "int4",
              {Required("embeddings", kPacked, "vocabulary,dim"),
               Required("embeddings_scale", kReciprocal, "vocabulary")}});
  orders.Add({name,
              "int4",
              {Required("embeddings", kPacked, "vocabulary,dim"),
               Required("embeddings_scale", kMultiply, "vocabulary,groups"),
               Required("embeddings_zero", kZeroPoint, "vocabulary,groups"),
               Required("g_idx", kIndex, "dim")}});
}

// As Embedding; the second table is there if it is not tied to the first. Both are packed along
// `dim`, which is the first axis of the second.
void AddReversibleEmbedding(LayerOrders& orders) {
  const std::string name = "ReversibleEmbedding";
  const std::string rows = "vocabulary,dim";
  const std::string columns = "dim,vocabulary";
  orders.Add(
      {name,
       "float",
       {Required("embeddings", kFloat, rows), Optional("reverse_embeddings", kFloat, columns)}});
  orders.Add({name,
              "int8",
              {Required("embeddings", kInt8, rows),
               Required("embeddings_scale", kReciprocal, "vocabulary"),
               Optional("reverse_embeddings", kInt8, columns),
               Optional("reverse_embeddings_scale", kReciprocal, "vocabulary")}});
  orders.Add({name,
              "int4",
              {Required("embeddings", kPacked, rows),
               Required("embeddings_scale", kReciprocal, "vocabulary"),
               Optional("reverse_embeddings", kPackedRows, columns),
               Optional("reverse_embeddings_scale", kReciprocal, "vocabulary")}});
  orders.Add(
      {name,
       "int4",
       {Required("embeddings", kPacked, rows),
        Required("embeddings_scale", kMultiply, "vocabulary,groups"),
        Required("embeddings_zero", kZeroPoint, "vocabulary,groups"),
        Required("g_idx", kIndex, "dim"), Optional("reverse_embeddings", kPackedRows, columns),
        Optional("reverse_embeddings_scale", kMultiply, "groups,vocabulary"),
        Optional("reverse_embeddings_zero", kZeroPoint, "groups,vocabulary")}});
  // Octet's own, where Keras has no such mode; a table that the model does not use is left out.
  for (const auto& [mode, kind] : {std::pair{"int8", kInt8}, std::pair{"int4", kPackedRows}}) {
    orders.Add({name,
                mode,
                {Required("reverse_embeddings", kind, columns),
                 Required("reverse_embeddings_scale", kReciprocal, "vocabulary")}});
  }
  orders.Add({name,
              "int4",
              {Optional("embeddings", kPacked, rows),
               Optional("embeddings_scale", kReciprocal, "vocabulary"),
               Required("reverse_embeddings", kPackedRows, columns),
               Required("reverse_embeddings_scale", kMultiply, "groups,vocabulary"),
               Required("reverse_embeddings_zero", kZeroPoint, "groups,vocabulary"),
               Required("g_idx", kIndex, "dim")}});
  orders.Add({name,
              "int8_static",
              {Optional("embeddings", kInt8, rows),
               Optional("embeddings_scale", kReciprocal, "vocabulary"),
               Required("reverse_embeddings", kInt8, columns),
               Required("reverse_embeddings_scale", kMultiply, "vocabulary")}});
}

// The quantized modes are Octet's own: Keras leaves convolutions float.
void AddConvolution(LayerOrders& orders, const std::string& name, const std::string& kernel_shape) {
  const VariableSpec bias = Optional("bias", kFloat, "out");
  orders.Add({name, "float", {Required("kernel", kFloat, kernel_shape), bias}});
  orders.Add({name,
              "int8",
              {Required("kernel", kInt8, kernel_shape), bias,
               Required("kernel_scale", kReciprocal, "out")}});
  orders.Add({name,
              "int8_trained",
              {Required("kernel", kInt8, kernel_shape), bias,
               Required("kernel_scale", kMultiply, "out")}});
  orders.Add({name,
              "int8_static",
              {Required("kernel", kInt8, kernel_shape),
               Optional("bias", VariableKind::kIntegerBias, "out"),
               Required("kernel_scale", kMultiply, "out")}});
  // The same with weights that are not symmetric: TensorFlow Lite's uint8, less 128.
  orders.Add({name,
              "int8_static",
              {Required("kernel", kInt8, kernel_shape),
               Optional("bias", VariableKind::kIntegerBias, "out"),
               Required("kernel_scale", kMultiply, "out"),
               Required("kernel_zero_point", kZeroPoint, "out")}});
}

// As above: the two quantized modes are Octet's own, with a scale for each of the two kernels.
void AddSeparableConvolution(LayerOrders& orders, const std::string& name) {
  orders.Add({name,
              "float",
              {Required("depthwise_kernel", kFloat), Required("pointwise_kernel", kFloat),
               Optional("bias", kFloat, "out")}});
  orders.Add({name,
              "int8",
              {Required("depthwise_kernel", kInt8), Required("pointwise_kernel", kInt8),
               Optional("bias", kFloat, "out"),
               Required("depthwise_kernel_scale", kReciprocal, "channels"),
               Required("pointwise_kernel_scale", kReciprocal, "out")}});
  orders.Add({name,
              "int8_static",
              {Required("depthwise_kernel", kInt8), Required("pointwise_kernel", kInt8),
               Optional("bias", VariableKind::kIntegerBias, "out"),
               Required("depthwise_kernel_scale", kMultiply, "channels"),
               Required("pointwise_kernel_scale", kMultiply, "out")}});
}

// Recurrent layers keep their variables in a cell; Octet lists them under the layer.
void AddRecurrent(LayerOrders& orders, const std::string& name) {
  Variables variables = {Required("kernel", kFloat, "in,gates"),
                         Required("recurrent_kernel", kFloat, "units,gates"),
                         Optional("bias", kFloat)};
  orders.Add({name + "Cell", "float", variables});
  // Keras has no peepholes, ONNX has.
  if (name == "LSTM") variables.push_back(Optional("peephole", kFloat));
  orders.Add({name, "float", std::move(variables)});
}

// Octet's own. The bias of a static one is in units of input scale * kernel scale.
void AddIntegerLstm(LayerOrders& orders) {
  const auto add = [&orders](const char* mode, VariableKind bias, VariableKind scale) {
    orders.Add(
        {"LSTM",
         mode,
         {Required("kernel", kInt8, "in,gates"), Required("recurrent_kernel", kInt8, "units,gates"),
          Optional("bias", bias, "gates"), Required("kernel_scale", scale, "gates"),
          Required("recurrent_kernel_scale", scale, "gates")}});
  };
  add("int8", kFloat, kReciprocal);
  add("int8_static", VariableKind::kIntegerBias, kMultiply);
}

// The worked example of a custom layer: y = x * kernel.
void AddSimpleScale(LayerOrders& orders) {
  const std::string name = "Custom>SimpleScale";
  orders.Add({name, "float", {Required("kernel", kFloat, "dim")}});
  orders.Add(
      {name, "int8", {Required("kernel", kInt8, "dim"), Required("scale", kReciprocal, "")}});
}

}  // namespace

LayerOrders BuiltInLayerOrders() {
  LayerOrders orders;
  orders.Add(
      {"BatchNormalization",
       "float",
       {Optional("gamma", kFloat, "dim"), Optional("beta", kFloat, "dim"),
        Required("moving_mean", kFloat, "dim"), Required("moving_variance", kFloat, "dim")}});
  AddConvolution(orders, "Conv1D", "width,in,out");
  AddConvolution(orders, "Conv1DTranspose", "width,out,in");
  AddConvolution(orders, "Conv2D", "height,width,in,out");
  AddConvolution(orders, "Conv2DTranspose", "height,width,out,in");
  AddConvolution(orders, "Conv3D", "depth,height,width,in,out");
  AddConvolution(orders, "Conv3DTranspose", "depth,height,width,out,in");
  AddSimpleScale(orders);
  AddDense(orders);
  AddLinear(orders);
  for (const char* const name : {"DepthwiseConv1D", "DepthwiseConv2D"}) {
    // The bias has as many elements as input channels times multiplier.
    AddConvolution(orders, name, "*");
  }
  AddEinsumDense(orders);
  AddEmbedding(orders);
  AddRecurrent(orders, "GRU");
  orders.Add({"GroupNormalization",
              "float",
              {Optional("gamma", kFloat, "dim"), Optional("beta", kFloat, "dim")}});
  AddRecurrent(orders, "LSTM");
  AddIntegerLstm(orders);
  orders.Add(
      {"LayerNormalization", "float", {Optional("gamma", kFloat), Optional("beta", kFloat)}});
  orders.Add({"Normalization",
              "float",
              {Required("mean", kFloat), Required("variance", kFloat),
               Optional("count", VariableKind::kAny, "")}});
  orders.Add({"PReLU", "float", {Required("alpha", kFloat)}});
  orders.Add({"RMSNormalization", "float", {Optional("scale", kFloat)}});
  AddReversibleEmbedding(orders);
  orders.Add({"SeedGenerator", "float", {Optional("seed_generator_state", VariableKind::kAny)}});
  for (const char* const name : {"SeparableConv1D", "SeparableConv2D"}) {
    AddSeparableConvolution(orders, name);
  }
  AddRecurrent(orders, "SimpleRNN");
  return orders;
}

}  // namespace octet
