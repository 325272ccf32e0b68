// Settings of the simulation, read from the environment.
#pragma once
#include <cstdlib>

namespace simulated {

inline long long setting(const char* name, long long otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == 0 ? otherwise : std::atoll(text);
}

}  // namespace simulated
