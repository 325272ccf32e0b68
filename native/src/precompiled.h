// Heavy headers, parsed once: they bring a unit's compile time from many seconds to about two.
#pragma once
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <napi.h>
