// SPDX-License-Identifier: Apache-2.0
// Octet on a bundle, through the call that the server's workers use. --variant names a kernel set.

#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_join.h"

#include "client/cli/local_model.h"
#include "kernels/kernel_set.h"
#include "tests/bench/engine/contender.h"

namespace octet::bench {
namespace {

// The kernels of its steps, each once.
std::string Kernels(const Executable& executable) {
  std::set<std::string> kernels;
  for (const StepDescription& step : executable.steps()) kernels.insert(step.kernel);
  return absl::StrJoin(kernels, "; ");
}

int Run(const ContenderOptions& options) {
  kernels::PrepareThread();
  const std::vector<Tensor> inputs = ReadInputs(options);
  const auto model = cli::LocalModel::Load(options.model, options.variant, inputs[0].dims()[0]);
  Require(model.status());
  std::vector<Tensor> outputs;
  {
    absl::StatusOr<std::vector<Tensor>> answer = (*model)->Run(inputs);
    Require(answer.status());
    outputs = *std::move(answer);
  }
  WriteAnswer(options, outputs[0].view());
  std::vector<TensorView> in;
  for (const Tensor& tensor : inputs) in.push_back(tensor.view());
  std::vector<MutableTensorView> out;
  for (Tensor& tensor : outputs) out.push_back(tensor.mutable_view());
  const Executable& executable = *(*model)->executable();
  Session& session = (*model)->session();
  return Serve({.version = std::string(executable.kernel_set().name),
                .detail = Kernels(executable),
                .run = [&] { session.Run(in, out).IgnoreError(); }});  // it ran above
}

}  // namespace
}  // namespace octet::bench

int main(int argc, char** argv) {
  return octet::bench::Run(octet::bench::ContenderOptions::Parse(argc, argv));
}
