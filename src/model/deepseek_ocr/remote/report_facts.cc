// What reports say of DeepSeek-OCR: runtime, names of nodes, what classes are.
#include <algorithm>

#include "model/deepseek_ocr/remote/model.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

// By class, or by the name of a part that no class is.
std::vector<std::pair<std::string, std::string>> descriptions() {
  return {
      {"DeepseekOCRModel",
       "The decoder with the image encoders: embeddings of the prompt, image tokens in their places, layers, final norm."},
      {"DeepseekOCRForCausalLM", "One forward: hidden states of the new tokens, then logits in float32."},
      {"ImageEncoderViT",
       "SAM's ViT-B: windowed and global attention with relative positions, then a neck and two convolutions that leave 1/64 of the pixels."},
      {"PatchEmbed", "A convolution that makes a token of each 16 x 16 pixels."},
      {"Block",
       "A transformer block of SAM: attention in windows of 14 x 14 tokens, or over the whole image, and an MLP."},
      {"Attention",
       "Attention of SAM with decomposed relative positions, whose bias is written out for every pair of tokens."},
      {"MLPBlock", "Two linear layers with a GELU between."},
      {"LayerNorm2d", "Layer norm over the channels of an image, written in elementwise operations."},
      {"VitModel", "CLIP-L on SAM's features: its own patch convolution is there but does not run."},
      {"CLIPVisionEmbeddings",
       "The class token before SAM's features, and positions added, resampled where the grid is another."},
      {"NoTPTransformer", "The blocks of CLIP-L."},
      {"NoTPTransformerBlock", "Layer norm, attention, layer norm, feed-forward, each with a residual addition."},
      {"NoTPAttention", "Attention with one projection for queries, keys and values."},
      {"NoTPFeedForward", "Two linear layers with a quick GELU between."},
      {"MlpProjector", "One linear layer from the features of both encoders to the width of the decoder."},
      {"DeepseekV2DecoderLayer",
       "RMS norm, attention behind a KV cache, RMS norm, a dense MLP (layer 0) or a mixture of experts."},
      {"LlamaAttention", "Attention with rotary positions and a KV cache; scores and softmax written out."},
      {"LlamaFlashAttention2", "Attention with rotary positions and a KV cache, by the fused kernel."},
      {"LlamaRotaryEmbedding", "Cosines and sines of the positions, computed anew in every layer."},
      {"DeepseekV2RMSNorm", "RMS norm in float32, written in elementwise operations."},
      {"DeepseekV2MLP", "Gated MLP: silu(gate x) times up x, then down."},
      {"DeepseekV2MoE", "Every token goes to its best routed experts, and all of them to the shared one."},
      {"MoEGate", "The best experts of each token: a product and a softmax in float32, then top-k."},
      {"prefill", "The forward that reads the prompt and the page, and gives the first new token."},
      {"decode", "The forwards that give the other tokens, one each."},
      {"vision", "From the pixels of a page to the embeddings that stand for it in the prompt."},
      {"core", "The attention itself: scores, softmax and weighted sum."},
      {"rope", "The rotary turn of queries and keys."},
      {"rel_pos", "The attention bias of every pair of positions, from a table for each axis."},
      {"kv_cache", "Keys and values of the new tokens join those of all before: torch.cat copies the whole cache."},
      {"dispatch", "Tokens sorted by expert; how many each gets is read back to the host."},
      {"combine", "The experts' outputs back in the order of the tokens, weighted and added."},
      {"residual", "Residual additions."},
  };
}

}  // namespace

Fields DeepSeekOCR::runtime_fields() const {
  const Runtime& r = runtime_;
  const bool eager = r.attention == AttentionImplementation::eager;
  const char* routing = r.routing == Routing::uniform ? "uniform" : r.routing == Routing::worst ? "worst" : "best";
  const char* precision = r.autocast ? "autocast" : r.dtype == DType::bfloat16 ? "bf16" : torch_name(r.dtype).data();
  Fields out = {{"implementation", std::string("official")},
                {"attention", std::string(eager ? "eager" : "flash")},
                {"precision", std::string(precision)},
                {"sampling", r.sampling},
                {"logits", std::string(r.last_logits_only ? "last" : "all")},
                {"routing", std::string(routing)}};
  for (auto& field : storage_.fields()) out.push_back(std::move(field));
  return out;
}

ReportNames DeepSeekOCR::names() const {
  ReportNames out = common_names("DeepseekV2DecoderLayer");
  out.class_prefix = "deepencoder.";
  for (const char* klass : {"DeepseekOCRModel", "DeepseekOCRForCausalLM"})
    out.class_modules.emplace_back(klass, "modeling_deepseekocr");
  for (const char* klass :
       {"DeepseekV2DecoderLayer", "DeepseekV2RMSNorm", "DeepseekV2MLP", "DeepseekV2MoE", "MoEGate"}) {
    out.class_modules.emplace_back(klass, "modeling_deepseekv2");
  }
  for (const char* klass : {"LlamaAttention", "LlamaFlashAttention2", "LlamaRotaryEmbedding"}) {
    out.class_modules.emplace_back(klass, "transformers.models.llama.modeling_llama");
  }
  out.modules = {{"sam_model", "image_encoder_vit"},
                 {"vision_model", "vit_model"},
                 {"projector", "mlp_projector"},
                 {"layers[]", "layer"},
                 {"blocks[]", "block"},
                 {"experts[]", "expert"}};
  out.own = {{"DeepseekOCRModel", "masks_and_splicing"},
             {"LlamaAttention", "layout"},
             {"LlamaFlashAttention2", "layout"},
             {"DeepseekV2DecoderLayer", "residual"},
             {"Block", "residual"},
             {"NoTPTransformerBlock", "residual"},
             {"MoEGate", "gate"},
             {"DeepseekV2MoE", "residual"}};
  const std::string layers = layers_id;
  out.placed = {{"prefill/model/vision", "vision", "vision"},
                {"prefill/model/decoder", layers + "/prefill", "prefill"},
                {"decode/model/decoder", layers + "/decode", "decode"}};
  const auto sees = [](const auto& stage) { return stage->stage() == "vision"; };
  if (!by_stages() || std::none_of(stages_.begin(), stages_.end(), sees)) out.nested_stages = {{"vision", "prefill"}};
  out.descriptions = descriptions();
  return out;
}

}  // namespace modelmeter::deepseek_ocr::remote
