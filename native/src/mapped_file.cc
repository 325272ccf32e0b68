#include "mapped_file.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dtype.h"
#include "errors.h"
#include "instance.h"
#include "tensor.h"

namespace sae_eval {

// An open file. Mappings stay valid after it is closed.
class File {
 public:
  explicit File(const std::string& path)
      : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0)
      throw CodedError(errno == ENOENT ? "file-not-found" : "file-unreadable",
                       path + ": " + std::strerror(errno));
    struct stat status{};
    const bool regular = fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
    if (!regular || status.st_size == 0) {
      ::close(descriptor_);
      throw CodedError("file-unreadable",
                       path + ": expected a file with content, found " +
                           (regular ? "an empty file" : "something that is not a regular file"));
    }
    size_ = static_cast<uint64_t>(status.st_size);
  }
  ~File() { ::close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Exactly these bytes. A network file system reports here what would be a SIGBUS in a mapping.
  void read(uint64_t offset, uint64_t bytes, uint8_t* to) const {
    constexpr uint64_t mostAtOnce = uint64_t{1} << 30;
    while (bytes > 0) {
      const ssize_t count =
          pread(descriptor_, to, std::min(bytes, mostAtOnce), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0)
        throw CodedError("file-unreadable", path_ + ": reading " + std::to_string(bytes) +
                                                " bytes at " + std::to_string(offset) +
                                                " failed: " + std::strerror(errno));
      if (count == 0)
        throw CodedError("checkpoint-format", path_ + ": ends at byte " + std::to_string(offset) +
                                                  "; it had " + std::to_string(size_) +
                                                  " bytes when it was opened");
      to += count;
      offset += static_cast<uint64_t>(count);
      bytes -= static_cast<uint64_t>(count);
    }
  }

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  uint64_t size() const { return size_; }

 private:
  std::string path_;
  int descriptor_;
  uint64_t size_ = 0;
};

// Bytes of a file in memory, from a multiple of the page size on. Private and copy-on-write: an
// in-place operator on a mapped tensor never reaches the file.
class Mapping {
 public:
  Mapping(const File& file, uint64_t from, uint64_t size) : size_(size) {
    address_ = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
                    file.descriptor(), static_cast<off_t>(from));
    if (address_ == MAP_FAILED)
      throw CodedError(errno == ENOMEM ? "device-memory" : "file-unreadable",
                       file.path() + ": cannot be mapped: " + std::strerror(errno));
  }
  ~Mapping() { munmap(address_, size_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  uint8_t* at(uint64_t offset) const { return static_cast<uint8_t*>(address_) + offset; }

 private:
  void* address_ = MAP_FAILED;
  uint64_t size_;
};

namespace {

uint64_t unsignedField(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= 9007199254740991.0 &&
        number == static_cast<double>(static_cast<uint64_t>(number)))) {
    throw CodedError("torch-argument",
                     std::string("MappedFile.tensor: ") + name + " must be a whole number from 0");
  }
  return static_cast<uint64_t>(number);
}

std::vector<int64_t> sizesField(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsArray())
    throw CodedError("torch-argument", std::string("MappedFile.tensor: ") + name +
                                           " must be an array of whole numbers");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<int64_t> sizes(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    const double number = item.IsNumber() ? item.As<Napi::Number>().DoubleValue() : -1;
    if (!(number >= 0 && number <= 9007199254740991.0 &&
          number == static_cast<double>(static_cast<int64_t>(number)))) {
      throw CodedError("torch-argument", std::string("MappedFile.tensor: ") + name +
                                             " must hold whole numbers from 0");
    }
    sizes[i] = static_cast<int64_t>(number);
  }
  return sizes;
}

// Number of bytes from the first element to the end of the last. Throws on overflow.
uint64_t extent(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides,
                uint64_t itemSize) {
  unsigned __int128 last = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return 0;
    last +=
        static_cast<unsigned __int128>(sizes[i] - 1) * static_cast<unsigned __int128>(strides[i]);
    if (last > (static_cast<unsigned __int128>(1) << 62))
      throw CodedError("torch-argument", "MappedFile.tensor: shape and strides overflow");
  }
  const unsigned __int128 bytes = (last + 1) * itemSize;
  if (bytes > (static_cast<unsigned __int128>(1) << 62))
    throw CodedError("torch-argument", "MappedFile.tensor: shape and strides overflow");
  return static_cast<uint64_t>(bytes);
}

std::vector<int64_t> contiguousStrides(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size());
  __int128 step = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = static_cast<int64_t>(step);
    step *= std::max<int64_t>(sizes[i], 1);
    if (step > (static_cast<__int128>(1) << 62))
      throw CodedError("torch-argument", "MappedFile.tensor: shape overflows");
  }
  return strides;
}

}  // namespace

Napi::Function MappedFile::define(Napi::Env env) {
  return DefineClass(env, "MappedFile",
                     {
                         InstanceAccessor<&MappedFile::byteLength>("byteLength"),
                         InstanceMethod<&MappedFile::tensor>("tensor", napi_default_method),
                         InstanceMethod<&MappedFile::close>("close", napi_default_method),
                     });
}

MappedFile::MappedFile(const Napi::CallbackInfo& info) : Napi::ObjectWrap<MappedFile>(info) {
  guarded(info.Env(), "mapFile", [&] {
    if (info.Length() < 1 || !info[0].IsString())
      throw CodedError("torch-argument", "mapFile: expected a path");
    file_ = std::make_unique<File>(info[0].As<Napi::String>().Utf8Value());
    const bool isRead = info.Length() > 1 && info[1].ToBoolean();
    if (!isRead) whole_ = std::make_shared<Mapping>(*file_, 0, file_->size());
  });
}

MappedFile::~MappedFile() = default;

Napi::Value MappedFile::byteLength(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), file_ ? static_cast<double>(file_->size()) : 0);
}

Napi::Value MappedFile::close(const Napi::CallbackInfo& info) {
  whole_.reset();
  file_.reset();
  return info.Env().Undefined();
}

// Large tensors get a mapping of their own, whose pages go with the tensor. Small tensors share
// one: the number of mappings of a process is limited.
std::pair<std::shared_ptr<Mapping>, uint8_t*> MappedFile::mapped(uint64_t offset,
                                                                 uint64_t bytes) const {
  constexpr uint64_t worthMapping = uint64_t{1} << 20;
  if (bytes < worthMapping) return {whole_, whole_->at(offset)};
  static const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t from = offset / page * page;
  auto mapping = std::make_shared<Mapping>(*file_, from, offset - from + bytes);
  uint8_t* const data = mapping->at(offset - from);
  return {std::move(mapping), data};
}

Napi::Value MappedFile::tensor(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, "MappedFile.tensor", [&]() -> Napi::Value {
    if (!file_) throw CodedError("tensor-disposed", "MappedFile.tensor: the file was closed");
    if (info.Length() != 1 || !info[0].IsObject())
      throw CodedError("torch-argument",
                       "MappedFile.tensor: expected { byteOffset, dtype, shape, strides? }");
    const Napi::Object options = info[0].As<Napi::Object>();
    const uint64_t offset = unsignedField(options, "byteOffset");
    const auto dtype = dtypeFromName(options.Get("dtype").ToString().Utf8Value());
    if (!dtype)
      throw CodedError("torch-argument", "MappedFile.tensor: unknown dtype '" +
                                             options.Get("dtype").ToString().Utf8Value() + "'");
    const auto sizes = sizesField(options, "shape");
    const auto strides = options.Get("strides").IsUndefined() ? contiguousStrides(sizes)
                                                              : sizesField(options, "strides");
    if (strides.size() != sizes.size())
      throw CodedError("torch-argument", "MappedFile.tensor: shape and strides differ in length");

    const uint64_t bytes = extent(sizes, strides, c10::elementSize(*dtype));
    const uint64_t limit = options.Get("byteLength").IsUndefined()
                               ? file_->size()
                               : unsignedField(options, "byteLength");
    if (bytes > limit || offset > file_->size() || bytes > file_->size() - offset) {
      throw CodedError("checkpoint-format", "a tensor of " + std::to_string(bytes) +
                                                " bytes at offset " + std::to_string(offset) +
                                                " does not lie inside the file of " +
                                                std::to_string(file_->size()) + " bytes");
    }
    const auto typed = at::TensorOptions().dtype(*dtype);
    if (bytes == 0) return TensorWrap::wrap(env, at::empty(sizes, typed));
    if (!whole_) {
      // Libraries choose kernels by the place of data in a cache line: it is that of a mapping, so
      // that the bits are.
      constexpr uint64_t line = 64;
      const bool fits = offset % c10::elementSize(*dtype) == 0;
      const uint64_t within = fits ? offset % line : 0;
      at::Tensor memory = at::empty({static_cast<int64_t>(within + bytes)}, at::kByte);
      uint8_t* const data = static_cast<uint8_t*>(memory.mutable_data_ptr()) + within;
      file_->read(offset, bytes, data);
      return TensorWrap::wrap(env, at::from_blob(data, sizes, strides, [memory](void*) {}, typed));
    }
    const auto [mapping, data] = mapped(offset, bytes);
    if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(*dtype) != 0) {
      at::Tensor aligned = at::empty({static_cast<int64_t>(bytes)}, at::kByte);
      std::memcpy(aligned.mutable_data_ptr(), data, bytes);
      void* copy = aligned.mutable_data_ptr();
      return TensorWrap::wrap(env, at::from_blob(copy, sizes, strides, [aligned](void*) {}, typed));
    }
    return TensorWrap::wrap(
        env, at::from_blob(data, sizes, strides, [mapping = mapping](void*) {}, typed));
  });
}

}  // namespace sae_eval
