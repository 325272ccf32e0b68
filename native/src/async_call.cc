#include "async_call.h"

#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include <exception>
#include <memory>

#include "errors.h"
#include "instance.h"

namespace sae_eval {

namespace {

class AsyncCall : public Napi::AsyncWorker {
 public:
  AsyncCall(Napi::Env env, const std::string& what, std::function<void()> compute,
            std::function<Napi::Value(Napi::Env)> finish)
      : Napi::AsyncWorker(env, "sae_eval"),
        deferred_(env),
        what_(what),
        compute_(std::move(compute)),
        finish_(std::move(finish)),
        threads_(at::get_num_threads()),
        scope_(Instance::of(env).innermostScope(env)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    try {
      if (at::get_num_threads() != threads_)
        at::set_num_threads(threads_);  // a setting of each thread
      const at::ThreadLocalStateGuard modes(modes_);
      const c10::WarningUtils::WarningHandlerGuard listening(&warnings_);
      compute_();
    } catch (...) {
      fault_ = std::current_exception();
    }
  }

  void OnOK() override {
    try {
      Napi::Value value;
      try {
        value = result();
      } catch (const Napi::Error& error) {
        deferred_.Reject(error.Value());
        return;
      }
      deferred_.Resolve(value);
    } catch (const Napi::Error&) {
      // The JavaScript thread is ending: nobody waits for the promise.
    }
  }

 private:
  Napi::Value result() {
    Instance& instance = Instance::of(Env());
    return guarded(Env(), what_.c_str(), [&]() -> Napi::Value {
      if (fault_) std::rethrow_exception(fault_);
      warnings_.tell(Env());
      const ScopeOverride into(instance, scope_);
      return finish_(Env());
    });
  }

  Napi::Promise::Deferred deferred_;
  std::string what_;
  std::function<void()> compute_;
  std::function<Napi::Value(Napi::Env)> finish_;
  at::ThreadLocalState modes_;
  Warnings warnings_;
  int threads_;
  std::shared_ptr<Scope> scope_;
  std::exception_ptr fault_;
};

}  // namespace

Napi::Value startAsync(Napi::Env env, const std::string& what, std::function<void()> compute,
                       std::function<Napi::Value(Napi::Env)> finish) {
  auto call = std::make_unique<AsyncCall>(env, what, std::move(compute), std::move(finish));
  const Napi::Promise promise = call->promise();
  call->Queue();
  (void)call.release();  // deletes itself when it is done
  return promise;
}

}  // namespace sae_eval
