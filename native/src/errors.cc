#include "errors.h"

#include <c10/util/Exception.h>

#include "instance.h"

namespace sae_eval {

namespace {

[[noreturn]] void throwCoded(Napi::Env env, const std::string& code, const std::string& message) {
  Instance& instance = Instance::of(env);
  if (instance.errorClass.IsEmpty()) throw Napi::Error::New(env, message);
  Napi::Object error = instance.errorClass.Value().New(
      {Napi::String::New(env, code), Napi::String::New(env, message)});
  throw Napi::Error(env, error);
}

// libtorch appends notes for Python users and C++ frames after the first paragraph: only that
// paragraph is kept.
std::string sentence(const std::string& message) {
  const size_t frames = message.find("\nException raised from");
  std::string text = frames == std::string::npos ? message : message.substr(0, frames);
  // The message of a missing kernel goes on with a list of all backends.
  // The message of a missing library goes on with ways to link it.
  for (const char* advice : {". This could be because the operator doesn't exist for this backend",
                             ". PyTorch splits its backend into two shared libraries"}) {
    const size_t at = text.find(advice);
    if (at != std::string::npos) text.resize(at + 1);
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// Error code for a CUDA error number: it tells whether the device can still be used.
const char* codeOf(int cudaError) {
  switch (cudaError) {
    case 2:
      return "device-memory";
    case 35:
    case 46:
    case 100:
    case 101:
    case 802:
    case 209:
    case 803:
      return "device-unavailable";  // driver too old, busy, none, no such index, no kernels
    case 214:
    case 220:
    case 700:
    case 702:
    case 709:
    case 710:
    case 714:
    case 715:
    case 716:
    case 717:
    case 718:
    case 719:
    case 721:
      return "device-lost";  // the context is corrupt: nothing works on that device until the
                             // process ends
    default:
      return "torch-operator";
  }
}

bool saysUnavailable(const std::string& text) {
  for (const char* sign :
       {"Found no NVIDIA driver", "No CUDA GPUs are available", "not compiled with CUDA",
        "CUDA driver initialization failed", "PyTorch is not linked with support for",
        "Cannot initialize CUDA without", "Cannot get CUDA generator", "Cannot get XPU generator",
        "invalid device ordinal", "The NVIDIA driver on your system is too old"}) {
    if (text.find(sign) != std::string::npos) return true;
  }
  for (const char* backend :
       {"CUDA", "XPU", "MPS", "HPU", "MTIA", "XLA", "IPU", "Vulkan", "Metal", "PrivateUse1"}) {
    if (text.find(std::string("arguments from the '") + backend + "' backend") != std::string::npos)
      return true;
  }
  return false;
}

// The CPU allocator and the libraries of CUDA report through a plain c10::Error.
bool saysNoMemory(const std::string& text) {
  for (const char* sign :
       {"not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED",
        "CUDNN_STATUS_ALLOC_FAILED", "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"}) {
    if (text.find(sign) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

void rethrowToJs(Napi::Env env, const char* what) {
  try {
    throw;
  } catch (const Napi::Error&) {
    throw;
  } catch (const CodedError& error) {
    throwCoded(env, error.code, error.what());
  } catch (const c10::OutOfMemoryError& error) {
    throwCoded(env, "device-memory",
               std::string(what) + ": " + sentence(error.what_without_backtrace()));
  } catch (const c10::AcceleratorError& error) {
    throwCoded(env, codeOf(error.get_error_code()),
               std::string(what) + ": " + sentence(error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    const std::string text = sentence(error.what_without_backtrace());
    throwCoded(env,
               saysNoMemory(text)      ? "device-memory"
               : saysUnavailable(text) ? "device-unavailable"
                                       : "torch-operator",
               std::string(what) + ": " + text);
  } catch (const std::bad_alloc&) {
    throwCoded(env, "device-memory", std::string(what) + ": not enough memory");
  } catch (const std::exception& error) {
    throwCoded(env, "torch-operator", std::string(what) + ": " + sentence(error.what()));
  } catch (...) {
    throwCoded(env, "torch-operator", std::string(what) + ": an error of unknown type");
  }
}

}  // namespace sae_eval
