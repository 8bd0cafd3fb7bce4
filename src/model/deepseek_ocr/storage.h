// How DeepSeek-OCR's decoder and its image encoders are kept on the device: the groups `decoder` and `vision` of a
// configuration, else the quantization_config of the model's config.json (bitsandbytes quantises the encoders, too;
// GPTQ and AWQ are made of decoders).
#pragma once

#include <string>
#include <vector>

#include "model/weight_storage.h"

namespace modelmeter::deepseek_ocr {

struct Storage {
  WeightStorage decoder, vision;
  std::vector<std::string> decoder_modules, vision_modules;  // by their paths in the whole model

  // Errors at the key: formats that `kinds` has not, for the decoder; the encoders have bitsandbytes'.
  static Storage read(const config::View& config, const config::Node& config_json,
                      const std::vector<WeightFormatKind>& kinds, const DataFiles& files);

  void apply(BaseLayer& model) const;
  void apply_to_part(BaseLayer& part) const;
  Fields fields() const;  // for reports
  std::vector<std::string> notes(const BaseLayer& model) const;
};

}  // namespace modelmeter::deepseek_ocr
