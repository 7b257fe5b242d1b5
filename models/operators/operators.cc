// SPDX-License-Identifier: Apache-2.0

#include "models/operators/operators.h"

#include "models/operators/activation.h"
#include "models/operators/arg_reduce.h"
#include "models/operators/attention.h"
#include "models/operators/batch_normalization.h"
#include "models/operators/binary.h"
#include "models/operators/cast.h"
#include "models/operators/comparison.h"
#include "models/operators/concat.h"
#include "models/operators/constant.h"
#include "models/operators/conv2d.h"
#include "models/operators/conv3d.h"
#include "models/operators/conv_transpose.h"
#include "models/operators/cumulative_sum.h"
#include "models/operators/dynamic_lstm.h"
#include "models/operators/dynamic_quantize.h"
#include "models/operators/elementwise_function.h"
#include "models/operators/expand.h"
#include "models/operators/fake_quantize.h"
#include "models/operators/fixed_point_lstm.h"
#include "models/operators/fixed_point_softmax.h"
#include "models/operators/fully_connected.h"
#include "models/operators/gather.h"
#include "models/operators/gather_elements.h"
#include "models/operators/gather_nd.h"
#include "models/operators/group_normalization.h"
#include "models/operators/gru.h"
#include "models/operators/integer_conv2d.h"
#include "models/operators/integer_matmul.h"
#include "models/operators/layer_normalization.h"
#include "models/operators/logic.h"
#include "models/operators/lstm.h"
#include "models/operators/matmul.h"
#include "models/operators/pad.h"
#include "models/operators/pool2d.h"
#include "models/operators/pool3d.h"
#include "models/operators/positions.h"
#include "models/operators/prelu.h"
#include "models/operators/quantize.h"
#include "models/operators/quantize_rows.h"
#include "models/operators/reduce.h"
#include "models/operators/reinterpret.h"
#include "models/operators/reshape.h"
#include "models/operators/resize2d.h"
#include "models/operators/simple_rnn.h"
#include "models/operators/slice.h"
#include "models/operators/softmax.h"
#include "models/operators/tile.h"
#include "models/operators/top_k.h"
#include "models/operators/transpose.h"
#include "models/operators/unit_normalization.h"
#include "models/operators/where.h"

namespace octet {

// One line an operator, in alphabetical order.
OperatorRegistry BuiltInOperators() {
  OperatorRegistry registry;
  registry.Add(MakeActivation());
  registry.Add(MakeAdd());
  registry.Add(MakeAnd());
  registry.Add(MakeArgReduce());
  registry.Add(MakeAttention());
  registry.Add(MakeAveragePool2d());
  registry.Add(MakeAveragePool3d());
  registry.Add(MakeBatchNormalization());
  registry.Add(MakeCast());
  registry.Add(MakeConcat());
  registry.Add(MakeConstant());
  registry.Add(MakeConv2d());
  registry.Add(MakeConv3d());
  registry.Add(MakeConvTranspose2d());
  registry.Add(MakeConvTranspose3d());
  registry.Add(MakeCumulativeSum());
  registry.Add(MakeDepthwiseConv2d());
  registry.Add(MakeDequantize());
  registry.Add(MakeDivide());
  registry.Add(MakeDynamicLstm());
  registry.Add(MakeDynamicQuantize());
  registry.Add(MakeElementwiseFunction());
  registry.Add(MakeEqual());
  registry.Add(MakeExpand());
  registry.Add(MakeFakeQuantize());
  registry.Add(MakeFixedPointLstm());
  registry.Add(MakeFixedPointSoftmax());
  registry.Add(MakeFullyConnected());
  registry.Add(MakeGather());
  registry.Add(MakeGatherElements());
  registry.Add(MakeGatherNd());
  registry.Add(MakeGreater());
  registry.Add(MakeGroupNormalization());
  registry.Add(MakeGru());
  registry.Add(MakeIdentity());
  registry.Add(MakeIntegerConv2d());
  registry.Add(MakeIntegerMatMul());
  registry.Add(MakeLayerNormalization());
  registry.Add(MakeLess());
  registry.Add(MakeLogSoftmax());
  registry.Add(MakeLstm());
  registry.Add(MakeMatMul());
  registry.Add(MakeMaximum());
  registry.Add(MakeMaxPool2d());
  registry.Add(MakeMaxPool3d());
  registry.Add(MakeMinimum());
  registry.Add(MakeMultiply());
  registry.Add(MakeNot());
  registry.Add(MakeNotEqual());
  registry.Add(MakeOr());
  registry.Add(MakePad());
  registry.Add(MakePositions());
  registry.Add(MakePower());
  registry.Add(MakePRelu());
  registry.Add(MakeQuantize());
  registry.Add(MakeQuantizeRows());
  registry.Add(MakeReduce());
  registry.Add(MakeReduceAny());
  registry.Add(MakeReinterpret());
  registry.Add(MakeRequantize());
  registry.Add(MakeReshape());
  registry.Add(MakeResize2d());
  registry.Add(MakeRmsNormalization());
  registry.Add(MakeSimpleRnn());
  registry.Add(MakeSlice());
  registry.Add(MakeSoftmax());
  registry.Add(MakeSubtract());
  registry.Add(MakeTile());
  registry.Add(MakeTopK());
  registry.Add(MakeTranspose());
  registry.Add(MakeUnitNormalization());
  registry.Add(MakeWhere());
  return registry;
}

}  // namespace octet
