#include "model/deepseek_ocr/dynamic_cache.h"

#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr {

void DynamicCache::update_untraced(int64_t layer) {
  for (std::vector<Tensor>* cache : {&key_cache, &value_cache}) {
    const auto at = static_cast<size_t>(layer);
    if (cache->size() <= at) cache->resize(at + 1);
    (*cache)[at] = untraced_like((*cache)[at - 1]);
    (*cache)[at].set_role("KV cache");
  }
}

void DynamicCache::update(Tensor& key_states, Tensor& value_states, int64_t layer) {
  const auto at = static_cast<size_t>(layer);
  if (key_cache.size() <= at) {
    key_cache.resize(at + 1);
    value_cache.resize(at + 1);
  }
  if (!key_cache[at].defined()) {
    key_cache[at] = key_states;
    value_cache[at] = value_states;
  } else {
    key_cache[at] = torch::cat({key_cache[at], key_states}, -2);
    value_cache[at] = torch::cat({value_cache[at], value_states}, -2);
  }
  key_states = key_cache[at];
  value_states = value_cache[at];
  key_states.set_role("KV cache");
  value_states.set_role("KV cache");
}

DynamicCache cache_of(const DecoderArchitecture& a, int64_t batch, int64_t tokens, DType dtype) {
  DynamicCache cache;
  if (tokens == 0) return cache;
  const Shape sizes{batch, a.num_key_value_heads, tokens, a.head_dim()};
  for (int64_t i = 0; i < a.num_hidden_layers; ++i) {
    cache.key_cache.push_back(Tracer::current().consumed_input(sizes, dtype));
    cache.value_cache.push_back(Tracer::current().consumed_input(sizes, dtype));
  }
  return cache;
}

}  // namespace modelmeter::deepseek_ocr
