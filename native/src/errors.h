// The one boundary between C++ exceptions and JavaScript errors.
#pragma once
#include <napi.h>

#include <stdexcept>
#include <string>

namespace sae_eval {

// An error of the caller, with a code of the error table in src/errors.ts.
struct CodedError : std::runtime_error {
  CodedError(std::string code, const std::string& message)
      : std::runtime_error(message), code(std::move(code)) {}
  std::string code;
};

// Rethrows the exception being handled as a JavaScript error of the registered class. Never
// returns.
[[noreturn]] void rethrowToJs(Napi::Env env, const char* what);

// Runs `body`; every exception leaves as a typed JavaScript error without a C++ backtrace.
template <class Body>
auto guarded(Napi::Env env, const char* what, Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (...) {
    rethrowToJs(env, what);
  }
}

}  // namespace sae_eval
