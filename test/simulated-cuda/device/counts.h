// Work that the simulated devices were asked to do, counted since the last reset.
#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace simulated {

struct Counts {
  int64_t operators = 0;  // launches: views are none
  int64_t copiesToDevice = 0, bytesToDevice = 0;
  int64_t copiesToHost = 0, bytesToHost = 0;
  int64_t copiesBetweenDevices = 0;
  int64_t waits = 0;            // of the host for a device
  int64_t hostConversions = 0;  // of a dtype, by a copy to a device
  int64_t hostScalars = 0;      // tensors of the host with one number, as arguments
  std::map<std::string, int64_t> byOperator, waitsByReason, attention, hostScalarsByOperator;
};

extern std::mutex countsMutex;
extern Counts allCounts;

// Calls `change` with the counts; other threads wait meanwhile.
template <typename Change>
void withCounts(const Change& change) {
  const std::lock_guard lock(countsMutex);
  change(allCounts);
}

void countOperator(const std::string& name);
void countWait(const std::string& reason);

// The counts as JSON.
std::string countsAsJson();
void resetCounts();

// Name of the operator that this thread runs, told if the host touches a device.
const char* runningOperator();

class Running {
 public:
  explicit Running(const char* name);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  const char* before_;
};

}  // namespace simulated
