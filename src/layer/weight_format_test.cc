// Bytes of each format, worked out by hand (those of bitsandbytes and torchao are what quantize_4bit() and quantize_()
// make of such a weight), and the kernels that run with it, as recorded from the libraries themselves (torch's dispatch
// mode around diffusers 0.42.1's GGUFLinear on the CPU; constants come from the host there).
#include "layer/weight_format.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layer/conv.h"
#include "layer/embedding.h"
#include "layer/linear.h"
#include "layer/norm.h"

namespace modelmeter {
namespace {

const BuildContext bf16{DType::bfloat16};

// A Linear in a module of its own, as libraries find it.
class Holder : public Module<Holder> {
 public:
  Holder(int64_t in, int64_t out, bool bias = true) : Module("Holder"), linear_(bf16, {in, out, bias}) {
    register_module("linear", linear_);
  }
  Tensor forward(Tensor x) const { return linear_(x); }

 private:
  Linear linear_;
};

void store_as(BaseLayer& layer, const std::string& name, int64_t group = 0, int64_t rank = 0) {
  const WeightFormat* format = name.empty() ? nullptr : find_weight_format(name, group);
  ASSERT_TRUE(name.empty() || format != nullptr) << name;
  layer.store([&](const BaseLayer&, const std::string&) { return StoredAs{format, rank}; });
}

// Of a weight [64, 512] without a bias: 32,768 values.
int64_t bytes_of(const std::string& name, int64_t group = 0) {
  Holder layer(512, 64, false);
  store_as(layer, name, group);
  EXPECT_EQ(layer.parameter_count(), 32768);
  return layer.parameter_bytes() + layer.buffer_bytes();
}

TEST(WeightFormats, HaveTheBytesOfTheirTensors) {
  EXPECT_EQ(bytes_of(""), 2 * 32768);
  EXPECT_EQ(bytes_of("fp8_e4m3"), 32768);
  EXPECT_EQ(bytes_of("fp8_e5m2"), 32768);
  EXPECT_EQ(bytes_of("fp8_e4m3_scaled"), 32768 + 4);
  EXPECT_EQ(bytes_of("fp8_e4m3_block"), 32768 + 1 * 4 * 4);
  EXPECT_EQ(bytes_of("bnb_int8"), 32768 + 64 * 4);
  const int64_t blocks = 32768 / 64;
  EXPECT_EQ(bytes_of("bnb_nf4"), 16384 + blocks * 4 + 16 * 4);
  EXPECT_EQ(bytes_of("bnb_fp4"), bytes_of("bnb_nf4"));
  EXPECT_EQ(bytes_of("bnb_nf4_double"), 16384 + blocks + 16 * 4 + 2 * 4 + 256 * 4 + 4);
  EXPECT_EQ(bytes_of("bnb_fp4_double"), bytes_of("bnb_nf4_double"));
  EXPECT_EQ(bytes_of("torchao_int8"), 32768 + 64 * (4 + 1));
  // Padded to 1,024 columns: a scale and a zero of two bytes for each 128 of them.
  EXPECT_EQ(bytes_of("torchao_int4"), 64 * 1024 / 2 + 8 * 64 * 4);
  EXPECT_EQ(bytes_of("torchao_int4", 32), 64 * 1024 / 2 + 32 * 64 * 4);
  EXPECT_EQ(bytes_of("awq_int4"), 16384 + 4 * 64 * 2 + 4 * 64 / 2);
  EXPECT_EQ(bytes_of("gptq_int4"), bytes_of("awq_int4") + 512 * 4);
  EXPECT_EQ(bytes_of("gptq_int4", 32), 16384 + 16 * 64 * 2 + 16 * 64 / 2 + 512 * 4);
}

// gguf.GGML_QUANT_SIZES (gguf 0.19.0): values and bytes of a block.
TEST(WeightFormats, OfGgufHaveLlamaCppsBlocks) {
  EXPECT_EQ(bytes_of("gguf_q2_k"), 128 * 84);
  EXPECT_EQ(bytes_of("gguf_q3_k"), 128 * 110);
  EXPECT_EQ(bytes_of("gguf_q4_0"), 1024 * 18);
  EXPECT_EQ(bytes_of("gguf_q4_1"), 1024 * 20);
  EXPECT_EQ(bytes_of("gguf_q4_k"), 128 * 144);
  EXPECT_EQ(bytes_of("gguf_q5_0"), 1024 * 22);
  EXPECT_EQ(bytes_of("gguf_q5_1"), 1024 * 24);
  EXPECT_EQ(bytes_of("gguf_q5_k"), 128 * 176);
  EXPECT_EQ(bytes_of("gguf_q6_k"), 128 * 210);
  EXPECT_EQ(bytes_of("gguf_q8_0"), 1024 * 34);
}

TEST(WeightFormats, OddSizesAreFilledUp) {
  Holder odd(3, 5, false);  // 15 values: 8 bytes, one block
  store_as(odd, "bnb_nf4");
  EXPECT_EQ(odd.parameter_bytes(), 8 + 4 + 64);
}

// Rows that are not whole blocks stay as they are.
TEST(WeightFormats, ThatDoNotFitLeaveTheWeight) {
  Holder layer(48, 64, false);
  store_as(layer, "gguf_q4_k");
  EXPECT_EQ(layer.parameter_bytes(), 48 * 64 * 2);
  Holder whole(64, 64, false);
  store_as(whole, "gguf_q4_0");
  EXPECT_EQ(whole.parameter_bytes(), 64 * 2 * 18);
}

TEST(WeightFormats, LeaveBiasesButACastDoesNot) {
  Holder quantised(512, 64), cast(512, 64);
  store_as(quantised, "bnb_int8");
  store_as(cast, "fp8_e4m3");
  EXPECT_EQ(quantised.parameter_bytes(), 32768 + 64 * 4 + 64 * 2);
  EXPECT_EQ(cast.parameter_bytes(), 32768 + 64);
}

TEST(WeightFormats, OfLinearLayersOnlyButCastsOfTables) {
  Embedding table(bf16, {64, 32}), other(bf16, {64, 32});
  LayerNorm norm(bf16, {64});
  store_as(table, "bnb_int8");
  store_as(other, "fp8_e4m3");
  store_as(norm, "fp8_e4m3");
  EXPECT_EQ(table.parameter_bytes(), 64 * 32 * 2);
  EXPECT_EQ(other.parameter_bytes(), 64 * 32);
  EXPECT_EQ(norm.parameter_bytes(), 2 * 64 * 2);
}

TEST(WeightFormats, AreWhatAStructureDiffersIn) {
  Linear plain(bf16, {512, 64}), a(bf16, {512, 64}), b(bf16, {512, 64}), lora(bf16, {512, 64});
  store_as(a, "gguf_q4_0");
  store_as(b, "gguf_q4_k");
  store_as(lora, "", 0, 4);
  EXPECT_NE(plain.structure(), a.structure());
  EXPECT_NE(a.structure(), b.structure());
  EXPECT_NE(plain.structure(), lora.structure());
}

// --- kernels ---------------------------------------------------------------------------------------------------------

struct Recorded {
  std::string ops;
  int64_t peak = 0;
};

// Of a Linear [8, 512] of three tokens, copies from the host left out.
Recorded run(const std::string& name, int64_t rows = 3, int64_t rank = 0, DType dtype = DType::bfloat16) {
  Linear layer({dtype}, {512, 8});
  store_as(layer, name, 0, rank);
  Tracer tracer;
  Tracer::Guard guard(tracer);
  Recorded out;
  {
    const Tensor x = tracer.input({rows, 512}, dtype);
    layer.run({x});
    const Trace& trace = tracer.trace();
    for (size_t i = 0; i < trace.ops.size(); ++i) {
      const Op& op = trace.ops[i];
      if (trace.transfer_of(op) != Transfer::none || info(op.kernel).kind == OpKind::allocate) continue;
      const TensorMeta& made = trace.output(op, 0);
      out.ops += fmt::format("{}{} {}{}", out.ops.empty() ? "" : "; ", info(op.kernel).name, short_name(made.dtype),
                             made.sizes.to_string());
    }
    out.peak = roll_up(trace).peak_live;
  }
  return out;
}

TEST(StoredLinears, OfGgufRunDiffusersKernels) {
  const std::string end = "; _to_copy bf16[8, 512]; addmm bf16[3, 8]";
  const std::string scales =
      "bitwise_and u8[16, 1, 4]; bitwise_and u8[16, 1, 4]; __rshift__ u8[16, 1, 4]; bitwise_and u8[16, 1, 4]; "
      "bitwise_or u8[16, 1, 4]; cat u8[16, 1, 8]; bitwise_and u8[16, 1, 4]; __rshift__ u8[16, 1, 4]; "
      "__rshift__ u8[16, 1, 4]; bitwise_and u8[16, 1, 4]; bitwise_or u8[16, 1, 4]; cat u8[16, 1, 8]; mul f16[16, 8]; "
      "mul f16[16, 8]; __rshift__ u8[16, 4, 2, 32]; ";
  const std::string fifth =
      "_to_copy i32[128, 4]; __lshift__ i32[128]; bitwise_or i32[128]; __lshift__ i32[128]; bitwise_or i32[128]; "
      "__lshift__ i32[128]; bitwise_or i32[128]; arange i32[32]; __rshift__ i32[128, 32]; __rshift__ u8[128, 1, 2, 16]; "
      "bitwise_and i32[128, 32]; _to_copy u8[128, 32]; bitwise_and u8[128, 1, 2, 16]; __lshift__ u8[128, 32]; "
      "bitwise_or u8[128, 32]; ";
  EXPECT_EQ(run("gguf_q8_0").ops, "mul f16[128, 32]" + end);
  EXPECT_EQ(run("gguf_q4_0").ops,
            "__rshift__ u8[128, 1, 2, 16]; bitwise_and u8[128, 1, 2, 16]; _to_copy i8[128, 32]; sub i8[128, 32]; "
            "mul f16[128, 32]" +
                end);
  EXPECT_EQ(run("gguf_q4_1").ops,
            "__rshift__ u8[128, 1, 2, 16]; bitwise_and u8[128, 1, 2, 16]; mul f16[128, 32]; add f16[128, 32]" + end);
  EXPECT_EQ(run("gguf_q5_0").ops, fifth + "_to_copy i8[128, 32]; sub i8[128, 32]; mul f16[128, 32]" + end);
  EXPECT_EQ(run("gguf_q5_1").ops, fifth + "mul f16[128, 32]; add f16[128, 32]" + end);
  EXPECT_EQ(run("gguf_q2_k").ops,
            "bitwise_and u8[16, 16]; mul f16[16, 16]; __rshift__ u8[16, 16]; mul f16[16, 16]; "
            "__rshift__ u8[16, 2, 4, 32]; bitwise_and u8[16, 2, 4, 32]; mul f16[16, 16, 16]; sub f16[16, 16, 16]" +
                end);
  EXPECT_EQ(
      run("gguf_q3_k").ops,
      "__rshift__ u8[16, 2, 8]; __rshift__ u8[16, 4, 4]; bitwise_and u8[16, 16]; bitwise_and u8[16, 16]; "
      "__lshift__ u8[16, 16]; bitwise_or u8[16, 16]; _to_copy i8[16, 16]; sub i8[16, 16]; mul f16[16, 16]; "
      "__rshift__ u8[16, 2, 4, 32]; arange u8[8]; __rshift__ u8[16, 1, 8, 32]; bitwise_and u8[16, 16, 16]; "
      "bitwise_and u8[16, 16, 16]; bitwise_xor u8[16, 16, 16]; _to_copy i8[16, 16, 16]; __lshift__ u8[16, 16, 16]; "
      "_to_copy i8[16, 16, 16]; sub i8[16, 16, 16]; mul f16[16, 16, 16]" +
          end);
  EXPECT_EQ(run("gguf_q4_k").ops,
            scales + "bitwise_and u8[16, 4, 2, 32]; mul f16[16, 8, 32]; sub f16[16, 8, 32]" + end);
  EXPECT_EQ(
      run("gguf_q5_k").ops,
      scales +
          "arange u8[8]; __rshift__ u8[16, 1, 8, 32]; bitwise_and u8[16, 4, 2, 32]; bitwise_and u8[16, 1, 8, 32]; "
          "__lshift__ u8[16, 8, 32]; bitwise_or u8[16, 8, 32]; mul f16[16, 8, 32]; sub f16[16, 8, 32]" +
          end);
  EXPECT_EQ(run("gguf_q6_k").ops,
            "mul f16[16, 16]; __rshift__ u8[16, 2, 2, 64]; bitwise_and u8[16, 2, 2, 64]; __rshift__ u8[16, 2, 4, 32]; "
            "bitwise_and u8[16, 2, 4, 32]; __lshift__ u8[16, 8, 32]; bitwise_or u8[16, 8, 32]; _to_copy i8[16, 8, 32]; "
            "sub i8[16, 8, 32]; mul f16[16, 16, 16]" +
                end);
}

// n = 4,096 values. Q8_0: float16 and bfloat16 at the cast. Q4_K: the low bits, their product and the difference,
// beside scales and minima of 128 sub-blocks (a byte, and float16).
TEST(StoredLinears, HaveTheUnpackedWeightWhileTheyRun) {
  const int64_t n = 4096;
  EXPECT_EQ(run("gguf_q8_0").peak, 4 * n);
  EXPECT_EQ(run("gguf_q4_k").peak, 5 * n + 2 * 128 + 2 * 2 * 128);
  EXPECT_EQ(run("bnb_nf4", 64).peak, 2 * n + 64 * 8 * 2);
  EXPECT_EQ(run("torchao_int8", 64).peak, 2 * n + 64 * 8 * 2);
  EXPECT_EQ(run("awq_int4", 64).peak, 64 * 8 * 2);
}

TEST(StoredLinears, OfBitsandbytes) {
  EXPECT_EQ(run("bnb_nf4", 5).ops, "bitsandbytes.dequantize_4bit bf16[8, 512]; addmm bf16[5, 8]");
  EXPECT_EQ(run("bnb_nf4_double", 5).ops,
            "bitsandbytes.dequantize_blockwise f32[64]; add f32[64]; bitsandbytes.dequantize_4bit bf16[8, 512]; "
            "addmm bf16[5, 8]");
  EXPECT_EQ(run("bnb_fp4", 4).ops, "bitsandbytes.gemm_4bit bf16[4, 8]; add_ bf16[4, 8]");
  const std::string quantise =
      "abs f16[5, 512]; ge bool[5, 512]; any bool[]; bitsandbytes.int8_vectorwise_quant i8[5, 512]; "
      "bitsandbytes.int8_linear_matmul i32[5, 8]; bitsandbytes.int8_mm_dequant f16[5, 8]";
  EXPECT_EQ(run("bnb_int8", 5).ops, "_to_copy f16[5, 512]; " + quantise + "; add_ f16[5, 8]; _to_copy bf16[5, 8]");
  EXPECT_EQ(run("bnb_int8", 5, 0, DType::float16).ops, quantise);
}

TEST(StoredLinears, OfTheOthers) {
  EXPECT_EQ(run("torchao_int8").ops,
            "_to_copy bf16[512, 8]; mm bf16[3, 8]; _to_copy bf16[8, 1]; mul bf16[3, 8]; add_ bf16[3, 8]");
  EXPECT_EQ(run("torchao_int4").ops,
            "fill_ bf16[3, 1024]; copy_ bf16[3, 512]; _weight_int4pack_mm bf16[3, 8]; add_ bf16[3, 8]");
  EXPECT_EQ(run("gptq_int4").ops, "gptqmodel.marlin_gemm bf16[3, 8]; add_ bf16[3, 8]");
  EXPECT_EQ(run("fp8_e4m3").ops,
            "_to_copy bf16[8, 512]; _to_copy bf16[8]; addmm bf16[3, 8]; _to_copy f8e4m3[8, 512]; _to_copy f8e4m3[8]");
  EXPECT_EQ(run("fp8_e4m3_block").ops,
            "finegrained_fp8.act_quant f8e4m3[3, 512]; finegrained_fp8.w8a8_block_fp8_matmul bf16[3, 8]; "
            "add bf16[3, 8]");
}

TEST(StoredLinears, OfALoraRunItsTwoProductsAndAnAddition) {
  EXPECT_EQ(run("", 3, 16).ops, "addmm bf16[3, 8]; mm bf16[3, 16]; mm bf16[3, 8]; mul bf16[3, 8]; add bf16[3, 8]");
  Linear layer(bf16, {512, 8});
  store_as(layer, "gguf_q8_0", 0, 16);
  EXPECT_EQ(layer.parameter_bytes() + layer.buffer_bytes(), 128 * 34 + 8 * 2 + (16 * 512 + 8 * 16) * 2);
  EXPECT_EQ(layer.parameter_count(), 512 * 8 + 8);
}

// Two FLOPs a multiply-add, whatever the weight is kept as.
TEST(StoredLinears, HaveTheFlopsOfTheirProduct) {
  for (const char* name : {"", "gguf_q4_k", "bnb_nf4", "bnb_int8", "torchao_int8", "torchao_int4", "gptq_int4",
                           "fp8_e4m3", "fp8_e4m3_block", "fp8_e4m3_scaled"}) {
    Linear layer(bf16, {1024, 16});
    store_as(layer, name);
    EXPECT_EQ(layer.forward_tensor_core_flops({{{32, 1024}, DType::bfloat16}}), 2 * 32 * 1024 * 16) << name;
  }
}

}  // namespace
}  // namespace modelmeter
