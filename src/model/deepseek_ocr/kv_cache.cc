#include "model/deepseek_ocr/kv_cache.h"

#include <fmt/format.h>

#include "base/checked.h"
#include "base/error.h"

namespace modelmeter::deepseek_ocr {
namespace {

constexpr char size_overflow[] = "the size of the KV cache";

void require_positive(const char* what, int64_t value) {
  if (value <= 0) throw Error(fmt::format("a KV cache with {} {}", value, what));
}

}  // namespace

SyntheticKVCache::SyntheticKVCache(int64_t batch, int64_t num_layers, int64_t num_kv_heads, int64_t head_dim,
                                   int64_t context_len, DType dtype)
    : batch_(batch), num_kv_heads_(num_kv_heads), head_dim_(head_dim), context_len_(context_len), dtype_(dtype) {
  require_positive("sequences", batch);
  require_positive("layers", num_layers);
  require_positive("heads", num_kv_heads);
  require_positive("values a head", head_dim);
  if (context_len < 0) throw Error(fmt::format("a KV cache of {} tokens", context_len));
  lengths_.assign(static_cast<size_t>(num_layers), context_len);
}

SyntheticKVCache SyntheticKVCache::from_config(const DecoderArchitecture& a, int64_t batch, int64_t context_len,
                                               DType dtype) {
  return SyntheticKVCache(batch, a.num_hidden_layers, a.num_key_value_heads, a.head_dim(), context_len, dtype);
}

int64_t SyntheticKVCache::get_usable_length(int64_t layer) const {
  if (layer < 0 || layer >= static_cast<int64_t>(lengths_.size())) {
    throw Error(fmt::format("the KV cache has {} layers, none with number {}", lengths_.size(), layer));
  }
  return lengths_[static_cast<size_t>(layer)];
}

void SyntheticKVCache::update(int64_t layer, int64_t num_new_tokens) {
  if (num_new_tokens < 0) throw Error(fmt::format("{} new tokens for a KV cache", num_new_tokens));
  const int64_t length = get_usable_length(layer);
  lengths_[static_cast<size_t>(layer)] = checked_add(length, num_new_tokens, "the length of the KV cache");
}

void SyntheticKVCache::update(int64_t num_new_tokens) {
  for (size_t layer = 0; layer < lengths_.size(); ++layer) update(static_cast<int64_t>(layer), num_new_tokens);
}

int64_t SyntheticKVCache::size_bytes() const {
  int64_t tokens = 0;
  for (int64_t length : lengths_) tokens = checked_add(tokens, length, size_overflow);
  int64_t bytes = checked_mul(tokens, 2 * size_of(dtype_), size_overflow);
  for (int64_t factor : {batch_, num_kv_heads_, head_dim_}) bytes = checked_mul(bytes, factor, size_overflow);
  return bytes;
}

}  // namespace modelmeter::deepseek_ocr
