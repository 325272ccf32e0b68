#include "dispatch.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <vector>

#include "arguments.h"
#include "async_call.h"
#include "errors.h"
#include "instance.h"
#include "refused.h"

namespace sae_eval {

namespace {

using c10::Argument;
using c10::FunctionSchema;
using c10::IValue;

struct Overload {
  explicit Overload(const c10::OperatorHandle& given)
      : handle(given), refusal(refusalOf(given.operator_name())), written(given.schema()) {}

  c10::OperatorHandle handle;
  const Refusal* refusal;  // null for nearly all overloads
  WrittenResults written;
};

// The overloads of one operator, most general last.
struct Packet {
  std::string name;
  std::vector<Overload> overloads;
};

bool takesNames(const FunctionSchema& schema) {
  return schema.overload_name().find("names") != std::string::npos ||
         schema.overload_name().find("Dimname") != std::string::npos;
}

int rank(const c10::OperatorHandle& handle) {
  const FunctionSchema& schema = handle.schema();
  if (takesNames(schema)) return 4;
  for (const Argument& argument : schema.arguments())
    if (argument.is_out()) return 3;
  if (schema.overload_name().empty()) return 0;
  return schema.overload_name() == "Tensor" ? 1 : 2;
}

Packet lookUp(const std::string& qualified) {
  const std::string name =
      qualified.find("::") == std::string::npos ? "aten::" + qualified : qualified;
  const size_t dot = name.find('.');
  std::vector<c10::OperatorHandle> found;
  auto& dispatcher = c10::Dispatcher::singleton();
  if (dot != std::string::npos) {
    const std::string overload = name.substr(dot + 1);
    auto handle = dispatcher.findSchema({name.substr(0, dot), overload});
    // PyTorch's name for the overload without a name.
    if (!handle && overload == "default") handle = dispatcher.findSchema({name.substr(0, dot), ""});
    if (handle) found.push_back(*handle);
  } else {
    for (const c10::OperatorName& known : dispatcher.getAllOpNames()) {
      if (known.name != name) continue;
      if (const auto handle = dispatcher.findSchema(known)) found.push_back(*handle);
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
      const int ranks = rank(a) - rank(b);
      return ranks != 0 ? ranks < 0
                        : a.operator_name().overload_name < b.operator_name().overload_name;
    });
  }
  if (found.empty()) throw CodedError("torch-argument", "libtorch has no operator '" + name + "'");
  return {name, {found.begin(), found.end()}};
}

// A call whose arguments fit.
struct Bound {
  const Overload& overload;
  std::vector<IValue> stack;
};

using SharedPacket = std::shared_ptr<const Packet>;

const SharedPacket& packetOf(const Napi::CallbackInfo& info) {
  return *static_cast<SharedPacket*>(info.Data());
}

Bound bind(Napi::Env env, const Packet& packet, const Arguments& given) {
  std::vector<IValue> stack;
  for (const Overload& overload : packet.overloads) {
    if (!bindArguments(env, overload.handle.schema(), given, stack, nullptr)) continue;
    requireSafe(overload.refusal, stack);
    return {overload, std::move(stack)};
  }
  std::ostringstream message;
  message << packet.name << ": no overload fits the arguments.";
  size_t shown = 0;
  for (const Overload& overload : packet.overloads) {
    std::string why;
    bindArguments(env, overload.handle.schema(), given, stack, &why);
    if (shown++ < 6) message << "\n  " << overload.handle.schema() << ": " << why;
  }
  throw CodedError("torch-argument", message.str());
}

Napi::Value callWith(const Napi::CallbackInfo& info,
                     Arguments (*split)(const Napi::CallbackInfo&)) {
  Napi::Env env = info.Env();
  const Packet& packet = *packetOf(info);
  return guarded(env, packet.name.c_str(), [&]() -> Napi::Value {
    const Arguments given = split(info);
    Bound bound = bind(env, packet, given);
    const auto& [handle, refusal, written] = bound.overload;
    handle.callBoxed(&bound.stack);
    Instance::of(env).warnings.tell(env);
    return resultsToJs(env, handle.schema(), written.valuesOf(env, handle.schema(), given),
                       bound.stack);
  });
}

Arguments allArguments(const Napi::CallbackInfo& info) {
  return splitArguments(info);
}

Napi::Value call(const Napi::CallbackInfo& info) {
  return callWith(info, allArguments);
}

Napi::Value callMethod(const Napi::CallbackInfo& info) {
  return callWith(info, splitMethodArguments);
}

// Arguments that the call returns, kept while it runs.
using Held = std::vector<Napi::Reference<Napi::Value>>;

Held hold(const std::vector<Napi::Value>& values) {
  Held held;
  for (const Napi::Value& value : values)
    held.push_back(!value.IsEmpty() && value.IsObject()
                       ? Napi::Reference<Napi::Value>::New(value, 1)
                       : Napi::Reference<Napi::Value>());
  return held;
}

std::vector<Napi::Value> valuesOf(const Held& held) {
  std::vector<Napi::Value> values;
  for (const auto& reference : held)
    values.push_back(reference.IsEmpty() ? Napi::Value() : reference.Value());
  return values;
}

// Arguments are checked and converted on the calling thread, which throws their errors. Errors of
// the operator reject the promise.
Napi::Value callAsync(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const SharedPacket& packet = packetOf(info);
  return guarded(env, packet->name.c_str(), [&]() -> Napi::Value {
    const Arguments given = splitArguments(info);
    auto bound = std::make_shared<Bound>(bind(env, *packet, given));
    const c10::FunctionSchema& schema = bound->overload.handle.schema();
    auto held = std::make_shared<Held>(hold(bound->overload.written.valuesOf(env, schema, given)));
    // The copy keeps the inputs alive if their handles are disposed of, and releases them on this
    // thread.
    return startAsync(
        env, packet->name,
        [packet, bound, inputs = bound->stack] { bound->overload.handle.callBoxed(&bound->stack); },
        [bound, held](Napi::Env env) {
          return resultsToJs(env, bound->overload.handle.schema(), valuesOf(*held), bound->stack);
        });
  });
}

Napi::Function functionOver(Napi::Env env, const SharedPacket& packet,
                            Napi::Value (*body)(const Napi::CallbackInfo&)) {
  auto data = std::make_unique<SharedPacket>(packet);
  Napi::Function function = Napi::Function::New(env, body, packet->name.c_str(), data.get());
  function.AddFinalizer(
      [](Napi::BasicEnv, SharedPacket* owned) { std::unique_ptr<SharedPacket>{owned}; },
      data.release());
  return function;
}

}  // namespace

Napi::Value makeOperator(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, "operator", [&]() -> Napi::Value {
    if (info.Length() != 1 || !info[0].IsString())
      throw CodedError("torch-argument", "operator: expected a name such as 'aten::add'");
    const SharedPacket packet =
        std::make_shared<Packet>(lookUp(info[0].As<Napi::String>().Utf8Value()));
    Napi::Function function = functionOver(env, packet, call);
    function.Set("async", functionOver(env, packet, callAsync));
    return function;
  });
}

Napi::Value makeMethod(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, "method", [&]() -> Napi::Value {
    return functionOver(env, std::make_shared<Packet>(lookUp(info[0].ToString().Utf8Value())),
                        callMethod);
  });
}

Napi::Value operatorSchemas(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, "operatorSchemas", [&]() -> Napi::Value {
    auto& dispatcher = c10::Dispatcher::singleton();
    Napi::Array schemas = Napi::Array::New(env);
    uint32_t count = 0;
    for (const c10::OperatorName& name : dispatcher.getAllOpNames()) {
      const auto handle = dispatcher.findSchema(name);
      if (!handle) continue;
      std::ostringstream text;
      text << handle->schema();
      schemas.Set(count++, Napi::String::New(env, text.str()));
    }
    return schemas;
  });
}

}  // namespace sae_eval
