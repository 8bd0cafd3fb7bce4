// Models of any size for tests: what a configuration would say, without the files.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "config/yaml.h"
#include "model/deepseek_ocr/remote/model.h"
#include "model/registry.h"
#include "testing/wan_groups.h"

namespace modelmeter::testing_models {

struct WanSpec {
  std::string implementation = "official", attention = "flash";
  bool cfg = true;
  int64_t dim = 32, ffn_dim = 48, heads = 4, layers = 3;
  std::string stages;  // "[sampling, diffusion]"; "": the transformer alone
  int64_t batch = 1, frames = 5, height = 32, width = 48, steps = 2, text_len = 8, prompt_tokens = 5;
};

// A file of its own in the folder for temporary files, gone with this object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content) {
    static std::atomic<int> number = 0;
    path_ =
        (std::filesystem::temp_directory_path() / fmt::format("modelmeter-{}-{}.json", ::getpid(), number++)).string();
    std::ofstream(path_) << content;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::unique_ptr<AnalyticModel> wan_model(const WanSpec& s) {
  config::Node node = config::parse_yaml(
      fmt::format("hf: {{model_id: test/wan, model_variant: small, config: {{dim: {}, ffn_dim: {}, num_heads: {}, "
                  "num_layers: {}, freq_dim: 16, text_dim: 24}}}}\n"
                  "runtime: {{implementation: {}, attention: {}, cfg: {}}}\n"
                  "workload: {{profile_id: test, batch_size: {}, num_frames: {}, height: {}, width: {}, "
                  "num_inference_steps: {}, text_len: {}, prompt_tokens: {}}}\n"
                  "transformer: {{num_layers: null}}\n"
                  "model: {{_target_: modelmeter.wan2_1.Wan2_1Model{}}}\n",
                  s.dim, s.ffn_dim, s.heads, s.layers, s.implementation, s.attention, s.cfg, s.batch, s.frames,
                  s.height, s.width, s.steps, s.text_len, s.prompt_tokens,
                  s.stages.empty() ? "" : ", stages: " + s.stages),
      "test.yaml");
  add_wan_groups(node, "text_encoder: {dim: 24}\n");
  return build_model(config::View(node), {});
}

struct OcrSpec {
  std::string attention = "flash", precision = "bf16", routing = "uniform", logits = "all", mode = "tiny";
  bool sampling = false;
  int64_t page_width = 500, page_height = 500;
  int64_t intermediate = 96, moe_intermediate = 32, layers = 4, heads = 4, kv_heads = 2;
  int64_t experts = 8, top_k = 3, shared = 2, dense_layers = 1, vocab = 1000;
  int64_t prompt_tokens = 10, max_new_tokens = 6, batch = 1, pages = 0;  // pages 0: one batch
};

// The image encoders and what they give (1280 wide) are always the published ones; so is the decoder's width.
inline std::unique_ptr<deepseek_ocr::remote::DeepSeekOCR> ocr_model(const OcrSpec& s) {
  const TemporaryFile metadata(fmt::format(
      R"({{"vocab_size": {}, "hidden_size": 1280, "intermediate_size": {}, "moe_intermediate_size": {}, "num_hidden_layers": {},)"
      R"("num_attention_heads": {}, "num_key_value_heads": {}, "n_routed_experts": {}, "num_experts_per_tok": {},)"
      R"("n_shared_experts": {}, "first_k_dense_replace": {}, "max_position_embeddings": 8192, "use_mla": false}})",
      s.vocab, s.intermediate, s.moe_intermediate, s.layers, s.heads, s.kv_heads, s.experts, s.top_k, s.shared,
      s.dense_layers));
  const config::Node node = config::parse_yaml(
      fmt::format("hf: {{model_id: test/ocr, model_variant: small, config_path: '{}'}}\n"
                  "runtime: {{implementation: official, attention: {}, precision: {}, sampling: {}}}\n"
                  "workload: {{profile_id: test, mode: {}, page_width: {}, page_height: {}, prompt_tokens: {}, "
                  "max_new_tokens: {}, num_pages: {}, batch_size: {}, doc_kind: synthetic}}\n"
                  "vision: {{sam: sam_vit_b, clip: clip_vit_l}}\n"
                  "decoder: {{num_hidden_layers: null, routing: {}}}\n"
                  "head: {{logits: {}}}\n"
                  "model: {{_target_: modelmeter.deepseek_ocr.DeepSeekOCR}}\n",
                  metadata.path(), s.attention, s.precision, s.sampling, s.mode, s.page_width, s.page_height,
                  s.prompt_tokens, s.max_new_tokens, s.pages > 0 ? s.pages : s.batch, s.batch, s.routing, s.logits),
      "test.yaml");
  return std::make_unique<deepseek_ocr::remote::DeepSeekOCR>(config::View(node), DataFiles{});
}

}  // namespace modelmeter::testing_models
