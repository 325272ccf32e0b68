#include "dtype.h"

#include <array>
#include <utility>

namespace sae_eval {

namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 24> dtypes{{
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
    {"uint16", at::kUInt16},
    {"uint32", at::kUInt32},
    {"uint64", at::kUInt64},
    {"float8_e4m3fn", at::kFloat8_e4m3fn},
    {"float8_e5m2", at::kFloat8_e5m2},
    {"float8_e4m3fnuz", at::kFloat8_e4m3fnuz},
    {"float8_e5m2fnuz", at::kFloat8_e5m2fnuz},
    {"float8_e8m0fnu", at::kFloat8_e8m0fnu},
    {"qint8", at::kQInt8},
    {"quint8", at::kQUInt8},
    {"qint32", at::kQInt32},
}};

constexpr std::array<std::pair<const char*, at::Layout>, 8> layouts{{
    {"strided", at::kStrided},
    {"sparse_coo", at::kSparse},
    {"sparse_csr", at::kSparseCsr},
    {"sparse_csc", at::kSparseCsc},
    {"sparse_bsr", at::kSparseBsr},
    {"sparse_bsc", at::kSparseBsc},
    {"mkldnn", at::kMkldnn},
    {"jagged", at::kJagged},
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

std::string layoutName(at::Layout layout) {
  for (const auto& [name, value] : layouts)
    if (value == layout) return name;
  return "unknown";
}

std::optional<at::Layout> layoutFromName(const std::string& name) {
  for (const auto& [known, value] : layouts)
    if (name == known) return value;
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
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace sae_eval
