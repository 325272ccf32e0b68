#include "arguments.h"

#include "convert.h"
#include "generator.h"
#include "tensor.h"

namespace sae_eval {

using c10::Argument;
using c10::FunctionSchema;
using c10::IValue;

namespace {

bool isNamedArguments(Napi::Env env, const Napi::Value& value) {
  return value.IsObject() && !value.IsArray() && !value.IsTypedArray() && !value.IsFunction() && !TensorWrap::isTensor(env, value) &&
         !GeneratorWrap::isGenerator(value) && !isComplex(value);
}

}  // namespace

Arguments splitArguments(const Napi::CallbackInfo& info, size_t first) {
  Arguments arguments;
  size_t count = info.Length();
  if (count > first && isNamedArguments(info.Env(), info[count - 1]) && (first == 0 || !isMap(info.Env(), info[count - 1]))) arguments.named = info[--count].As<Napi::Object>();
  arguments.positional.reserve(count);
  for (size_t i = first; i < count; ++i) arguments.positional.push_back(info[i]);
  while (!arguments.positional.empty() && arguments.positional.back().IsUndefined()) arguments.positional.pop_back();
  return arguments;
}

Napi::Reference<Napi::Array> holdArguments(Napi::Env env, const Arguments& given) {
  Napi::Array values = Napi::Array::New(env, given.positional.size() + 1);
  for (size_t i = 0; i < given.positional.size(); ++i) values.Set(static_cast<uint32_t>(i + 1), given.positional[i]);
  if (!given.named.IsEmpty()) values.Set(0u, given.named);
  return Napi::Persistent(values);
}

Arguments heldArguments(const Napi::Reference<Napi::Array>& held) {
  const Napi::Array values = held.Value();
  Arguments arguments;
  for (uint32_t i = 1; i < values.Length(); ++i) arguments.positional.push_back(values.Get(i));
  if (values.Get(0u).IsObject()) arguments.named = values.Get(0u).As<Napi::Object>();
  return arguments;
}

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

namespace {

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

}  // namespace

Napi::Value resultsToJs(Napi::Env env, const FunctionSchema& schema, const Arguments& given, const std::vector<IValue>& stack) {
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

}  // namespace sae_eval
