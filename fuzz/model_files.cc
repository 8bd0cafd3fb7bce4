// What hf.config_path may name: a config.json, an index, the header of a safetensors file (by its first byte).
#include "model/model_files.h"

#include "config/yaml.h"
#include "fuzz_target.h"

namespace modelmeter::fuzz {

void run(const std::string& text) {
  file_of(R"({"dim": 8})", "config.json");
  const bool index = !text.empty() && text.front() == '{';
  const std::string name =
      index ? (text.size() % 2 == 0 ? "model.safetensors.index.json" : "other.json") : "model.safetensors";
  const config::Node path = config::Node::string(file_of(text, name));
  const ModelFiles files = find_model(config::View(path, "hf.config_path"), {});
  what_it_is(files.config);
}

}  // namespace modelmeter::fuzz
