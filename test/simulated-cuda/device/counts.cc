#include "counts.h"

#include <utility>

#include "memory.h"

namespace simulated {

std::mutex countsMutex;
Counts allCounts;

namespace {

thread_local const char* running = "no operator";

// An object of JSON, built entry by entry. Names have no characters that JSON escapes.
class JsonObject {
 public:
  void add(const std::string& name, const std::string& value) {
    text_ += (text_.size() > 1 ? ",\"" : "\"") + name + "\":" + value;
  }
  void add(const std::string& name, int64_t value) { add(name, std::to_string(value)); }
  void add(const std::string& name, const std::map<std::string, int64_t>& values) {
    JsonObject inner;
    for (const auto& [key, value] : values) inner.add(key, value);
    add(name, inner.text());
  }
  std::string text() const { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

}  // namespace

void countOperator(const std::string& name) {
  withCounts([&](Counts& counts) {
    ++counts.operators;
    ++counts.byOperator[name];
  });
}

void countWait(const std::string& reason) {
  withCounts([&](Counts& counts) {
    ++counts.waits;
    ++counts.waitsByReason[reason];
  });
}

std::string countsAsJson() {
  JsonObject json;
  withCounts([&](const Counts& counts) {
    json.add("operators", counts.operators);
    json.add("copiesToDevice", counts.copiesToDevice);
    json.add("bytesToDevice", counts.bytesToDevice);
    json.add("copiesToHost", counts.copiesToHost);
    json.add("bytesToHost", counts.bytesToHost);
    json.add("copiesBetweenDevices", counts.copiesBetweenDevices);
    json.add("waits", counts.waits);
    json.add("hostConversions", counts.hostConversions);
    json.add("hostScalars", counts.hostScalars);
    json.add("byOperator", counts.byOperator);
    json.add("waitsByReason", counts.waitsByReason);
    json.add("attention", counts.attention);
    json.add("hostScalarsByOperator", counts.hostScalarsByOperator);
  });
  std::string used, peak;
  for (c10::DeviceIndex i = 0; i < deviceCount(); ++i) {
    const Usage usage = usageOf(i);
    used += (i > 0 ? "," : "") + std::to_string(usage.used);
    peak += (i > 0 ? "," : "") + std::to_string(usage.peak);
  }
  json.add("used", "[" + used + "]");
  json.add("peak", "[" + peak + "]");
  return json.text();
}

void resetCounts() {
  withCounts([](Counts& counts) { counts = Counts(); });
  for (c10::DeviceIndex i = 0; i < deviceCount(); ++i) resetPeak(i);
}

const char* runningOperator() {
  return running;
}

Running::Running(const char* name) : before_(std::exchange(running, name)) {}

Running::~Running() {
  running = before_;
}

}  // namespace simulated
