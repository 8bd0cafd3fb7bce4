#include "model/deepseek_ocr/remote/session.h"

#include <fmt/format.h>

#include "base/error.h"

namespace modelmeter::deepseek_ocr {

Session::Session(const DeepSeekOCR& model) : model_(model) { start_vision(); }

void Session::start_vision(int64_t batch_size) {
  mode_ = Mode::vision;
  batch_ = batch_size;
  cache_.reset();
  run(PartKind::vision, model_.workload().seq_len, 0);
}

const SyntheticKVCache& Session::start_prefill(int64_t context_len, int64_t batch_size) {
  const int64_t image_tokens = model_.workload().page.image_tokens;
  if (context_len <= image_tokens) {
    throw Error(
        fmt::format("a context of {} tokens leaves none for the text: the page has {}", context_len, image_tokens));
  }
  cache_ =
      SyntheticKVCache::from_config(model_.architecture().decoder, batch_size, context_len, model_.model().dtype());
  mode_ = Mode::prefill;
  batch_ = batch_size;
  run(PartKind::prefill, context_len, 0);
  return *cache_;
}

void Session::start_decode() {
  cache();
  mode_ = Mode::decode;
  run(PartKind::decode, 1, cache_->total_len());
}

void Session::start_decode(SyntheticKVCache cache) {
  batch_ = cache.batch();
  cache_ = std::move(cache);
  start_decode();
}

void Session::decode_one_token() {
  if (mode_ != Mode::decode) throw Error("decode_one_token() comes after start_decode()");
  cache_->update(1);
  run(PartKind::decode, 1, cache_->total_len());
}

const SyntheticKVCache& Session::cache() const {
  if (!cache_) throw Error("there is no KV cache before start_prefill()");
  return *cache_;
}

void Session::run(PartKind kind, int64_t new_tokens, int64_t cached_tokens) {
  PartOptions o = model_.part_options(kind, batch_, new_tokens, cached_tokens);
  o.prompt_tokens = (kind == PartKind::prefill ? new_tokens : model_.workload().seq_len) - o.page.image_tokens();
  stage_ = std::make_unique<PartStage>(std::move(o));
}

}  // namespace modelmeter::deepseek_ocr
