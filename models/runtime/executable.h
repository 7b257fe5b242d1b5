// SPDX-License-Identifier: Apache-2.0
// A graph compiled for one kernel set: packed weights, a memory plan and a flat list of steps.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/runtime/attention_precision.h"
#include "models/runtime/compiled_graph.h"
#include "models/runtime/kernel_choices.h"
#include "models/tensor/tensor.h"

namespace octet {

namespace kernels {
struct KernelSet;
}  // namespace kernels

struct CompileOptions {
  // The most rows of one run of the steps; a Session splits larger batches. At least 1.
  std::int64_t max_rows = 64;
  // The most bytes of arena that one run may ask for: a request decides how long a sequence is.
  std::size_t max_arena_byte_size = std::size_t{1} << 30;
  // What was measured; for layers that it lacks, and without it, fixed rules choose. It never
  // changes a result.
  std::shared_ptr<const KernelChoices> choices = nullptr;
  AttentionPrecision attention_precision = AttentionPrecision::kFloat32;
};

// A named input or output of a model.
struct TensorSignature {
  std::string name;
  TensorType type;
};

// One step, for people (`octet inspect`).
struct StepDescription {
  std::string node;
  std::string op;
  std::string kernel;  // or "in place"
  std::size_t packed_byte_size = 0;
  std::optional<StepImplementation> implementation = std::nullopt;
  InPlace in_place = InPlace::kNone;
};

// Thread safety: immutable; shared by every Session of every worker.
class Executable {
 public:
  // Verifies `graph`, runs the passes (models/graph/passes), prepares each node and plans the
  // memory.
  // `kernels` and `operators` are borrowed for as long as the Executable lives.
  // Returns the errors of VerifyGraph and of Operator::Prepare.
  static absl::StatusOr<std::shared_ptr<const Executable>> Compile(
      Graph graph, const OperatorRegistry& operators, const kernels::KernelSet& kernels,
      const CompileOptions& options = {});

  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  [[nodiscard]] const std::vector<TensorSignature>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<TensorSignature>& outputs() const { return outputs_; }
  [[nodiscard]] const std::vector<std::string>& symbol_names() const { return symbol_names_; }
  [[nodiscard]] std::vector<StepDescription> steps() const;
  // Bytes that all steps hold for packed weights.
  [[nodiscard]] std::size_t packed_byte_size() const;
  [[nodiscard]] const kernels::KernelSet& kernel_set() const { return *kernels_; }
  [[nodiscard]] const CompileOptions& options() const { return options_; }
  [[nodiscard]] std::int64_t max_rows() const { return options_.max_rows; }
  // Whether the rows of several runs may be concatenated into one: rows come first in every input
  // and output, and there is an input to say how many there are.
  [[nodiscard]] bool takes_batches() const { return takes_batches_; }
  // Whether rows of different sizes may: a run takes sequences of any lengths then, packed one
  // behind the other (RaggedBatch).
  [[nodiscard]] bool may_be_ragged() const { return may_be_ragged_; }
  // Whether that pays: most of the weights are read once for all sequences.
  [[nodiscard]] bool takes_lengths() const { return takes_lengths_; }
  // For Session.
  [[nodiscard]] const CompiledGraph& compiled() const { return compiled_; }

 private:
  Executable() = default;

  const kernels::KernelSet* kernels_ = nullptr;
  CompileOptions options_;
  std::vector<TensorSignature> inputs_;
  std::vector<TensorSignature> outputs_;
  std::vector<std::string> symbol_names_;
  bool takes_batches_ = false;
  bool may_be_ragged_ = false;
  bool takes_lengths_ = false;
  CompiledGraph compiled_;
};

}  // namespace octet
