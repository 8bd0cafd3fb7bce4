#include "model/deepseek_ocr/remote/recorded_stage.h"

#include "config/yaml.h"
#include "model/deepseek_ocr/remote/part_stage.h"

namespace modelmeter::deepseek_ocr {
namespace {

constexpr int64_t tile_side = 640;  // of tiles that the recording does not give a size of

// Sizes of the head alone, whose recordings have no configuration.
void read_head(const Recording& recording, DecoderArchitecture& d) {
  for (const RecordedParameter& p : recording.parameters) {
    if (p.name != "lm_head.weight" || p.tensor.sizes.rank() != 2) continue;
    d.vocab_size = p.tensor.sizes[0];
    d.hidden_size = p.tensor.sizes[1];
  }
}

PageLayout read_page(const config::View& workload) {
  PageLayout page{workload.get<int64_t>("base"), workload.get_or<int64_t>("tile", tile_side)};
  if (!workload.has("tiles")) {
    page.tile_size = page.base_size;
    return page;
  }
  const auto tiles = workload.get<std::vector<int64_t>>("tiles");
  if (tiles.size() != 2) throw workload.at("tiles").expected("columns and rows");
  page.columns = tiles[0];
  page.rows = tiles[1];
  return page;
}

}  // namespace

std::unique_ptr<Stage> recorded_stage(const Recording& recording) {
  const config::Node config_node = config::parse_yaml(recording.config, "config of the reference");
  const config::Node workload_node = config::parse_yaml(recording.workload, "workload of the reference");
  const config::View config(config_node), workload(workload_node);

  PartOptions o;
  o.kind = parse_part_kind(recording.part);
  o.attention =
      recording.attention == "eager" ? AttentionImplementation::eager : AttentionImplementation::flash_attention_2;
  o.autocast = recording.precision == "autocast";
  if (!recording.parameters.empty()) o.dtype = parse_dtype(recording.parameters.front().tensor.dtype);
  o.batch = workload.get_or<int64_t>("batch_size", 1);
  o.new_tokens = workload.get_or<int64_t>("new_tokens", 1);
  o.cached_tokens = workload.get_or<int64_t>("cached_tokens", 0);
  o.last_logits_only = workload.get_or<bool>("last_logits_only", false);
  if (workload.has("tokens_per_expert")) {
    o.tokens_per_expert = workload.get<std::vector<int64_t>>("tokens_per_expert");
  }
  switch (o.kind) {
    case PartKind::sam:
    case PartKind::clip: o.image = workload.get<int64_t>("image"); break;
    case PartKind::head:
      o.new_tokens = workload.get<int64_t>("tokens");
      read_head(recording, o.architecture.decoder);
      break;
    case PartKind::layer_dense:
    case PartKind::layer_moe: o.architecture.decoder = read_decoder(config); break;
    case PartKind::vision:
    case PartKind::prefill:
    case PartKind::decode:
    case PartKind::infer:
      o.architecture.decoder = read_decoder(config);
      o.page = read_page(workload);
      o.prompt_tokens = workload.get_or<int64_t>("prompt_tokens", o.prompt_tokens);
      if (workload.has("max_new_tokens")) o.max_new_tokens = workload.get_positive<int64_t>("max_new_tokens");
      break;
  }
  return std::make_unique<PartStage>(std::move(o));
}

}  // namespace modelmeter::deepseek_ocr
