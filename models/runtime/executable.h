// SPDX-License-Identifier: Apache-2.0
// A graph compiled for one kernel set: packed weights, a memory plan and a flat list of steps.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/tensor/tensor.h"

namespace octet {

namespace kernels {
struct KernelSet;
}  // namespace kernels

struct CompileOptions {
  // The most rows of one run of the steps; a Session splits larger batches. At least 1.
  std::int64_t max_rows = 64;
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
  std::string kernel;
  std::size_t packed_byte_size = 0;
};

// Thread safety: immutable; shared by every Session of every worker.
class Executable {
 public:
  // Verifies `graph`, runs the passes (graph/passes), prepares each node and plans the memory.
  // `kernels` and `operators` are borrowed for as long as the Executable lives.
  // Returns the errors of VerifyGraph and of Operator::Prepare.
  static absl::StatusOr<std::shared_ptr<const Executable>> Compile(
      Graph graph, const OperatorRegistry& operators, const kernels::KernelSet& kernels,
      const CompileOptions& options = {});

  virtual ~Executable() = default;
  [[nodiscard]] virtual const std::vector<TensorSignature>& inputs() const = 0;
  [[nodiscard]] virtual const std::vector<TensorSignature>& outputs() const = 0;
  [[nodiscard]] virtual const std::vector<std::string>& symbol_names() const = 0;
  [[nodiscard]] virtual std::vector<StepDescription> steps() const = 0;
  [[nodiscard]] virtual const kernels::KernelSet& kernel_set() const = 0;
  [[nodiscard]] virtual std::int64_t max_rows() const = 0;
};

}  // namespace octet
