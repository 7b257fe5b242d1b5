// SPDX-License-Identifier: Apache-2.0
// A bundle run in this process, on the engine that the server uses.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "client/cli/input_files.h"
#include "models/bundle/bundle.h"
#include "models/graph/operator_registry.h"
#include "models/runtime/executable.h"
#include "models/runtime/session.h"

namespace octet::cli {

// The kernel set called `name`; the best one for this CPU if it is empty.
// Returns FAILED_PRECONDITION for an unknown name, or one that this CPU lacks.
absl::StatusOr<const kernels::KernelSet*> ChooseKernelSet(const std::string& name);

// What the files for a graph's inputs must be.
std::vector<InputSpecification> InputSpecifications(const Graph& graph);

// Thread safety: one thread at a time.
class LocalModel {
 public:
  // Reads the bundle, compiles it for a kernel set, makes a Session and runs the self-test.
  // Returns the errors of each, those of the self-test as RunSelfTest does, behind the path.
  static absl::StatusOr<std::unique_ptr<LocalModel>> Load(const std::string& path,
                                                          const std::string& kernel_set,
                                                          const CompileOptions& compile = {});
  // The same without the self-test: for looking at a bundle, not for its answers.
  static absl::StatusOr<std::unique_ptr<LocalModel>> LoadUntested(
      const std::string& path, const std::string& kernel_set, const CompileOptions& compile = {});

  // What the server does before it serves a bundle: FAILED_PRECONDITION where the kernels chosen do
  // not compute what the bundle says. OK for a bundle without a self-test.
  absl::Status RunSelfTest();

  [[nodiscard]] const Bundle& bundle() const { return bundle_; }
  [[nodiscard]] const OperatorRegistry& operators() const { return operators_; }
  [[nodiscard]] const std::shared_ptr<const Executable>& executable() const { return executable_; }
  [[nodiscard]] Session& session() { return *session_; }
  [[nodiscard]] std::vector<InputSpecification> inputs() const {
    return InputSpecifications(bundle_.graph);
  }

  // Runs all rows of `inputs`; a tensor for each output.
  absl::StatusOr<std::vector<Tensor>> Run(const std::vector<Tensor>& inputs);

 private:
  LocalModel() = default;

  OperatorRegistry operators_;
  Bundle bundle_;
  std::shared_ptr<const Executable> executable_;
  Arena arena_;
  std::unique_ptr<Session> session_;
};

}  // namespace octet::cli
