// A reading of pages step by step, as the forerunner's root model is used:
//
//   Reading reading(model);
//   reading.start_prefill(context_len, batch_size);
//   StageCost prefill = reading.get_forward_cost();
//   reading.start_decode();
//   for (…) { sum += reading.get_forward_cost(); reading.decode_one_token(); }
//
// get_forward_cost() answers for the next forward: of the vision part alone, of the prompt with its page, or of one
// more token behind the cache as it stands. The sum over a loop is what DeepSeekOCR::trace() counts in closed form.
#pragma once

#include <memory>
#include <optional>

#include "model/deepseek_ocr/kv_cache.h"
#include "model/deepseek_ocr/remote/model.h"

namespace modelmeter::deepseek_ocr::remote {

class Reading : public StageCostMixin {
 public:
  enum class Mode : uint8_t { vision, prefill, decode };

  // The model gives architecture, precision, attention, routing and page; it must outlive the reading.
  explicit Reading(const DeepSeekOCR& model);

  void start_vision(int64_t batch_size = 1);
  // context_len: tokens of the prompt, those of the page included. Error where the page leaves none for the text.
  const SyntheticKVCache& start_prefill(int64_t context_len, int64_t batch_size = 1);
  void start_decode();                        // behind what start_prefill() began; Error before it
  void start_decode(SyntheticKVCache cache);  // behind a cache of one's own
  void decode_one_token();                    // the cache grows by one; Error outside of decode

  Mode mode() const { return mode_; }
  const SyntheticKVCache& cache() const;  // Error where there is none

  void trace(Tracer& tracer) const override { stage_->trace(tracer); }
  void trace_forward(Tracer& tracer) const override { stage_->trace_forward(tracer); }
  int64_t parameter_count() const override { return stage_->parameter_count(); }
  int64_t parameter_bytes() const override { return stage_->parameter_bytes(); }
  int64_t kv_cache_bytes() const override { return cache_ ? cache_->size_bytes() : 0; }

 private:
  void run(StageKind kind, int64_t new_tokens, int64_t cached_tokens);

  const DeepSeekOCR& model_;
  Mode mode_ = Mode::vision;
  int64_t batch_ = 1;
  std::optional<SyntheticKVCache> cache_;
  std::unique_ptr<Stage> stage_;
};

}  // namespace modelmeter::deepseek_ocr::remote
