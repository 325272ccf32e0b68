// compile-logit-parts DRIVER NVRTC SOURCE ARCHITECTURE…: compiles the kernels of logit_parts.h with
// NVRTC for GPUs that need not be there. NVRTC is opened as the addon does on a GPU
// (native/src/cuda_driver.cc): by libtorch's libcaffe2_nvrtc.so, whose run path leads to it. That
// library needs the CUDA driver as well, in whose place another library is loaded before. Prints a
// line for each architecture; the exit status is 1 if one failed.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

void* library = nullptr;

template <typename Function>
Function find(const char* name) {
  auto* found = reinterpret_cast<Function>(dlsym(library, name));
  if (found == nullptr) {
    std::printf("NVRTC has no %s\n", name);
    std::exit(1);
  }
  return found;
}

// Messages of the compiler about the program.
std::string logOf(void* program) {
  size_t size = 0;
  find<int (*)(void*, size_t*)>("nvrtcGetProgramLogSize")(program, &size);
  std::string text(size, '\0');
  find<int (*)(void*, char*)>("nvrtcGetProgramLog")(program, text.data());
  return text;
}

bool compile(const std::string& source, const std::string& architecture) {
  void* program = nullptr;
  const auto create =
      find<int (*)(void**, const char*, const char*, int, const char**, const char**)>(
          "nvrtcCreateProgram");
  if (create(&program, source.c_str(), "logit_parts.h", 0, nullptr, nullptr) != 0) return false;
  const std::string target = "--gpu-architecture=" + architecture;
  const char* options[] = {target.c_str(), "--std=c++17"};
  const int status =
      find<int (*)(void*, int, const char**)>("nvrtcCompileProgram")(program, 2, options);
  size_t size = 0;
  std::vector<char> binary;
  if (status == 0) {
    find<int (*)(void*, size_t*)>("nvrtcGetCUBINSize")(program, &size);
    binary.resize(size);
    find<int (*)(void*, char*)>("nvrtcGetCUBIN")(program, binary.data());
  }
  const std::string found(binary.begin(), binary.end());
  bool complete = status == 0;
  for (const char* kernel : {"compare_float", "compare_bfloat16", "compare_float16"})
    complete = complete && found.find(std::string(".text.") + kernel) != std::string::npos;
  std::printf("%s: %s, %zu bytes\n%s", architecture.c_str(), complete ? "compiled" : "FAILED", size,
              logOf(program).c_str());
  return complete;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) return 2;
  if (dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL) != nullptr)
    library = dlopen(arguments[2], RTLD_NOW);
  if (library == nullptr) {
    std::printf("%s\n", dlerror());
    return 1;
  }
  std::ostringstream source;
  source << std::ifstream(arguments[3]).rdbuf();
  bool complete = true;
  for (int i = 4; i < count; ++i) complete = compile(source.str(), arguments[i]) && complete;
  return complete ? 0 : 1;
}
