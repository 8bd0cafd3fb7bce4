#include "model/deepseek_ocr/remote/recorded.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "config/yaml.h"
#include "model/deepseek_ocr/recorded_nodes.h"
#include "model/deepseek_ocr/remote/code_base.h"
#include "model/deepseek_ocr/remote/model.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

using config::Node;
using config::View;
using Json = nlohmann::ordered_json;

// What the code reads of the published config.json (deepseek-ai/DeepSeek-OCR).
constexpr char published[] = R"({
  "vocab_size": 129280, "hidden_size": 1280, "intermediate_size": 6848, "moe_intermediate_size": 896,
  "num_hidden_layers": 12, "num_attention_heads": 10, "num_key_value_heads": 10, "n_routed_experts": 64,
  "n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1, "max_position_embeddings": 8192,
  "use_mla": false
})";
constexpr int64_t published_tile = 640;  // pixels of a side, of tiles that the header gives no size of
constexpr int64_t least_page = 64;       // pixels of a side, of a page that nobody looks at: a token stands for them

// Recorded sizes over the published ones. A model that was recorded without its decoder layers has them here: the
// stage that it is of does not run them.
Node metadata_of(const Recording& recording) {
  Node out = config::parse_yaml(published, "published config of DeepSeek-OCR");
  const Node recorded = config::parse_yaml(recording.config, "config of the reference");
  if (!recorded.is(config::Kind::map)) return out;
  for (const config::Entry& entry : recorded.entries()) out.set(entry.key, entry.value, entry.key_mark);
  const View view(out);
  if (view.get<int64_t>("num_hidden_layers") == 0) out.erase("num_hidden_layers");
  if (out.find("num_hidden_layers") == nullptr) out.set("num_hidden_layers", Node::integer(1));
  return out;
}

// Writes the workload's page and tokens.
class WorkloadNodes {
 public:
  WorkloadNodes(const View& recorded, StageKind kind)
      : recorded_(recorded), kind_(kind), out_(recorded_workload(recorded)) {}

  Node build() {
    switch (kind_) {
      case StageKind::sam:
      case StageKind::clip: see_page(recorded_.get_positive<int64_t>("image")); break;
      case StageKind::head: copy("tokens", "new_tokens"); break;
      case StageKind::layer_dense:
      case StageKind::layer_moe:
        copy("new_tokens", "new_tokens");
        copy("cached_tokens", "cached_tokens");
        break;
      case StageKind::decode: read_page("cached_tokens"); break;
      case StageKind::vision:
      case StageKind::prefill:
      case StageKind::infer: read_page("new_tokens"); break;
    }
    if (out_.find("page_width") == nullptr) see_page(least_page);
    if (out_.find("seq_len") == nullptr) out_.set("prompt_tokens", Node::integer(1));
    return std::move(out_);
  }

 private:
  void copy(const char* from, const char* to) { out_.set(to, recorded_.at(from).node()); }

  // A page of the size that it is seen at.
  void see_page(int64_t side) {
    out_.set("mode", text("base"));
    for (const char* key : {"page_width", "page_height", "base_size", "image_size"}) out_.set(key, Node::integer(side));
    out_.set("crop_mode", Node::boolean(false));
  }

  // A page with its tiles, and the prompt as long as `length` says.
  void read_page(const char* length) {
    see_page(recorded_.get_positive<int64_t>("base"));
    copy(length, "seq_len");
    if (recorded_.has("prompt_tokens")) copy("prompt_tokens", "prompt_tokens");
    if (!recorded_.has("tiles")) return;
    const auto tiles = recorded_.get<std::vector<int64_t>>("tiles");
    if (tiles.size() != 2) throw recorded_.at("tiles").expected("columns and rows");
    out_.set("image_size", Node::integer(recorded_.get_or<int64_t>("tile", published_tile)));
    out_.set("crop_mode", Node::boolean(true));
    out_.set("tile_columns", Node::integer(tiles[0]));
    out_.set("tile_rows", Node::integer(tiles[1]));
  }

  const View& recorded_;
  StageKind kind_;
  Node out_;
};

Node decoder_node(const View& workload, StageKind kind) {
  Node out = Node::map();
  out.set("routing", text(workload.get_or<std::string>("routing", "worst")));
  if (routes(kind) && workload.has("tokens_per_expert")) {
    out.set("tokens_per_expert", workload.at("tokens_per_expert").node());
  }
  return out;
}

const char* name_of_routing(Routing routing) {
  return routing == Routing::uniform ? "uniform" : routing == Routing::worst ? "worst" : "best";
}

Json config_json(const StageOptions& o) {
  const DecoderArchitecture& d = o.architecture.decoder;
  if (o.kind == StageKind::sam || o.kind == StageKind::clip) return Json::object();
  if (o.kind == StageKind::head) return {{"hidden_size", d.hidden_size}, {"vocab_size", d.vocab_size}};
  Json out = {{"hidden_size", d.hidden_size},
              {"intermediate_size", d.intermediate_size},
              {"moe_intermediate_size", d.moe_intermediate_size},
              {"n_routed_experts", d.n_routed_experts},
              {"n_shared_experts", d.n_shared_experts},
              {"num_experts_per_tok", d.num_experts_per_tok},
              {"num_hidden_layers", o.kind == StageKind::vision ? 0 : d.num_hidden_layers},
              {"num_attention_heads", d.num_attention_heads},
              {"num_key_value_heads", d.num_key_value_heads},
              {"first_k_dense_replace", d.first_k_dense_replace},
              {"vocab_size", d.vocab_size},
              {"max_position_embeddings", d.max_position_embeddings}};
  if (d.moe_layer_freq != 1) out["moe_layer_freq"] = d.moe_layer_freq;
  if (d.norm_topk_prob) out["norm_topk_prob"] = true;
  return out;
}

Json page_json(const StageOptions& o) {
  Json out = {{"batch_size", o.batch}, {"base", o.page.base_size}, {"tile", o.page.tile_size}, {"tiles", nullptr}};
  if (o.page.has_tiles()) out["tiles"] = {o.page.columns, o.page.rows};
  out.update({{"image_tokens", o.page.image_tokens()},
              {"prompt_tokens", o.prompt_tokens},
              {"new_tokens", o.new_tokens},
              {"cached_tokens", o.cached_tokens}});
  if (o.kind == StageKind::infer) {
    out.update({{"max_new_tokens", o.max_new_tokens}, {"routing", name_of_routing(o.routing)}});
  }
  out["last_logits_only"] = o.last_logits_only;
  return out;
}

Json workload_json(const StageOptions& o) {
  switch (o.kind) {
    case StageKind::sam:
    case StageKind::clip: return {{"batch_size", o.batch}, {"image", o.image}};
    case StageKind::head: return {{"batch_size", o.batch}, {"tokens", o.new_tokens}};
    case StageKind::layer_dense:
    case StageKind::layer_moe:
      return {{"batch_size", o.batch}, {"new_tokens", o.new_tokens}, {"cached_tokens", o.cached_tokens}};
    case StageKind::vision:
    case StageKind::prefill:
    case StageKind::decode:
    case StageKind::infer: return page_json(o);
  }
  throw Error(ErrorCode::internal, "an unknown stage");
}

}  // namespace

Node configuration_of(const Recording& recording) {
  check_weights(recording);
  const Node workload_node = config::parse_yaml(recording.workload, "workload of the reference");
  const View workload(workload_node);
  const StageKind kind = parse_stage_kind(recording.case_name);
  const bool last = workload.get_or<bool>("last_logits_only", false);
  return map_of({
      {"hf", recorded_hf(recording, metadata_of(recording))},
      {"runtime", map_of({{"implementation", text(code_base().name)},
                          {"attention", text(recording.attention == "eager" ? "eager" : "flash")},
                          {"precision", text(recording.precision.empty() ? "bf16" : recording.precision)}})},
      {"workload", WorkloadNodes(workload, kind).build()},
      {"vision", map_of({{"sam", text("sam_vit_b")}, {"clip", text("clip_vit_l")}})},
      {"decoder", decoder_node(workload, kind)},
      {"head", map_of({{"logits", text(last ? "last" : "all")}})},
      {"model", recorded_model(code_base(), recording.case_name)},
  });
}

void DeepSeekOCR::describe(const Stage& stage, Recording& header) const {
  const StageOptions& o = static_cast<const OcrStage&>(stage).options();
  header.implementation = code_base().name;
  header.precision = o.autocast ? "autocast" : "bf16";
  header.weights = short_name(o.dtype);
  header.case_name = name_of(o.kind);
  const bool eager = o.attention == AttentionImplementation::eager;
  header.attention = o.kind == StageKind::head ? "none" : eager ? "eager" : "flash";
  header.config = config_json(o).dump();
  Json workload = workload_json(o);
  if (!o.tokens_per_expert.empty()) workload["tokens_per_expert"] = o.tokens_per_expert;
  header.workload = workload.dump();
}

}  // namespace modelmeter::deepseek_ocr::remote
