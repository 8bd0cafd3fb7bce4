// Builds what a reference recording of Wan is of, with the sizes that the recording names.
#pragma once

#include <memory>

#include "model/analytic_model.h"
#include "recording/recording.h"

namespace modelmeter::wan {

std::unique_ptr<Stage> recorded_dit(const Recording& recording);           // official, Wan2.2's, VACE, diffusers
std::unique_ptr<Stage> recorded_text_encoder(const Recording& recording);  // official, transformers
std::unique_ptr<Stage> recorded_image_encoder(const Recording& recording);
std::unique_ptr<Stage> recorded_sampling(const Recording& recording);  // around the models: official, diffusers
std::unique_ptr<Stage> recorded_vae(const Recording& recording);       // official of 2.1 and 2.2, diffusers; both ways

}  // namespace modelmeter::wan
