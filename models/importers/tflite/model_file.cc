// SPDX-License-Identifier: Apache-2.0

#include "models/importers/tflite/model_file.h"

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/importers/tflite/operator_names.h"
#include "models/tensor/tensor.h"

namespace octet::tflite {
namespace {

constexpr std::uint32_t kVersion = 3;
constexpr std::int64_t kCustomOperator = 32;
// Far more than any model that people make.
constexpr std::size_t kMaxTensors = 200000;
constexpr std::size_t kMaxOperators = 100000;
constexpr std::size_t kMaxOperands = 1024;     // of one operator
constexpr std::size_t kMaxGraphTensors = 256;  // inputs, or outputs, of the model
// Root, subgraph, operator, options: four deep; a little more than we read.
constexpr std::uint32_t kMaxDepth = 8;
constexpr std::uint32_t kMaxTables = 1000000;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::string_view View(const flatbuffers::String* text) {
  return text == nullptr ? absl::string_view() : absl::string_view(text->c_str(), text->size());
}

// Elements of the file, which are little-endian as this machine is.
template <typename T>
std::span<const T> Elements(const flatbuffers::Vector<T>* vector) {
  if (vector == nullptr) return {};
  return {reinterpret_cast<const T*>(vector->Data()), vector->size()};
}

template <typename Tables>
std::size_t SizeOf(const Tables* tables) {
  return tables == nullptr ? 0 : tables->size();
}

template <typename Tables>
absl::Status CheckCount(const Tables* tables, absl::string_view what, std::size_t most) {
  if (SizeOf(tables) <= most) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("got ", SizeOf(tables), " ", what, ", wants at most ", most));
}

class Reader {
 public:
  explicit Reader(const schema::Model& model) : model_(model) {}

  absl::StatusOr<ModelFile> Read() {
    if (model_.version() != kVersion) {
      return Invalid("got version ", model_.version(), " of the format, wants ", kVersion);
    }
    if (SizeOf(model_.subgraphs()) == 0) return Invalid("got no subgraph, wants one");
    const schema::SubGraph& graph = *model_.subgraphs()->Get(0);
    ModelFile file;
    RETURN_IF_ERROR(ReadTensors(graph, file));
    RETURN_IF_ERROR(ReadOperators(graph, file));
    file.inputs = Elements(graph.inputs());
    file.outputs = Elements(graph.outputs());
    RETURN_IF_ERROR(CheckGraphTensors("inputs", file.inputs, file));
    RETURN_IF_ERROR(CheckGraphTensors("outputs", file.outputs, file));
    return file;
  }

 private:
  absl::Status ReadTensors(const schema::SubGraph& graph, ModelFile& file) const {
    RETURN_IF_ERROR(CheckCount(graph.tensors(), "tensors", kMaxTensors));
    for (std::size_t i = 0; i < SizeOf(graph.tensors()); ++i) {
      const schema::Tensor& table = *graph.tensors()->Get(static_cast<std::uint32_t>(i));
      absl::StatusOr<StoredTensor> tensor = ReadTensor(table);
      if (!tensor.ok()) {
        return absl::Status(tensor.status().code(),
                            absl::StrCat("tensor ", i, " ", Quoted(View(table.name())), ": ",
                                         tensor.status().message()));
      }
      file.tensors.push_back(*std::move(tensor));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<StoredTensor> ReadTensor(const schema::Tensor& table) const {
    StoredTensor tensor;
    tensor.name = View(table.name());
    tensor.type_number = table.type();
    tensor.data_type = DataTypeOf(table.type());
    const auto shape = Elements(table.shape());
    if (shape.size() > kMaxRank) {
      return Invalid("got ", shape.size(), " dimensions, wants at most ", kMaxRank);
    }
    tensor.dims.assign(shape.begin(), shape.end());
    // Some writers leave -1 in the shape itself.
    for (std::int64_t& dim : tensor.dims) dim = dim == -1 ? 1 : dim;
    RETURN_IF_ERROR(CheckedNumElements(tensor.dims).status());
    tensor.signature = Elements(table.shape_signature());
    const bool shape_is_open = std::find(shape.begin(), shape.end(), -1) != shape.end();
    if (tensor.signature.empty() && shape_is_open) tensor.signature = shape;
    if (!tensor.signature.empty() && tensor.signature.size() != shape.size()) {
      return Invalid("got a shape signature of ", tensor.signature.size(), " dimensions, wants ",
                     shape.size(), ", as the shape has");
    }
    tensor.is_sparse = table.sparsity() != nullptr;
    tensor.is_variable = table.is_variable();
    RETURN_IF_ERROR(ReadQuantization(table, tensor));
    RETURN_IF_ERROR(ReadData(table, tensor));
    return tensor;
  }

  static absl::Status ReadQuantization(const schema::Tensor& table, StoredTensor& tensor) {
    const schema::QuantizationParameters* const stored = table.quantization();
    if (stored == nullptr) return absl::OkStatus();
    StoredQuantization& quantization = tensor.quantization;
    quantization.scale = Elements(stored->scale());
    if (stored->zero_point() != nullptr) {
      quantization.zero_points = {reinterpret_cast<const std::byte*>(stored->zero_point()->Data()),
                                  stored->zero_point()->size() * sizeof(std::int64_t)};
    }
    quantization.axis = stored->quantized_dimension();
    const std::size_t scales = quantization.scale.size();
    const std::size_t zero_points = SizeOf(stored->zero_point());
    if (scales != 0 && zero_points != 0 && zero_points != scales) {
      return Invalid("got ", scales, " scales and ", zero_points,
                     " zero points, wants as many of each");
    }
    return absl::OkStatus();
  }

  absl::Status ReadData(const schema::Tensor& table, StoredTensor& tensor) const {
    if (table.external_buffer() != 0) return absl::UnimplementedError("data in another file");
    if (table.buffer() == 0) return absl::OkStatus();
    if (table.buffer() >= SizeOf(model_.buffers())) {
      return Invalid("got buffer ", table.buffer(), ", wants one of ", SizeOf(model_.buffers()));
    }
    const schema::Buffer& buffer = *model_.buffers()->Get(table.buffer());
    // 1 is what stands there before a writer knows the offset.
    if (buffer.offset() > 1 || buffer.size() > 1) {
      return absl::UnimplementedError("data behind the flatbuffer, as in files beyond 2 GiB");
    }
    tensor.data = std::as_bytes(Elements(buffer.data()));
    if (tensor.data.empty() || !tensor.data_type.has_value() || tensor.is_sparse) {
      return absl::OkStatus();
    }
    // Elements of four bits lie two to a byte without regard to dimensions.
    const std::size_t bits = BitWidth(*tensor.data_type);
    const std::size_t wanted = (static_cast<std::size_t>(NumElements(tensor.dims)) * bits + 7) / 8;
    if (tensor.data.size() == wanted) return absl::OkStatus();
    return Invalid("got ", tensor.data.size(), " bytes of data for ",
                   DataTypeName(*tensor.data_type), ToString(tensor.dims), ", wants ", wanted);
  }

  absl::Status ReadOperators(const schema::SubGraph& graph, ModelFile& file) const {
    RETURN_IF_ERROR(CheckCount(graph.operators(), "operators", kMaxOperators));
    for (std::size_t i = 0; i < SizeOf(graph.operators()); ++i) {
      const schema::Operator& table = *graph.operators()->Get(static_cast<std::uint32_t>(i));
      if (table.opcode_index() >= SizeOf(model_.operator_codes())) {
        return Invalid("operator ", i, ": got operator code ", table.opcode_index(),
                       ", wants one of ", SizeOf(model_.operator_codes()));
      }
      const schema::OperatorCode& code = *model_.operator_codes()->Get(table.opcode_index());
      StoredOperator stored;
      // Writers before 2020 have only the first, which is one byte.
      stored.code = std::max<std::int64_t>(code.deprecated_builtin_code(), code.builtin_code());
      stored.custom_code = View(code.custom_code());
      stored.inputs = Elements(table.inputs());
      stored.outputs = Elements(table.outputs());
      stored.intermediates = Elements(table.intermediates());
      stored.options = &table;
      const std::string where = absl::StrCat("operator ", i, " ", stored.Name());
      RETURN_IF_ERROR(CheckIndices(where, "inputs", stored.inputs, -1, kMaxOperands, file));
      RETURN_IF_ERROR(CheckIndices(where, "outputs", stored.outputs, 0, kMaxOperands, file));
      RETURN_IF_ERROR(
          CheckIndices(where, "intermediates", stored.intermediates, -1, kMaxOperands, file));
      file.operators.push_back(stored);
    }
    return absl::OkStatus();
  }

  static absl::Status CheckGraphTensors(absl::string_view what,
                                        std::span<const std::int32_t> indices,
                                        const ModelFile& file) {
    if (indices.empty()) return Invalid("got no ", what, ", wants at least one");
    return CheckIndices("the model", what, indices, 0, kMaxGraphTensors, file);
  }

  static absl::Status CheckIndices(absl::string_view where, absl::string_view what,
                                   std::span<const std::int32_t> indices, std::int32_t lowest,
                                   std::size_t most, const ModelFile& file) {
    if (indices.size() > most) {
      return absl::ResourceExhaustedError(
          absl::StrCat(where, ": got ", indices.size(), " ", what, ", wants at most ", most));
    }
    for (const std::int32_t index : indices) {
      if (index >= lowest && index < static_cast<std::int64_t>(file.tensors.size())) continue;
      return Invalid(where, ": got tensor ", index, " among its ", what, ", wants ", lowest, " to ",
                     static_cast<std::int64_t>(file.tensors.size()) - 1);
    }
    return absl::OkStatus();
  }

  const schema::Model& model_;
};

}  // namespace

std::int64_t StoredQuantization::ZeroPoint(std::size_t index) const {
  std::int64_t value = 0;
  if (!zero_points.empty()) {
    std::memcpy(&value, zero_points.data() + index * sizeof(value), sizeof(value));
  }
  return value;
}

std::string StoredOperator::Name() const {
  if (code != kCustomOperator) return OperatorName(code);
  return absl::StrCat("CUSTOM ", Quoted(custom_code));
}

std::optional<DataType> DataTypeOf(int type_number) {
  switch (type_number) {
    case 0:
      return DataType::kFloat32;
    case 1:
      return DataType::kFloat16;
    case 2:
      return DataType::kInt32;
    case 3:
      return DataType::kUint8;
    case 4:
      return DataType::kInt64;
    case 6:
      return DataType::kBool;
    case 7:
      return DataType::kInt16;
    case 9:
      return DataType::kInt8;
    case 10:
      return DataType::kFloat64;
    case 12:
      return DataType::kUint64;
    case 15:
      return DataType::kUint32;
    case 16:
      return DataType::kUint16;
    case 17:
      return DataType::kInt4;
    case 18:
      return DataType::kBfloat16;
    case 20:
      return DataType::kUint4;
    default:
      return std::nullopt;
  }
}

absl::StatusOr<ModelFile> ReadModelFile(std::span<const std::byte> bytes) {
  // What flatbuffers can address; its verifier takes no more.
  constexpr std::size_t kMostBytes = (std::size_t{1} << 31) - 1;
  constexpr std::size_t kFewestBytes = 8;  // the root's offset, and the identifier
  if (bytes.size() >= kMostBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("got ", bytes.size(), " bytes, wants less than ", kMostBytes));
  }
  const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  if (bytes.size() < kFewestBytes || !schema::ModelBufferHasIdentifier(data)) {
    return Invalid("this is no TensorFlow Lite model: wants \"", schema::ModelIdentifier(),
                   "\" as bytes 4 to 7");
  }
  flatbuffers::Verifier verifier(data, bytes.size(), kMaxDepth, kMaxTables);
  if (!schema::VerifyModelBuffer(verifier)) {
    return Invalid("the flatbuffer is damaged: an offset or a length points out of its ",
                   bytes.size(), " bytes");
  }
  return Reader(*schema::GetModel(data)).Read();
}

}  // namespace octet::tflite
