#include "model/deepseek_ocr/recorded_nodes.h"

#include <fmt/format.h>

#include "base/error.h"

namespace modelmeter::deepseek_ocr {

using config::Node;

Node map_of(std::vector<std::pair<const char*, Node>> entries) {
  Node out = Node::map();
  for (auto& [key, value] : entries) out.set(key, std::move(value));
  return out;
}

Node text(std::string_view value) { return Node::literal(std::string(value)); }

Node recorded_hf(const Recording& recording, Node config) {
  return map_of(
      {{"model_id", text("recording")}, {"model_variant", text(recording.variant)}, {"config", std::move(config)}});
}

Node recorded_model(const CodeBase& code, const std::string& stage) {
  return map_of({{"_target_", text(code.target)}, {"stages", Node::list({text(stage)})}});
}

Node recorded_workload(const config::View& workload) {
  const Node batch = Node::integer(workload.get_or<int64_t>("batch_size", 1));
  return map_of({{"profile_id", text("recording")},
                 {"doc_kind", text("synthetic")},
                 {"batch_size", batch},
                 {"num_pages", batch},
                 {"max_new_tokens", Node::integer(workload.get_or<int64_t>("max_new_tokens", 2))}});
}

void check_weights(const Recording& recording) {
  if (recording.weights.empty() || recording.weights == "bf16") return;
  throw Error(fmt::format("the reference has weights in {}; this model's are bf16", recording.weights));
}

}  // namespace modelmeter::deepseek_ocr
