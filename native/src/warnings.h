// Passes libtorch's warnings to JavaScript; by default they go to standard error.
#pragma once
#include <c10/util/Exception.h>
#include <napi.h>

#include <string>
#include <vector>

namespace sae_eval {

// Collects the warnings of one thread, or of one call on another thread, until tell().
class Warnings final : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override;
  // Gives each text to the function of setWarningListener.
  void tell(Napi::Env env);

 private:
  std::vector<std::string> texts_;
};

// (listener): called with each text, on the thread that computes.
Napi::Value setWarningListener(const Napi::CallbackInfo& info);

}  // namespace sae_eval
