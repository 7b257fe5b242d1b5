// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/einsum_dense.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

#include "models/base/status_macros.h"

namespace octet::keras {

namespace {

// Labels of the three tensors, one letter an axis.
struct Labels {
  std::string input;
  std::string kernel;
  std::string output;
};

bool Contains(absl::string_view labels, char label) {
  return labels.find(label) != absl::string_view::npos;
}

bool AllDifferent(absl::string_view labels) {
  return std::set<char>(labels.begin(), labels.end()).size() == labels.size();
}

// Labels that stand for "..." are digits, which no equation uses.
absl::StatusOr<Labels> ParseEquation(const LayerCall& call, const std::string& equation,
                                     std::size_t input_rank) {
  const auto error = [&](absl::string_view wanted) {
    return call.Invalid(absl::StrCat("equation: got \"", equation, "\", wants ", wanted));
  };
  const std::vector<std::string> sides = absl::StrSplit(equation, "->");
  const std::vector<std::string> operands = absl::StrSplit(sides[0], ',');
  if (sides.size() != 2 || operands.size() != 2) return error("\"input,kernel->output\"");
  Labels labels{operands[0], operands[1], sides[1]};
  std::string plain = absl::StrReplaceAll(labels.input, {{"...", ""}});
  if (plain.size() > input_rank || input_rank - plain.size() > 9) {
    return error(absl::StrCat(input_rank, " axes of the input"));
  }
  std::string elided;
  for (std::size_t i = 0; i < input_rank - plain.size(); ++i) {
    elided.push_back(static_cast<char>('0' + i));
  }
  labels.input = absl::StrReplaceAll(labels.input, {{"...", elided}});
  labels.output = absl::StrReplaceAll(labels.output, {{"...", elided}});
  for (const std::string* const part : {&labels.input, &labels.kernel, &labels.output}) {
    for (const char label : *part) {
      const bool valid = (label >= 'a' && label <= 'z') || (label >= 'A' && label <= 'Z') ||
                         (label >= '0' && label <= '9' && part != &labels.kernel);
      if (!valid) return error("letters");
    }
    if (part->empty() || !AllDifferent(*part)) return error("each letter once in a tensor");
  }
  if (labels.input.size() != input_rank) return error("one letter an axis of the input");
  for (const char label : labels.output) {
    if (!Contains(labels.input, label) && !Contains(labels.kernel, label)) {
      return error("letters of the input or the kernel in the output");
    }
  }
  return labels;
}

// What the axes of the three tensors are to each other.
struct Plan {
  std::vector<std::int64_t> input_permutation;  // free axes, then contracted ones
  std::string rows;                             // labels of the free axes of the input
  std::string columns;                          // labels of the free axes of the kernel
};

absl::StatusOr<Plan> MakePlan(const LayerCall& call, const std::string& equation,
                              const Labels& labels, ProjectionSource& source) {
  const absl::Status unimplemented = call.Unimplemented(
      absl::StrCat("the equation \"", equation, "\" is no product of the input with a matrix"));
  Plan plan;
  for (const char label : labels.output) {
    const bool in_input = Contains(labels.input, label);
    const bool in_kernel = Contains(labels.kernel, label);
    if (in_input && in_kernel) return unimplemented;
    (in_input ? plan.rows : plan.columns).push_back(label);
  }
  if (plan.rows.empty() || plan.rows.front() != labels.input.front()) return unimplemented;
  std::string contracted;
  for (std::size_t i = 0; i < labels.kernel.size(); ++i) {
    const char label = labels.kernel[i];
    if (Contains(labels.output, label)) continue;
    if (!Contains(labels.input, label)) return unimplemented;
    contracted.push_back(label);
    source.contracted_axes.push_back(i);
  }
  if (contracted.empty()) return unimplemented;
  for (const char label : plan.columns) source.free_axes.push_back(labels.kernel.find(label));
  for (const char label : labels.input) {
    if (!Contains(plan.rows, label) && !Contains(contracted, label)) return unimplemented;
  }
  for (const char label : absl::StrCat(plan.rows, contracted)) {
    plan.input_permutation.push_back(static_cast<std::int64_t>(labels.input.find(label)));
  }
  return plan;
}

// The lengths of the kernel's axes: those it shares with the input from there, the others from the
// layer's output_shape.
absl::StatusOr<Dims> KernelDims(const LayerCall& call, ValueId input, const Labels& labels,
                                const Dims& output_dims) {
  Dims dims;
  for (const char label : labels.kernel) {
    if (const std::size_t axis = labels.input.find(label); axis != std::string::npos) {
      ASSIGN_OR_RETURN(dims.emplace_back(), call.Length(input, static_cast<std::int64_t>(axis)));
      continue;
    }
    const std::size_t from_end = labels.output.size() - labels.output.find(label);
    const std::int64_t length =
        from_end <= output_dims.size() ? output_dims[output_dims.size() - from_end] : -1;
    if (length < 1) {
      return call.Invalid(absl::StrCat("output_shape: wants a length for the axis \"",
                                       std::string(1, label), "\""));
    }
    dims.push_back(length);
  }
  return dims;
}

}  // namespace

absl::StatusOr<ValueId> EmitEinsumDense(const LayerCall& call, const std::string& name,
                                        ValueId input, EinsumDenseSpec spec) {
  GraphBuilder& graph = call.graph();
  ASSIGN_OR_RETURN(const Labels labels,
                   ParseEquation(call, spec.equation, static_cast<std::size_t>(graph.Rank(input))));
  ASSIGN_OR_RETURN(const Plan plan, MakePlan(call, spec.equation, labels, spec.source));
  ASSIGN_OR_RETURN(spec.source.kernel_dims, KernelDims(call, input, labels, spec.output_dims));
  spec.source.use_bias = !spec.bias_axes.empty();
  ASSIGN_OR_RETURN(Projection projection, LoadProjection(call, spec.source));

  ASSIGN_OR_RETURN(ValueId value, graph.Transpose(absl::StrCat(name, "/input_transpose"), input,
                                                  plan.input_permutation));
  std::vector<std::int64_t> rows(plan.rows.size(), 0);
  std::vector<std::int64_t> flat = rows;
  std::int64_t k = 1;
  for (const std::size_t axis : spec.source.contracted_axes) k *= spec.source.kernel_dims[axis];
  flat.push_back(k);
  ASSIGN_OR_RETURN(value, graph.Reshape(absl::StrCat(name, "/input_reshape"), value, flat));

  // A bias over all columns is the product's own; others are added to the output.
  const bool own_bias = spec.bias_axes == plan.columns;
  const std::string output = absl::StrCat(plan.rows, plan.columns);
  const bool fuse = (own_bias || spec.bias_axes.empty()) && !spec.activation.is_separate();
  std::vector<ValueId>& inputs = projection.inputs;
  inputs.insert(inputs.begin(), value);
  if (own_bias) {
    inputs.resize(std::max<std::size_t>(inputs.size(), 5), kNoValue);
    ASSIGN_OR_RETURN(const std::int64_t n, [&]() -> absl::StatusOr<std::int64_t> {
      std::int64_t columns = 1;
      for (const std::size_t axis : spec.source.free_axes) columns *= spec.source.kernel_dims[axis];
      if (NumElements(projection.bias->dims()) != columns) {
        return call.Invalid(absl::StrCat("bias: got shape ", ToString(projection.bias->dims()),
                                         ", wants ", columns, " elements"));
      }
      return columns;
    }());
    inputs[4] =
        graph.AddConstant(absl::StrCat(spec.source.path, "/bias"), WithDims(*projection.bias, {n}));
  }
  if (fuse) FuseActivation(spec.activation, projection.attributes);
  ASSIGN_OR_RETURN(value, graph.Emit("FullyConnected", name, inputs, projection.attributes));

  std::vector<std::int64_t> shape = rows;
  for (const std::size_t axis : spec.source.free_axes) {
    shape.push_back(spec.source.kernel_dims[axis]);
  }
  ASSIGN_OR_RETURN(value, graph.Reshape(absl::StrCat(name, "/output_reshape"), value, shape));
  std::vector<std::int64_t> permutation;
  for (const char label : labels.output) {
    permutation.push_back(static_cast<std::int64_t>(output.find(label)));
  }
  ASSIGN_OR_RETURN(value,
                   graph.Transpose(absl::StrCat(name, "/output_transpose"), value, permutation));
  if (!own_bias && projection.bias.has_value()) {
    // Keras stores it with ones for the axes that it lacks, ready to be broadcast.
    const ValueId bias =
        graph.AddConstant(absl::StrCat(spec.source.path, "/bias"), *projection.bias);
    ASSIGN_OR_RETURN(value, graph.Emit("Add", absl::StrCat(name, "/add_bias"), {value, bias}));
  }
  if (fuse) return value;
  return ApplyActivation(call, absl::StrCat(name, "/activation"), value, spec.activation);
}

}  // namespace octet::keras
