#include "arguments.h"

#include <algorithm>

#include "convert.h"
#include "generator.h"
#include "tensor.h"

namespace sae_eval {

using c10::Argument;
using c10::FunctionSchema;
using c10::IValue;
using c10::TypeKind;

namespace {

bool isNamedArguments(Napi::Env env, const Given& given) {
  const Napi::Value& value = given.value;
  return !given.tensor.defined() && value.IsObject() && !value.IsArray() && !value.IsTypedArray() &&
         !value.IsFunction() && !TensorWrap::isTensor(env, value) &&
         !GeneratorWrap::isGenerator(value) && !isComplex(value);
}

void takeNamed(Napi::Env env, const Napi::Object& object, Arguments& arguments) {
  const Napi::Array names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const Napi::Value name = names.Get(i);
    arguments.named.push_back({name.ToString().Utf8Value(), Given(env, object.Get(name))});
  }
}

// Trailing undefined values count as not given.
Arguments split(const Napi::CallbackInfo& info, Arguments arguments, size_t first) {
  const Napi::Env env = info.Env();
  for (size_t i = first; i < info.Length(); ++i) arguments.positional.emplace_back(env, info[i]);
  if (info.Length() > first && isNamedArguments(env, arguments.positional.back()) &&
      (first == 0 || !isMap(env, arguments.positional.back().value))) {
    const Given last = arguments.positional.pop_back_val();
    takeNamed(env, last.value.As<Napi::Object>(), arguments);
  }
  while (!arguments.positional.empty() && arguments.positional.back().value.IsUndefined())
    arguments.positional.pop_back();
  return arguments;
}

std::optional<IValue> converted(Napi::Env env, const Given& given, const Argument& argument) {
  if (!given.tensor.defined()) return fromJs(env, given.value, argument);
  c10::TypePtr type = argument.real_type();
  if (type->kind() == TypeKind::OptionalType)
    type = type->castRaw<c10::OptionalType>()->getElementType();
  if (type->kind() == TypeKind::TensorType) return IValue(given.tensor);
  if (type->kind() == TypeKind::StorageType) return IValue(given.tensor.storage());
  return std::nullopt;
}

const Given* givenFor(const Arguments& given, size_t position, const std::string& name) {
  if (position < given.positional.size()) return &given.positional[position];
  for (const Arguments::Named& named : given.named)
    if (named.name == name) return &named.given;
  return nullptr;
}

// Message about a named argument that does not fit; empty if all fit.
std::string misfitName(const FunctionSchema& schema, const Arguments& given) {
  for (const Arguments::Named& named : given.named) {
    const auto known = schema.argumentIndexWithName(named.name);
    if (!known) return "there is no argument named '" + named.name + "'";
    if (*known < static_cast<int>(given.positional.size()))
      return "argument '" + named.name + "' is given twice";
  }
  return "";
}

}  // namespace

Given::Given(Napi::Env env, Napi::Value given) : value(given) {
  const Slot* slot = value.IsObject() ? TensorWrap::find(env, value) : nullptr;
  if (slot != nullptr) tensor = slot->tensor;
}

Arguments splitArguments(const Napi::CallbackInfo& info, size_t first) {
  return split(info, {}, first);
}

Arguments splitMethodArguments(const Napi::CallbackInfo& info) {
  Arguments arguments;
  arguments.positional.emplace_back(info.Env(), info.This());
  return split(info, std::move(arguments), 0);
}

bool bindArguments(Napi::Env env, const FunctionSchema& schema, const Arguments& given,
                   std::vector<IValue>& stack, std::string* why) {
  const auto& wanted = schema.arguments();
  size_t positionals = 0;
  while (positionals < wanted.size() && !wanted[positionals].kwarg_only()) ++positionals;
  if (given.positional.size() > positionals) {
    if (why)
      *why = "expected at most " + std::to_string(positionals) + " positional arguments, found " +
             std::to_string(given.positional.size());
    return false;
  }
  size_t namedUsed = 0;
  stack.clear();
  stack.reserve(wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Argument& argument = wanted[i];
    const Given* found = givenFor(given, i, argument.name());
    if (found != nullptr && i >= given.positional.size()) ++namedUsed;
    if (found == nullptr || found->value.IsUndefined()) {
      if (argument.default_value()) {
        stack.push_back(*argument.default_value());
      } else if (argument.real_type()->kind() == TypeKind::OptionalType) {
        stack.emplace_back();
      } else {
        if (why)
          *why = "argument '" + argument.name() + "': expected " + expectedFor(argument) +
                 ", found nothing";
        return false;
      }
      continue;
    }
    auto value = converted(env, *found, argument);
    if (!value) {
      if (why)
        *why = "argument '" + argument.name() + "': expected " + expectedFor(argument) +
               ", found " + describe(env, found->value);
      return false;
    }
    stack.push_back(std::move(*value));
  }
  if (given.named.size() == namedUsed) return true;
  if (why) *why = misfitName(schema, given);
  return false;
}

WrittenResults::WrittenResults(const FunctionSchema& schema) {
  const auto& wanted = schema.arguments();
  for (const Argument& result : schema.returns()) {
    const auto* alias = result.alias_info();
    if (alias == nullptr || !alias->isWrite()) continue;
    arguments_.resize(schema.returns().size());
    const auto same = std::find_if(wanted.begin(), wanted.end(), [&](const Argument& argument) {
      return argument.alias_info() != nullptr && argument.alias_info()->isWrite() &&
             argument.alias_info()->beforeSets() == alias->beforeSets();
    });
    if (same != wanted.end())
      arguments_[static_cast<size_t>(&result - schema.returns().data())] =
          static_cast<size_t>(same - wanted.begin());
  }
}

std::vector<Napi::Value> WrittenResults::valuesOf(Napi::Env env, const FunctionSchema& schema,
                                                  const Arguments& given) const {
  std::vector<Napi::Value> values(arguments_.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto argument = arguments_[i];
    const Given* found =
        argument ? givenFor(given, *argument, schema.arguments()[*argument].name()) : nullptr;
    if (found != nullptr) values[i] = found->value;
  }
  return values;
}

Napi::Value resultsToJs(Napi::Env env, const FunctionSchema& schema,
                        const std::vector<Napi::Value>& written, const std::vector<IValue>& stack) {
  const auto& returns = schema.returns();
  const auto one = [&](size_t i) -> Napi::Value {
    if (i < written.size() && !written[i].IsEmpty()) return written[i];
    return toJs(env, stack[i], returns[i].real_type());
  };
  if (stack.empty()) return env.Undefined();
  if (stack.size() == 1) return one(0);
  Napi::Array array = Napi::Array::New(env, stack.size());
  for (size_t i = 0; i < stack.size(); ++i) array.Set(static_cast<uint32_t>(i), one(i));
  return array;
}

}  // namespace sae_eval
