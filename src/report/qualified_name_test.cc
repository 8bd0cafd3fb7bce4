#include "report/qualified_name.h"

#include <gtest/gtest.h>

namespace modelmeter {
namespace {

// torch's own by its modules; else by class, by the stage that it runs in, by the model.
TEST(QualifiedName, IsWhatPythonWouldSay) {
  ReportNames names;
  names.class_prefix = "wan.modules.model.";
  names.stage_class_prefix = {{"text_encoder/", "wan.modules.t5."}};
  names.class_modules = {{"VaceWanModel", "wan.modules.vace_model"}};
  struct Case {
    const char *klass, *stage;
    bool leaf;
    const char* name;
  };
  const Case cases[] = {
      {"Linear", "diffusion/dit", true, "torch.nn.modules.linear.Linear"},
      {"Conv2d", "vae/decode", true, "torch.nn.modules.conv.Conv2d"},
      {"Conv3d", "vae/decode", true, "torch.nn.modules.conv.Conv3d"},
      {"LayerNorm", "diffusion/dit", true, "torch.nn.modules.normalization.LayerNorm"},
      {"GELU", "diffusion/dit", true, "torch.nn.modules.activation.GELU"},
      {"SiLU", "diffusion/dit", true, "torch.nn.modules.activation.SiLU"},
      {"Embedding", "text_encoder/umt5", true, "torch.nn.modules.sparse.Embedding"},
      {"Dropout", "diffusion/dit", true, "torch.nn.modules.dropout.Dropout"},
      {"Identity", "diffusion/dit", true, "torch.nn.modules.linear.Identity"},
      {"ZeroPad2d", "vae/encode", true, "torch.nn.modules.padding.ZeroPad2d"},
      {"Upsample", "vae/decode", true, "torch.nn.modules.upsampling.Upsample"},
      // Containers hold others.
      {"Sequential", "diffusion/dit", false, "torch.nn.modules.container.Sequential"},
      {"ModuleList", "diffusion/dit", false, "torch.nn.modules.container.ModuleList"},
      // diffusers' GELU holds a Linear: it is not torch's.
      {"GELU", "diffusion/dit", false, "wan.modules.model.GELU"},
      {"GELU", "text_encoder/umt5", false, "wan.modules.t5.GELU"},
      {"WanAttentionBlock", "diffusion/dit", false, "wan.modules.model.WanAttentionBlock"},
      {"T5Attention", "text_encoder/umt5", false, "wan.modules.t5.T5Attention"},
      {"VaceWanModel", "diffusion/dit", false, "wan.modules.vace_model.VaceWanModel"},
      {"VaceWanModel", "text_encoder/umt5", false, "wan.modules.vace_model.VaceWanModel"},
  };
  for (const Case& c : cases) EXPECT_EQ(qualified_class_name(names, c.klass, c.stage, c.leaf), c.name) << c.stage;
}

}  // namespace
}  // namespace modelmeter
