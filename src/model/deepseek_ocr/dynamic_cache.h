// The KV cache of a forward: DynamicCache of transformers (cache_utils.py), which 4.46.3 and 5.23 have alike but for
// how a layer's first keys and values come in.
#pragma once

#include <vector>

#include "model/deepseek_ocr/decoder_architecture.h"
#include "trace/functional.h"

namespace modelmeter::deepseek_ocr {

// Keys and values of all layers so far, each [b, heads, tokens, head_dim].
struct DynamicCache {
  std::vector<Tensor> key_cache, value_cache;

  int64_t seq_length() const { return key_cache.empty() ? 0 : key_cache.front().size(2); }
  // Appends what a layer made of the new tokens; key and value become those of all tokens.
  void update(Tensor& key_states, Tensor& value_states, int64_t layer);
  // Stands for an update by a layer that is not traced and does what the one before it did.
  void update_untraced(int64_t layer);
};

// A cache of `tokens` tokens that the forward finds.
DynamicCache cache_of(const DecoderArchitecture& a, int64_t batch, int64_t tokens, DType dtype);

}  // namespace modelmeter::deepseek_ocr
