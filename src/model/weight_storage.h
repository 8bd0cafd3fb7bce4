// How a component of a model is kept on the device apart from the dtype it computes with: a weight format
// (layer/weight_format.h), the modules that keep their dtype, a LoRA that is not merged. Read from the component's
// group of a configuration (`transformer`, `text_encoder`, …), else from the quantization_config of its config.json, or
// from a GGUF file.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "layer/base_layer.h"
#include "model/data_files.h"
#include "model/gguf_file.h"

namespace modelmeter {

// What the code that runs a component can keep it as.
struct FormatSupport {
  std::string component;                // in errors: "diffusers' transformer"
  std::vector<WeightFormatKind> kinds;  // none: it has no formats
  std::string otherwise;                // where it has none: what it has instead
  // Modules that the library leaves as they are, by name (a part of the path; "^name": the module of the root).
  std::vector<std::string> kept;
  std::vector<std::string> kept_by_cast,
      kept_by_gguf;  // in place of it for these kinds; a cast's are any part of a path
  bool lora = false;
  // The names that files have for its tensors, as the code's; empty: GGUF files are not read.
  std::string (*name_of_gguf)(const std::string& name) = nullptr;
};

struct WeightStorage {
  std::string group;  // of the configuration, for errors
  const WeightFormat* format = nullptr;
  std::vector<std::string> kept;          // by name
  std::vector<std::string> keep_modules;  // of them, those that a configuration gives
  struct GgufEntry {
    const WeightFormat* format;  // null: it has no blocks
    std::vector<int64_t> sizes;
    std::string name;  // in the file
    bool operator==(const GgufEntry&) const = default;
  };
  std::map<std::string, GgufEntry> by_tensor;  // of a GGUF file: by the name of the parameter
  std::string gguf_path;
  int64_t lora_rank = 0;
  std::vector<std::string> lora_targets;

  bool operator==(const WeightStorage&) const = default;
  bool any() const { return format != nullptr || !by_tensor.empty() || lora_rank > 0; }
  // Keeps the layer's tree so. `inside`: only modules below these paths; none: all. Error for a name of the
  // configuration that no module has, and for tensors of a GGUF file that are another model's.
  void apply(BaseLayer& root, const std::vector<std::string>& inside = {}) const;
  // The same of a part of a model, which may lack what is named.
  void apply_to_part(BaseLayer& part, const std::vector<std::string>& inside = {}) const;
  std::string name() const;                                     // "gguf_q4_k", or "" where it is kept as its dtype
  std::vector<std::string> notes(const BaseLayer& root) const;  // for reports, once it is applied

 private:
  StoredAs of(const BaseLayer& layer, const std::string& path) const;
  void check_names(const BaseLayer& root) const;
  void check_tensors(const BaseLayer& root) const;
};

// A group's keys that read_weight_storage() reads.
std::vector<std::string> with_storage_keys(std::vector<std::string> keys);

// weight_format, weight_group_size, keep_modules, gguf, lora (rank, targets, merged); where none of the first says
// anything, `config_json` may have a quantization_config (null: there is no file). Errors at the key: a format that the
// component cannot have, with those that it can.
WeightStorage read_weight_storage(const config::View& group, const config::Node* config_json,
                                  const FormatSupport& support, const DataFiles& files);

// Error for a quantization_config that is not modelled.
void check_quantization_config(const config::View& quantization);

}  // namespace modelmeter
