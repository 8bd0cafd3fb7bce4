// The time of an op where nothing but its own arithmetic and bytes holds it back (trace/compulsory.h):
//
//   t = max(FLOPs of matrix units / their rate, all others / the vector rate, bytes / bandwidth)
//
// at the rates and the bandwidth of the sheet, whatever the power limit. No launch, no tiles, no waves.
#pragma once

#include "timing/kernel_time.h"
#include "timing/launches.h"

namespace modelmeter {

// Error where the device has no such matrix units.
KernelTime roofline_time(const Launch& launch, const LaunchFlags& flags, const Machine& machine);

}  // namespace modelmeter
