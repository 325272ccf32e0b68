#include "generator.h"

#include <ATen/Context.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "convert.h"
#include "dtype.h"
#include "errors.h"
#include "tensor.h"

namespace sae_eval {

namespace {

constexpr napi_type_tag generatorTag{0x5ae0e7a1c0de4d12ULL, 0x4e1d0b8c7a695f31ULL};

at::Generator newGenerator(const at::Device& device) {
  if (device.is_cpu()) return at::detail::createCPUGenerator();
  return at::globalContext()
      .getAcceleratorHooksInterface(device.type())
      .getNewGenerator(device.index());
}

}  // namespace

uint64_t seedFrom(Napi::Env env, const Napi::Value& value, const char* what) {
  if (value.IsBigInt()) {
    bool lossless = false;
    const uint64_t seed = value.As<Napi::BigInt>().Uint64Value(&lossless);
    if (lossless) return seed;
  } else if (value.IsNumber()) {
    const double seed = value.As<Napi::Number>().DoubleValue();
    if (seed >= 0 && seed <= 9007199254740991.0 && std::floor(seed) == seed)
      return static_cast<uint64_t>(seed);
  }
  throw CodedError("torch-argument",
                   std::string(what) +
                       ": argument 'seed': expected a whole number from 0 to 2^64 - 1, found " +
                       describe(env, value));
}

Napi::Function GeneratorWrap::define(Napi::Env env) {
  const Napi::Function generatorClass = DefineClass(
      env, "Generator",
      {
          InstanceMethod<&GeneratorWrap::manualSeed>("manualSeed", napi_default_method),
          InstanceMethod<&GeneratorWrap::initialSeed>("initialSeed", napi_default_method),
          InstanceMethod<&GeneratorWrap::getState>("getState", napi_default_method),
          InstanceMethod<&GeneratorWrap::setState>("setState", napi_default_method),
      });
  // Unlike methods, getters can be called on any object: they check the type themselves.
  generatorClass.Get("prototype")
      .As<Napi::Object>()
      .DefineProperty(Napi::PropertyDescriptor::Accessor<device>("device"));
  return generatorClass;
}

GeneratorWrap::GeneratorWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<GeneratorWrap>(info) {
  guarded(info.Env(), "Generator", [&] {
    const std::string name = info[0].IsUndefined() ? "cpu" : info[0].ToString().Utf8Value();
    const auto device = deviceFromName(name);
    if (!device)
      throw CodedError(
          "torch-argument",
          "Generator: argument 'device': expected a device such as 'cpu' or 'cuda:0', found '" +
              name + "'");
    generator_ = newGenerator(*device);
    info.This().As<Napi::Object>().TypeTag(&generatorTag);
  });
}

bool GeneratorWrap::isGenerator(const Napi::Value& value) {
  return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&generatorTag);
}

const at::Generator& GeneratorWrap::unwrap(const Napi::Value& value) {
  return Unwrap(value.As<Napi::Object>())->generator_;
}

Napi::Value GeneratorWrap::device(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "Generator", [&]() -> Napi::Value {
    if (!isGenerator(info.This()))
      throw CodedError("torch-argument",
                       "Generator: 'device' is a property of a Generator, found " +
                           describe(info.Env(), info.This()));
    return Napi::String::New(info.Env(), unwrap(info.This()).device().str());
  });
}

Napi::Value GeneratorWrap::manualSeed(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "manualSeed", [&]() -> Napi::Value {
    const uint64_t seed = seedFrom(info.Env(), info[0], "Generator");
    const std::lock_guard<std::mutex> lock(generator_.mutex());
    generator_.set_current_seed(seed);
    return info.This();
  });
}

Napi::Value GeneratorWrap::initialSeed(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "initialSeed", [&]() -> Napi::Value {
    return Napi::BigInt::New(info.Env(), generator_.current_seed());
  });
}

Napi::Value GeneratorWrap::getState(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "getState", [&]() -> Napi::Value {
    const std::lock_guard<std::mutex> lock(generator_.mutex());
    return TensorWrap::wrap(info.Env(), generator_.get_state());
  });
}

Napi::Value GeneratorWrap::setState(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "setState", [&]() -> Napi::Value {
    if (!TensorWrap::isTensor(info.Env(), info[0]))
      throw CodedError("torch-argument",
                       "Generator: argument 'state': expected a Tensor of getState(), found " +
                           describe(info.Env(), info[0]));
    const std::lock_guard<std::mutex> lock(generator_.mutex());
    generator_.set_state(TensorWrap::unwrap(info.Env(), info[0]));
    return info.This();
  });
}

}  // namespace sae_eval
