// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/written_out_layers.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/importers/onnx/node_protos.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Numbers = std::vector<std::int64_t>;

// TensorProto.DataType.
constexpr std::int64_t kFloat = 1;
constexpr std::int64_t kInt64 = 7;

class Joiner {
 public:
  Joiner(const GraphProto& graph, const SmallConstants& constants,
         std::vector<const NodeProto*>& nodes, std::deque<NodeProto>& made)
      : constants_(constants), nodes_(nodes), made_(made) {
    for (const NodeProto* const node : nodes) {
      for (const std::string& output : node->outputs) makers_[output] = node;
      for (const std::string& input : node->inputs) {
        ++uses_[input];
        users_.emplace(input, node);
      }
    }
    for (const ValueInfoProto& output : graph.outputs) ++uses_[output.name];
  }

  void Run() {
    std::vector<const NodeProto*> result;
    std::set<const NodeProto*> gone;
    for (const NodeProto* const node : nodes_) {
      const std::size_t first = made_.size();
      if (!Joined(*node)) {
        result.push_back(node);
        continue;
      }
      for (std::size_t i = first; i < made_.size(); ++i) {
        result.push_back(&made_[i]);
        for (const std::string& input : made_[i].inputs) ++uses_[input];
      }
      LeaveOut(*node, gone);
    }
    std::erase_if(result, [&gone](const NodeProto* node) { return gone.contains(node); });
    nodes_ = std::move(result);
  }

 private:
  // Whether nodes were made that compute `node`'s first output, the only one that is taken.
  bool Joined(const NodeProto& node) {
    if (!node.domain.empty() || node.outputs.empty()) return false;
    for (std::size_t i = 1; i < node.outputs.size(); ++i) {
      if (uses_.contains(node.outputs[i])) return false;
    }
    if (node.op_type == "BatchNormalization") return JoinedNormalization(node);
    return node.op_type == "ReverseSequence" && JoinedReversal(node);
  }

  // Leaves out `node`, and what nobody takes without it.
  void LeaveOut(const NodeProto& node, std::set<const NodeProto*>& gone) {
    std::vector<const NodeProto*> left = {&node};
    while (!left.empty()) {
      const NodeProto& next = *left.back();
      left.pop_back();
      if (!gone.insert(&next).second) continue;
      for (const std::string& input : next.inputs) {
        if (--uses_[input] != 0) continue;
        const NodeProto* const maker = MakerOf(input);
        if (maker == nullptr) continue;
        const bool is_taken =
            std::any_of(maker->outputs.begin(), maker->outputs.end(), [this](const auto& output) {
              const auto found = uses_.find(output);
              return found != uses_.end() && found->second != 0;
            });
        if (!is_taken) left.push_back(maker);
      }
    }
  }

  // --- What is made of what.

  [[nodiscard]] const NodeProto* MakerOf(const std::string& name) const {
    const auto found = makers_.find(name);
    return found == makers_.end() || name.empty() ? nullptr : found->second;
  }
  // The node `op` that makes `name`.
  [[nodiscard]] const NodeProto* MakerOf(const std::string& name, absl::string_view op) const {
    const NodeProto* const maker = MakerOf(name);
    const bool is_op = maker != nullptr && maker->domain.empty() && maker->op_type == op &&
                       maker->outputs[0] == name;
    return is_op ? maker : nullptr;
  }
  [[nodiscard]] std::optional<Numbers> NumbersOf(const std::string& name) const {
    const ConstantTensor* const constant = constants_.Find(name);
    if (constant == nullptr || !IsInteger(constant->data_type())) return std::nullopt;
    return Int64Elements(*constant);
  }
  // The axes of a reduction or of Squeeze, an attribute or the second input.
  [[nodiscard]] std::optional<Numbers> AxesOf(const NodeProto& node) const {
    for (const AttributeProto& attribute : node.attributes) {
      if (attribute.name == "axes") return attribute.ints;
    }
    return NumbersOf(InputOf(node, 1));
  }
  // The sizes of `x` at `axes`, as a converter computes them of its shape.
  [[nodiscard]] bool AreSizesOf(const std::string& name, const std::string& x,
                                const Numbers& axes) const {
    const NodeProto* const gather = MakerOf(name, "Gather");
    if (gather == nullptr || NumbersOf(InputOf(*gather, 1)) != axes) return false;
    const NodeProto* const shape = MakerOf(InputOf(*gather, 0), "Shape");
    return shape != nullptr && InputOf(*shape, 0) == x && shape->attributes.empty() &&
           IntAttribute(*gather, "axis", 0) == 0;
  }
  // Whether all elements of `name`, perhaps stretched, are `value`.
  [[nodiscard]] bool IsAll(const std::string& name, float value) const {
    const NodeProto* const stretched = MakerOf(name, "Expand");
    const ConstantTensor* const constant =
        constants_.Find(stretched == nullptr ? name : InputOf(*stretched, 0));
    if (constant == nullptr || constant->data_type() != DataType::kFloat32) return false;
    const std::vector<float> values = FloatElements(*constant);
    return std::all_of(values.begin(), values.end(), [value](float v) { return v == value; });
  }

  // Whether all that takes `name` are Reshapes, to sizes none of which is copied: what its own
  // shape is does not matter then.
  [[nodiscard]] bool IsOnlyReshaped(const std::string& name) const {
    std::size_t count = 0;
    for (auto [user, end] = users_.equal_range(name); user != end; ++user, ++count) {
      const NodeProto& node = *user->second;
      if (!node.domain.empty() || node.op_type != "Reshape" || InputOf(node, 1) == name)
        return false;
      const auto sizes = NumbersOf(InputOf(node, 1));
      if (sizes.has_value() ? std::find(sizes->begin(), sizes->end(), 0) != sizes->end()
                            : InputOf(node, 1).empty()) {
        return false;
      }
    }
    const auto uses = uses_.find(name);
    return uses != uses_.end() && uses->second == count;
  }

  // --- Layer normalization.

  // The reduction `op` of all but the second of four axes.
  [[nodiscard]] const NodeProto* RowsReduced(const std::string& name, absl::string_view op) const {
    const NodeProto* const node = MakerOf(name, op);
    return node != nullptr && AxesOf(*node) == Numbers{0, 2, 3} ? node : nullptr;
  }
  // The node that makes the means of the rows of `x`, with all of its axes, where `name` is those.
  [[nodiscard]] const NodeProto* MeansOf(const std::string& name, const std::string& x) const {
    const NodeProto* const squeeze = MakerOf(name, "Squeeze");
    if (squeeze == nullptr || AxesOf(*squeeze) != Numbers{0, 2, 3}) return nullptr;
    const NodeProto* const means = RowsReduced(InputOf(*squeeze, 0), "ReduceMean");
    const bool is_mean =
        means != nullptr && InputOf(*means, 0) == x && IntAttribute(*means, "keepdims", 1) == 1;
    return is_mean ? means : nullptr;
  }
  // Whether `name` is the variances of the rows of `x`, of `width` elements.
  [[nodiscard]] bool AreVariances(const std::string& name, const std::string& x,
                                  const std::string& means, std::int64_t width) const {
    const NodeProto* const div = MakerOf(name, "Div");
    if (div == nullptr) return false;
    const NodeProto* const sum = RowsReduced(InputOf(*div, 0), "ReduceSumSquare");
    if (sum == nullptr || IntAttribute(*sum, "keepdims", 1) != 0) return false;
    const NodeProto* const difference = MakerOf(InputOf(*sum, 0), "Sub");
    if (difference == nullptr || InputOf(*difference, 0) != x || InputOf(*difference, 1) != means) {
      return false;
    }
    const std::string& count = InputOf(*div, 1);
    if (constants_.Find(count) != nullptr) return IsAll(count, static_cast<float>(width));
    const NodeProto* const cast = MakerOf(count, "Cast");
    const NodeProto* const product =
        cast == nullptr ? nullptr : MakerOf(InputOf(*cast, 0), "ReduceProd");
    return product != nullptr && IntAttribute(*cast, "to", 0) == kFloat &&
           AreSizesOf(InputOf(*product, 0), x, {0, 2, 3});
  }

  bool JoinedNormalization(const NodeProto& node) {
    if (node.inputs.size() != 5 || IntAttribute(node, "training_mode", 0) != 0) return false;
    const std::string& x = node.inputs[0];
    const NodeProto* const reshape = MakerOf(x, "Reshape");
    if (reshape == nullptr) return false;
    const auto shape = NumbersOf(InputOf(*reshape, 1));
    if (!shape.has_value() || shape->size() != 4 || (*shape)[0] != 1 || (*shape)[3] != 1) {
      return false;
    }
    const std::int64_t width = (*shape)[2];
    if (width < 1 || width > static_cast<std::int64_t>(kMostScales)) return false;
    const NodeProto* const means = MeansOf(node.inputs[3], x);
    if (means == nullptr || !AreVariances(node.inputs[4], x, means->outputs[0], width) ||
        !IsAll(node.inputs[1], 1.0F) || !IsAll(node.inputs[2], 0.0F) ||
        !IsOnlyReshaped(node.outputs[0])) {
      return false;
    }
    // Over [n, width], which has the batch in front.
    TensorProto ones;
    ones.data_type = kFloat;
    ones.dims = {width};
    ones.float_data.assign(static_cast<std::size_t>(width), 1.0F);
    const std::string scale = PutConstant(std::move(ones), node, "ones");
    const std::string rows = PutReshape(InputOf(*reshape, 0), {-1, width}, node, "rows");
    NodeProto normalization;
    normalization.name = node.name;
    normalization.op_type = "LayerNormalization";
    normalization.inputs = {rows, scale};
    normalization.outputs = {node.outputs[0]};
    for (const AttributeProto& attribute : node.attributes) {
      if (attribute.name == "epsilon") normalization.attributes.push_back(attribute);
    }
    made_.push_back(std::move(normalization));
    return true;
  }

  // --- Reversal.

  bool JoinedReversal(const NodeProto& node) {
    const std::string& x = InputOf(node, 0);
    const std::int64_t time = IntAttribute(node, "time_axis", 0);
    const NodeProto* const lengths = MakerOf(InputOf(node, 1), "Expand");
    if (lengths == nullptr || !AreSizesOf(InputOf(*lengths, 0), x, {time})) return false;
    NodeProto slice;
    slice.name = node.name;
    slice.op_type = "Slice";
    slice.inputs = {
        x, PutConstant(NumbersTensor({-1}), node, "from"),
        PutConstant(NumbersTensor({-std::numeric_limits<std::int64_t>::max()}), node, "to"),
        PutConstant(NumbersTensor({time}), node, "axis"),
        PutConstant(NumbersTensor({-1}), node, "step")};
    slice.outputs = {node.outputs[0]};
    made_.push_back(std::move(slice));
    return true;
  }

  // --- New nodes, in the place of `node`.

  static TensorProto NumbersTensor(Numbers numbers) {
    TensorProto tensor;
    tensor.data_type = kInt64;
    tensor.dims = {static_cast<std::int64_t>(numbers.size())};
    tensor.integer_data = std::move(numbers);
    return tensor;
  }
  [[nodiscard]] std::string NewName(const NodeProto& node, absl::string_view what) const {
    std::string name = absl::StrCat(node.outputs[0], "/", what);
    while (uses_.contains(name) || makers_.contains(name)) name += "_";
    return name;
  }
  // The names of what is made.
  std::string PutConstant(TensorProto tensor, const NodeProto& node, absl::string_view what) {
    NodeProto constant = ConstantNode(std::move(tensor));
    constant.outputs = {NewName(node, what)};
    made_.push_back(std::move(constant));
    return made_.back().outputs[0];
  }
  std::string PutReshape(const std::string& x, const Numbers& shape, const NodeProto& node,
                         absl::string_view what) {
    const std::string sizes = PutConstant(NumbersTensor(shape), node, absl::StrCat(what, "/shape"));
    NodeProto reshape;
    reshape.name = absl::StrCat(node.name, "/", what);
    reshape.op_type = "Reshape";
    reshape.inputs = {x, sizes};
    reshape.outputs = {NewName(node, what)};
    made_.push_back(std::move(reshape));
    return made_.back().outputs[0];
  }

  const SmallConstants& constants_;
  std::vector<const NodeProto*>& nodes_;
  std::deque<NodeProto>& made_;
  std::map<std::string, const NodeProto*> makers_;
  std::multimap<std::string, const NodeProto*> users_;
  std::map<std::string, std::size_t> uses_;
};

}  // namespace

void JoinWrittenOutLayers(const GraphProto& graph, const SmallConstants& constants,
                          std::vector<const NodeProto*>& nodes, std::deque<NodeProto>& made) {
  Joiner(graph, constants, nodes, made).Run();
}

}  // namespace octet::onnx
