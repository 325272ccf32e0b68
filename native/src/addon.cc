// Entry of the addon: one instance per JavaScript thread.
#include <napi.h>

#include "autograd.h"
#include "cuda.h"
#include "dispatch.h"
#include "generator.h"
#include "instance.h"
#include "kernels/library.h"
#include "mapped_file.h"
#include "refused.h"
#include "runtime.h"
#include "scopes.h"
#include "script_module.h"
#include "tensor.h"

namespace sae_eval {

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  auto* instance = new Instance();
  env.SetInstanceData(instance);  // freed with the environment
  instance->tensorClass = Napi::Persistent(TensorWrap::define(env));
  instance->mappedFileClass = Napi::Persistent(MappedFile::define(env));
  exports.Set("Tensor", instance->tensorClass.Value());
  exports.Set("MappedFile", instance->mappedFileClass.Value());
  exports.Set("Generator", GeneratorWrap::define(env));
  exports.Set("ScriptModule", ScriptModuleWrap::define(env));
  exports.Set("operator", Napi::Function::New(env, makeOperator, "operator"));
  exports.Set("method", Napi::Function::New(env, makeMethod, "method"));
  exports.Set("operatorSchemas", Napi::Function::New(env, operatorSchemas, "operatorSchemas"));
  exports.Set("refusedCalls", Napi::Function::New(env, refusedCalls, "refusedCalls"));
  registerOperators();
  exportRuntime(env, exports);
  exportScopes(env, exports);
  exportAutograd(env, exports);
  exportCuda(env, exports);
  return exports;
}

NODE_API_MODULE(sae_eval, initialize)

}  // namespace sae_eval
