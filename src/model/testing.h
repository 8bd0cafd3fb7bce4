// Wan models of any size for tests: what a configuration would say, without the files.
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
#include "model/registry.h"

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
    path_ = (std::filesystem::temp_directory_path() / fmt::format("modelmeter-{}-{}.json", ::getpid(), number++)).string();
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
  const TemporaryFile metadata(fmt::format(
      R"({{"dim": {}, "ffn_dim": {}, "num_heads": {}, "num_layers": {}, "freq_dim": 16, "text_dim": 24}})", s.dim,
      s.ffn_dim, s.heads, s.layers));
  const config::Node node = config::parse_yaml(
      fmt::format("hf: {{model_id: test/wan, model_variant: small, config_path: '{}'}}\n"
                  "runtime: {{implementation: {}, attention: {}, cfg: {}}}\n"
                  "workload: {{profile_id: test, batch_size: {}, num_frames: {}, height: {}, width: {}, "
                  "num_inference_steps: {}, text_len: {}, prompt_tokens: {}}}\n"
                  "transformer: {{num_layers: null}}\n"
                  "model: {{_target_: modelmeter.wan2_1.Wan2_1Model{}}}\n",
                  metadata.path(), s.implementation, s.attention, s.cfg, s.batch, s.frames, s.height, s.width, s.steps,
                  s.text_len, s.prompt_tokens, s.stages.empty() ? "" : ", stages: " + s.stages),
      "test.yaml");
  return build_model(config::View(node), {});
}

}  // namespace modelmeter::testing_models
