#include "verify/json.h"

#include <gtest/gtest.h>

namespace modelmeter {
namespace {

VerifiedReference reference(int64_t kernels) {
  VerifiedReference out;
  out.file = "r.json";
  out.name = "r";
  out.stage = "vae/decode";
  out.comparison.totals = {{"kernels", kernels, 2}};
  out.comparison.kernels_compared = 2;
  out.comparison.kernels_different = kernels == 2 ? 0 : 1;
  if (kernels != 2) out.comparison.first_kernels = {{1, "", "aten.mul"}};
  out.comparison.modules = {{"conv", "Conv2d", "Conv2d", {{"calls", 1, 1}}}};
  return out;
}

TEST(VerifyJson, SaysWhatWasComparedAndWhatDiffers) {
  EXPECT_EQ(references_json({reference(1)}), R"({
  "equal": false,
  "references": [
    {
      "reference": "r.json",
      "stage": "vae/decode",
      "equal": false,
      "totals": [
        {
          "name": "kernels",
          "modelmeter": 1,
          "reference": 2,
          "equal": false
        }
      ],
      "kernels_compared": 2,
      "kernels_different": 1,
      "first_different_kernels": [
        {
          "index": 1,
          "modelmeter": "",
          "reference": "aten.mul"
        }
      ],
      "modules_compared": 1,
      "module_differences": [],
      "parameters_compared": 0,
      "parameter_differences": []
    }
  ]
})");
}

TEST(VerifyJson, ModulesAreInTheViewOfLayersAlone) {
  const std::string layers = suite_json({reference(2)}, "layers", "tiny");
  EXPECT_EQ(layers.rfind("{\n  \"mode\": \"layers\",\n  \"workload\": \"tiny\",\n  \"equal\": true,\n", 0), 0u);
  EXPECT_NE(layers.find("\"modules\": [\n        {\n          \"name\": \"conv\",\n          \"class\": \"Conv2d\""),
            std::string::npos);
  EXPECT_EQ(suite_json({reference(2)}, "pipeline", "tiny").find("\"modules\":"), std::string::npos);
}

}  // namespace
}  // namespace modelmeter
