// Memory between typed arrays and tensors: copied either way, or shared.
#pragma once
#include <ATen/core/Tensor.h>
#include <napi.h>

#include <memory>
#include <vector>

namespace sae_eval {

struct SharedBuffer;

// The ArrayBuffers that tensors of this thread lie over. Destroyed with the environment, after
// which no reference is touched.
class SharedBuffers {
 public:
  ~SharedBuffers();
  std::shared_ptr<SharedBuffer> add(Napi::Env env, const Napi::ArrayBuffer& buffer);

 private:
  std::vector<std::shared_ptr<SharedBuffer>> buffers_;
};

// (typed array, dtype, shape, share): a tensor over a copy of the array's bytes, or over the bytes
// themselves.
Napi::Value fromBuffer(const Napi::CallbackInfo& info);

// A typed array with a copy of the elements, row-major; `raw` gives the bits of the 8 and 16 bit
// floats.
Napi::Value copyToTypedArray(Napi::Env env, const at::Tensor& tensor, bool raw);

// A typed array over the tensor's own memory, which it keeps alive. The storage can no longer be
// resized.
Napi::Value viewAsTypedArray(Napi::Env env, const at::Tensor& tensor);

}  // namespace sae_eval
