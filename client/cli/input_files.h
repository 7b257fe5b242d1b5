// SPDX-License-Identifier: Apache-2.0
// The files given with --input, made to fit a model's inputs.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/tensor/tensor.h"

namespace octet::cli {

// A model's input as the command line sees it, whether it came from a bundle or from a server.
struct InputSpecification {
  std::string name;
  DataType data_type = DataType::kFloat32;
  Dims dims;  // -1: open; the first is the batch
};

// Reads `arguments`, each NAME=FILE.npy, or FILE.npy where the model has one input, into one tensor
// for each of `inputs`, in their order. Numbers are converted where nothing but precision is lost
// (FP64 within its range or integers to FP32, between integers that hold the values); rows of
// another shape with the same number of elements are taken as they lie.
//
// Returns INVALID_ARGUMENT naming the input, what was given and what the model wants (also where
// `inputs`, which a server may have sent, have no rows); the errors of ReadNpy.
absl::StatusOr<std::vector<Tensor>> ReadInputFiles(const std::vector<std::string>& arguments,
                                                   const std::vector<InputSpecification>& inputs);

// How many rows `tensors`, a model's inputs, have: 1 where there are none.
std::int64_t NumRows(const std::vector<Tensor>& tensors);

// The first `count` rows of each of `tensors`, from the start again where one has fewer.
// Preconditions: each tensor has a row at least; `count` is at least 1.
std::vector<Tensor> TakeRows(const std::vector<Tensor>& tensors, std::int64_t count);

// Integer class labels, one a row. Returns INVALID_ARGUMENT naming the file unless there are
// `num_rows` of them; the errors of ReadNpy.
absl::StatusOr<std::vector<std::int64_t>> ReadLabels(const std::string& path,
                                                     std::int64_t num_rows);

// Returns INVALID_ARGUMENT, naming `path`, for a label that is no class of `num_classes`.
absl::Status CheckLabels(const std::string& path, const std::vector<std::int64_t>& labels,
                         std::int64_t num_classes);

// The rows [first, first + count) of `tensor`, in place.
TensorView Rows(const Tensor& tensor, std::int64_t first, Dims& dims);

}  // namespace octet::cli
