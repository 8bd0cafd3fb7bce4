// Builds what a reference recording of Wan is of, with the sizes that the recording names.
#pragma once

#include <memory>

#include "cost/recording.h"
#include "model/analytic_model.h"

namespace modelmeter::wan2_1 {

// A diffusion transformer, official or diffusers'.
std::unique_ptr<Stage> recorded_dit(const Recording& recording);

}  // namespace modelmeter::wan2_1
