// SPDX-License-Identifier: Apache-2.0
// Models whose operators stand between DequantizeLinear and QuantizeLinear, as ones of integer
// operators: what ONNX Runtime makes of them when it loads one, with the same arithmetic.

#pragma once

#include <deque>
#include <vector>

#include "models/importers/onnx/model_proto.h"
#include "models/importers/quantized_constant.h"

namespace octet::onnx {

// Replaces in `nodes`, which are `graph`'s in the order of computation, what can be; the new nodes
// are kept in `made`. What is not replaced is computed as it is written. `weights` are the graph's
// initializers, by name.
//
//   x, w (constant) and bias (int32) dequantized, Conv, quantized          QLinearConv
//   a, b dequantized, MatMul, quantized; or not quantized      QLinearMatMul; MatMulIntegerToFloat
//   a, b (constant) and c (int32) dequantized, Gemm, quantized or not      QGemm
//   a and b dequantized, Add or Mul, quantized                             QLinearAdd, QLinearMul
//   x dequantized, one of five functions, quantized                        QLinear...
//   all dequantized, Concat, quantized                                     QLinearConcat
//   x dequantized, moved or pooled, quantized as it was                    the operator, over bytes
//
// A bias of float32 in front of QuantizeLinear becomes one of int32; a Gemm with one whose result
// is not quantized becomes MatMulIntegerToFloat. Weights of MatMul may be transposed behind their
// DequantizeLinear.
//
// A Relu or Clip in front of QuantizeLinear is left out where that clips as much by itself.
void FuseQuantization(const GraphProto& graph, const NamedWeights& weights,
                      std::vector<const NodeProto*>& nodes, std::deque<NodeProto>& made);

}  // namespace octet::onnx
