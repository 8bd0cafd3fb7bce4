// The example of docs/models/deepseek_ocr.md, with the figures that it names.
#include <gtest/gtest.h>

#include "config/compose.h"
#include "model/deepseek_ocr/remote/reading.h"
#include "model/registry.h"

namespace modelmeter {
namespace {

TEST(OcrReading, ReadsAPageTokenByToken) {
  const std::string root = MODELMETER_SOURCE_DIR;
  const config::Repository configs(root + "/configs", {});
  const config::Node config = config::resolve(config::compose(configs, "deepseek_ocr", {"workload=dsocr-base"}));
  const std::unique_ptr<AnalyticModel> model = build_model(config::View(config), DataFiles{root});

  deepseek_ocr::remote::Reading reading(dynamic_cast<const deepseek_ocr::remote::DeepSeekOCR&>(*model));
  reading.start_prefill(283);
  const StageCost prefill = reading.get_forward_cost();
  reading.start_decode();
  Cost decode;
  for (int token = 0; token < 3; ++token) {
    decode.add(reading.get_forward_cost().cost);
    reading.decode_one_token();
  }

  EXPECT_EQ(prefill.cost.flops_tensor, 1'469'826'109'952);
  EXPECT_EQ(decode.flops_tensor, int64_t{3} * 1'165'641'216 + (1 + 2) * 61'440);
  EXPECT_EQ(reading.kv_cache_bytes(), 286 * 61'440);
}

}  // namespace
}  // namespace modelmeter
