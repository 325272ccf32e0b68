// The simulated device as an addon of Node: counts() → JSON, reset(), limit(device, bytes),
// lose(device), touch().
#include <dlfcn.h>
#include <execinfo.h>
#include <node_api.h>
#include <signal.h>
#include <unistd.h>

#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "counts.h"
#include "driver.h"
#include "loss.h"
#include "memory.h"
#include "operators.h"
#include "runtime.h"

namespace simulated {

namespace {

constexpr int touchedExitCode = 70;

struct sigaction handlerBefore;

void onFault(int signal, siginfo_t* info, void*) {
  if (deviceOf(info->si_addr) >= 0) {
    char text[256];
    const int length = std::snprintf(
        text, sizeof text, "error: simulated device: the host touched device memory at %p, in %s\n",
        info->si_addr, runningOperator());
    (void)!write(STDERR_FILENO, text, static_cast<size_t>(length));
    void* frames[40];
    backtrace_symbols_fd(frames, backtrace(frames, 40), STDERR_FILENO);
    std::_Exit(touchedExitCode);
  }
  sigaction(signal, &handlerBefore, nullptr);
}

void watchForFaults() {
  struct sigaction action{};
  action.sa_sigaction = &onFault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &handlerBefore);
}

napi_value countsToJs(napi_env env, napi_callback_info) {
  const std::string text = countsAsJson();
  napi_value result;
  napi_create_string_utf8(env, text.c_str(), text.size(), &result);
  return result;
}

napi_value reset(napi_env, napi_callback_info) {
  resetCounts();
  return nullptr;
}

// The numbers that a call was given; 0 for those that are missing.
std::pair<double, double> numbersOf(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  size_t count = 2;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  double numbers[2] = {0, 0};
  for (size_t i = 0; i < count && i < 2; ++i) napi_get_value_double(env, arguments[i], &numbers[i]);
  return {numbers[0], numbers[1]};
}

napi_value limit(napi_env env, napi_callback_info info) {
  const auto [device, bytes] = numbersOf(env, info);
  limitMemory(static_cast<c10::DeviceIndex>(device), static_cast<size_t>(bytes));
  return nullptr;
}

napi_value lose(napi_env env, napi_callback_info info) {
  loseDevice(static_cast<c10::DeviceIndex>(numbersOf(env, info).first));
  return nullptr;
}

// Touches a tensor of a device as a kernel of the host would: the process ends.
napi_value touch(napi_env, napi_callback_info) {
  *static_cast<volatile uint8_t*>(takeMemory(0, 1)) = 1;
  return nullptr;
}

// Loads a library under the name of NVIDIA's: whoever looks for that name later gets this one.
void loadLibrary(const char* path, const char* set) {
  static const SimulatedMachine machine{
      [] { return static_cast<int>(deviceCount()); },
      [](int device) {
        const Usage usage = usageOf(static_cast<c10::DeviceIndex>(device));
        return SimulatedMemory{usage.limit, usage.limit - std::min(usage.limit, usage.used)};
      }};
  void* library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  auto* function = library == nullptr
                       ? nullptr
                       : reinterpret_cast<void (*)(const SimulatedMachine*)>(dlsym(library, set));
  TORCH_CHECK(function != nullptr, "simulated device: ", path, " cannot be loaded");
  function(&machine);
}

void registerDevices() {
  makeDevices();
  loadLibrary(LIBRARIES "/libcuda.so.1", "simulatedDriver");
  loadLibrary(LIBRARIES "/libnvidia-ml.so.1", "simulatedManagement");
  watchForFaults();
  registerAllocator();
  registerOperators();
  registerAttention();
}

}  // namespace

}  // namespace simulated

NAPI_MODULE_INIT() {
  static std::once_flag once;
  std::call_once(once, simulated::registerDevices);
  for (const auto& [name, body] :
       {std::pair{"counts", &simulated::countsToJs}, std::pair{"reset", &simulated::reset},
        std::pair{"limit", &simulated::limit}, std::pair{"lose", &simulated::lose},
        std::pair{"touch", &simulated::touch}}) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, body, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  }
  return exports;
}
