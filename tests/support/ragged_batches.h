// SPDX-License-Identifier: Apache-2.0
// Ragged batches of made-up inputs, and what their rows are answered alone.

#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "gtest/gtest.h"

#include "models/runtime/session.h"
#include "tests/support/run_operator.h"

namespace octet::testing {

// The bytes of each output.
using PackedOutputs = std::vector<std::vector<std::byte>>;

// The symbols of each stretch, rows first.
inline RaggedBatch BatchOf(const std::vector<std::vector<std::int64_t>>& symbols) {
  RaggedBatch batch(symbols.front().size());
  for (const auto& each : symbols) batch.Append(each);
  return batch;
}

// Noise in floats, token numbers below 50 in integers.
inline std::vector<Tensor> PackedInputs(const Executable& executable, const RaggedBatch& batch) {
  std::vector<Tensor> inputs;
  for (const TensorSignature& signature : executable.inputs()) {
    const std::size_t byte_size = PackedOffset(batch, signature.type, batch.rows());
    Tensor& input = inputs.emplace_back(
        signature.type.data_type,
        Dims{static_cast<std::int64_t>(byte_size / (BitWidth(signature.type.data_type) / 8))});
    if (signature.type.data_type == DataType::kFloat32) {
      std::ranges::copy(Noise(byte_size / sizeof(float), 7), input.as<float>().begin());
    } else {
      std::int32_t i = static_cast<std::int32_t>(inputs.size());
      for (std::int32_t& element : input.as<std::int32_t>()) element = i++ * 7 % 50;
    }
  }
  return inputs;
}

inline PackedOutputs MakeOutputs(const Executable& executable, const RaggedBatch& batch) {
  PackedOutputs outputs;
  for (const TensorSignature& signature : executable.outputs()) {
    outputs.emplace_back(PackedOffset(batch, signature.type, batch.rows()), std::byte{0xA5});
  }
  return outputs;
}

inline std::vector<TensorView> ViewsOf(const std::vector<Tensor>& inputs) {
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) views.push_back(input.view());
  return views;
}

inline std::vector<MutableTensorView> ViewsOf(const Executable& executable,
                                              PackedOutputs& outputs) {
  std::vector<MutableTensorView> views;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    views.push_back({executable.outputs()[i].type.data_type, {}, outputs[i].data()});
  }
  return views;
}

// The batch in one call.
inline absl::StatusOr<PackedOutputs> RunRagged(Session& session, const RaggedBatch& batch,
                                               const std::vector<Tensor>& inputs) {
  PackedOutputs outputs = MakeOutputs(session.executable(), batch);
  RETURN_IF_ERROR(session.RunRagged(batch, ViewsOf(inputs), ViewsOf(session.executable(), outputs),
                                    {.first = 0, .count = batch.rows()}, [] { return false; }));
  return outputs;
}

// Each stretch on its own, as a batch of rows that are alike.
inline absl::StatusOr<PackedOutputs> RunAlone(Session& session, const RaggedBatch& batch,
                                              const std::vector<Tensor>& inputs) {
  const Executable& executable = session.executable();
  PackedOutputs outputs = MakeOutputs(executable, batch);
  std::int64_t row = 0;
  for (std::size_t stretch = 0; stretch < batch.size(); ++stretch) {
    std::vector<Dims> input_dims;
    for (const TensorSignature& signature : executable.inputs()) {
      Dims& dims = input_dims.emplace_back();
      for (const Dim& dim : signature.type.shape) dims.push_back(dim.Evaluate(batch[stretch]));
    }
    std::vector<TensorView> in = ViewsOf(inputs);
    for (std::size_t i = 0; i < in.size(); ++i) {
      in[i].dims = input_dims[i];
      in[i].data = in[i].as<std::byte>() + PackedOffset(batch, executable.inputs()[i].type, row);
    }
    std::vector<Dims> dims;
    RETURN_IF_ERROR(session.OutputDims(in, dims));
    std::vector<MutableTensorView> out = ViewsOf(executable, outputs);
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i].dims = dims[i];
      out[i].data = out[i].as<std::byte>() + PackedOffset(batch, executable.outputs()[i].type, row);
    }
    RETURN_IF_ERROR(session.Run(in, out));
    row += batch[stretch][0];
  }
  return outputs;
}

}  // namespace octet::testing
