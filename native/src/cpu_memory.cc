// Allocator that keeps freed blocks for later tensors. A computation that goes batch by batch makes
// tensors of the same few sizes again and again. malloc returns large ones to the system at once,
// so that each costs its page faults anew, or keeps them in a heap that large alignments fragment.
// Here blocks come from the system, and a freed block waits for the next tensor of its size. The
// block that has waited longest goes first if too many wait, or if they would make the process much
// larger than the most it had in use at one time.
#include "cpu_memory.h"

#include <c10/core/alignment.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <mutex>
#include <unordered_map>

namespace sae_eval {

namespace {

// Bytes below which malloc allocates the block.
constexpr size_t smallest = size_t{1} << 19;
constexpr size_t granule = size_t{1} << 16;
// A waiting block may be larger than the tensor it serves by 1 / slack: calls differ in their
// number of rows.
constexpr size_t slack = 2;

// Bytes by which waiting blocks may take the process beyond the most it had in use: without this
// allowance, small models return blocks and ask for them again.
constexpr size_t beyondMostUsed = size_t{192} << 20;
constexpr size_t hugePage = size_t{1} << 21;

// Memory from the system, or null. It begins at a huge page if one fits and asks for huge pages:
// small pages cost a twelfth of the time of blocks of a billion-parameter model (AMD EPYC with
// AVX2, bench.mjs, section `large`).
void* mapBlock(size_t size) {
  const size_t spare = size >= hugePage ? hugePage : 0;
  void* const mapped =
      mmap(nullptr, size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  if (spare == 0) return mapped;
  auto* const first = static_cast<uint8_t*>(mapped);
  const size_t before = (spare - reinterpret_cast<uintptr_t>(first) % spare) % spare;
  if (before > 0) munmap(first, before);
  munmap(first + before + size, spare - before);
  madvise(first + before, size, MADV_HUGEPAGE);
  return first + before;
}

class CachingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    const size_t size = (bytes + granule - 1) / granule * granule;
    if (bytes < smallest || size < bytes) return below()->allocate(bytes);
    void* block = take(size);
    return {block, block, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, size_t count) const override {
    default_copy_data(to, from, count);
  }

  void setLimit(size_t bytes) {
    const std::lock_guard lock(mutex_);
    limit_ = bytes;
    shrinkTo(roomBeside(usedBytes_));
  }

  void empty() {
    const std::lock_guard lock(mutex_);
    mostUsed_ = usedBytes_;
    shrinkTo(0);
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
    const std::lock_guard lock(mutex_);
    Block block = takeWaiting(size);
    if (block.data == nullptr) {
      shrinkTo(roomBeside(usedBytes_ + size));
      block = {mapBlock(size), size};
      if (block.data == nullptr) {
        shrinkTo(0);
        block.data = mapBlock(size);
      }
      TORCH_CHECK(block.data != nullptr, "not enough memory: you tried to allocate ", size,
                  " bytes");
    }
    sizes_.emplace(block.data, block.size);
    usedBytes_ += block.size;
    mostUsed_ = std::max(mostUsed_, usedBytes_);
    return block.data;
  }

  // Takes the smallest block that fits; of several, the one freed last, which may still be in the
  // CPU's cache.
  Block takeWaiting(size_t size) {
    auto best = waiting_.rend();
    for (auto block = waiting_.rbegin(); block != waiting_.rend(); ++block) {
      if (block->size >= size && block->size - size <= size / slack &&
          (best == waiting_.rend() || block->size < best->size))
        best = block;
    }
    if (best == waiting_.rend()) return {nullptr, 0};
    const Block found = *best;
    waiting_.erase(std::next(best).base());
    waitingBytes_ -= found.size;
    return found;
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
    self.usedBytes_ -= size;
    const size_t room = self.roomBeside(self.usedBytes_);
    if (size > room) {
      munmap(data, size);  // it would evict all others, and then go itself
      return;
    }
    self.waiting_.push_back({data, size});
    self.waitingBytes_ += size;
    self.shrinkTo(room);
  }

  // Bytes that may wait at the present use.
  size_t roomBeside(size_t used) const {
    return std::min(limit_, std::max(std::max(mostUsed_, used) - used, beyondMostUsed));
  }

  void shrinkTo(size_t bytes) {
    while (waitingBytes_ > bytes) {
      const Block oldest = waiting_.front();
      munmap(oldest.data, oldest.size);
      waitingBytes_ -= oldest.size;
      waiting_.pop_front();
    }
  }

  std::mutex mutex_;
  std::deque<Block> waiting_;  // oldest first
  std::unordered_map<void*, size_t> sizes_;
  size_t waitingBytes_ = 0;
  size_t usedBytes_ = 0;
  size_t mostUsed_ = 0;  // at one time, since the cache was last emptied
  size_t limit_ = 0;
};

}  // namespace

void setMemoryCache(size_t bytes) {
  CachingAllocator& allocator = CachingAllocator::instance();
  allocator.setLimit(bytes);
  if (bytes > 0) c10::SetCPUAllocator(&allocator, 1);
}

void emptyMemoryCache() {
  CachingAllocator::instance().empty();
}

}  // namespace sae_eval
