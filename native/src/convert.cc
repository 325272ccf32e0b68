#include "convert.h"

#include <ATen/core/jit_type.h>
#include <ATen/core/List.h>

#include <cmath>
#include <sstream>

#include "dtype.h"
#include "generator.h"
#include "tensor.h"

namespace sae_eval {

namespace {

using c10::IValue;
using c10::TypeKind;

constexpr double maxSafeInteger = 9007199254740991.0;

std::optional<int64_t> asInt(const Napi::Value& value) {
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (std::trunc(number) != number || std::abs(number) > maxSafeInteger) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.IsBigInt()) {
    bool lossless = false;
    const int64_t number = value.As<Napi::BigInt>().Int64Value(&lossless);
    if (lossless) return number;
  }
  return std::nullopt;
}

std::optional<at::Scalar> asScalar(const Napi::Value& value) {
  if (value.IsBoolean()) return at::Scalar(value.As<Napi::Boolean>().Value());
  if (const auto integer = asInt(value)) return at::Scalar(*integer);
  if (value.IsBigInt()) {
    bool lossless = false;
    const uint64_t large = value.As<Napi::BigInt>().Uint64Value(&lossless);
    if (lossless) return at::Scalar(large);
  }
  if (value.IsNumber()) return at::Scalar(value.As<Napi::Number>().DoubleValue());
  if (isComplex(value)) {
    const Napi::Object pair = value.As<Napi::Object>();
    return at::Scalar(c10::complex<double>(pair.Get("re").ToNumber().DoubleValue(),
                                           pair.Get("im").ToNumber().DoubleValue()));
  }
  return std::nullopt;
}

uint32_t lengthOf(const Napi::Value& list) {
  return list.IsArray() ? list.As<Napi::Array>().Length()
                        : static_cast<uint32_t>(list.As<Napi::TypedArray>().ElementLength());
}

template <class T>
std::optional<IValue> optionalValue(const std::optional<T>& value) {
  if (!value) return std::nullopt;
  return IValue(*value);
}

std::optional<IValue> convert(Napi::Env env, const Napi::Value& value, const c10::TypePtr& type,
                              std::optional<int32_t> broadcast);

std::optional<IValue> convertList(Napi::Env env, const Napi::Value& value,
                                  const c10::TypePtr& element, std::optional<int32_t> broadcast) {
  c10::impl::GenericList list(
      element->kind() == TypeKind::SymIntType ? c10::TypePtr(c10::IntType::get()) : element);
  if (!value.IsArray() && !value.IsTypedArray()) {
    // `int[2] kernel_size` takes a single number for all its entries.
    if (!broadcast || element->kind() == TypeKind::TensorType) return std::nullopt;
    const auto single = convert(env, value, element, std::nullopt);
    if (!single) return std::nullopt;
    for (int32_t i = 0; i < *broadcast; ++i) list.push_back(*single);
    return IValue(std::move(list));
  }
  const Napi::Object array = value.As<Napi::Object>();
  const uint32_t length = lengthOf(value);
  list.reserve(length);
  for (uint32_t i = 0; i < length; ++i) {
    auto item = convert(env, array.Get(i), element, std::nullopt);
    if (!item) return std::nullopt;
    list.push_back(std::move(*item));
  }
  return IValue(std::move(list));
}

// TorchScript's dictionaries are Maps: plain objects have only string keys, and stand for named
// arguments.
std::optional<IValue> convertDict(Napi::Env env, const Napi::Value& value,
                                  const c10::DictType& type) {
  if (!isMap(env, value)) return std::nullopt;
  c10::impl::GenericDict dict(type.getKeyType(), type.getValueType());
  const Napi::Array entries = env.Global()
                                  .Get("Array")
                                  .As<Napi::Object>()
                                  .Get("from")
                                  .As<Napi::Function>()
                                  .Call({value})
                                  .As<Napi::Array>();
  for (uint32_t i = 0; i < entries.Length(); ++i) {
    const Napi::Array entry = entries.Get(i).As<Napi::Array>();
    auto key = convert(env, entry.Get(0u), type.getKeyType(), std::nullopt);
    auto item = convert(env, entry.Get(1u), type.getValueType(), std::nullopt);
    if (!key || !item) return std::nullopt;
    dict.insert_or_assign(std::move(*key), std::move(*item));
  }
  return IValue(std::move(dict));
}

std::optional<IValue> convertTuple(Napi::Env env, const Napi::Value& value,
                                   const c10::TupleTypePtr& type) {
  const auto elements = type->elements();
  if (!value.IsArray() || value.As<Napi::Array>().Length() != elements.size()) return std::nullopt;
  std::vector<IValue> items;
  for (size_t i = 0; i < elements.size(); ++i) {
    auto item = convert(env, value.As<Napi::Array>().Get(static_cast<uint32_t>(i)), elements[i],
                        std::nullopt);
    if (!item) return std::nullopt;
    items.push_back(std::move(*item));
  }
  return IValue(type->schema() ? c10::ivalue::Tuple::createNamed(std::move(items), type)
                               : c10::ivalue::Tuple::create(std::move(items)));
}

std::optional<IValue> convert(Napi::Env env, const Napi::Value& value, const c10::TypePtr& type,
                              std::optional<int32_t> broadcast) {
  switch (type->kind()) {
    case TypeKind::TensorType:
      if (!TensorWrap::isTensor(env, value)) return std::nullopt;
      return IValue(TensorWrap::unwrap(env, value));
    case TypeKind::OptionalType:
      if (value.IsNull() || value.IsUndefined()) return IValue();
      return convert(env, value, type->castRaw<c10::OptionalType>()->getElementType(), broadcast);
    case TypeKind::ListType:
      return convertList(env, value, type->castRaw<c10::ListType>()->getElementType(), broadcast);
    case TypeKind::DictType:
      return convertDict(env, value, type->expectRef<c10::DictType>());
    case TypeKind::TupleType:
      return convertTuple(env, value, type->expect<c10::TupleType>());
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      return optionalValue(asInt(value));
    case TypeKind::FloatType:
      if (!value.IsNumber()) return std::nullopt;
      return IValue(value.As<Napi::Number>().DoubleValue());
    case TypeKind::BoolType:
    case TypeKind::SymBoolType:
      if (!value.IsBoolean()) return std::nullopt;
      return IValue(value.As<Napi::Boolean>().Value());
    case TypeKind::NumberType: {
      const auto scalar = asScalar(value);
      if (!scalar) return std::nullopt;
      return IValue(*scalar);
    }
    case TypeKind::StringType:
      if (!value.IsString()) return std::nullopt;
      return IValue(value.As<Napi::String>().Utf8Value());
    case TypeKind::DeviceObjType:
      if (!value.IsString()) return std::nullopt;
      return optionalValue(deviceFromName(value.As<Napi::String>().Utf8Value()));
    case TypeKind::ScalarTypeType:
      if (!value.IsString()) return std::nullopt;
      return optionalValue(dtypeFromName(value.As<Napi::String>().Utf8Value()));
    case TypeKind::LayoutType:
      if (!value.IsString()) return std::nullopt;
      return optionalValue(layoutFromName(value.As<Napi::String>().Utf8Value()));
    case TypeKind::MemoryFormatType:
      if (!value.IsString()) return std::nullopt;
      return optionalValue(memoryFormatFromName(value.As<Napi::String>().Utf8Value()));
    case TypeKind::GeneratorType:
      if (!GeneratorWrap::isGenerator(value)) return std::nullopt;
      return IValue(GeneratorWrap::unwrap(value));
    case TypeKind::StorageType:  // JavaScript has no storages, only tensors
      if (!TensorWrap::isTensor(env, value)) return std::nullopt;
      return IValue(TensorWrap::unwrap(env, value).storage());
    default:
      return std::nullopt;
  }
}

std::string plural(const c10::TypePtr& element) {
  switch (element->kind()) {
    case TypeKind::TensorType:
      return "Tensors";
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      return "whole numbers";
    case TypeKind::FloatType:
      return "numbers";
    case TypeKind::BoolType:
      return "booleans";
    case TypeKind::NumberType:
      return "scalars";
    case TypeKind::OptionalType:
      return plural(element->castRaw<c10::OptionalType>()->getElementType()) + " or nulls";
    default:
      return element->str();
  }
}

std::string expectedOf(const c10::TypePtr& type, std::optional<int32_t> broadcast) {
  switch (type->kind()) {
    case TypeKind::TensorType:
      return "a Tensor";
    case TypeKind::OptionalType:
      return expectedOf(type->castRaw<c10::OptionalType>()->getElementType(), broadcast) +
             " or null";
    case TypeKind::ListType: {
      const auto element = type->castRaw<c10::ListType>()->getElementType();
      const std::string list = "an array of " + plural(element);
      return broadcast && element->kind() != TypeKind::TensorType
                 ? list + " or " + expectedOf(element, std::nullopt) + " for all " +
                       std::to_string(*broadcast)
                 : list;
    }
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      return "a whole number";
    case TypeKind::FloatType:
      return "a number";
    case TypeKind::BoolType:
    case TypeKind::SymBoolType:
      return "true or false";
    case TypeKind::NumberType:
      return "a number, bigint, boolean or { re, im }";
    case TypeKind::StringType:
      return "a string";
    case TypeKind::DeviceObjType:
      return "a device such as 'cpu' or 'cuda:0'";
    case TypeKind::ScalarTypeType:
      return "a dtype such as 'float32'";
    case TypeKind::LayoutType:
      return "a layout such as 'strided'";
    case TypeKind::MemoryFormatType:
      return "a memory format such as 'contiguous_format'";
    case TypeKind::GeneratorType:
      return "a Generator";
    case TypeKind::StorageType:
      return "a Tensor, for its storage";
    case TypeKind::DictType:
      return "a Map, " + type->str();
    case TypeKind::TupleType:
      return "an array of " + std::to_string(type->castRaw<c10::TupleType>()->elements().size()) +
             ", " + type->str();
    default:
      return type->str() + ", which JavaScript cannot give";
  }
}

std::string shapeText(const at::Tensor& tensor) {
  std::ostringstream out;
  out << tensor.sizes();
  return out.str();
}

}  // namespace

std::optional<IValue> fromJs(Napi::Env env, const Napi::Value& value,
                             const c10::Argument& argument) {
  // real_type keeps SymInt, ScalarType and the like apart; type() shows them all as int.
  return convert(env, value, argument.real_type(), argument.N());
}

bool isMap(Napi::Env env, const Napi::Value& value) {
  return value.IsObject() &&
         value.As<Napi::Object>().InstanceOf(env.Global().Get("Map").As<Napi::Function>());
}

bool isComplex(const Napi::Value& value) {
  if (!value.IsObject()) return false;
  const Napi::Object pair = value.As<Napi::Object>();
  return pair.Has("re") && pair.Has("im") && pair.Get("re").IsNumber() && pair.Get("im").IsNumber();
}

std::string expectedFor(const c10::Argument& argument) {
  return expectedOf(argument.real_type(), argument.N());
}

Napi::Value scalarToJs(Napi::Env env, const at::Scalar& scalar) {
  if (scalar.isBoolean()) return Napi::Boolean::New(env, scalar.toBool());
  if (scalar.type() == at::kUInt64 && scalar.toUInt64() > static_cast<uint64_t>(maxSafeInteger))
    return Napi::BigInt::New(env, scalar.toUInt64());
  if (scalar.isIntegral(false)) {
    const int64_t integer = scalar.toLong();
    if (std::abs(static_cast<double>(integer)) > maxSafeInteger)
      return Napi::BigInt::New(env, integer);
    return Napi::Number::New(env, static_cast<double>(integer));
  }
  if (scalar.isComplex()) {
    const auto complex = scalar.toComplexDouble();
    Napi::Object pair = Napi::Object::New(env);
    pair.Set("re", complex.real());
    pair.Set("im", complex.imag());
    return pair;
  }
  return Napi::Number::New(env, scalar.toDouble());
}

Napi::Value toJs(Napi::Env env, const IValue& value, const c10::TypePtr& type) {
  if (value.isNone()) return env.Null();
  if (value.isTensor()) {
    if (!value.toTensor().defined()) return env.Null();
    return TensorWrap::wrap(env, value.toTensor());
  }
  if (value.isInt()) {
    if (type && type->kind() == TypeKind::QSchemeType)
      return Napi::String::New(env, c10::toString(static_cast<c10::QScheme>(value.toInt())));
    if (type && type->kind() == TypeKind::ScalarTypeType)
      return Napi::String::New(env, dtypeName(static_cast<at::ScalarType>(value.toInt())));
    return scalarToJs(env, value.toInt());
  }
  if (value.isDouble()) return Napi::Number::New(env, value.toDouble());
  if (value.isBool()) return Napi::Boolean::New(env, value.toBool());
  if (value.isSymInt()) return scalarToJs(env, value.toSymInt().expect_int());
  if (value.isScalar()) return scalarToJs(env, value.toScalar());
  if (value.isString()) return Napi::String::New(env, value.toStringRef());
  if (value.isDevice()) return Napi::String::New(env, value.toDevice().str());
  if (value.isList()) {
    const auto list = value.toListRef();
    Napi::Array array = Napi::Array::New(env, list.size());
    for (size_t i = 0; i < list.size(); ++i)
      array.Set(static_cast<uint32_t>(i), toJs(env, list[i], nullptr));
    return array;
  }
  if (value.isTuple()) {
    const auto& elements = value.toTupleRef().elements();
    Napi::Array array = Napi::Array::New(env, elements.size());
    for (size_t i = 0; i < elements.size(); ++i)
      array.Set(static_cast<uint32_t>(i), toJs(env, elements[i], nullptr));
    return array;
  }
  if (value.isGenericDict()) {
    Napi::Object map = env.Global().Get("Map").As<Napi::Function>().New({});
    const Napi::Function set = map.Get("set").As<Napi::Function>();
    for (const auto& entry : value.toGenericDict())
      set.Call(map, {toJs(env, entry.key(), nullptr), toJs(env, entry.value(), nullptr)});
    return map;
  }
  throw std::runtime_error("a result of type " + value.tagKind() +
                           " has no JavaScript counterpart");
}

std::string describe(Napi::Env env, const Napi::Value& value) {
  if (value.IsUndefined()) return "nothing";
  if (value.IsNull()) return "null";
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value() ? "true" : "false";
  if (value.IsNumber() || value.IsBigInt()) return "the number " + value.ToString().Utf8Value();
  if (value.IsString())
    return "the string '" + value.As<Napi::String>().Utf8Value().substr(0, 80) + "'";
  if (value.IsArray()) {
    const Napi::Array array = value.As<Napi::Array>();
    if (array.Length() == 0) return "an empty array";
    const Napi::Value first = array.Get(0u);
    return "an array of " + std::to_string(array.Length()) + " that begins with " +
           (first.IsArray() ? "an array" : describe(env, first));
  }
  if (value.IsTypedArray()) return "a typed array of " + std::to_string(lengthOf(value));
  if (isComplex(value)) return "a complex number";
  if (GeneratorWrap::isGenerator(value)) return "a Generator";
  if (TensorWrap::isTensor(env, value)) {
    const at::Tensor& tensor = TensorWrap::unwrap(env, value);
    return "a Tensor of shape " + shapeText(tensor) + " and dtype " +
           dtypeName(tensor.scalar_type());
  }
  if (value.IsFunction()) return "a function";
  if (isMap(env, value)) return "a Map";
  return "an object";
}

}  // namespace sae_eval
