// Reading a page: the prompt with its images in one forward, then a token at a time behind a growing cache, as
// DeepseekOCRForCausalLM.infer has GenerationMixin.generate run them (transformers 4.46.3).
//
// infer() reads one page; a batch of pages of one layout is what the model's own forward takes beside. Modelled are the
// forwards. What generate() does between two of them (the search for the next token, the bookkeeping
// of masks and positions, the n-grams it bans on the host) is in sampling.h.
#pragma once

#include <functional>
#include <vector>

#include "model/deepseek_ocr/remote/geometry.h"
#include "model/deepseek_ocr/remote/ocr.h"
#include "model/deepseek_ocr/remote/routing.h"

namespace modelmeter::deepseek_ocr::remote {

// By number of assignments (tokens x experts per token) to tokens per expert.
using RoutingRule = std::function<std::vector<int64_t>(int64_t assignments)>;
RoutingRule routing_of(Routing routing, const DecoderArchitecture& decoder);

struct GenerateInputs {
  PageLayout page;
  int64_t batch = 1;           // pages read at once
  int64_t prompt_tokens = 10;  // of text, beside the image tokens
  int64_t decode_steps = 0;    // forwards of one token; max_new_tokens less the one that the prompt's forward gives
  RoutingRule routing;         // even where it is empty
  bool last_logits_only = false;

  int64_t context_tokens() const { return page.image_tokens() + prompt_tokens; }
};

// Records the forwards in the current trace, in function scopes "prefill" and "decode". The decode steps are counted,
// not traced one by one: what they cost is linear in the length of the cache.
void generate(const DeepseekOCRForCausalLM& model, const GenerateInputs& in);

// One page of a batch as infer() prepares it.
PageImages page_images(const PageLayout& page, DType dtype);

// What the prompt's forward is given: the pages and where they stand in it, and with them the tokens.
OcrInputs page_inputs(const DeepseekOCRForCausalLM& model, const GenerateInputs& in, DynamicCache& cache);
OcrInputs prompt_inputs(const DeepseekOCRForCausalLM& model, const GenerateInputs& in, DynamicCache& cache);
// How many tokens each expert gets where each page brings so many.
std::vector<int64_t> tokens_per_expert(const DeepseekOCRForCausalLM& model, const GenerateInputs& in, int64_t tokens);

// Its two halves: the prompt's forward, which fills the cache, and `steps` forwards of one token behind the cache.
void prefill(const DeepseekOCRForCausalLM& model, const GenerateInputs& in, DynamicCache& cache);
void decode(const DeepseekOCRForCausalLM& model, const GenerateInputs& in, DynamicCache& cache);

}  // namespace modelmeter::deepseek_ocr::remote
