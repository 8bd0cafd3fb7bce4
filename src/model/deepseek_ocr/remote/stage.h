// What of DeepSeek-OCR runs by itself on given inputs: an encoder, one decoder layer, the head, the model without its
// decoder, one forward of the whole, or a run of it. Their kernels and parameters keep the names that they have in the
// whole model ("model.sam_model.patch_embed.proj").
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/analytic_model.h"
#include "model/deepseek_ocr/remote/generate.h"
#include "model/deepseek_ocr/remote/routing.h"

namespace modelmeter::deepseek_ocr::remote {

enum class StageKind : uint8_t { sam, clip, vision, layer_dense, layer_moe, head, prefill, decode, infer };

// "sam", "layer-dense", … as model.stages and recordings name them; Error with a did-you-mean for another name.
StageKind parse_stage_kind(const std::string& name);
std::string_view name_of(StageKind kind);
std::vector<std::string> stage_names();

bool routes(StageKind kind);  // tokens to experts, in one forward

struct StageOptions {
  StageKind kind = StageKind::prefill;
  Architecture architecture;
  AttentionImplementation attention = AttentionImplementation::flash_attention_2;  // of the decoder
  bool autocast = true;  // torch.autocast(cuda, bfloat16), as infer() runs it
  DType dtype = DType::bfloat16;
  int64_t batch = 1;
  int64_t image = 1024;                    // sam, clip: side of the images in pixels
  PageLayout page{1024, 1024};             // vision, prefill, decode
  int64_t prompt_tokens = 10;              // of text, beside the page's
  int64_t new_tokens = 1;                  // of each sample that the forward reads
  int64_t cached_tokens = 0;               // behind so many
  std::vector<int64_t> tokens_per_expert;  // of a forward with layers of experts
  int64_t max_new_tokens = 2;              // infer: the first comes out of the prompt's forward
  Routing routing = Routing::worst;        // infer
  bool last_logits_only = false;
};

class OcrStage : public Stage {
 public:
  explicit OcrStage(StageOptions options);
  ~OcrStage() override;

  const StageOptions& options() const { return options_; }
  const BaseLayer& layer() const override;
  void forward(Tracer& tracer) const override;
  int64_t kv_cache_bytes() const override;

  class Body;

 private:
  StageOptions options_;
  std::unique_ptr<Body> body_;
};

}  // namespace modelmeter::deepseek_ocr::remote
