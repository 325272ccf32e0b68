#include "dtype.h"

#include <array>
#include <utility>

namespace sae_eval {

namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 13> dtypes{{
    {"float32", at::kFloat},
    {"float64", at::kDouble},
    {"float16", at::kHalf},
    {"bfloat16", at::kBFloat16},
    {"int8", at::kChar},
    {"uint8", at::kByte},
    {"int16", at::kShort},
    {"int32", at::kInt},
    {"int64", at::kLong},
    {"bool", at::kBool},
    {"complex32", at::kComplexHalf},
    {"complex64", at::kComplexFloat},
    {"complex128", at::kComplexDouble},
}};

}  // namespace

std::string dtypeName(at::ScalarType dtype) {
  for (const auto& [name, value] : dtypes)
    if (value == dtype) return name;
  return c10::toString(dtype);
}

std::optional<at::ScalarType> dtypeFromName(const std::string& name) {
  for (const auto& [known, value] : dtypes)
    if (name == known) return value;
  return std::nullopt;
}

std::optional<at::Layout> layoutFromName(const std::string& name) {
  if (name == "strided") return at::kStrided;
  if (name == "sparse_coo") return at::kSparse;
  if (name == "sparse_csr") return at::kSparseCsr;
  return std::nullopt;
}

std::optional<at::MemoryFormat> memoryFormatFromName(const std::string& name) {
  if (name == "contiguous_format") return at::MemoryFormat::Contiguous;
  if (name == "preserve_format") return at::MemoryFormat::Preserve;
  if (name == "channels_last") return at::MemoryFormat::ChannelsLast;
  if (name == "channels_last_3d") return at::MemoryFormat::ChannelsLast3d;
  return std::nullopt;
}

std::optional<at::Device> deviceFromName(const std::string& name) {
  try {
    return at::Device(name);
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}

}  // namespace sae_eval
