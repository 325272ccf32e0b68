// Heavy headers, parsed once: a unit then compiles in about two seconds instead of many.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <napi.h>
