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
#include "model/deepseek_ocr/storage.h"

namespace modelmeter::deepseek_ocr::remote {

enum class StageKind : uint8_t { sam, clip, vision, layer_dense, layer_moe, head, prefill, decode, infer };

// "sam", "layer-dense", … as model.stages and recordings name them; Error with a did-you-mean for another name.
StageKind parse_stage_kind(const std::string& name);
std::string_view name_of(StageKind kind);
std::vector<std::string> stage_names();

bool runs_alone(StageKind kind);  // a layer, or the head, on tokens of its own
bool routes(StageKind kind);      // tokens to experts, in one forward

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
  Routing routing = Routing::worst;        // infer, and of other runs than the configuration's
  bool last_logits_only = false;
  Storage storage = {};
};

class OcrStage : public Stage {
 public:
  // Of the configuration's run it has these options; of another those that follow.
  OcrStage(StageOptions options, const RunValues& run);
  ~OcrStage() override;

  const StageOptions& options() const { return options_; }
  const BaseLayer& layer() const override;
  std::vector<Dependence> depends_on() const override;
  void forward(Tracer& tracer, const RunValues& run) const override;
  using Stage::kv_cache_bytes;
  int64_t kv_cache_bytes(const RunValues& run) const override;

  class Body;

 private:
  StageOptions options_of(const RunValues& run) const;

  StageOptions options_;
  std::unique_ptr<Body> body_;
};

}  // namespace modelmeter::deepseek_ocr::remote
