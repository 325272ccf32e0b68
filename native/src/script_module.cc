#include "script_module.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/csrc/jit/serialization/import.h>

#include <filesystem>
#include <optional>
#include <sstream>

#include "arguments.h"
#include "async_call.h"
#include "convert.h"
#include "dtype.h"
#include "errors.h"
#include "tensor.h"

namespace sae_eval {

namespace {

using torch::jit::Module;

Module load(const std::string& path, const std::optional<at::Device>& device) {
  if (!std::filesystem::exists(path))
    throw CodedError("file-not-found", "ScriptModule: " + path + " does not exist");
  // On CUDA the fuser compiles kernels for every new shape, and lengths of texts vary.
  torch::jit::setTensorExprFuserEnabled(false);
  try {
    return torch::jit::load(path, device, /*load_debug_files=*/false);
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const std::exception& error) {
    const std::string text = error.what();
    throw CodedError("checkpoint-format", "ScriptModule: " + path +
                                              " cannot be loaded as a file of torch.jit.save (" +
                                              text.substr(0, text.find('\n')) + ")");
  }
}

std::optional<at::Device> deviceOf(const Napi::Value& value) {
  if (value.IsUndefined() || value.IsNull()) return std::nullopt;
  const std::string name = value.ToString().Utf8Value();
  const auto device = deviceFromName(name);
  if (!device) throw CodedError("torch-argument", "ScriptModule: '" + name + "' is not a device");
  return device;
}

// A method's schema as callers see it, without the module itself.
c10::FunctionSchema callersSchema(const torch::jit::Function& function) {
  const auto& schema = function.getSchema();
  return schema.cloneWithArguments(
      std::vector<c10::Argument>(schema.arguments().begin() + 1, schema.arguments().end()));
}

struct MethodCall {
  std::shared_ptr<Module> module;
  torch::jit::Function* function;
  std::vector<c10::IValue> stack;
  c10::TypePtr returned;
};

torch::jit::Function& find(const Module& module, const Napi::Value& value) {
  const std::string name = value.ToString().Utf8Value();
  const auto method = module.find_method(name);
  if (!method)
    throw CodedError("torch-argument",
                     "ScriptModule: it has no method '" + name + "'; methods() lists those it has");
  return method->function();
}

// (method's name, arguments …)
MethodCall prepare(const Napi::CallbackInfo& info, const std::shared_ptr<Module>& module) {
  torch::jit::Function& function = find(*module, info[0]);
  const auto schema = callersSchema(function);
  MethodCall call{
      module, &function, {}, schema.returns().empty() ? nullptr : schema.returns()[0].real_type()};
  std::string why;
  if (!bindArguments(info.Env(), schema, splitArguments(info, 1), call.stack, &why)) {
    std::ostringstream message;
    message << "ScriptModule: the arguments do not fit.\n  " << schema << ": " << why;
    throw CodedError("torch-argument", message.str());
  }
  call.stack.insert(call.stack.begin(), module->_ivalue());
  return call;
}

Napi::Value finish(Napi::Env env, const MethodCall& call) {
  return toJs(env, call.stack.back(), call.returned);
}

template <class Named>
Napi::Value entries(Napi::Env env, const Named& named) {
  Napi::Array result = Napi::Array::New(env);
  for (const auto& each : named) {
    Napi::Array entry = Napi::Array::New(env, 2);
    entry.Set(0u, Napi::String::New(env, each.name));
    entry.Set(1u, TensorWrap::wrap(env, each.value));
    result.Set(result.Length(), entry);
  }
  return result;
}

}  // namespace

Napi::Function ScriptModuleWrap::define(Napi::Env env) {
  return DefineClass(env, "ScriptModule",
                     {
                         InstanceMethod<&ScriptModuleWrap::methods>("methods"),
                         InstanceMethod<&ScriptModuleWrap::schema>("schema"),
                         InstanceMethod<&ScriptModuleWrap::run>("run"),
                         InstanceMethod<&ScriptModuleWrap::runAsync>("runAsync"),
                         InstanceMethod<&ScriptModuleWrap::parameters>("parameters"),
                         InstanceMethod<&ScriptModuleWrap::buffers>("buffers"),
                         InstanceMethod<&ScriptModuleWrap::to>("to"),
                         InstanceMethod<&ScriptModuleWrap::train>("train"),
                         InstanceMethod<&ScriptModuleWrap::dispose>("dispose"),
                         InstanceMethod<&ScriptModuleWrap::disposed>("disposed"),
                     });
}

ScriptModuleWrap::ScriptModuleWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ScriptModuleWrap>(info) {
  guarded(info.Env(), "ScriptModule", [&] {
    if (!info[0].IsString())
      throw CodedError("torch-argument",
                       "ScriptModule: expected a path, found " + describe(info.Env(), info[0]));
    module_ =
        std::make_shared<Module>(load(info[0].As<Napi::String>().Utf8Value(), deviceOf(info[1])));
    report(info.Env());
  });
}

ScriptModuleWrap::~ScriptModuleWrap() = default;

void ScriptModuleWrap::Finalize(Napi::BasicEnv env) {
  module_.reset();
  report(env);
}

const std::shared_ptr<Module>& ScriptModuleWrap::module() const {
  if (!module_) throw CodedError("tensor-disposed", "the ScriptModule was disposed");
  return module_;
}

void ScriptModuleWrap::report(Napi::BasicEnv env) {
  int64_t bytes = 0;
  if (module_) {
    for (const at::Tensor& tensor : module_->parameters())
      bytes += static_cast<int64_t>(tensor.nbytes());
    for (const at::Tensor& tensor : module_->buffers())
      bytes += static_cast<int64_t>(tensor.nbytes());
  }
  if (bytes != reportedBytes_)
    Napi::MemoryManagement::AdjustExternalMemory(env, bytes - reportedBytes_);
  reportedBytes_ = bytes;
}

Napi::Value ScriptModuleWrap::dispose(const Napi::CallbackInfo& info) {
  module_.reset();
  report(info.Env());
  return info.Env().Undefined();
}

Napi::Value ScriptModuleWrap::disposed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), module_ == nullptr);
}

Napi::Value ScriptModuleWrap::methods(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "ScriptModule", [&]() -> Napi::Value {
    Napi::Array names = Napi::Array::New(info.Env());
    for (const auto& method : module()->get_methods()) names.Set(names.Length(), method.name());
    return names;
  });
}

Napi::Value ScriptModuleWrap::schema(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "ScriptModule", [&]() -> Napi::Value {
    std::ostringstream text;
    text << callersSchema(find(*module(), info[0]));
    return Napi::String::New(info.Env(), text.str());
  });
}

Napi::Value ScriptModuleWrap::run(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "ScriptModule", [&]() -> Napi::Value {
    MethodCall call = prepare(info, module());
    call.function->run(call.stack);
    Instance::of(info.Env()).warnings.tell(info.Env());
    return finish(info.Env(), call);
  });
}

Napi::Value ScriptModuleWrap::runAsync(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "ScriptModule", [&]() -> Napi::Value {
    auto call = std::make_shared<MethodCall>(prepare(info, module()));
    return startAsync(
        info.Env(), "ScriptModule",
        [call, inputs = call->stack] { call->function->run(call->stack); },
        [call](Napi::Env env) { return finish(env, *call); });
  });
}

Napi::Value ScriptModuleWrap::parameters(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "ScriptModule", [&]() -> Napi::Value {
    return entries(info.Env(), module()->named_parameters());
  });
}

Napi::Value ScriptModuleWrap::buffers(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "ScriptModule",
                 [&]() -> Napi::Value { return entries(info.Env(), module()->named_buffers()); });
}

// (device or undefined, dtype or undefined, nonBlocking)
Napi::Value ScriptModuleWrap::to(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "ScriptModule", [&]() -> Napi::Value {
    const auto device = deviceOf(info[0]);
    std::optional<at::ScalarType> dtype;
    if (info[1].IsString()) {
      dtype = dtypeFromName(info[1].As<Napi::String>().Utf8Value());
      if (!dtype)
        throw CodedError("torch-argument", "ScriptModule: unknown dtype '" +
                                               info[1].As<Napi::String>().Utf8Value() + "'");
    }
    const bool nonBlocking = info[2].ToBoolean();
    if (device && dtype)
      module()->to(*device, *dtype, nonBlocking);
    else if (device)
      module()->to(*device, nonBlocking);
    else if (dtype)
      module()->to(*dtype, nonBlocking);
    report(info.Env());
    return info.This();
  });
}

Napi::Value ScriptModuleWrap::train(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "ScriptModule", [&]() -> Napi::Value {
    module()->train(info[0].ToBoolean());
    return info.This();
  });
}

}  // namespace sae_eval
