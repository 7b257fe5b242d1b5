// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/projection.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/packed_integers.h"
#include "models/importers/keras/quantized_kernel.h"

namespace octet::keras {

namespace {

using Names = std::vector<std::string>;

bool IsKnown(const std::string& mode) {
  constexpr std::array<absl::string_view, 6> kModes = {"float",  "int8", "int4",
                                                       "float8", "gptq", "awq"};
  return std::find(kModes.begin(), kModes.end(), mode) != kModes.end();
}

// The stored names of a mode, in order. `num_variables` tells grouped int4 from one scale a column.
Names NamesOf(const std::string& mode, bool bias, std::size_t num_variables) {
  Names head = bias ? Names{"kernel", "bias"} : Names{"kernel"};
  const auto append = [](Names names, const Names& more) {
    names.insert(names.end(), more.begin(), more.end());
    return names;
  };
  if (mode == "int8") return append(head, {"kernel_scale"});
  if (mode == "int4") {
    const Names names = append(head, {"kernel_scale"});
    return num_variables <= names.size() ? names : append(names, {"kernel_zero", "g_idx"});
  }
  if (mode == "float8") {
    return append(head, {"inputs_scale", "inputs_amax_history", "kernel_scale",
                         "kernel_amax_history", "outputs_grad_scale", "outputs_grad_amax_history"});
  }
  const Names first = bias ? Names{"bias"} : Names{};
  if (mode == "gptq") {
    return append(first, {"quantized_kernel", "kernel_scale", "kernel_zero", "g_idx"});
  }
  if (mode == "awq") {
    return append(first,
                  {"quantized_kernel", "kernel_scale", "kernel_zero", "awq_scales", "g_idx"});
  }
  return head;
}

// Turns what is stored into what a FullyConnected node takes.
class ProjectionLoader {
 public:
  ProjectionLoader(const LayerCall& call, const ProjectionSource& source)
      : call_(call), source_(source) {
    for (const std::size_t axis : source.contracted_axes) k_ *= source.kernel_dims[axis];
    for (const std::size_t axis : source.free_axes) n_ *= source.kernel_dims[axis];
    permutation_ = source.contracted_axes;
    permutation_.insert(permutation_.end(), source.free_axes.begin(), source.free_axes.end());
    // Where the columns come from in a matrix whose free axes are in the kernel's own order.
    std::vector<std::size_t> ordered = source.free_axes;
    std::sort(ordered.begin(), ordered.end());
    for (const std::size_t axis : ordered) column_dims_.push_back(source.kernel_dims[axis]);
    for (const std::size_t axis : source.free_axes) {
      column_permutation_.push_back(static_cast<std::size_t>(
          std::find(ordered.begin(), ordered.end(), axis) - ordered.begin()));
    }
  }

  absl::StatusOr<Projection> Load() {
    // What another mode stores is not known, so that a count of it would say nothing.
    if (!IsKnown(source_.policy.mode)) {
      return absl::UnimplementedError(absl::StrCat("layer \"", source_.path, "\" (",
                                                   source_.layer_class, "): the mode \"",
                                                   source_.policy.mode, "\" cannot be imported"));
    }
    ASSIGN_OR_RETURN(std::vector<ConstantTensor> stored, call_.StoredVariables(source_.sub));
    mode_ = source_.infer_mode ? InferMode(stored) : source_.policy.mode;
    Names names = NamesOf(mode_, source_.use_bias, stored.size());
    if (stored.size() != names.size()) {
      // A defect of these versions, which cannot load such a file either.
      const bool lost_zero = mode_ == "gptq" || mode_ == "awq";
      return Error(absl::StrCat(
          "got ", stored.size(), " stored variables, wants ", names.size(), " (",
          absl::StrJoin(names, ", "), ")",
          lost_zero ? "; Keras 3.14 and 3.15 leave kernel_zero out when they save" : ""));
    }
    for (std::size_t i = 0; i < names.size(); ++i) stored_.emplace(names[i], stored[i]);
    Projection projection;
    if (source_.use_bias) {
      ASSIGN_OR_RETURN(projection.bias, WidenToFloat(stored_.at("bias")));
    }
    if (mode_ == "float") {
      RETURN_IF_ERROR(QuantizeKernel(names, stored));
    }
    if (mode_ == "int8_trained") {
      RETURN_IF_ERROR(LoadTrained(projection));
    } else if (mode_ == "float" || mode_ == "float8") {
      RETURN_IF_ERROR(LoadFloat(projection));
    } else if (mode_ == "int8") {
      RETURN_IF_ERROR(LoadInt8(projection));
    } else if (mode_ == "int4") {
      RETURN_IF_ERROR(LoadInt4(projection));
    } else {
      RETURN_IF_ERROR(LoadTransposed(projection));
    }
    Record(names, stored);
    return projection;
  }

 private:
  [[nodiscard]] std::string InferMode(const std::vector<ConstantTensor>& stored) const {
    for (std::size_t i = 0; i < std::min<std::size_t>(stored.size(), 2); ++i) {
      if (stored[i].data_type() == DataType::kUint8) {
        return stored.size() - i >= 5 ? "awq" : "gptq";
      }
    }
    if (stored.empty() || stored[0].data_type() != DataType::kInt8) {
      return stored.size() >= 7 ? "float8" : "float";
    }
    return stored.size() >= 4 || stored[0].dims() != source_.kernel_dims ? "int4" : "int8";
  }

  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("layer \"", source_.path, "\" (",
                                                   source_.layer_class, ", ", mode_, "): ", what));
  }

  absl::Status CheckDims(const std::string& name, const Dims& wanted) const {
    const ConstantTensor& tensor = stored_.at(name);
    if (tensor.dims() == wanted) return absl::OkStatus();
    return Error(
        absl::StrCat(name, ": got shape ", ToString(tensor.dims()), ", wants ", ToString(wanted)));
  }
  absl::Status CheckType(const std::string& name, DataType wanted) const {
    const ConstantTensor& tensor = stored_.at(name);
    if (tensor.data_type() == wanted) return absl::OkStatus();
    return Error(absl::StrCat(name, ": got ", DataTypeName(tensor.data_type()), ", wants ",
                              DataTypeName(wanted)));
  }

  static bool InOrder(const std::vector<std::size_t>& permutation) {
    return std::is_sorted(permutation.begin(), permutation.end());
  }

  ValueId Add(const std::string& name, ConstantTensor tensor) {
    return call_.graph().AddConstant(absl::StrCat(source_.path, "/", name), std::move(tensor));
  }

  // The kernel [k, n] from a tensor in the kernel's own shape.
  template <typename T>
  ConstantTensor Matrix(const ConstantTensor& kernel) {
    if (InOrder(permutation_)) return WithDims(kernel, {k_, n_});
    return ConstantTensor::Copy(kernel.data_type(), {k_, n_},
                                Permuted<T>(kernel.as<T>(), source_.kernel_dims, permutation_));
  }

  // Puts the kernel where its training with quantization in mind left it: integers with a scale,
  // or the same in floats where the bits or the axes are too many.
  absl::Status QuantizeKernel(Names& names, std::vector<ConstantTensor>& stored) {
    const auto* const channels = source_.sub.empty() ? call_.KernelQuantization("kernel") : nullptr;
    if (channels == nullptr) return absl::OkStatus();
    RETURN_IF_ERROR(CheckDims("kernel", source_.kernel_dims));
    const bool is_matrix = source_.kernel_dims.size() == 2 && InOrder(permutation_);
    absl::StatusOr<QuantizedKernel> kernel = QuantizeTrainedKernel(
        stored[0], *channels, is_matrix ? KernelForm::kIntegers : KernelForm::kFloats);
    if (!kernel.ok()) return Error(absl::StrCat("kernel: ", kernel.status().message()));
    stored[0] = kernel->values;
    stored_.insert_or_assign("kernel", kernel->values);
    if (!kernel->scale.has_value()) return absl::OkStatus();
    mode_ = "int8_trained";
    names.emplace_back("kernel_scale");
    stored.push_back(*kernel->scale);
    stored_.emplace("kernel_scale", *kernel->scale);
    return absl::OkStatus();
  }

  absl::Status LoadTrained(Projection& projection) {
    ASSIGN_OR_RETURN(const ValueId scale, ColumnScale());
    projection.inputs = {Add("kernel", Matrix<std::int8_t>(stored_.at("kernel"))), scale, kNoValue};
    projection.attributes["scale_convention"] = std::string("multiply");
    return absl::OkStatus();
  }

  absl::Status LoadFloat(Projection& projection) {
    RETURN_IF_ERROR(CheckDims("kernel", source_.kernel_dims));
    absl::StatusOr<ConstantTensor> kernel = WidenToFloat(stored_.at("kernel"));
    if (!kernel.ok() || IsInteger(stored_.at("kernel").data_type())) {
      return Error(absl::StrCat("kernel: got ", DataTypeName(stored_.at("kernel").data_type()),
                                ", wants floats, as the dtype policy \"", source_.policy.name,
                                "\" says"));
    }
    projection.inputs = {Add("kernel", Matrix<float>(*kernel)), kNoValue, kNoValue};
    return absl::OkStatus();
  }

  // The scale of each column, in any shape that lists them.
  absl::StatusOr<ValueId> ColumnScale() {
    absl::StatusOr<ConstantTensor> scale = WidenToFloat(stored_.at("kernel_scale"));
    if (!scale.ok()) return Error(scale.status().message());
    if (NumElements(scale->dims()) != n_) {
      return Error(absl::StrCat("kernel_scale: got shape ", ToString(scale->dims()), ", wants ", n_,
                                " elements"));
    }
    return Add("kernel_scale", WithDims(*scale, {n_}));
  }

  absl::Status QuantizeInputs(Projection& projection, bool by_default) {
    ASSIGN_OR_RETURN(const std::optional<Attributes> quantizer,
                     ActivationQuantizer(source_.config, by_default));
    if (quantizer.has_value()) {
      projection.attributes.insert(quantizer->begin(), quantizer->end());
    }
    return absl::OkStatus();
  }

  absl::Status LoadInt8(Projection& projection) {
    RETURN_IF_ERROR(CheckDims("kernel", source_.kernel_dims));
    RETURN_IF_ERROR(CheckType("kernel", DataType::kInt8));
    ASSIGN_OR_RETURN(const ValueId scale, ColumnScale());
    projection.inputs = {Add("kernel", Matrix<std::int8_t>(stored_.at("kernel"))), scale, kNoValue};
    projection.attributes["scale_convention"] = std::string("reciprocal");
    return QuantizeInputs(projection, true);
  }

  // Keras 3.13 and older pack the kernel in its own shape along the first contracted axis; newer
  // ones make it a matrix first and pack along the columns. Nothing but the shape tells, and where
  // both would fit, the policy does.
  absl::Status LoadInt4(Projection& projection) {
    RETURN_IF_ERROR(CheckType("kernel", DataType::kInt8));
    const ConstantTensor& kernel = stored_.at("kernel");
    const std::size_t axis = source_.contracted_axes.front();
    Dims old_dims = source_.kernel_dims;
    old_dims[axis] = (old_dims[axis] + 1) / 2;
    const Dims new_dims = {k_, (n_ + 1) / 2};
    const bool fits_old = kernel.dims() == old_dims;
    const bool fits_new = kernel.dims() == new_dims;
    const bool grouped = stored_.contains("g_idx");
    if (fits_old && !grouped && (!fits_new || !source_.policy.group_size.has_value())) {
      packing_ = {4, static_cast<int>(axis), source_.kernel_dims[axis], true, true};
      const std::vector<std::int8_t> elements =
          Unpack(kernel, 4, axis, source_.kernel_dims[axis], true);
      ASSIGN_OR_RETURN(const ValueId scale, ColumnScale());
      const std::vector<std::int8_t> matrix =
          Permuted<std::int8_t>(elements, source_.kernel_dims, permutation_);
      projection.inputs = {Add("kernel", PackMatrix(DataType::kInt4, k_, n_, matrix)), scale,
                           kNoValue};
      projection.attributes["scale_convention"] = std::string("reciprocal");
      return QuantizeInputs(projection, true);
    }
    if (!fits_new) {
      return Error(absl::StrCat("kernel: got shape ", ToString(kernel.dims()), ", wants ",
                                ToString(new_dims), " or ", ToString(old_dims)));
    }
    packing_ = {4, 1, n_, true, true};
    RETURN_IF_ERROR(CheckMatrixForm());
    const std::vector<std::int8_t> matrix = ReorderColumns(Unpack(kernel, 4, 1, n_, true), k_);
    const ValueId weight = Add("kernel", PackMatrix(DataType::kInt4, k_, n_, matrix));
    if (grouped) {
      projection.inputs = {weight};
      return LoadGroups(projection, false);
    }
    absl::StatusOr<ConstantTensor> scale = WidenToFloat(stored_.at("kernel_scale"));
    if (!scale.ok()) return Error(scale.status().message());
    if (scale->dims() != Dims{n_}) return CheckDims("kernel_scale", {n_});
    projection.inputs = {weight, Add("kernel_scale", Columns(*scale, 1)), kNoValue};
    projection.attributes["scale_convention"] = std::string("reciprocal");
    return QuantizeInputs(projection, false);
  }

  // The stored matrix has all contracted axes of the kernel before all others, or it is none that
  // we can use without its real numbers.
  absl::Status CheckMatrixForm() const {
    std::vector<std::size_t> leading(source_.contracted_axes.size());
    std::iota(leading.begin(), leading.end(), std::size_t{0});
    if (leading == source_.contracted_axes) return absl::OkStatus();
    return absl::UnimplementedError(
        absl::StrCat("layer \"", source_.path, "\" (", source_.layer_class, ", ", mode_,
                     "): the equation sums over other axes of the kernel than the first ones"));
  }

  // Brings the columns of a matrix with `num_rows` rows into the output's order.
  template <typename T>
  std::vector<T> ReorderColumns(std::vector<T> matrix, std::int64_t num_rows) const {
    if (InOrder(column_permutation_)) return matrix;
    Dims dims = {num_rows};
    dims.insert(dims.end(), column_dims_.begin(), column_dims_.end());
    std::vector<std::size_t> permutation = {0};
    for (const std::size_t axis : column_permutation_) permutation.push_back(axis + 1);
    return Permuted<T>(matrix, dims, permutation);
  }
  ConstantTensor Columns(const ConstantTensor& tensor, std::int64_t num_rows) const {
    const std::span<const float> values = tensor.as<float>();
    return ConstantTensor::Copy(
        DataType::kFloat32, tensor.dims(),
        ReorderColumns(std::vector<float>(values.begin(), values.end()), num_rows));
  }

  // Scales, zero points and group indices; `transposed`: they are stored [n, groups].
  absl::Status LoadGroups(Projection& projection, bool transposed) {
    absl::StatusOr<ConstantTensor> scale = WidenToFloat(stored_.at("kernel_scale"));
    if (!scale.ok()) return Error(scale.status().message());
    const ConstantTensor& zero = stored_.at("kernel_zero");
    const std::size_t group_axis = transposed ? 1 : 0;
    if (scale->dims().size() != 2 || scale->dims()[1 - group_axis] != n_ ||
        zero.dims() != scale->dims() || BitWidth(zero.data_type()) != 8) {
      return Error(absl::StrCat("kernel_scale and kernel_zero: got shapes ",
                                ToString(scale->dims()), " and ", ToString(zero.dims()),
                                ", wants one row for each group and ", n_, " columns"));
    }
    const std::int64_t groups = scale->dims()[group_axis];
    std::vector<float> scales(scale->as<float>().begin(), scale->as<float>().end());
    const std::span<const std::byte> zero_bytes = zero.bytes();
    std::vector<std::byte> zeros(zero_bytes.begin(), zero_bytes.end());
    if (transposed) {
      scales = Permuted<float>(scales, {n_, groups}, {1, 0});
      zeros = Permuted<std::byte>(zeros, {n_, groups}, {1, 0});
    }
    const ValueId scale_id =
        Add("kernel_scale", ConstantTensor::Copy(DataType::kFloat32, {groups, n_},
                                                 ReorderColumns(std::move(scales), groups)));
    const ValueId zero_id =
        Add("kernel_zero", ConstantTensor::Copy(zero.data_type(), {groups, n_},
                                                ReorderColumns(std::move(zeros), groups)));
    projection.inputs.push_back(scale_id);
    projection.inputs.push_back(zero_id);
    projection.attributes["scale_convention"] = std::string("multiply");
    return LoadGroupIndex(projection, groups);
  }

  absl::Status LoadGroupIndex(Projection& projection, std::int64_t groups) {
    RETURN_IF_ERROR(CheckDims("g_idx", {k_}));
    absl::StatusOr<ConstantTensor> index = WidenToFloat(stored_.at("g_idx"));
    if (!index.ok()) return Error(index.status().message());
    const std::span<const float> of_row = index->as<float>();
    // The first group is a whole one; the last may be shorter.
    const std::int64_t group_size =
        groups == 1 ? k_ : std::count(of_row.begin(), of_row.end(), 0.0F);
    if (group_size == 0 || (k_ + group_size - 1) / group_size != groups) {
      return Error(absl::StrCat("g_idx: got ", group_size, " rows in the first of ", groups,
                                " groups of ", k_, " rows"));
    }
    projection.attributes["group_size"] = group_size;
    bool in_order = true;
    for (std::size_t i = 0; i < of_row.size(); ++i) {
      in_order = in_order &&
                 of_row[i] == std::floor(static_cast<float>(i) / static_cast<float>(group_size));
    }
    projection.inputs.push_back(kNoValue);  // the bias's place
    projection.inputs.push_back(in_order ? kNoValue : Add("g_idx", *index));
    return absl::OkStatus();
  }

  // GPTQ and AWQ: [n, k], packed along n.
  absl::Status LoadTransposed(Projection& projection) {
    RETURN_IF_ERROR(CheckType("quantized_kernel", DataType::kUint8));
    RETURN_IF_ERROR(CheckMatrixForm());
    const ConstantTensor& kernel = stored_.at("quantized_kernel");
    int bits = source_.policy.bits == 8 || source_.policy.bits == 3 ? 8 : source_.policy.bits;
    if (source_.policy.mode != mode_) bits = kernel.dims() == Dims{n_, k_} ? 8 : 4;
    // Keras 3.15 and older keep elements of 2 bits in bytes of their own.
    if (bits == 2 && kernel.dims() == Dims{n_, k_}) bits = 8;
    const std::int64_t per_byte = 8 / bits;
    RETURN_IF_ERROR(CheckDims("quantized_kernel", {(n_ + per_byte - 1) / per_byte, k_}));
    packing_ = {bits, 0, n_, true, false};
    std::vector<std::int8_t> elements = Unpack(kernel, bits, 0, n_, false);
    elements = ReorderColumns(Permuted<std::int8_t>(elements, {n_, k_}, {1, 0}), k_);
    const bool small = source_.policy.bits <= 4 || bits < 8;
    projection.inputs = {
        Add("kernel", small ? PackMatrix(DataType::kUint4, k_, n_, elements)
                            : ConstantTensor::Copy(DataType::kUint8, {k_, n_}, elements))};
    RETURN_IF_ERROR(LoadGroups(projection, true));
    if (mode_ != "awq") return absl::OkStatus();
    RETURN_IF_ERROR(CheckDims("awq_scales", {k_}));
    absl::StatusOr<ConstantTensor> scales = WidenToFloat(stored_.at("awq_scales"));
    if (!scales.ok()) return Error(scales.status().message());
    projection.inputs.push_back(Add("awq_scales", *scales));
    return absl::OkStatus();
  }

  void Record(const Names& names, const std::vector<ConstantTensor>& stored) {
    octet::Layer record;
    record.path = source_.path;
    record.layer_class = source_.layer_class;
    record.mode = mode_;
    record.dtype_policy = source_.policy.name;
    record.packing = packing_;
    const bool multiply = stored_.contains("g_idx") || mode_ == "int8_trained";
    for (std::size_t i = 0; i < names.size(); ++i) {
      std::string convention;
      if (mode_ != "float8" && names[i] == "kernel_scale") {
        convention = multiply ? "multiply" : "reciprocal";
      }
      if (names[i] == "awq_scales") convention = "reciprocal";
      record.variables.push_back({names[i], stored[i], convention});
    }
    call_.Record(std::move(record), source_.sub);
  }

  const LayerCall& call_;
  const ProjectionSource& source_;
  std::int64_t k_ = 1;
  std::int64_t n_ = 1;
  std::vector<std::size_t> permutation_;
  Dims column_dims_;
  std::vector<std::size_t> column_permutation_;
  std::string mode_;
  std::map<std::string, ConstantTensor> stored_;
  std::optional<Packing> packing_;
};

}  // namespace

absl::StatusOr<Projection> LoadProjection(const LayerCall& call, const ProjectionSource& source) {
  return ProjectionLoader(call, source).Load();
}

absl::StatusOr<std::optional<Attributes>> ActivationQuantizer(const ConfigView& config,
                                                              bool by_default) {
  Attributes attributes = {{"activation_quantization", std::string("dynamic")}};
  if (!config.Has("quantization_config")) {
    if (!by_default) return std::optional<Attributes>();
    return std::optional<Attributes>(std::move(attributes));
  }
  const ConfigView quantization = config.Object("quantization_config").Object("config");
  if (!quantization.Has("activation_quantizer")) return std::optional<Attributes>();
  const ConfigView quantizer = quantization.Object("activation_quantizer");
  ASSIGN_OR_RETURN(const std::string class_name, quantizer.String("class_name"));
  if (class_name != "AbsMaxQuantizer")
    return quantizer.Unimplemented("class_name", "AbsMaxQuantizer");
  const ConfigView options = quantizer.Object("config");
  std::vector<std::int64_t> range = {-127, 127};
  if (options.Has("value_range")) {
    ASSIGN_OR_RETURN(range, options.Ints("value_range", 2));
  }
  if (range[0] != -range[1] || range[1] < 1 || range[1] > 127) {
    return options.Unimplemented("value_range", "ranges from -n to n, n at most 127");
  }
  ASSIGN_OR_RETURN(const double epsilon, options.Float("epsilon", 1e-7));
  attributes["dynamic_range"] = range[1];
  attributes["dynamic_epsilon"] = epsilon;
  return std::optional<Attributes>(std::move(attributes));
}

}  // namespace octet::keras
