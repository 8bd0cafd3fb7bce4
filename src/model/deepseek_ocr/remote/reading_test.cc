#include "model/deepseek_ocr/remote/reading.h"

#include <gtest/gtest.h>

#include "testing/models.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

using testing_models::ocr_model;
using testing_models::OcrSpec;

TEST(Reading, OneTokenAfterAnotherIsWhatTheRunCounts) {
  for (const char* attention : {"flash", "eager"}) {
    OcrSpec spec;
    spec.attention = attention;
    spec.max_new_tokens = 9;
    const auto model = ocr_model(spec);
    const Workload& w = model->workload();

    Reading reading(*model);
    reading.start_prefill(w.seq_len);
    Cost sum = reading.get_forward_cost().cost;
    reading.start_decode();
    for (int64_t i = 0; i < w.decode_steps(); ++i) {
      sum.add(reading.get_forward_cost().cost);
      reading.decode_one_token();
    }
    const StageCost run = model->get_forward_cost();
    EXPECT_TRUE(sum == run.cost) << attention;
    EXPECT_EQ(reading.kv_cache_bytes(), run.kv_cache_bytes);
    EXPECT_EQ(reading.cache().decode_len(), 8);
  }
}

TEST(Reading, DecodeIsCheaperThanPrefillAndGrowsWithTheContext) {
  const auto model = ocr_model({});
  Reading reading(*model);
  const StageCost vision = reading.get_forward_cost();
  reading.start_prefill(model->workload().seq_len);
  const StageCost prefill = reading.get_forward_cost();
  reading.start_decode();
  const StageCost first = reading.get_forward_cost();
  reading.decode_one_token();
  const StageCost second = reading.get_forward_cost();
  EXPECT_LT(vision.cost.flops_tensor, prefill.cost.flops_tensor);
  EXPECT_LT(first.cost.flops_full(), prefill.cost.flops_full());
  EXPECT_LT(first.cost.bytes(), prefill.cost.bytes());
  EXPECT_LT(first.activation_peak_bytes, prefill.activation_peak_bytes);
  EXPECT_GT(second.cost.flops_tensor, first.cost.flops_tensor);
  EXPECT_GT(second.cost.bytes_read, first.cost.bytes_read);
  EXPECT_EQ(vision.kv_cache_bytes, 0);
  const int64_t per_token = model->architecture().decoder.kv_cache_bytes_per_token(DType::bfloat16);
  EXPECT_EQ(second.kv_cache_bytes - first.kv_cache_bytes, per_token);
}

TEST(Reading, FlashIsEagerInFlopsAndBelowItInBytesAndMemory) {
  OcrSpec spec;
  const auto flash = ocr_model(spec);
  spec.attention = "eager";
  const auto eager = ocr_model(spec);
  Reading a(*flash), b(*eager);
  a.start_prefill(300);
  b.start_prefill(300);
  const StageCost f = a.get_forward_cost(), e = b.get_forward_cost();
  EXPECT_EQ(f.cost.flops_tensor, e.cost.flops_tensor);
  EXPECT_LT(f.cost.bytes(), e.cost.bytes());
  EXPECT_LE(f.activation_peak_bytes, e.activation_peak_bytes);
}

TEST(Reading, IsMonotoneInContextAndBatch) {
  const auto model = ocr_model({});
  Reading reading(*model);
  Cost before;
  for (const int64_t context : {100, 101, 200, 400}) {
    reading.start_prefill(context);
    const Cost cost = reading.get_forward_cost().cost;
    EXPECT_GT(cost.flops_tensor, before.flops_tensor);
    EXPECT_GT(cost.bytes(), before.bytes());
    before = cost;
  }
  reading.start_prefill(400, 2);
  const Cost two = reading.get_forward_cost().cost;
  EXPECT_EQ(two.flops_tensor, 2 * before.flops_tensor);
  EXPECT_LT(two.bytes_read, 2 * before.bytes_read);  // weights are read once
}

TEST(Reading, StartsAgainWithAnotherPage) {
  const auto model = ocr_model({});
  Reading reading(*model);
  const Cost vision = reading.get_forward_cost().cost;
  reading.start_prefill(model->workload().seq_len);
  reading.start_decode();
  reading.decode_one_token();
  reading.start_vision();
  EXPECT_TRUE(reading.get_forward_cost().cost == vision);
  EXPECT_EQ(reading.kv_cache_bytes(), 0);
  EXPECT_THROW(reading.cache(), Error);
  EXPECT_THROW(reading.decode_one_token(), Error);
}

TEST(Reading, RefusesWhatCannotRun) {
  const auto model = ocr_model({});
  Reading reading(*model);
  EXPECT_THROW(reading.start_prefill(73), Error);  // the page alone
  EXPECT_THROW(reading.start_decode(), Error);
  EXPECT_THROW(reading.decode_one_token(), Error);
  EXPECT_THROW(reading.cache(), Error);
}

TEST(SyntheticKVCache, CountsTokensAndBytes) {
  SyntheticKVCache cache(2, 12, 10, 128, 500);
  EXPECT_EQ(cache.size_bytes(), 2 * 61'440 * 500);
  cache.update(3);
  EXPECT_EQ(cache.total_len(), 503);
  EXPECT_EQ(cache.decode_len(), 3);
  cache.update(11, 1);
  EXPECT_EQ(cache.get_usable_length(11), 504);
  EXPECT_THROW(cache.get_usable_length(12), Error);
  EXPECT_THROW(SyntheticKVCache(0, 12, 10, 128, 500), Error);
  EXPECT_THROW(SyntheticKVCache(1, 12, 10, 128, -1), Error);
  EXPECT_THROW(SyntheticKVCache(int64_t{1} << 50, 12, 10, 128, 500).size_bytes(), Error);
}

}  // namespace
}  // namespace modelmeter::deepseek_ocr::remote
