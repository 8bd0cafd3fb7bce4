// Reading a page with DeepSeek-OCR-2: the images, the prompt in one forward, then a token at a time behind a growing
// cache, as transformers 5.23's GenerationMixin.generate runs them with its defaults.
//
// generate() encodes the images before the prompt's forward and holds what came out to the end; it drops a mask of
// ones; it has the experts run by grouped_mm for the prompt and by batched_mm for the tokens after it. Modelled are the
// forwards, not what it does between two of them. The caller's pixels are given to the first stage only.
#pragma once

#include "model/deepseek_ocr/run_sizes.h"
#include "model/deepseek_ocr/transformers/geometry.h"
#include "model/deepseek_ocr/transformers/ocr.h"

namespace modelmeter::deepseek_ocr::transformers {

struct GenerateInputs {
  PageLayout page;
  int64_t batch_size = 1;      // pages, all of one layout
  int64_t prompt_tokens = 10;  // of text, beside the image tokens
  int64_t decode_steps = 0;    // forwards of one token; max_new_tokens less the one that the prompt's forward gives

  int64_t context_tokens() const { return page.image_tokens() + prompt_tokens; }
};

GenerateInputs inputs_of(const RunSizes& run);

// Records the parts below one after another in the current trace.
void generate(const OcrForConditionalGeneration& model, const GenerateInputs& in);

// The stages, each in a function scope of its name. A stage that runs by itself is given what those before it leave
// behind, as inputs: features_of() and deepseek_ocr::cache_of().
ImageFeatures vision(const OcrForConditionalGeneration& model, const GenerateInputs& in);
void prefill(const OcrForConditionalGeneration& model, const GenerateInputs& in, const ImageFeatures& features,
             DynamicCache& cache);
// The steps are counted, not traced one by one: what they cost is linear in the length of the cache.
void decode(const OcrForConditionalGeneration& model, const GenerateInputs& in, DynamicCache& cache);

ImageFeatures features_of(const OcrForConditionalGeneration& model, const GenerateInputs& in);

}  // namespace modelmeter::deepseek_ocr::transformers
