// What Hugging Face's code makes: diffusers 0.42.1, with transformers 5.23.0 for the encoders.
#pragma once

#include "model/wan/code_base.h"

namespace modelmeter::wan::diffusers {

const CodeBase& code_base();

// What is on the device while each stage runs: pipe.to("cuda"), enable_model_cpu_offload or
// enable_sequential_cpu_offload.
Offload offload(Role role, Residency residency, const Runtime& runtime);
std::vector<LoadedModel> loading(const Stages& stages, const ResidencyRules& rules);
std::vector<Residents> residents(const Stages& stages, const ResidencyRules& rules);

}  // namespace modelmeter::wan::diffusers
