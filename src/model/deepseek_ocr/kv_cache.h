// SyntheticKVCache: how long a KV cache is and how much memory it takes, without its tensors. The forerunner's API.
#pragma once

#include <cstdint>
#include <vector>

#include "model/deepseek_ocr/decoder_architecture.h"

namespace modelmeter::deepseek_ocr {

class SyntheticKVCache {
 public:
  SyntheticKVCache(int64_t batch, int64_t num_layers, int64_t num_kv_heads, int64_t head_dim, int64_t context_len,
                   DType dtype = DType::bfloat16);
  static SyntheticKVCache from_config(const DecoderArchitecture& a, int64_t batch, int64_t context_len,
                                      DType dtype = DType::bfloat16);

  int64_t batch() const { return batch_; }
  int64_t context_len() const { return context_len_; }               // tokens of the prompt
  int64_t decode_len() const { return total_len() - context_len_; }  // tokens decoded since
  int64_t total_len() const { return get_usable_length(0); }
  int64_t get_usable_length(int64_t layer) const;  // Error for a layer that is not there
  void update(int64_t layer, int64_t num_new_tokens);
  void update(int64_t num_new_tokens);  // of all layers

  // 2 x batch x kv heads x tokens x head size x bytes a value, over the layers. Error on overflow.
  int64_t size_bytes() const;
  double size_gb() const { return static_cast<double>(size_bytes()) / 1e9; }

 private:
  int64_t batch_, num_kv_heads_, head_dim_, context_len_;
  DType dtype_;
  std::vector<int64_t> lengths_;  // by layer
};

}  // namespace modelmeter::deepseek_ocr
