// Heavy headers, parsed once: a unit then compiles in about two seconds instead of many.
#pragma once
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <napi.h>
