// A computation that goes batch by batch makes tensors of the same few sizes again and again. malloc gives large ones back
// to the system at once, so that each costs its page faults anew, or keeps them in a heap that larger alignments fragment.
// Here a freed block waits for the next tensor of its size; what has waited longest goes first when there are too many.
#include "cpu_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/alignment.h>
#include <c10/core/impl/alloc_cpu.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <unordered_map>

namespace sae_eval {

namespace {

// Smaller ones are malloc's business.
constexpr size_t smallest = size_t{1} << 19;
constexpr size_t granule = size_t{1} << 16;
// A waiting block may be larger than what it serves by up to 1 / slack of that: calls differ in how many rows they have.
constexpr size_t slack = 2;

class CachingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    const size_t size = (bytes + granule - 1) / granule * granule;
    if (bytes < smallest || size < bytes) return below()->allocate(bytes);
    void* block = take(size);
    return {block, block, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, size_t count) const override { default_copy_data(to, from, count); }

  void setLimit(size_t bytes) {
    const std::lock_guard lock(mutex_);
    limit_ = bytes;
    shrink();
  }

  void empty() {
    const std::lock_guard lock(mutex_);
    const size_t limit = limit_;
    limit_ = 0;
    shrink();
    limit_ = limit;
  }

  // Never destroyed: tensors may outlive everything else at exit.
  static CachingAllocator& instance() {
    static auto* const only = new CachingAllocator();
    return *only;
  }

 private:
  struct Block {
    void* data;
    size_t size;
  };

  static c10::Allocator* below() { return c10::GetDefaultCPUAllocator(); }

  void* take(size_t size) {
    {
      const std::lock_guard lock(mutex_);
      // Of the blocks that are least too large, the one freed last: it may still be in the processor's cache.
      auto best = waiting_.rend();
      for (auto block = waiting_.rbegin(); block != waiting_.rend(); ++block) {
        if (block->size >= size && block->size - size <= size / slack && (best == waiting_.rend() || block->size < best->size)) best = block;
      }
      if (best != waiting_.rend()) {
        const Block found = *best;
        waiting_.erase(std::next(best).base());
        waitingBytes_ -= found.size;
        sizes_.emplace(found.data, found.size);
        return found.data;
      }
    }
    void* data = c10::alloc_cpu(size);
    const std::lock_guard lock(mutex_);
    sizes_.emplace(data, size);
    return data;
  }

  static void release(void* data) {
    if (data == nullptr) return;
    CachingAllocator& self = instance();
    const std::lock_guard lock(self.mutex_);
    const auto entry = self.sizes_.find(data);
    if (entry == self.sizes_.end()) {  // a small one
      c10::free_cpu(data);
      return;
    }
    const size_t size = entry->second;
    self.sizes_.erase(entry);
    self.waiting_.push_back({data, size});
    self.waitingBytes_ += size;
    self.shrink();
  }

  void shrink() {
    while (waitingBytes_ > limit_) {
      c10::free_cpu(waiting_.front().data);
      waitingBytes_ -= waiting_.front().size;
      waiting_.pop_front();
    }
  }

  std::mutex mutex_;
  std::deque<Block> waiting_;  // oldest first
  std::unordered_map<void*, size_t> sizes_;
  size_t waitingBytes_ = 0;
  size_t limit_ = 0;
};

}  // namespace

void setMemoryCache(size_t bytes) {
  CachingAllocator& allocator = CachingAllocator::instance();
  allocator.setLimit(bytes);
  if (bytes > 0) c10::SetCPUAllocator(&allocator, 1);
}

void emptyMemoryCache() { CachingAllocator::instance().empty(); }

}  // namespace sae_eval
