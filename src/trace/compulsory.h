// What moves however few kernels a layer is: of each region (trace/region.h) - a block, the chunk of a video, what
// stands before and after - its inputs and weights read once, its results written once. What it makes for itself has no
// bytes, and takes no memory. FLOPs are those of eager kernels; gathers read what they read there.
//
// Timed at the roofline, this is what nothing is faster than that runs the layers one after another.
#pragma once

#include "trace/region.h"

namespace modelmeter {

void keep_compulsory(Trace& trace, Rewriting& rewriting);

}  // namespace modelmeter
