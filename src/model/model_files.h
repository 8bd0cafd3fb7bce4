// What hf.config_path names, as people point at a model: a config.json, a folder (of the original code or of
// diffusers), a pipeline's model_index.json, an index of weights or a safetensors file. What a file is, is said.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layer/base_layer.h"
#include "model/data_files.h"

namespace modelmeter {

// The tensors of a checkpoint as its index or its header lists them.
struct WeightsListing {
  struct Tensor {
    std::string name, dtype;  // dtype as safetensors calls it: "BF16"
    std::vector<int64_t> sizes;
  };
  std::string path;
  bool has_shapes = false;            // a safetensors header has, an index has not
  std::optional<int64_t> total_size;  // bytes of all tensors
  std::vector<Tensor> tensors;
};

// The files of diffusers' folder of a pipeline, parsed; those that the index does not name or that are not there are
// absent.
struct PipelineFiles {
  std::string class_name;  // "WanPipeline"
  config::Node index;      // model_index.json
  std::optional<config::Node> transformer_2, text_encoder, image_encoder, vae, scheduler;
  std::vector<std::string> missing;  // named, but not there: "vae/config.json"
};

struct ModelFiles {
  std::string config_path;  // absolute, of the file that gives the sizes
  config::Node config;      // what it says
  std::optional<PipelineFiles> pipeline;
  std::optional<WeightsListing> weights;
};

// Follows the path. Errors at the view: no such file, a folder without a model, weights without a config.json beside
// them, what is no JSON.
ModelFiles find_model(const config::View& config_path, const DataFiles& files);

// "the config of a scheduler (UniPCMultistepScheduler)" of a file that gives no model's sizes, or another family's;
// "" where it is unknown.
std::string what_it_is(const config::Node& config);

// The name of its class as files say it: _class_name, the first of architectures; or "".
std::string class_name_of(const config::View& config);

// Compares the checkpoint with the layer's parameters: names, and shapes where they are listed, and bytes. Error where
// they differ, naming the first that does; else a sentence that says what was compared.
std::string compare_weights(const WeightsListing& weights, const BaseLayer& layer);

// A key of a published config.json with a value that switches nothing on: null, false, an empty list or map. Keys that
// begin with '_' say where a file is from.
bool is_off(const config::Entry& entry);

// Error for what a config.json says that is not modelled: a key that is neither known nor harmless nor off, and a
// quantization_config of another method (model/weight_storage.h). `format` is whose keys they are.
void require_known_published_keys(const config::View& config, const std::vector<std::string>& known,
                                  std::string_view format);

// One of some names or of their aliases ("sdpa" for "flash"); Error with a did-you-mean.
std::string choice_or_alias(const config::View& view, std::string_view key, const std::vector<std::string>& allowed,
                            const std::vector<std::pair<std::string, std::string>>& aliases);

}  // namespace modelmeter
