#include "typed_array.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

#include "dtype.h"
#include "errors.h"
#include "instance.h"
#include "tensor.h"

namespace sae_eval {

// A reference that keeps an ArrayBuffer alive. A storage may die on any thread; only the thread
// that made the reference may delete it.
struct SharedBuffer {
  napi_env env;
  napi_ref reference;
  std::thread::id owner = std::this_thread::get_id();
  std::atomic<bool> over{false};  // the storage is gone
  bool alive = true;  // the reference exists; only the owner's thread reads and writes this

  void drop() {
    if (alive) napi_delete_reference(env, reference);
    alive = false;
  }
  void storageGone() {
    over = true;
    if (std::this_thread::get_id() == owner) drop();
  }
};

SharedBuffers::~SharedBuffers() {
  for (const auto& buffer : buffers_)
    buffer->alive = false;  // the environment deletes its references itself
}

std::shared_ptr<SharedBuffer> SharedBuffers::add(Napi::Env env, const Napi::ArrayBuffer& buffer) {
  std::erase_if(buffers_, [](const auto& old) {
    if (old->over) old->drop();
    return old->over.load();
  });
  auto added = std::make_shared<SharedBuffer>();
  added->env = env;
  if (napi_create_reference(env, buffer, 1, &added->reference) != napi_ok)
    throw CodedError("torch-argument", "fromTypedArray: the array's buffer cannot be kept");
  buffers_.push_back(added);
  return added;
}

namespace {

struct Form {
  napi_typedarray_type type;
  size_t perElement;  // entries of the array for one element of the tensor
};

// The typed array for a dtype: complex numbers are pairs, 8 and 16 bit floats are their bits.
Form formOf(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return {napi_float32_array, 1};
    case at::kDouble:
      return {napi_float64_array, 1};
    case at::kComplexFloat:
      return {napi_float32_array, 2};
    case at::kComplexDouble:
      return {napi_float64_array, 2};
    case at::kChar:
      return {napi_int8_array, 1};
    case at::kByte:
    case at::kBool:
      return {napi_uint8_array, 1};
    case at::kShort:
      return {napi_int16_array, 1};
    case at::kInt:
      return {napi_int32_array, 1};
    case at::kLong:
      return {napi_bigint64_array, 1};
    case at::kUInt16:
    case at::kHalf:
    case at::kBFloat16:
      return {napi_uint16_array, 1};
    case at::kComplexHalf:
      return {napi_uint16_array, 2};
    case at::kUInt32:
      return {napi_uint32_array, 1};
    case at::kUInt64:
      return {napi_biguint64_array, 1};
    case at::kFloat8_e4m3fn:
    case at::kFloat8_e5m2:
    case at::kFloat8_e4m3fnuz:
    case at::kFloat8_e5m2fnuz:
    case at::kFloat8_e8m0fnu:
      return {napi_uint8_array, 1};
    default:
      throw CodedError("torch-argument", "toTypedArray: a tensor of dtype " + dtypeName(dtype) +
                                             " has no typed array; convert it first");
  }
}

Napi::Value typedArrayOver(Napi::Env env, const Form& form, size_t numel,
                           const Napi::ArrayBuffer& buffer) {
  napi_value array;
  if (napi_create_typedarray(env, form.type, numel * form.perElement, buffer, 0, &array) != napi_ok)
    throw Napi::Error::New(env);
  return {env, array};
}

void requireDense(const at::Tensor& tensor, const char* what) {
  if (tensor.layout() != at::kStrided)
    throw CodedError(
        "torch-argument",
        std::string(what) + ": expected a dense tensor, found a sparse one; to_dense() makes one");
}

std::vector<int64_t> shapeFrom(const Napi::Array& dims, double& numel) {
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < dims.Length(); ++i) {
    const double size = dims.Get(i).ToNumber().DoubleValue();
    if (!(size >= 0 && size == std::floor(size) && size < 9e15))
      throw CodedError("torch-argument", "fromTypedArray: a shape holds whole numbers from 0");
    shape.push_back(static_cast<int64_t>(size));
    numel *= size;
  }
  return shape;
}

}  // namespace

Napi::Value fromBuffer(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, "fromTypedArray", [&]() -> Napi::Value {
    if (!info[0].IsTypedArray() || !info[2].IsArray())
      throw CodedError("torch-argument",
                       "fromTypedArray: expected a typed array, a dtype and a shape");
    const auto array = info[0].As<Napi::TypedArray>();
    const auto dtype = dtypeFromName(info[1].ToString().Utf8Value());
    if (!dtype)
      throw CodedError("torch-argument",
                       "fromTypedArray: unknown dtype '" + info[1].ToString().Utf8Value() + "'");
    double numel = 1;
    const auto shape = shapeFrom(info[2].As<Napi::Array>(), numel);
    if (numel * static_cast<double>(c10::elementSize(*dtype)) !=
        static_cast<double>(array.ByteLength())) {
      throw CodedError("torch-argument", "fromTypedArray: the shape wants " +
                                             std::to_string(static_cast<int64_t>(numel)) +
                                             " elements of " + dtypeName(*dtype) +
                                             ", the array has " +
                                             std::to_string(array.ByteLength()) + " bytes");
    }
    const auto options = at::TensorOptions().dtype(*dtype);
    auto buffer = array.ArrayBuffer();
    auto* bytes = static_cast<uint8_t*>(buffer.Data()) + array.ByteOffset();
    if (info[3].ToBoolean() && array.ByteLength() > 0) {
      auto shared = Instance::of(env).sharedBuffers.add(env, buffer);
      return TensorWrap::wrap(
          env, at::from_blob(
                   bytes, shape, [shared = std::move(shared)](void*) { shared->storageGone(); },
                   options));
    }
    at::Tensor tensor = at::empty(shape, options);
    if (array.ByteLength() > 0) std::memcpy(tensor.mutable_data_ptr(), bytes, array.ByteLength());
    return TensorWrap::wrap(env, std::move(tensor));
  });
}

Napi::Value copyToTypedArray(Napi::Env env, const at::Tensor& tensor, bool raw) {
  requireDense(tensor, "toTypedArray");
  at::Tensor source = tensor.detach();
  const at::ScalarType dtype = source.scalar_type();
  if (!raw && at::isReducedFloatingType(dtype)) source = source.to(at::kFloat);
  if (!raw && dtype == at::kFloat8_e8m0fnu) source = source.to(at::kFloat);
  if (!raw && dtype == at::kComplexHalf) source = source.to(at::kComplexFloat);
  if (source._is_zerotensor())
    source = at::zeros(source.sizes(), source.options());  // it has no memory
  const at::Tensor data = source.to(at::kCPU).resolve_conj().resolve_neg().contiguous();
  const Form form = formOf(data.scalar_type());
  const size_t bytes = data.nbytes();
  auto buffer = Napi::ArrayBuffer::New(env, bytes);
  if (bytes > 0) std::memcpy(buffer.Data(), data.const_data_ptr(), bytes);
  return typedArrayOver(env, form, static_cast<size_t>(data.numel()), buffer);
}

Napi::Value viewAsTypedArray(Napi::Env env, const at::Tensor& tensor) {
  requireDense(tensor, "asTypedArray");
  const auto refuse = [](const std::string& found) {
    throw CodedError("torch-argument",
                     "asTypedArray: expected a row-major tensor on the CPU, found " + found +
                         "; toTypedArray() copies any");
  };
  if (!tensor.is_cpu()) refuse("one on " + tensor.device().str());
  if (tensor._is_zerotensor()) refuse("one without memory");
  if (!tensor.is_contiguous() || tensor.is_conj() || tensor.is_neg()) refuse("a strided view");
  const Form form = formOf(tensor.scalar_type());
  const size_t bytes = tensor.nbytes();
  if (bytes == 0) return typedArrayOver(env, form, 0, Napi::ArrayBuffer::New(env, 0));
  // An in-place resize would free the memory under the array.
  tensor.storage().unsafeGetStorageImpl()->set_resizable(false);
  auto owner = std::make_unique<c10::Storage>(tensor.storage());
  auto* data = static_cast<uint8_t*>(tensor.mutable_data_ptr());
  auto buffer = Napi::ArrayBuffer::New(
      env, data, bytes, [](Napi::BasicEnv, void*, c10::Storage* storage) { delete storage; },
      owner.get());
  (void)owner.release();
  return typedArrayOver(env, form, static_cast<size_t>(tensor.numel()), buffer);
}

}  // namespace sae_eval
