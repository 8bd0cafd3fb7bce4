// The decoder's "layers" of DeepSeek-OCR and of DeepSeek-OCR-2: some dense, some with experts, two kinds of which one
// module each stands for all its layers, traced once where they are alike.
#pragma once

#include <memory>

#include "layer/base_layer.h"
#include "model/deepseek_ocr/dynamic_cache.h"
#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr {

// Layer: a module called with (hidden_states [b, n, hidden_size], arguments, layer index).
template <class Layer>
class DecoderLayers {
 public:
  // make(bool with_experts) gives the module of one kind; it is asked for those that occur.
  template <class Make>
  DecoderLayers(const DecoderArchitecture& a, Make make) : a_(a) {
    for (int64_t i = 0; i < a.num_hidden_layers; ++i) {
      auto& layer = a.is_moe(i) ? moe_ : dense_;
      if (!layer) layer = make(a.is_moe(i));
    }
  }

  const Layer& operator[](int64_t i) const { return a_.is_moe(i) ? *moe_ : *dense_; }

  // visit(layer, count, first) for each row of layers of one kind, in order.
  template <class Visit>
  void for_each_row(Visit visit) {
    for (int64_t i = 0, next; i < a_.num_hidden_layers; i = next) {
      next = end_of_row(i);
      visit(a_.is_moe(i) ? *moe_ : *dense_, next - i, i);
    }
  }

  // hidden_states through all layers, `cache` growing by what each adds. The first layer has the embeddings for its
  // input, which live on, and so stands alone.
  template <class Arguments>
  void run(const Arguments& args, DynamicCache& cache, Tensor& hidden_states) const {
    FunctionScope scope("decoder");
    for (int64_t i = 0, next; i < a_.num_hidden_layers; i = next) {
      next = i == 0 ? 1 : end_of_row(i);
      const Layer& layer = (*this)[i];
      repeat_steadily(
          next - i, {{&hidden_states}, {}},
          [&](int64_t k) { hidden_states = layer.call_as(i + k, hidden_states, args, i + k); },
          [&](int64_t k) { cache.update_untraced(i + k); });
    }
  }

 private:
  int64_t end_of_row(int64_t i) const {
    int64_t next = i + 1;
    while (next < a_.num_hidden_layers && a_.is_moe(next) == a_.is_moe(i)) ++next;
    return next;
  }

  DecoderArchitecture a_;
  std::unique_ptr<Layer> dense_, moe_;
};

}  // namespace modelmeter::deepseek_ocr
