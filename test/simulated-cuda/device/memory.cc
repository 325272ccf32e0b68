#include "memory.h"

#include <c10/util/Exception.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "settings.h"

namespace simulated {

namespace {

constexpr size_t unit = 512;  // the caching allocator of CUDA rounds to it

struct Memory {
  size_t size = 0;
  uint8_t* device = nullptr;                     // no access
  uint8_t* window = nullptr;                     // the same bytes
  std::map<size_t, size_t> free;                 // offset → bytes
  std::unordered_map<size_t, size_t> allocated;  // offset → bytes
  size_t used = 0, peak = 0, limit = 0;
};

std::mutex memoryMutex;
std::vector<Memory> memories;
thread_local c10::DeviceIndex current = 0;

Memory* memoryAt(const void* address) {
  for (Memory& memory : memories)
    if (address >= memory.device && address < memory.device + memory.size) return &memory;
  return nullptr;
}

}  // namespace

void makeDevices() {
  memories.resize(setting("SIMULATED_CUDA_DEVICES", 2));
  for (Memory& memory : memories) {
    memory.size = 8ULL << 30;  // address space: pages that nobody wrote take no memory
    memory.limit = setting("SIMULATED_CUDA_BYTES", 4LL << 30);
    memory.size = std::max(memory.size, memory.limit / unit * unit);
    const int file = memfd_create("simulated-cuda", MFD_CLOEXEC);
    TORCH_CHECK(file >= 0 && ftruncate(file, static_cast<off_t>(memory.size)) == 0,
                "simulated device: no file in memory");
    const int flags = MAP_SHARED | MAP_NORESERVE;
    void* device = mmap(nullptr, memory.size, PROT_NONE, flags, file, 0);
    void* window = mmap(nullptr, memory.size, PROT_READ | PROT_WRITE, flags, file, 0);
    close(file);
    TORCH_CHECK(device != MAP_FAILED && window != MAP_FAILED, "simulated device: not mapped");
    memory.device = static_cast<uint8_t*>(device);
    memory.window = static_cast<uint8_t*>(window);
    memory.free.emplace(0, memory.size);
  }
}

c10::DeviceIndex deviceCount() {
  return static_cast<c10::DeviceIndex>(memories.size());
}

c10::DeviceIndex currentDevice() {
  return current;
}

void setCurrentDevice(c10::DeviceIndex device) {
  current = device;
}

void checkDevice(c10::Device device) {
  TORCH_CHECK(device.index() >= -1 && device.index() < deviceCount(),
              "CUDA error: invalid device ordinal");
}

Usage usageOf(c10::DeviceIndex device) {
  const std::lock_guard lock(memoryMutex);
  const Memory& memory = memories.at(device);
  return {memory.used, memory.peak, memory.limit};
}

void resetPeak(c10::DeviceIndex device) {
  const std::lock_guard lock(memoryMutex);
  memories.at(device).peak = memories.at(device).used;
}

void limitMemory(c10::DeviceIndex device, size_t bytes) {
  const std::lock_guard lock(memoryMutex);
  memories.at(device).limit = std::min(memories.at(device).size, bytes);
}

void* takeMemory(c10::DeviceIndex device, size_t bytes) {
  const size_t wanted = std::max(unit, (bytes + unit - 1) / unit * unit);
  const std::lock_guard lock(memoryMutex);
  Memory& memory = memories.at(device);
  const auto fits = [&](const auto& hole) { return hole.second >= wanted; };
  const auto hole = memory.used + wanted > memory.limit
                        ? memory.free.end()
                        : std::find_if(memory.free.begin(), memory.free.end(), fits);
  const size_t left = memory.limit - std::min(memory.limit, memory.used);
  TORCH_CHECK_WITH(OutOfMemoryError, hole != memory.free.end(),
                   "CUDA out of memory. Tried to allocate ", bytes, " bytes. GPU ",
                   static_cast<int>(device), " has a total capacity of ", memory.limit,
                   " bytes of which ", left, " bytes is free. (simulated)");
  const auto [offset, size] = *hole;
  memory.free.erase(hole);
  if (size > wanted) memory.free.emplace(offset + wanted, size - wanted);
  memory.allocated.emplace(offset, wanted);
  memory.used += wanted;
  memory.peak = std::max(memory.peak, memory.used);
  std::memset(memory.window + offset, 0xff, wanted);  // NaN in every floating-point dtype
  return memory.device + offset;
}

void giveMemoryBack(void* address) {
  const std::lock_guard lock(memoryMutex);
  Memory* memory = memoryAt(address);
  if (memory == nullptr) return;
  const size_t offset = static_cast<uint8_t*>(address) - memory->device;
  const auto entry = memory->allocated.find(offset);
  size_t size = entry->second;
  memory->allocated.erase(entry);
  memory->used -= size;
  auto next = memory->free.lower_bound(offset);
  if (next != memory->free.end() && next->first == offset + size) {
    size += next->second;
    next = memory->free.erase(next);
  }
  if (next != memory->free.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      before->second += size;
      return;
    }
  }
  memory->free.emplace(offset, size);
}

void* windowOf(const void* address) {
  const Memory* memory = memoryAt(address);
  if (memory == nullptr) return nullptr;
  return memory->window + (static_cast<const uint8_t*>(address) - memory->device);
}

int deviceOf(const void* address) {
  const Memory* memory = memoryAt(address);
  return memory == nullptr ? -1 : static_cast<int>(memory - memories.data());
}

}  // namespace simulated
