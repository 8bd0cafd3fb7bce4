// The twin of what GenerationMixin.generate runs around the forwards for DeepseekOCRForCausalLM.infer (transformers
// 4.46.3, generation/utils.py: _sample with greedy search; the model's own prepare_inputs_for_generation; the n-gram
// filter and the stopping criteria). Few bytes, but 27 kernels a token. And it keeps the logits of the whole prompt,
// in float32, until the second token is found.
//
// Not here: the token lists that the n-gram filter reads back to the host (two copies a token), and what it bans.
#pragma once

#include "model/deepseek_ocr/remote/generate.h"

namespace modelmeter::deepseek_ocr::remote {

// generate() of generate.h with everything around the forwards.
void infer(const DeepseekOCRForCausalLM& model, const GenerateInputs& in);

}  // namespace modelmeter::deepseek_ocr::remote
