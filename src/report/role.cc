#include "report/role.h"

#include <regex>
#include <vector>

namespace modelmeter {
namespace {

struct Rename {
  std::regex from;
  std::string to;
};

Rename called(const char* from, const char* to) { return {std::regex(from), to}; }

// Wan-Video/Wan2.1 wan/modules/{model,t5,vae}.py against diffusers 0.42 transformer_wan.py, autoencoder_kl_wan.py and
// transformers 4 modeling_umt5.py.
const std::vector<Rename>& of_diffusers() {
  static const std::vector<Rename> table = {
      // transformer
      called("/(self_attn|cross_attn)/to_([qkv])$", "/$1/$2"),
      called("/(self_attn|cross_attn)/to_out\\.0$", "/$1/o"),
      called("/cross_attn/add_([kv])_proj$", "/cross_attn/$1_img"),
      called("/cross_attn/norm_added_k$", "/cross_attn/norm_k_img"),
      called("/mlp/net\\.0/proj$", "/mlp/0"),
      called("/mlp/net\\.0/other$", "/mlp/1"),
      called("/mlp/net\\.2$", "/mlp/2"),
      called("^(diffusion/.*/?block_\\d+)/norm2$", "$1/norm_of_cross_attn"),
      called("^(diffusion/.*/?block_\\d+)/norm3$", "$1/norm2"),
      called("/norm_of_cross_attn$", "/norm3"),
      called("/condition_embedder/time_embedder/linear_1$", "/time_embedding/0"),
      called("/condition_embedder/time_embedder/act$", "/time_embedding/1"),
      called("/condition_embedder/time_embedder/linear_2$", "/time_embedding/2"),
      called("/condition_embedder/act_fn$", "/time_projection/0"),
      called("/condition_embedder/time_proj$", "/time_projection/1"),
      called("/condition_embedder/text_embedder/linear_1$", "/text_embedding/0"),
      called("/condition_embedder/text_embedder/act_1$", "/text_embedding/1"),
      called("/condition_embedder/text_embedder/linear_2$", "/text_embedding/2"),
      called("^(diffusion/[^/]*)/norm_out$", "$1/head/norm"),
      called("^(diffusion/[^/]*)/proj_out$", "$1/head/head"),
      // text encoder
      called("^(text_encoder/umt5)/encoder/embed_tokens$", "$1/embedding"),
      called("^(text_encoder/umt5)/encoder/final_layer_norm$", "$1/norm"),
      called("^(text_encoder/umt5)/encoder/(block_\\d+)/attn/layer_norm$", "$1/$2/norm1"),
      called("^(text_encoder/umt5)/encoder/(block_\\d+)/mlp/layer_norm$", "$1/$2/norm2"),
      called("^(text_encoder/umt5)/encoder/(block_\\d+)/attn/self_attention/position_bias/relative_attention_bias$",
             "$1/$2/pos_embedding/embedding"),
      called("^(text_encoder/umt5)/encoder/(block_\\d+)/attn/self_attention/position_bias/other$",
             "$1/$2/pos_embedding/other"),
      called("^(text_encoder/umt5)/encoder/(block_\\d+)/attn/self_attention/", "$1/$2/attn/"),
      called("^(text_encoder/umt5)/encoder/(block_\\d+)/mlp/dense/wi_0$", "$1/$2/mlp/gate/0"),
      called("^(text_encoder/umt5)/encoder/(block_\\d+)/mlp/dense/act$", "$1/$2/mlp/gate/1"),
      called("^(text_encoder/umt5)/encoder/(block_\\d+)/mlp/dense/wi_1$", "$1/$2/mlp/fc1"),
      called("^(text_encoder/umt5)/encoder/(block_\\d+)/mlp/dense/wo$", "$1/$2/mlp/fc2"),
      called("^(text_encoder/umt5)/encoder/(block_\\d+)/mlp/dense/other$", "$1/$2/mlp/other"),
      // autoencoder
      called("^(vae/[^/]*)/post_quant_conv$", "$1/conv2"),
      called("^(vae/[^/]*)/quant_conv$", "$1/conv1"),
      called("^(vae/.*coder)/conv_in$", "$1/conv1"),
      called("^(vae/.*coder)/norm_out$", "$1/head.0"),
      called("^(vae/.*coder)/nonlinearity$", "$1/head.1"),
      called("^(vae/.*coder)/conv_out$", "$1/head.2"),
      called("^(vae/.*)/mid_block/resnets_\\d+/", "$1/middle/"),
      called("^(vae/.*)/mid_block/attentions_00/modulation$", "$1/middle_01/other"),
      called("^(vae/.*)/mid_block/attentions_00/", "$1/middle_01/"),
      called("^(vae/.*)/up_blocks_0?(\\d)/(resnets|upsamplers)_\\d+/", "$1/up_$2/"),
      called("^(vae/.*encoder)/down_blocks_\\d+/", "$1/down/"),
  };
  return table;
}

// Of the official code only what the two group otherwise: 3 residual blocks and an upsampling make a stage.
const std::vector<Rename>& of_official() {
  static const std::vector<Rename> table = {
      called("^(vae/.*)/middle_0[02]/", "$1/middle/"),   called("^(vae/.*)/upsamples_0[0-3]/", "$1/up_0/"),
      called("^(vae/.*)/upsamples_0[4-7]/", "$1/up_1/"), called("^(vae/.*)/upsamples_(08|09|10|11)/", "$1/up_2/"),
      called("^(vae/.*)/upsamples_1[2-4]/", "$1/up_3/"), called("^(vae/.*encoder)/downsamples_\\d+/", "$1/down/"),
      called("^(vae/.*)/residual\\.0$", "$1/norm1"),     called("^(vae/.*)/residual\\.[14]$", "$1/nonlinearity"),
      called("^(vae/.*)/residual\\.2$", "$1/conv1"),     called("^(vae/.*)/residual\\.3$", "$1/norm2"),
      called("^(vae/.*)/residual\\.6$", "$1/conv2"),     called("^(vae/.*)/shortcut$", "$1/conv_shortcut"),
  };
  return table;
}

}  // namespace

std::string role_of(const std::string& module_id, const std::string& implementation) {
  if (implementation != "diffusers" && implementation != "official") return module_id;
  std::string out = module_id;
  for (const Rename& r : implementation == "diffusers" ? of_diffusers() : of_official()) {
    out = std::regex_replace(out, r.from, r.to);
  }
  return out;
}

}  // namespace modelmeter
