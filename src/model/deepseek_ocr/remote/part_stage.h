// Parts of DeepSeek-OCR that run by themselves on given inputs: an encoder, one decoder layer, the head, the model
// without its decoder, one forward of the whole, or a run of it. Each is a Stage, whose kernels and parameters keep the
// names that they have in the whole model ("model.sam_model.patch_embed.proj").
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "model/analytic_model.h"
#include "model/deepseek_ocr/remote/generation.h"

namespace modelmeter::deepseek_ocr {

enum class PartKind : uint8_t { sam, clip, vision, layer_dense, layer_moe, head, prefill, decode, infer };

// "sam", "layer-dense", … as recordings name them; Error with a did-you-mean for another name.
PartKind parse_part_kind(const std::string& name);
std::string_view part_name(PartKind kind);

struct PartOptions {
  PartKind kind = PartKind::prefill;
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
  std::vector<int64_t> tokens_per_expert;  // of a layer with experts
  int64_t max_new_tokens = 2;              // infer: the first comes out of the prompt's forward
  bool last_logits_only = false;
};

class PartStage : public Stage {
 public:
  explicit PartStage(PartOptions options);
  ~PartStage() override;

  const BaseLayer& layer() const override;
  void forward(Tracer& tracer) const override;
  RecordedInputs recorded_inputs() const override;
  int64_t kv_cache_bytes() const override;

  class Part;

 private:
  PartOptions options_;
  std::unique_ptr<Part> part_;
};

}  // namespace modelmeter::deepseek_ocr
