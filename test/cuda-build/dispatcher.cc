// An addon of Node that asks libtorch's dispatcher: kernelFor("aten::add.Tensor") gives "cuda" if
// the operator has a kernel for CUDA devices, "composite" if it is composed of operators for any
// device, "none" if a CUDA device would refuse it, and "unknown" if there is no such operator. It
// is loaded after the project's addon, whose operators it then knows.
#include <ATen/core/dispatch/Dispatcher.h>
#include <node_api.h>

#include <string>

namespace {

const char* kernelFor(const std::string& fullName) {
  const size_t point = fullName.find('.');
  const std::string overload = point == std::string::npos ? "" : fullName.substr(point + 1);
  const auto found = c10::Dispatcher::singleton().findSchema({fullName.substr(0, point), overload});
  if (!found) return "unknown";
  if (found->hasKernelForDispatchKey(c10::DispatchKey::CUDA)) return "cuda";
  return found->hasComputedKernelForDispatchKey(c10::DispatchKey::CUDA) ? "composite" : "none";
}

napi_value kernelForToJs(napi_env env, napi_callback_info info) {
  napi_value argument;
  size_t count = 1, length = 0;
  char name[256] = "";
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  napi_get_value_string_utf8(env, argument, name, sizeof name, &length);
  napi_value result;
  napi_create_string_utf8(env, kernelFor(name), NAPI_AUTO_LENGTH, &result);
  return result;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "kernelFor", NAPI_AUTO_LENGTH, &kernelForToJs, nullptr, &function);
  napi_set_named_property(env, exports, "kernelFor", function);
  return exports;
}
