#include "dispatch.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <vector>

#include "convert.h"
#include "errors.h"
#include "generator.h"
#include "refused.h"
#include "tensor.h"

namespace sae_eval {

namespace {

using c10::Argument;
using c10::FunctionSchema;
using c10::IValue;

// The overloads of one operator, most general last.
struct Packet {
  std::string name;
  std::vector<c10::OperatorHandle> overloads;
  std::vector<const Refusal*> refusals;  // one for each overload, null for nearly all
};

struct Arguments {
  std::vector<Napi::Value> positional;
  Napi::Object named;  // empty where none were given
};

bool takesNames(const FunctionSchema& schema) {
  return schema.overload_name().find("names") != std::string::npos || schema.overload_name().find("Dimname") != std::string::npos;
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
  const std::string name = qualified.find("::") == std::string::npos ? "aten::" + qualified : qualified;
  const size_t dot = name.find('.');
  Packet packet{name, {}, {}};
  auto& dispatcher = c10::Dispatcher::singleton();
  if (dot != std::string::npos) {
    const std::string overload = name.substr(dot + 1);
    auto handle = dispatcher.findSchema({name.substr(0, dot), overload});
    // PyTorch's name for the overload that has none.
    if (!handle && overload == "default") handle = dispatcher.findSchema({name.substr(0, dot), ""});
    if (handle) packet.overloads.push_back(*handle);
  } else {
    for (const c10::OperatorName& known : dispatcher.getAllOpNames()) {
      if (known.name != name) continue;
      if (const auto handle = dispatcher.findSchema(known)) packet.overloads.push_back(*handle);
    }
    std::sort(packet.overloads.begin(), packet.overloads.end(), [](const auto& a, const auto& b) {
      const int ranks = rank(a) - rank(b);
      return ranks != 0 ? ranks < 0 : a.operator_name().overload_name < b.operator_name().overload_name;
    });
  }
  if (packet.overloads.empty()) throw CodedError("torch-argument", "libtorch has no operator '" + name + "'");
  for (const c10::OperatorHandle& handle : packet.overloads) packet.refusals.push_back(refusalOf(handle.operator_name()));
  return packet;
}

bool isNamedArguments(Napi::Env env, const Napi::Value& value) {
  return value.IsObject() && !value.IsArray() && !value.IsTypedArray() && !value.IsFunction() && !TensorWrap::isTensor(env, value) &&
         !GeneratorWrap::isGenerator(value) && !isComplex(value);
}

Arguments split(const Napi::CallbackInfo& info) {
  Arguments arguments;
  size_t count = info.Length();
  if (count > 0 && isNamedArguments(info.Env(), info[count - 1])) arguments.named = info[--count].As<Napi::Object>();
  arguments.positional.reserve(count);
  for (size_t i = 0; i < count; ++i) arguments.positional.push_back(info[i]);
  while (!arguments.positional.empty() && arguments.positional.back().IsUndefined()) arguments.positional.pop_back();
  return arguments;
}

// Fills `stack` by the schema; where something does not fit, says what and returns false.
bool bindArguments(Napi::Env env, const FunctionSchema& schema, const Arguments& given, std::vector<IValue>& stack, std::string* why) {
  const auto& wanted = schema.arguments();
  size_t positionals = 0;
  while (positionals < wanted.size() && !wanted[positionals].kwarg_only()) ++positionals;
  if (given.positional.size() > positionals) {
    if (why) *why = "expected at most " + std::to_string(positionals) + " positional arguments, found " + std::to_string(given.positional.size());
    return false;
  }
  size_t namedUsed = 0;
  stack.clear();
  stack.reserve(wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Argument& argument = wanted[i];
    Napi::Value value = env.Undefined();
    if (i < given.positional.size()) {
      value = given.positional[i];
    } else if (!given.named.IsEmpty() && given.named.Has(argument.name())) {
      value = given.named.Get(argument.name());
      ++namedUsed;
    }
    if (value.IsUndefined()) {
      if (argument.default_value()) {
        stack.push_back(*argument.default_value());
      } else if (argument.real_type()->kind() == c10::TypeKind::OptionalType) {
        stack.emplace_back();
      } else {
        if (why) *why = "argument '" + argument.name() + "': expected " + expectedFor(argument) + ", found nothing";
        return false;
      }
      continue;
    }
    auto converted = fromJs(env, value, argument);
    if (!converted) {
      if (why) *why = "argument '" + argument.name() + "': expected " + expectedFor(argument) + ", found " + describe(env, value);
      return false;
    }
    stack.push_back(std::move(*converted));
  }
  if (!given.named.IsEmpty()) {
    const Napi::Array names = given.named.GetPropertyNames();
    if (names.Length() != namedUsed) {
      if (why) {
        for (uint32_t n = 0; n < names.Length(); ++n) {
          const std::string name = names.Get(n).ToString().Utf8Value();
          const auto known = schema.argumentIndexWithName(name);
          if (!known) *why = "there is no argument named '" + name + "'";
          else if (*known < static_cast<int>(given.positional.size())) *why = "argument '" + name + "' is given twice";
        }
      }
      return false;
    }
  }
  return true;
}

// The JavaScript value given for the argument that a result aliases (in-place and out= operators), if there is one.
std::optional<Napi::Value> aliasedArgument(const FunctionSchema& schema, const Argument& result, const Arguments& given) {
  const auto* alias = result.alias_info();
  if (alias == nullptr || !alias->isWrite()) return std::nullopt;
  const auto& wanted = schema.arguments();
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto* other = wanted[i].alias_info();
    if (other == nullptr || !other->isWrite() || other->beforeSets() != alias->beforeSets()) continue;
    if (i < given.positional.size()) return given.positional[i];
    if (!given.named.IsEmpty() && given.named.Has(wanted[i].name())) return given.named.Get(wanted[i].name());
  }
  return std::nullopt;
}

Napi::Value results(Napi::Env env, const FunctionSchema& schema, const Arguments& given, const std::vector<IValue>& stack) {
  const auto& returns = schema.returns();
  const auto one = [&](size_t i) -> Napi::Value {
    if (auto same = aliasedArgument(schema, returns[i], given)) return *same;
    return toJs(env, stack[i], returns[i].real_type());
  };
  if (stack.empty()) return env.Undefined();
  if (stack.size() == 1) return one(0);
  Napi::Array array = Napi::Array::New(env, stack.size());
  for (size_t i = 0; i < stack.size(); ++i) array.Set(static_cast<uint32_t>(i), one(i));
  return array;
}

Napi::Value call(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const Packet& packet = *static_cast<Packet*>(info.Data());
  return guarded(env, packet.name.c_str(), [&]() -> Napi::Value {
    const Arguments given = split(info);
    std::vector<IValue> stack;
    for (size_t i = 0; i < packet.overloads.size(); ++i) {
      const c10::OperatorHandle& handle = packet.overloads[i];
      if (!bindArguments(env, handle.schema(), given, stack, nullptr)) continue;
      requireSafe(packet.refusals[i], stack);
      handle.callBoxed(&stack);
      return results(env, handle.schema(), given, stack);
    }
    std::ostringstream message;
    message << packet.name << ": no overload fits the arguments.";
    size_t shown = 0;
    for (const c10::OperatorHandle& handle : packet.overloads) {
      std::string why;
      bindArguments(env, handle.schema(), given, stack, &why);
      if (shown++ < 6) message << "\n  " << handle.schema() << ": " << why;
    }
    throw CodedError("torch-argument", message.str());
  });
}

}  // namespace

Napi::Value makeOperator(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, "operator", [&]() -> Napi::Value {
    if (info.Length() != 1 || !info[0].IsString()) throw CodedError("torch-argument", "operator: expected a name such as 'aten::add'");
    auto packet = std::make_unique<Packet>(lookUp(info[0].As<Napi::String>().Utf8Value()));
    Napi::Function function = Napi::Function::New<call>(env, packet->name.c_str(), packet.get());
    function.AddFinalizer([](Napi::BasicEnv, Packet* owned) { std::unique_ptr<Packet>{owned}; }, packet.release());
    return function;
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
