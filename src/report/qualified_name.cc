#include "report/qualified_name.h"

#include <fmt/format.h>

#include <map>

namespace modelmeter {
namespace {

// torch 2.15, torch/nn/modules.
const std::map<std::string, std::string> torch_modules = {
    {"Linear", "linear"},         {"Conv2d", "conv"},          {"Conv3d", "conv"},     {"LayerNorm", "normalization"},
    {"RMSNorm", "normalization"}, {"GELU", "activation"},      {"SiLU", "activation"}, {"Embedding", "sparse"},
    {"Sequential", "container"},  {"ModuleList", "container"}, {"Dropout", "dropout"}, {"Identity", "linear"},
    {"ZeroPad2d", "padding"},     {"Upsample", "upsampling"}};

}  // namespace

std::string qualified_class_name(const ReportNames& names, const std::string& klass, const std::string& stage_id,
                                 bool leaf) {
  const auto found = torch_modules.find(klass);
  if (found != torch_modules.end() && (leaf || found->second == "container")) {
    return "torch.nn.modules." + found->second + "." + klass;
  }
  for (const auto& [name, module] : names.class_modules) {
    if (name == klass) return fmt::format("{}.{}", module, klass);
  }
  for (const auto& [stage, prefix] : names.stage_class_prefix) {
    if (stage_id.compare(0, stage.size(), stage) == 0) return prefix + klass;
  }
  return names.class_prefix + klass;
}

}  // namespace modelmeter
