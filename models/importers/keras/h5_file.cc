// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/h5_file.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <hdf5.h>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/h5_global_heap.h"

namespace octet::keras {

namespace {

constexpr int kMaxRank = 8;
constexpr hsize_t kMaxNames = 100000;
constexpr std::size_t kMaxPathDepth = 64;
// How much larger than its stored bytes a compressed dataset may be.
constexpr std::int64_t kMaxExpansion = 1000;
constexpr std::int64_t kExpansionAllowance = std::int64_t{1} << 20;
constexpr std::size_t kMaxAttributeByteSize = std::size_t{64} << 20;

static_assert(sizeof(hid_t) == sizeof(std::int64_t));

// Closes an identifier of libhdf5, whatever kind of object it is.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  [[nodiscard]] hid_t id() const { return id_; }
  [[nodiscard]] bool ok() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// Keeps libhdf5 from printing its errors; ours are returned.
class SilenceErrors {
 public:
  SilenceErrors() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  SilenceErrors(const SilenceErrors&) = delete;
  SilenceErrors& operator=(const SilenceErrors&) = delete;
  ~SilenceErrors() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

absl::Status Damaged(absl::string_view path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("weights: \"", path, "\": ", what));
}

// Whether all links on the way to `path` exist; each must be a hard one.
absl::StatusOr<bool> Exists(hid_t file, absl::string_view path) {
  const std::vector<std::string> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  if (parts.size() > kMaxPathDepth) return Damaged(path, "the path is too deep");
  std::string prefix;
  for (const std::string& part : parts) {
    if (part == "." || part == "..") return Damaged(path, "wants a plain path");
    absl::StrAppend(&prefix, prefix.empty() ? "" : "/", part);
    const htri_t found = H5Lexists(file, prefix.c_str(), H5P_DEFAULT);
    if (found < 0) return Damaged(prefix, "the link cannot be read");
    if (found == 0) return false;
    H5L_info_t info;
    if (H5Lget_info(file, prefix.c_str(), &info, H5P_DEFAULT) < 0) {
      return Damaged(prefix, "the link cannot be read");
    }
    if (info.type != H5L_TYPE_HARD) {
      return Damaged(prefix, "got a soft or external link, wants the object itself");
    }
  }
  return true;
}

absl::StatusOr<Handle> OpenObject(hid_t file, absl::string_view path, H5I_type_t wanted) {
  ASSIGN_OR_RETURN(const bool exists, Exists(file, path));
  const absl::string_view kind = wanted == H5I_GROUP ? "a group" : "a dataset";
  if (!exists) return Damaged(path, absl::StrCat("is not there, wants ", kind));
  const std::string name = path.empty() ? "/" : std::string(path);
  Handle object(H5Oopen(file, name.c_str(), H5P_DEFAULT), H5Oclose);
  if (!object.ok()) return Damaged(path, "cannot be opened");
  if (H5Iget_type(object.id()) != wanted) return Damaged(path, absl::StrCat("wants ", kind));
  return object;
}

// IEEE half precision, which this version of libhdf5 has no name for.
bool IsFloat16(hid_t type) {
  std::size_t sign = 0;
  std::size_t exponent = 0;
  std::size_t exponent_size = 0;
  std::size_t mantissa = 0;
  std::size_t mantissa_size = 0;
  return H5Tget_class(type) == H5T_FLOAT && H5Tget_size(type) == 2 &&
         H5Tget_order(type) == H5T_ORDER_LE &&
         H5Tget_fields(type, &sign, &exponent, &exponent_size, &mantissa, &mantissa_size) >= 0 &&
         sign == 15 && exponent == 10 && exponent_size == 5 && mantissa == 0 &&
         mantissa_size == 10 && H5Tget_ebias(type) == 15;
}

absl::StatusOr<DataType> TypeOf(hid_t type, absl::string_view path) {
  // The macros are calls, hence no table outside of the function.
  const std::array<std::pair<hid_t, DataType>, 11> known = {{
      {H5T_IEEE_F32LE, DataType::kFloat32},
      {H5T_IEEE_F64LE, DataType::kFloat64},
      {H5T_STD_I8LE, DataType::kInt8},
      {H5T_STD_U8LE, DataType::kUint8},
      {H5T_STD_I16LE, DataType::kInt16},
      {H5T_STD_U16LE, DataType::kUint16},
      {H5T_STD_I32LE, DataType::kInt32},
      {H5T_STD_U32LE, DataType::kUint32},
      {H5T_STD_I64LE, DataType::kInt64},
      {H5T_STD_U64LE, DataType::kUint64},
      {H5T_STD_U8BE, DataType::kUint8},
  }};
  for (const auto& [candidate, data_type] : known) {
    if (H5Tequal(type, candidate) > 0) return data_type;
  }
  if (IsFloat16(type)) return DataType::kFloat16;
  // h5py keeps bool as an enumeration of bytes, and bfloat16, which HDF5 lacks, as opaque pairs of
  // bytes.
  if (H5Tget_class(type) == H5T_ENUM && H5Tget_size(type) == 1) return DataType::kBool;
  if (H5Tget_class(type) == H5T_OPAQUE && H5Tget_size(type) == 2) return DataType::kBfloat16;
  return Damaged(path, "wants elements of a plain little-endian integer or float type");
}

// Refuses data that is elsewhere, or kept in a way that Keras does not use.
absl::Status CheckStorage(hid_t dataset, absl::string_view path, std::int64_t byte_size) {
  const Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  if (!properties.ok()) return Damaged(path, "its properties cannot be read");
  const H5D_layout_t layout = H5Pget_layout(properties.id());
  if (layout != H5D_CONTIGUOUS && layout != H5D_COMPACT && layout != H5D_CHUNKED) {
    return Damaged(path, "got a virtual dataset, wants the data itself");
  }
  if (H5Pget_external_count(properties.id()) != 0) {
    return Damaged(path, "got data in other files, wants the data itself");
  }
  const int filters = H5Pget_nfilters(properties.id());
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0;
    unsigned config = 0;
    std::size_t count = 0;
    const H5Z_filter_t filter = H5Pget_filter2(properties.id(), static_cast<unsigned>(i), &flags,
                                               &count, nullptr, 0, nullptr, &config);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE) {
      return Damaged(path, absl::StrCat("got the filter ", static_cast<int>(filter),
                                        ", wants only deflate and shuffle"));
    }
  }
  const auto stored =
      static_cast<std::int64_t>(std::min<hsize_t>(H5Dget_storage_size(dataset), hsize_t{1} << 62));
  if (layout == H5D_CHUNKED) {
    std::array<hsize_t, kMaxRank> chunk{};
    const int rank = H5Pget_chunk(properties.id(), kMaxRank, chunk.data());
    double chunk_size = 1.0;
    for (int i = 0; i < std::min(rank, kMaxRank); ++i) {
      chunk_size *= static_cast<double>(chunk[static_cast<std::size_t>(i)]);
    }
    if (rank < 0 || chunk_size * 8 > static_cast<double>(byte_size * 16 + kExpansionAllowance)) {
      return Damaged(path, "got chunks far larger than the dataset");
    }
    if (byte_size > kExpansionAllowance && byte_size / kMaxExpansion > stored) {
      return absl::ResourceExhaustedError(
          absl::StrCat("weights: \"", path, "\" grows from ", stored, " to ", byte_size,
                       " bytes, wants at most ", kMaxExpansion, " times as many"));
    }
  } else if (stored != byte_size) {
    return Damaged(path, absl::StrCat("got ", stored, " stored bytes, wants ", byte_size));
  }
  return absl::OkStatus();
}

absl::StatusOr<Dims> ReadDims(hid_t dataset, absl::string_view path) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  if (!space.ok()) return Damaged(path, "its shape cannot be read");
  const H5S_class_t kind = H5Sget_simple_extent_type(space.id());
  if (kind == H5S_SCALAR) return Dims{};
  const int rank = H5Sget_simple_extent_ndims(space.id());
  if (kind != H5S_SIMPLE || rank < 0 || rank > kMaxRank) {
    return Damaged(path, absl::StrCat("wants an array of at most ", kMaxRank, " dimensions"));
  }
  std::array<hsize_t, kMaxRank> sizes{};
  if (H5Sget_simple_extent_dims(space.id(), sizes.data(), nullptr) < 0) {
    return Damaged(path, "its shape cannot be read");
  }
  Dims dims;
  for (int i = 0; i < rank; ++i) {
    // Beyond 2^62 the cast would change the value; CheckedNumElements refuses what is left.
    dims.push_back(
        static_cast<std::int64_t>(std::min(sizes[static_cast<std::size_t>(i)], hsize_t{1} << 62)));
  }
  return dims;
}

// A string of variable length as the file refers to it: 4 bytes of length, and where it is, in
// 8 bytes and 4, for files with addresses of 8 bytes.
constexpr std::size_t kReferenceSize = 16;

// Takes such references as they are, where libhdf5 would read the strings.
herr_t KeepReferences(hid_t from, hid_t /*to*/, H5T_cdata_t* data, std::size_t /*count*/,
                      std::size_t /*stride*/, std::size_t /*background_stride*/, void* /*buffer*/,
                      void* /*background*/, hid_t /*properties*/) {
  if (data->command != H5T_CONV_INIT) return 0;
  data->need_bkg = H5T_BKG_NO;
  return H5Tis_variable_str(from) > 0 ? 0 : -1;
}

// Whether the strings of `attribute`, `count` of variable length, are together no larger than the
// limit: libhdf5 allocates what the file says before it looks for them.
absl::Status CheckLengths(hid_t file, hid_t attribute, std::size_t count,
                          const std::string& where) {
  const Handle properties(H5Fget_create_plist(file), H5Pclose);
  std::size_t address_size = 0;
  if (!properties.ok() || H5Pget_sizes(properties.id(), &address_size, nullptr) < 0 ||
      address_size != 8) {
    return Damaged(where, "is in a file whose addresses have not 8 bytes");
  }
  const Handle references(H5Tcreate(H5T_OPAQUE, kReferenceSize), H5Tclose);
  const Handle strings(H5Tcopy(H5T_C_S1), H5Tclose);
  static constexpr char kName[] = "string references";
  if (!references.ok() || !strings.ok() || H5Tset_size(strings.id(), H5T_VARIABLE) < 0 ||
      H5Tregister(H5T_PERS_SOFT, kName, strings.id(), references.id(), KeepReferences) < 0) {
    return Damaged(where, "cannot be looked at");
  }
  std::vector<std::array<std::byte, kReferenceSize>> found(count);
  const bool was_read = H5Aread(attribute, references.id(), found.data()) >= 0;
  H5Tunregister(H5T_PERS_SOFT, kName, -1, -1, KeepReferences);
  if (!was_read) return Damaged(where, "cannot be looked at");
  std::uint64_t byte_size = 0;
  for (const auto& reference : found) {
    std::uint32_t length = 0;
    std::memcpy(&length, reference.data(), sizeof(length));
    byte_size += length;
  }
  return byte_size <= kMaxAttributeByteSize ? absl::OkStatus() : Damaged(where, "is too large");
}

}  // namespace

absl::StatusOr<H5File> H5File::Open(std::span<const std::byte> bytes, std::int64_t max_byte_size) {
  RETURN_IF_ERROR(CheckGlobalHeaps(bytes));
  const SilenceErrors silence;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  // libhdf5 only reads the image, though its argument is not const: it makes a copy of it.
  if (!access.ok() || H5Pset_fapl_core(access.id(), std::size_t{1} << 16, false) < 0 ||
      H5Pset_file_image(access.id(), const_cast<std::byte*>(bytes.data()), bytes.size()) < 0) {
    return absl::ResourceExhaustedError("weights: no memory for the HDF5 file");
  }
  const hid_t file = H5Fopen("weights.h5", H5F_ACC_RDONLY, access.id());
  if (file < 0) return absl::InvalidArgumentError("weights: not an HDF5 file, or a damaged one");
  return H5File(file, max_byte_size);
}

H5File::H5File(H5File&& other) noexcept
    : file_(std::exchange(other.file_, -1)), max_byte_size_(other.max_byte_size_) {}

H5File& H5File::operator=(H5File&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(max_byte_size_, other.max_byte_size_);
  return *this;
}

H5File::~H5File() {
  if (file_ < 0) return;
  const SilenceErrors silence;
  H5Fclose(file_);
}

absl::StatusOr<bool> H5File::HasGroup(absl::string_view path) const {
  const SilenceErrors silence;
  ASSIGN_OR_RETURN(const bool exists, Exists(file_, path));
  if (!exists) return false;
  const std::string name = path.empty() ? "/" : std::string(path);
  const Handle object(H5Oopen(file_, name.c_str(), H5P_DEFAULT), H5Oclose);
  return object.ok() && H5Iget_type(object.id()) == H5I_GROUP;
}

absl::StatusOr<std::vector<std::string>> H5File::ListNames(absl::string_view path) const {
  const SilenceErrors silence;
  ASSIGN_OR_RETURN(const Handle group, OpenObject(file_, path, H5I_GROUP));
  H5G_info_t info;
  if (H5Gget_info(group.id(), &info) < 0) return Damaged(path, "the group cannot be read");
  if (info.nlinks > kMaxNames) {
    return Damaged(path, absl::StrCat("got ", info.nlinks, " names, wants at most ", kMaxNames));
  }
  std::vector<std::string> names;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    std::array<char, 1024> name{};
    const ssize_t length = H5Lget_name_by_idx(group.id(), ".", H5_INDEX_NAME, H5_ITER_INC, i,
                                              name.data(), name.size(), H5P_DEFAULT);
    if (length < 0 || static_cast<std::size_t>(length) >= name.size()) {
      return Damaged(path, "a name cannot be read");
    }
    names.emplace_back(name.data(), static_cast<std::size_t>(length));
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<ConstantTensor> H5File::ReadDataset(absl::string_view path) const {
  const SilenceErrors silence;
  ASSIGN_OR_RETURN(const Handle dataset, OpenObject(file_, path, H5I_DATASET));
  const Handle type(H5Dget_type(dataset.id()), H5Tclose);
  if (!type.ok()) return Damaged(path, "its type cannot be read");
  ASSIGN_OR_RETURN(const DataType data_type, TypeOf(type.id(), path));
  ASSIGN_OR_RETURN(const Dims dims, ReadDims(dataset.id(), path));
  const absl::StatusOr<std::int64_t> elements = CheckedNumElements(dims);
  if (!elements.ok()) return Damaged(path, elements.status().message());
  const std::int64_t byte_size = *elements * static_cast<std::int64_t>(BitWidth(data_type) / 8);
  if (byte_size > max_byte_size_) {
    return absl::ResourceExhaustedError(absl::StrCat("weights: \"", path, "\" has ", byte_size,
                                                     " bytes, wants at most ", max_byte_size_));
  }
  RETURN_IF_ERROR(CheckStorage(dataset.id(), path, byte_size));
  const auto tensor = std::make_shared<Tensor>(data_type, dims);
  // Read as stored: a conversion would be more code of the library's on bytes of the file's.
  if (byte_size > 0 &&
      H5Dread(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor->bytes().data()) < 0) {
    return Damaged(path, "the data cannot be read");
  }
  const std::span<const std::byte> bytes = std::as_const(*tensor).bytes();
  return ConstantTensor(data_type, dims, bytes.first(static_cast<std::size_t>(byte_size)), tensor);
}

bool H5File::HasAttribute(absl::string_view path, const std::string& attribute) const {
  const SilenceErrors silence;
  const absl::StatusOr<Handle> group = OpenObject(file_, path, H5I_GROUP);
  return group.ok() && H5Aexists(group->id(), attribute.c_str()) > 0;
}

absl::StatusOr<std::vector<std::string>> H5File::ReadStrings(absl::string_view path,
                                                             const std::string& attribute) const {
  const SilenceErrors silence;
  ASSIGN_OR_RETURN(const Handle group, OpenObject(file_, path, H5I_GROUP));
  const std::string where = absl::StrCat(path, "@", attribute);
  if (H5Aexists(group.id(), attribute.c_str()) <= 0) return Damaged(where, "is not there");
  const Handle handle(H5Aopen(group.id(), attribute.c_str(), H5P_DEFAULT), H5Aclose);
  const Handle type(handle.ok() ? H5Aget_type(handle.id()) : -1, H5Tclose);
  const Handle space(handle.ok() ? H5Aget_space(handle.id()) : -1, H5Sclose);
  const hssize_t count = space.ok() ? H5Sget_simple_extent_npoints(space.id()) : -1;
  // Python keeps an empty list as one of floats.
  if (type.ok() && count == 0) return std::vector<std::string>();
  if (!type.ok() || !space.ok() || H5Tget_class(type.id()) != H5T_STRING) {
    return Damaged(where, "wants strings");
  }
  const std::size_t size = H5Tget_size(type.id());
  if (count < 0 || static_cast<hsize_t>(count) > kMaxNames || size == 0 ||
      (count > 0 && size > kMaxAttributeByteSize / static_cast<std::size_t>(count))) {
    return Damaged(where, "is too large");
  }
  std::vector<std::string> strings;
  const auto length = static_cast<std::size_t>(count);
  if (H5Tis_variable_str(type.id()) > 0) {
    if (length > 0) RETURN_IF_ERROR(CheckLengths(file_, handle.id(), length, where));
    std::vector<char*> pointers(length, nullptr);
    if (length > 0 && H5Aread(handle.id(), type.id(), pointers.data()) < 0) {
      return Damaged(where, "cannot be read");
    }
    for (const char* const text : pointers) strings.emplace_back(text == nullptr ? "" : text);
    H5Dvlen_reclaim(type.id(), space.id(), H5P_DEFAULT, pointers.data());
    return strings;
  }
  std::string bytes(length * size, '\0');
  if (length > 0 && H5Aread(handle.id(), type.id(), bytes.data()) < 0) {
    return Damaged(where, "cannot be read");
  }
  for (std::size_t i = 0; i < length; ++i) {
    const std::string text = bytes.substr(i * size, size);
    strings.push_back(text.substr(0, text.find('\0')));
  }
  return strings;
}

}  // namespace octet::keras
