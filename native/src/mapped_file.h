// A file mapped into memory, and tensors over its bytes; or one from which tensors are read.
#pragma once
#include <napi.h>

#include <cstdint>
#include <memory>
#include <utility>

namespace sae_eval {

class File;
class Mapping;

class MappedFile : public Napi::ObjectWrap<MappedFile> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit MappedFile(const Napi::CallbackInfo& info);
  ~MappedFile() override;

 private:
  Napi::Value byteLength(const Napi::CallbackInfo& info);
  Napi::Value tensor(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::pair<std::shared_ptr<Mapping>, uint8_t*> mapped(uint64_t offset, uint64_t bytes) const;

  std::unique_ptr<File> file_;
  std::shared_ptr<Mapping> whole_;  // null if tensors are read into memory of their own
};

}  // namespace sae_eval
