#include "model/deepseek_ocr/storage.h"

#include <fmt/format.h>

namespace modelmeter::deepseek_ocr {

Storage Storage::read(const config::View& config, const config::Node& config_json,
                      const std::vector<WeightFormatKind>& kinds, const DataFiles& files) {
  using Kind = WeightFormatKind;
  const FormatSupport decoder = {"the decoder", kinds, "", {"lm_head"}, {}, {}};
  const FormatSupport vision = {"the image encoders", {Kind::bnb_int8, Kind::bnb_4bit}, "", {}, {}, {}};
  Storage out;
  out.decoder = read_weight_storage(config.child("decoder"), &config_json, decoder, files);
  const WeightFormat* format = out.decoder.format;
  const bool both = format != nullptr && (format->kind == Kind::bnb_int8 || format->kind == Kind::bnb_4bit);
  if (const auto group = config.optional_child("vision")) {
    out.vision = read_weight_storage(*group, both ? &config_json : nullptr, vision, files);
  }
  return out;
}

void Storage::apply(BaseLayer& model) const {
  decoder.apply(model, decoder_modules);
  vision.apply(model, vision_modules);
}

void Storage::apply_to_part(BaseLayer& part) const {
  decoder.apply_to_part(part, decoder_modules);
  vision.apply_to_part(part, vision_modules);
}

Fields Storage::fields() const {
  Fields out;
  if (!decoder.name().empty()) out.emplace_back("decoder.weight_format", decoder.name());
  if (!vision.name().empty()) out.emplace_back("vision.weight_format", vision.name());
  return out;
}

std::vector<std::string> Storage::notes(const BaseLayer& model) const {
  std::vector<std::string> out;
  for (const auto& [name, value] : fields()) {
    out.push_back(fmt::format("{}={}: linear layers are kept so; {} bytes of weights in all", name,
                              std::get<std::string>(value), model.parameter_bytes()));
  }
  return out;
}

}  // namespace modelmeter::deepseek_ocr
