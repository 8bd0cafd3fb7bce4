// Wan's transformers in other formats: what stays in 16 bits, bytes of whole models worked out from their sizes, and
// two published GGUF files.
#include "model/weight_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "config/yaml.h"
#include "model/transformers/umt5.h"
#include "model/wan/diffusers/code_base.h"
#include "model/wan/diffusers/dit.h"
#include "model/wan/official/code_base.h"

namespace modelmeter::wan {
namespace {

using testing::HasSubstr;

Architecture t2v(int64_t dim, int64_t ffn_dim, int64_t heads, int64_t layers) {
  Architecture a;
  a.dim = dim;
  a.ffn_dim = ffn_dim;
  a.num_heads = heads;
  a.num_layers = layers;
  return a;
}
Architecture small() { return t2v(1536, 8960, 12, 30); }   // T2V-1.3B
Architecture large() { return t2v(5120, 13824, 40, 40); }  // T2V-14B

WeightStorage read(const std::string& group, const FormatSupport& support, const std::string& config_json = "") {
  const config::Node node = config::parse_yaml(group, "transformer.yaml");
  const config::Node config = config::parse_yaml(config_json.empty() ? "{}" : config_json, "config.json");
  return read_weight_storage(config::View(node, "transformer"), config_json.empty() ? nullptr : &config, support, {});
}

const FormatSupport& of(Role role) { return diffusers::code_base().formats(role); }

std::string error(const std::string& group, const FormatSupport& support, const std::string& config_json = "") {
  try {
    read(group, support, config_json);
  } catch (const Error& e) {
    std::string out = e.message();
    for (const std::string& note : e.notes()) out += "; " + note;
    return out;
  }
  return "no error";
}

int64_t bytes_of(const Architecture& a, const std::string& group, DType dtype = DType::bfloat16) {
  diffusers::WanTransformer3DModel model({dtype}, a);
  read(group, of(Role::transformer)).apply(model);
  return model.parameter_bytes();
}

// Of a block: 4 projections of self- and of cross-attention, and two of the feed-forward.
int64_t block_weights(const Architecture& a) { return a.num_layers * (8 * a.dim * a.dim + 2 * a.dim * a.ffn_dim); }

TEST(WeightStorages, OfGgufLeaveWhatConvertersLeave) {
  for (const Architecture& a : {small(), large()}) {
    const int64_t before = bytes_of(a, "{}"), blocks = block_weights(a);
    EXPECT_EQ(bytes_of(a, "{weight_format: gguf_q8_0}"), before - 2 * blocks + blocks / 32 * 34);
    EXPECT_EQ(bytes_of(a, "{weight_format: gguf_q4_k}"), before - 2 * blocks + blocks / 256 * 144);
    EXPECT_EQ(bytes_of(a, "{weight_format: gguf_q2_k}"), before - 2 * blocks + blocks / 256 * 84);
  }
}

// A cast keeps biases in float8, too, and leaves embedders and norms.
TEST(WeightStorages, OfACastLeaveItsPatterns) {
  const Architecture a = small();
  const int64_t biases = a.num_layers * (8 * a.dim + a.ffn_dim + a.dim);
  const int64_t head = 64 * a.dim + 64;
  EXPECT_EQ(bytes_of(a, "{weight_format: fp8_e4m3}"), bytes_of(a, "{}") - block_weights(a) - biases - head);
  EXPECT_EQ(bytes_of(a, "{weight_format: fp8_e4m3, keep_modules: [proj_out]}"),
            bytes_of(a, "{}") - block_weights(a) - biases);
}

// bitsandbytes converts all Linears but those that stay in float32: the time embedder.
TEST(WeightStorages, OfBitsandbytesKeepTheTimeEmbedder) {
  const Architecture a = small();
  const int64_t values = block_weights(a) + a.dim * 6 * a.dim + a.text_dim * a.dim + a.dim * a.dim + 64 * a.dim;
  const int64_t rows = a.num_layers * (8 * a.dim + a.ffn_dim + a.dim) + 6 * a.dim + 2 * a.dim + 64;
  EXPECT_EQ(bytes_of(a, "{weight_format: bnb_int8}"), bytes_of(a, "{}") - values + 4 * rows);
  const int64_t linears = 10 * a.num_layers + 4;
  EXPECT_EQ(bytes_of(a, "{weight_format: bnb_nf4}"),
            bytes_of(a, "{}") - 2 * values + values / 2 + values / 64 * 4 + linears * 64);
}

TEST(WeightStorages, KeepModulesThatAreNamed) {
  const Architecture a = small();
  const int64_t ffn = a.num_layers * 2 * a.dim * a.ffn_dim;
  EXPECT_EQ(bytes_of(a, "{weight_format: gguf_q8_0, keep_modules: [ffn]}"),
            bytes_of(a, "{weight_format: gguf_q8_0}") + 2 * ffn - ffn / 32 * 34);
  diffusers::WanTransformer3DModel model({DType::bfloat16}, a);
  try {
    read("{weight_format: gguf_q8_0, keep_modules: [ffm]}", of(Role::transformer)).apply(model);
    FAIL() << "there is no ffm";
  } catch (const Error& e) {
    EXPECT_THAT(e.message(), HasSubstr("transformer.keep_modules: no module of WanTransformer3DModel is called 'ffm'"));
    EXPECT_THAT(e.what(), HasSubstr("did you mean 'ffn'?"));
  }
}

// The files of city96's Wan2.1-T2V-14B-gguf, by the rules of their converter (lcpp.patch): tensors that are left are
// F32. Published: Q8_0 15.9 GB, Q4_K_M 10.1 GB.
TEST(WeightStorages, HaveTheSizesOfPublishedFiles) {
  EXPECT_NEAR(static_cast<double>(bytes_of(large(), "{weight_format: gguf_q8_0}", DType::float32)), 15.9e9, 0.05e9);
  WeightStorage mixed;
  mixed.group = "transformer";
  for (const char* name : {"attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "attn2.to_q", "attn2.to_k",
                           "attn2.to_v", "attn2.to_out.0", "ffn.net.0.proj", "ffn.net.2"}) {
    const std::string_view text(name);
    const bool wide = text.find("to_v") != std::string_view::npos || text == "ffn.net.2";
    std::vector<int64_t> sizes = {5120, 5120};
    if (text == "ffn.net.2") sizes = {5120, 13824};
    if (text == "ffn.net.0.proj") sizes = {13824, 5120};
    for (int i = 0; i < 40; ++i) {
      mixed.by_tensor["blocks." + std::to_string(i) + "." + name + ".weight"] = {
          find_weight_format(wide ? "gguf_q6_k" : "gguf_q4_k"), sizes, name};
    }
  }
  diffusers::WanTransformer3DModel model({DType::float32}, large());
  mixed.apply(model);
  EXPECT_NEAR(static_cast<double>(model.parameter_bytes()), 10.1e9, 0.05e9);
}

TEST(WeightStorages, OfTheTextEncoderKeepWo) {
  transformers::TextEncoderArchitecture a;
  a.vocab = 100;
  a.dim = 64;
  a.dim_attn = 64;
  a.dim_ffn = 128;
  a.num_heads = 4;
  a.num_layers = 2;
  a.num_buckets = 32;
  transformers::UMT5EncoderModel model({DType::bfloat16}, a);
  const int64_t before = model.parameter_bytes();
  read("{weight_format: bnb_int8}", of(Role::text_encoder)).apply(model);
  const int64_t values = 2 * (4 * 64 * 64 + 2 * 64 * 128), rows = 2 * (4 * 64 + 2 * 128);
  EXPECT_EQ(model.parameter_bytes(), before - values + 4 * rows);
}

TEST(WeightStorages, ThatAComponentCannotHaveAreRefused) {
  EXPECT_THAT(error("{weight_format: gguf_q4_j}", of(Role::transformer)), HasSubstr("did you mean 'gguf_q4_"));
  EXPECT_THAT(error("{weight_format: gptq_int4}", of(Role::transformer)),
              HasSubstr("diffusers' transformer cannot be kept as gptq_int4; it can be: fp8_e4m3,"));
  EXPECT_THAT(error("{weight_format: gguf_q4_k}", of(Role::text_encoder)), HasSubstr("cannot be kept as gguf_q4_k"));
  EXPECT_THAT(error("{weight_format: bnb_nf4}", of(Role::autoencoder)),
              HasSubstr("the autoencoder is not kept in other formats; vae.weight_dtype=bfloat16"));
  EXPECT_THAT(error("{weight_format: bnb_nf4}", official::code_base().formats(Role::transformer)),
              HasSubstr("runtime.implementation=diffusers has formats"));
  EXPECT_THAT(error("{weight_format: torchao_int4, weight_group_size: 48}", of(Role::transformer)),
              HasSubstr("groups of 32, 64, 128 and 256"));
  EXPECT_THAT(error("{weight_format: bnb_int8, weight_group_size: 64}", of(Role::transformer)),
              HasSubstr("bnb_int8 has no groups to choose"));
  EXPECT_THAT(error("{weight_group_size: 64}", of(Role::transformer)), HasSubstr("weight_format says whose groups"));
  EXPECT_THAT(error("{keep_modules: [ffn]}", of(Role::transformer)), HasSubstr("weight_format says what"));
  EXPECT_THAT(error("{lora: {rank: 8}}", of(Role::text_encoder)), HasSubstr("has no LoRA"));
  EXPECT_THAT(error("{lora: {merged: true}}", of(Role::transformer)), HasSubstr("lora.rank says how wide"));
  EXPECT_THAT(error("{gguf: x.gguf}", of(Role::text_encoder)), HasSubstr("does not read GGUF files"));
}

TEST(WeightStorages, FollowAQuantizationConfig) {
  const auto format = [](const std::string& q, const FormatSupport& support) {
    const WeightStorage storage = read("{}", support, "{\"quantization_config\": " + q + "}");
    return storage.name() + " " + std::to_string(storage.format->group);
  };
  const FormatSupport &transformer = of(Role::transformer), &text = of(Role::text_encoder);
  EXPECT_EQ(format(R"({"quant_method": "bitsandbytes", "load_in_8bit": true})", transformer), "bnb_int8 0");
  EXPECT_EQ(format(R"({"quant_method": "bitsandbytes", "_load_in_4bit": true, "bnb_4bit_quant_type": "nf4",
                       "bnb_4bit_use_double_quant": true})",
                   transformer),
            "bnb_nf4_double 64");
  EXPECT_EQ(format(R"({"quant_method": "bitsandbytes", "load_in_4bit": true})", text), "bnb_fp4 64");
  EXPECT_EQ(format(R"({"quant_method": "torchao", "quant_type": "int8wo"})", transformer), "torchao_int8 0");
  EXPECT_EQ(format(R"({"quant_method": "torchao", "quant_type": "int4_weight_only",
                       "quant_type_kwargs": {"group_size": 64}})",
                   transformer),
            "torchao_int4 64");
  EXPECT_EQ(format(R"({"quant_method": "torchao", "quant_type": {"default": {"_type": "Int4WeightOnlyConfig",
                       "_data": {"group_size": 32}}}})",
                   transformer),
            "torchao_int4 32");
  EXPECT_EQ(format(R"({"quant_method": "fp8", "weight_block_size": [128, 128]})", text), "fp8_e4m3_block 0");
  const auto refused = [&](const std::string& q) {
    return error("{}", transformer, "{\"quantization_config\": " + q + "}");
  };
  EXPECT_THAT(refused(R"({"quant_method": "gptq", "bits": 4, "group_size": 128})"),
              HasSubstr("cannot be kept as gptq_int4"));
  EXPECT_THAT(refused(R"({"quant_method": "gptq", "bits": 3})"), HasSubstr("of 4 bits only"));
  EXPECT_THAT(refused(R"({"quant_method": "awq", "bits": 4, "group_size": -1})"), HasSubstr("groups of 32"));
  EXPECT_THAT(refused(R"({"quant_method": "eetq"})"), HasSubstr("quantised (eetq), which is not modelled"));
}

TEST(WeightStorages, NamesOfGgufFilesAreDiffusers) {
  const auto name = of(Role::transformer).name_of_gguf;
  EXPECT_EQ(name("blocks.3.self_attn.q.weight"), "blocks.3.attn1.to_q.weight");
  EXPECT_EQ(name("blocks.3.cross_attn.o.weight"), "blocks.3.attn2.to_out.0.weight");
  EXPECT_EQ(name("blocks.0.cross_attn.k_img.weight"), "blocks.0.attn2.add_k_proj.weight");
  EXPECT_EQ(name("blocks.0.ffn.0.weight"), "blocks.0.ffn.net.0.proj.weight");
  EXPECT_EQ(name("blocks.0.ffn.2.weight"), "blocks.0.ffn.net.2.weight");
  EXPECT_EQ(name("text_embedding.2.weight"), "condition_embedder.text_embedder.linear_2.weight");
  EXPECT_EQ(name("head.head.weight"), "proj_out.weight");
  EXPECT_EQ(name("vace_blocks.1.after_proj.weight"), "vace_blocks.1.proj_out.weight");
  EXPECT_EQ(name("blocks.3.attn1.to_out.0.weight"), "blocks.3.attn1.to_out.0.weight");  // as diffusers wrote it
}

}  // namespace
}  // namespace modelmeter::wan
