#include "model/deepseek_ocr/remote/architecture.h"

#include <algorithm>

namespace modelmeter::deepseek_ocr::remote {

bool SamArchitecture::is_global(int64_t block) const {
  return std::find(global_attn_indexes.begin(), global_attn_indexes.end(), block) != global_attn_indexes.end();
}

Architecture read_architecture(const config::View& config) {
  require_model(config, {"DeepseekOCRForCausalLM", "DeepseekOCRModel"}, "deeplip_b_l");
  Architecture a;
  a.decoder = read_decoder(config, a.n_embed);
  return a;
}

}  // namespace modelmeter::deepseek_ocr::remote
