// Names of dtypes, devices, layouts and memory formats as JavaScript writes them.
#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

namespace sae_eval {

std::string dtypeName(at::ScalarType dtype);
std::optional<at::ScalarType> dtypeFromName(const std::string& name);
std::string layoutName(at::Layout layout);
std::optional<at::Layout> layoutFromName(const std::string& name);
std::optional<at::MemoryFormat> memoryFormatFromName(const std::string& name);
// Nothing where the text is not a device; does not ask whether the device exists.
std::optional<at::Device> deviceFromName(const std::string& name);

}  // namespace sae_eval
