// SPDX-License-Identifier: Apache-2.0
// One engine with one model, in a process of its own, that measures itself when it is told to.
//
// run.py starts the contenders of a case, compares what they answer, and lets one after the other
// measure for a moment, round by round: what the machine does meanwhile meets all of them alike,
// and no engine's threads or memory are in another's way.

#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "models/tensor/tensor.h"

namespace octet::bench {

// What every contender gets on its command line.
struct ContenderOptions {
  std::string model;                // the engine's own form of the model
  std::vector<std::string> inputs;  // .npy files, in the model's order
  std::string output;               // where the first answer goes, as .npy
  std::string variant;              // an engine's setting, where it has several worth measuring

  // Parses `argv`; ends the process with a message if that fails.
  static ContenderOptions Parse(int argc, char** argv);
};

// Of one inference.
struct Times {
  double best_us = 0;
  double median_us = 0;
  std::size_t runs = 0;
};

struct Contender {
  std::string version;        // of the engine
  std::string detail;         // what it chose: kernels, precision
  std::function<void()> run;  // one inference; the inputs and outputs stay where they are
  // At least so many seconds of inferences. Empty: calls `run` again and again, each call timed.
  std::function<Times(double seconds)> measure = {};
};

// The main() of a contender: parses `argv` and returns what `run` returns. Ends the process with a
// message if either fails.
int ContenderMain(int argc, char** argv, int (*run)(const ContenderOptions& options));

// Speaks with run.py until its input ends. Says first
//   {"version": V, "detail": D}
// and to each line `measure SECONDS` answers
//   {"best_us": B, "median_us": M, "runs": N}
// for at least SECONDS of runs. Returns the exit status of the program.
int Serve(const Contender& contender);

// Reads the .npy files. Ends the process with a message if that fails.
std::vector<Tensor> ReadInputs(const ContenderOptions& options);

// Writes the answer to `options.output`, as float32. Ends the process with a message if that fails.
void WriteAnswer(const ContenderOptions& options, TensorView answer);

// OCTET_KERNEL_SET, which chooses our kernels here as elsewhere; empty: the best for this CPU.
std::string KernelSetName();

// Ends the process with `message` on stderr.
[[noreturn]] void Fail(const std::string& message);
void Require(const absl::Status& status);

}  // namespace octet::bench
