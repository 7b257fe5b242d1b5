// SPDX-License-Identifier: Apache-2.0
// Einsum: sums, products and transposes of one or two operands, as the operators that those are.

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/graph/verify.h"
#include "models/importers/onnx/operand_nodes.h"
#include "models/importers/onnx/operator_list.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

constexpr std::size_t kLongestEquation = 256;

bool Has(const std::string& labels, char label) { return labels.find(label) != std::string::npos; }

// A letter for each axis of an operand.
struct Term {
  std::string labels;
  Operand value;
};

class Einsum {
 public:
  explicit Einsum(NodeCall& call) : call_(call), nodes_(call) {}

  Outputs Translate() {
    ASSIGN_OR_RETURN(equation_, call_.String("equation", ""));
    RETURN_IF_ERROR(Parse());
    for (Term& term : terms_) {
      RETURN_IF_ERROR(TakeDiagonals(term));
      const bool is_first = &term == &terms_.front();
      const std::string others =
          result_ + (terms_.size() < 2 ? "" : terms_[is_first ? 1 : 0].labels);
      RETURN_IF_ERROR(SumOver(term, others));
    }
    Term result;
    if (terms_.size() == 1) {
      result = terms_[0];
    } else {
      ASSIGN_OR_RETURN(result, Product());
    }
    RETURN_IF_ERROR(Arrange(result, result_, "result"));
    return Single(std::move(result.value));
  }

 private:
  [[nodiscard]] absl::Status Refused(absl::string_view why) const {
    return call_.Unimplemented(absl::StrCat("the equation ", Quoted(equation_), ": ", why));
  }
  [[nodiscard]] absl::Status Wrong(absl::string_view why) const {
    return call_.Invalid(absl::StrCat("the equation ", Quoted(equation_), ": ", why));
  }

  // --- The equation.

  // The letters of a part of it, with digits for the axes of an ellipsis of `extra` axes.
  absl::StatusOr<std::string> LabelsOf(const std::string& part, std::size_t extra) const {
    std::string labels;
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (part.compare(i, 3, "...") == 0) {
        // The last axes of all ellipses are the same.
        for (std::size_t axis = 0; axis < extra; ++axis) {
          labels += static_cast<char>('0' + (kMaxRank - extra + axis));
        }
        i += 2;
      } else if (std::isalpha(static_cast<unsigned char>(part[i])) != 0) {
        labels += part[i];
      } else {
        return Wrong("wants letters, \",\", \"->\" and \"...\"");
      }
    }
    return labels;
  }

  absl::Status Parse() {
    std::string text;
    for (const char c : equation_) {
      if (c != ' ') text += c;
    }
    if (text.size() > kLongestEquation) return Refused("more than 256 characters");
    const std::size_t arrow = text.find("->");
    std::vector<std::string> parts;
    std::string left = text.substr(0, arrow);
    for (std::size_t comma = left.find(','); comma != std::string::npos; comma = left.find(',')) {
      parts.push_back(left.substr(0, comma));
      left.erase(0, comma + 1);
    }
    parts.push_back(left);
    if (parts.size() != call_.num_inputs()) return Wrong("another number of operands");
    if (parts.size() > 2) return Refused("more than two operands");
    std::size_t most = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (!call_.Has(i)) return call_.Invalid(absl::StrCat("input ", i, " is absent"));
      const std::size_t letters = static_cast<std::size_t>(
          std::count_if(parts[i].begin(), parts[i].end(), [](char c) { return c != '.'; }));
      const std::size_t rank = call_.input(i).rank();
      const bool is_open = parts[i].find("...") != std::string::npos;
      if (rank > kMaxRank || (is_open ? rank < letters : rank != letters)) {
        return Wrong(absl::StrCat("operand ", i, " has ", rank, " dimensions"));
      }
      const std::size_t extra = rank - letters;
      most = std::max(most, extra);
      ASSIGN_OR_RETURN(std::string labels, LabelsOf(parts[i], extra));
      terms_.push_back({std::move(labels), call_.input(i)});
    }
    if (arrow != std::string::npos) {
      ASSIGN_OR_RETURN(result_, LabelsOf(text.substr(arrow + 2), most));
    } else {
      SetImplicitResult();
    }
    return CheckResult();
  }

  // The axes of ellipses, then letters that occur once, in the order of the alphabet.
  void SetImplicitResult() {
    std::map<char, int> counts;
    for (const Term& term : terms_) {
      for (const char label : term.labels) ++counts[label];
    }
    for (const auto& [label, count] : counts) {
      if (count == 1 || std::isdigit(static_cast<unsigned char>(label)) != 0) result_ += label;
    }
  }

  // The size of each letter's axis, and whether the result's letters are some of them, once.
  absl::Status CheckResult() {
    for (const Term& term : terms_) {
      const Shape shape = term.value.shape();
      for (std::size_t i = 0; i < term.labels.size(); ++i) {
        const auto [known, is_new] = sizes_.emplace(term.labels[i], shape[i]);
        if (is_new || known->second == shape[i]) continue;
        if (known->second != Dim(1) && shape[i] != Dim(1)) {
          return Wrong(
              absl::StrCat("axes of different sizes are called ", std::string(1, term.labels[i])));
        }
        return Refused("an axis of 1 that is stretched");
      }
    }
    for (const char label : result_) {
      if (!sizes_.contains(label)) return Wrong("the result has an axis that no operand has");
      if (std::count(result_.begin(), result_.end(), label) > 1) {
        return Wrong("the result has an axis twice");
      }
    }
    return absl::OkStatus();
  }

  // --- Parts of it.

  // With each letter once: the elements whose places along its axes are equal.
  absl::Status TakeDiagonals(Term& term) {
    for (const auto& [label, size] : sizes_) {
      while (std::count(term.labels.begin(), term.labels.end(), label) > 1) {
        if (!size.is_constant()) return Refused("a diagonal of an open size");
        RETURN_IF_ERROR(TakeDiagonal(term, label, size.value()));
      }
    }
    return absl::OkStatus();
  }
  absl::Status TakeDiagonal(Term& term, char label, std::int64_t size) {
    const std::size_t first = term.labels.find(label);
    const std::size_t second = term.labels.find(label, first + 1);
    std::string left;
    std::vector<std::int64_t> order;
    for (std::size_t i = 0; i < term.labels.size(); ++i) {
      if (i == first || i == second) continue;
      left += term.labels[i];
      order.push_back(static_cast<std::int64_t>(i));
    }
    const auto axis = static_cast<std::int64_t>(order.size());
    order.push_back(static_cast<std::int64_t>(first));
    order.push_back(static_cast<std::int64_t>(second));
    ASSIGN_OR_RETURN(term.value, nodes_.Add("Transpose", {term.value},
                                            {IntsAttributeOf("perm", std::move(order))}, "last"));
    std::int64_t square = 0;
    if (__builtin_mul_overflow(size, size, &square)) return Wrong("too large a diagonal");
    std::vector<std::int64_t> shape(left.size(), 0);
    shape.push_back(square);
    RETURN_IF_ERROR(Reshape(term, shape, "square"));
    ASSIGN_OR_RETURN(term.value, nodes_.Part(term.value, axis, 0, square, size + 1, "diagonal"));
    term.labels = left + label;
    return absl::OkStatus();
  }

  // Without the axes whose letters `others` have not.
  absl::Status SumOver(Term& term, const std::string& others) {
    std::vector<std::int64_t> axes;
    std::string left;
    for (std::size_t i = 0; i < term.labels.size(); ++i) {
      if (Has(others, term.labels[i])) {
        left += term.labels[i];
      } else {
        axes.push_back(static_cast<std::int64_t>(i));
      }
    }
    if (axes.empty()) return absl::OkStatus();
    if (term.value.activation() == nullptr) return Refused("a sum over a constant");
    ASSIGN_OR_RETURN(term.value, nodes_.Add("ReduceSum", {term.value, nodes_.Numbers(axes)},
                                            {IntAttributeOf("keepdims", 0)}, "sum"));
    term.labels = left;
    return absl::OkStatus();
  }

  // With its axes in the order of `labels`, which are as many.
  absl::Status Arrange(Term& term, const std::string& labels, absl::string_view what) {
    if (term.labels == labels) return absl::OkStatus();
    std::vector<std::int64_t> order;
    for (const char label : labels) {
      order.push_back(static_cast<std::int64_t>(term.labels.find(label)));
    }
    ASSIGN_OR_RETURN(term.value, nodes_.Add("Transpose", {term.value},
                                            {IntsAttributeOf("perm", std::move(order))}, what));
    term.labels = labels;
    return absl::OkStatus();
  }

  // With the axes behind the first `kept` ones as groups, each one axis.
  absl::Status Merge(Term& term, std::size_t kept, const std::vector<std::string>& groups,
                     absl::string_view what) {
    if (std::all_of(groups.begin(), groups.end(),
                    [](const std::string& group) { return group.size() == 1; })) {
      return absl::OkStatus();
    }
    std::vector<std::int64_t> shape(kept, 0);
    for (const std::string& group : groups) {
      ASSIGN_OR_RETURN(const std::int64_t size, SizeOf(group));
      shape.push_back(size);
    }
    return Reshape(term, shape, what);
  }
  absl::Status Reshape(Term& term, const std::vector<std::int64_t>& shape, absl::string_view what) {
    if (std::count(shape.begin(), shape.end(), -1) > 1) return Refused("several open dimensions");
    ASSIGN_OR_RETURN(term.value,
                     nodes_.Add("Reshape", {term.value, nodes_.Numbers(shape)}, {}, what));
    return absl::OkStatus();
  }
  // Of all these axes together; -1 where one is open.
  absl::StatusOr<std::int64_t> SizeOf(const std::string& labels) const {
    std::int64_t size = 1;
    for (const char label : labels) {
      const Dim& dim = sizes_.at(label);
      if (!dim.is_constant()) return -1;
      if (__builtin_mul_overflow(size, dim.value(), &size)) return Wrong("too large a product");
    }
    return size;
  }

  // The product of both operands, with every letter that the result has.
  absl::StatusOr<Term> Product() {
    if (terms_[0].value.activation() == nullptr) std::swap(terms_[0], terms_[1]);
    Term& a = terms_[0];
    Term& b = terms_[1];
    std::string batch;
    std::string left;
    std::string right;
    std::string summed;
    for (const char label : result_) {
      const bool in_a = Has(a.labels, label);
      (in_a && Has(b.labels, label) ? batch : in_a ? left : right) += label;
    }
    for (const char label : a.labels) {
      if (!Has(result_, label)) summed += label;
    }
    if (summed.empty()) return Multiplied(batch, left, right);
    RETURN_IF_ERROR(Arrange(a, batch + left + summed, "a"));
    RETURN_IF_ERROR(Arrange(b, batch + summed + right, "b"));
    // A matrix is multiplied with whatever stands in front of the axes that are summed up.
    const bool is_layer = batch.empty() && b.value.constant() != nullptr && !left.empty();
    if (is_layer) {
      RETURN_IF_ERROR(Merge(a, left.size(), {summed}, "a"));
    } else {
      RETURN_IF_ERROR(Merge(a, batch.size(), {left, summed}, "a"));
    }
    RETURN_IF_ERROR(Merge(b, batch.size(), {summed, right}, "b"));
    Term product = {batch + left + right, {}};
    ASSIGN_OR_RETURN(product.value, nodes_.Add("MatMul", {a.value, b.value}, {}, "product"));
    const bool is_split = (is_layer || left.size() == 1) && right.size() == 1;
    if (is_split) return product;
    std::vector<std::int64_t> shape(batch.size() + (is_layer ? left.size() : 0), 0);
    for (const char label : (is_layer ? "" : left) + right) {
      ASSIGN_OR_RETURN(const std::int64_t size, SizeOf(std::string(1, label)));
      shape.push_back(size);
    }
    RETURN_IF_ERROR(Reshape(product, shape, "split"));
    return product;
  }

  // Nothing is summed up: each element times each, stretched to one another.
  absl::StatusOr<Term> Multiplied(const std::string& batch, const std::string& left,
                                  const std::string& right) {
    Term& a = terms_[0];
    Term& b = terms_[1];
    RETURN_IF_ERROR(Arrange(a, batch + left, "a"));
    RETURN_IF_ERROR(Arrange(b, batch + right, "b"));
    const auto unsqueezed = [this, &batch](Term& term, std::size_t first, std::size_t count) {
      std::vector<std::int64_t> axes;
      for (std::size_t i = 0; i < count; ++i) {
        axes.push_back(static_cast<std::int64_t>(batch.size() + first + i));
      }
      return nodes_.Add("Unsqueeze", {term.value, nodes_.Numbers(axes)}, {}, "unsqueezed");
    };
    if (!right.empty()) {
      ASSIGN_OR_RETURN(a.value, unsqueezed(a, left.size(), right.size()));
    }
    if (!left.empty() && !b.labels.empty()) {
      ASSIGN_OR_RETURN(b.value, unsqueezed(b, 0, left.size()));
    }
    Term product = {batch + left + right, {}};
    ASSIGN_OR_RETURN(product.value, nodes_.Add("Mul", {a.value, b.value}, {}, "product"));
    return product;
  }

  NodeCall& call_;
  OtherNodes nodes_;
  std::string equation_;
  std::vector<Term> terms_;
  std::string result_;
  std::map<char, Dim> sizes_;
};

Outputs TranslateEinsum(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1024));
  return Einsum(call).Translate();
}

constexpr std::array kOperators = {OperatorEntry{"Einsum", TranslateEinsum}};

}  // namespace

std::span<const OperatorEntry> EinsumOperators() { return kOperators; }

}  // namespace octet::onnx
