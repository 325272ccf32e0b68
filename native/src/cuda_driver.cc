#include "cuda_driver.h"

#include <c10/util/Exception.h>
#include <dlfcn.h>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "errors.h"

namespace sae_eval {

namespace {

struct Closing {
  void operator()(void* library) const { dlclose(library); }
};
using Handle = std::unique_ptr<void, Closing>;

Handle openLibrary(const char* name) {
  return Handle(dlopen(name, RTLD_NOW));
}

template <typename Function>
Function find(const Handle& library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library.get(), name));
}

// 16 bytes that name a device to the driver and, as text, to NVML.
struct Uuid {
  unsigned char bytes[16];
};

std::string textOf(const Uuid& uuid) {
  static const char digits[] = "0123456789abcdef";
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += digits[uuid.bytes[i] >> 4];
    text += digits[uuid.bytes[i] & 15];
  }
  return text;
}

// NVML numbers devices otherwise than the driver where CUDA_VISIBLE_DEVICES is set, so that the
// device is found by its UUID.
std::optional<size_t> freeBytesOf(const Uuid& uuid) {
  const Handle nvml = openLibrary("libnvidia-ml.so.1");
  if (!nvml) return std::nullopt;
  struct Memory {
    unsigned long long total, free, used;
  };
  const auto init = find<int (*)()>(nvml, "nvmlInit_v2");
  const auto shutdown = find<int (*)()>(nvml, "nvmlShutdown");
  const auto byUuid = find<int (*)(const char*, void**)>(nvml, "nvmlDeviceGetHandleByUUID");
  const auto memoryOf = find<int (*)(void*, Memory*)>(nvml, "nvmlDeviceGetMemoryInfo");
  if (!init || !shutdown || !byUuid || !memoryOf || init() != 0) return std::nullopt;
  void* device = nullptr;
  Memory memory{};
  const bool told = byUuid(textOf(uuid).c_str(), &device) == 0 && memoryOf(device, &memory) == 0;
  shutdown();
  if (!told) return std::nullopt;
  return static_cast<size_t>(memory.free);
}

}  // namespace

DriverDevice driverDevice(int index) {
  const Handle driver = openLibrary("libcuda.so.1");
  if (!driver)
    throw CodedError("device-unavailable",
                     "cuda: the CUDA driver libcuda.so.1 is not on this machine");
  const auto init = find<int (*)(unsigned)>(driver, "cuInit");
  const auto get = find<int (*)(int*, int)>(driver, "cuDeviceGet");
  const auto name = find<int (*)(char*, int, int)>(driver, "cuDeviceGetName");
  const auto total = find<int (*)(size_t*, int)>(driver, "cuDeviceTotalMem_v2");
  const auto uuidOf = find<int (*)(Uuid*, int)>(driver, "cuDeviceGetUuid");
  int device = 0;
  char text[256] = "";
  size_t bytes = 0;
  if (!init || !get || !name || !total || init(0) != 0 || get(&device, index) != 0 ||
      name(text, sizeof(text) - 1, device) != 0 || total(&bytes, device) != 0)
    throw CodedError("device-unavailable",
                     "cuda: the CUDA driver does not describe device " + std::to_string(index));
  Uuid uuid{};
  const bool named = uuidOf && uuidOf(&uuid, device) == 0;
  return {text, bytes, named ? freeBytesOf(uuid) : std::nullopt};
}

// NVRTC and the driver. libtorch brings a library that depends on both and knows where they are.
struct DeviceProgram::Library {
  Handle handle;
  int (*createProgram)(void**, const char*, const char*, int, const char**, const char**);
  int (*compileProgram)(void*, int, const char**);
  int (*cubinSize)(void*, size_t*);
  int (*cubin)(void*, char*);
  int (*destroyProgram)(void**);
  int (*attribute)(int*, int, int);
  int (*loadModule)(void**, const void*);
  int (*findFunction)(void**, void*, const char*);
  int (*launchKernel)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                      void*, void**, void**);

  static std::shared_ptr<Library> open() {
    static const std::shared_ptr<Library> only = make();
    return only;
  }

 private:
  static std::shared_ptr<Library> make() {
    auto library = std::make_shared<Library>();
    library->handle = openLibrary("libcaffe2_nvrtc.so");
    const Handle& handle = library->handle;
    if (!handle) return nullptr;
    const auto take = [&](auto& function, const char* name) {
      function = find<std::remove_reference_t<decltype(function)>>(handle, name);
      return function != nullptr;
    };
    const bool complete = take(library->createProgram, "nvrtcCreateProgram") &&
                          take(library->compileProgram, "nvrtcCompileProgram") &&
                          take(library->cubinSize, "nvrtcGetCUBINSize") &&
                          take(library->cubin, "nvrtcGetCUBIN") &&
                          take(library->destroyProgram, "nvrtcDestroyProgram") &&
                          take(library->attribute, "cuDeviceGetAttribute") &&
                          take(library->loadModule, "cuModuleLoadData") &&
                          take(library->findFunction, "cuModuleGetFunction") &&
                          take(library->launchKernel, "cuLaunchKernel");
    return complete ? library : nullptr;
  }
};

DeviceProgram::DeviceProgram(std::shared_ptr<Library> library, void* module)
    : library_(std::move(library)), module_(module) {}

std::shared_ptr<DeviceProgram> DeviceProgram::load(const char* source, int device) {
  const auto library = Library::open();
  if (!library) return nullptr;
  constexpr int capabilityMajor = 75, capabilityMinor = 76;  // CUdevice_attribute
  int major = 0, minor = 0;
  if (library->attribute(&major, capabilityMajor, device) != 0 ||
      library->attribute(&minor, capabilityMinor, device) != 0)
    return nullptr;
  void* program = nullptr;
  if (library->createProgram(&program, source, "logit_parts.h", 0, nullptr, nullptr) != 0)
    return nullptr;
  const std::string target =
      "--gpu-architecture=sm_" + std::to_string(major) + std::to_string(minor);
  const char* options[] = {target.c_str(), "--std=c++17"};
  std::vector<char> binary;
  size_t size = 0;
  const bool compiled = library->compileProgram(program, 2, options) == 0 &&
                        library->cubinSize(program, &size) == 0 && size > 0;
  if (compiled) {
    binary.resize(size);
    if (library->cubin(program, binary.data()) != 0) binary.clear();
  }
  library->destroyProgram(&program);
  void* module = nullptr;
  if (binary.empty() || library->loadModule(&module, binary.data()) != 0) return nullptr;
  return std::shared_ptr<DeviceProgram>(new DeviceProgram(library, module));
}

void DeviceProgram::launch(const char* kernel, unsigned x, unsigned y, unsigned threads,
                           void** arguments) {
  void* function = nullptr;
  int status = library_->findFunction(&function, module_, kernel);
  if (status == 0)
    status =
        library_->launchKernel(function, x, y, 1, threads, 1, 1, 0, nullptr, arguments, nullptr);
  if (status == 0) return;
  throw c10::AcceleratorError(
      {__func__, __FILE__, static_cast<uint32_t>(__LINE__)}, status,
      "CUDA error " + std::to_string(status) + " at the launch of " + kernel);
}

}  // namespace sae_eval
