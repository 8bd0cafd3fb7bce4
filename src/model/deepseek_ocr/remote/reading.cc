#include "model/deepseek_ocr/remote/reading.h"

#include <fmt/format.h>

#include "base/error.h"

namespace modelmeter::deepseek_ocr::remote {

Reading::Reading(const DeepSeekOCR& model) : model_(model) { start_vision(); }

void Reading::start_vision(int64_t batch_size) {
  mode_ = Mode::vision;
  batch_ = batch_size;
  cache_.reset();
  run(StageKind::vision, model_.workload().seq_len, 0);
}

const SyntheticKVCache& Reading::start_prefill(int64_t context_len, int64_t batch_size) {
  const int64_t image_tokens = model_.workload().page.image_tokens;
  if (context_len <= image_tokens) {
    throw Error(
        fmt::format("a context of {} tokens leaves none for the text: the page has {}", context_len, image_tokens));
  }
  cache_ =
      SyntheticKVCache::from_config(model_.architecture().decoder, batch_size, context_len, model_.model().dtype());
  mode_ = Mode::prefill;
  batch_ = batch_size;
  run(StageKind::prefill, context_len, 0);
  return *cache_;
}

void Reading::start_decode() {
  cache();
  mode_ = Mode::decode;
  run(StageKind::decode, 1, cache_->total_len());
}

void Reading::start_decode(SyntheticKVCache cache) {
  batch_ = cache.batch();
  cache_ = std::move(cache);
  start_decode();
}

void Reading::decode_one_token() {
  if (mode_ != Mode::decode) throw Error("decode_one_token() comes after start_decode()");
  cache_->update(1);
  run(StageKind::decode, 1, cache_->total_len());
}

const SyntheticKVCache& Reading::cache() const {
  if (!cache_) throw Error("there is no KV cache before start_prefill()");
  return *cache_;
}

void Reading::run(StageKind kind, int64_t new_tokens, int64_t cached_tokens) {
  StageOptions o = model_.stage_options(kind, batch_, new_tokens, cached_tokens);
  o.prompt_tokens = (kind == StageKind::prefill ? new_tokens : model_.workload().seq_len) - o.page.image_tokens();
  stage_ = std::make_unique<OcrStage>(std::move(o), RunValues{});
}

}  // namespace modelmeter::deepseek_ocr::remote
