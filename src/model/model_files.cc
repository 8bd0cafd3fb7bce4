#include "model/model_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/checked.h"
#include "base/edit_distance.h"
#include "config/yaml.h"
#include "model/weight_storage.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;
using config::Kind;
using config::Node;
using config::View;

constexpr int64_t largest_header = 100'000'000;  // bytes; safetensors refuses longer ones

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::string text_at(const Node& node, std::string_view key) {
  const Node* found = node.find(key);
  return found != nullptr && found->is(Kind::string) ? found->as_string() : "";
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// --- weights ---------------------------------------------------------------------------------------------------------

// Bits of a value, by safetensors' names.
constexpr std::array<std::pair<std::string_view, int64_t>, 17> safetensors_types = {{{"BOOL", 8},
                                                                                     {"U8", 8},
                                                                                     {"I8", 8},
                                                                                     {"U16", 16},
                                                                                     {"I16", 16},
                                                                                     {"F16", 16},
                                                                                     {"BF16", 16},
                                                                                     {"U32", 32},
                                                                                     {"I32", 32},
                                                                                     {"F32", 32},
                                                                                     {"U64", 64},
                                                                                     {"I64", 64},
                                                                                     {"F64", 64},
                                                                                     {"F8_E4M3", 8},
                                                                                     {"F8_E5M2", 8},
                                                                                     {"F8_E8M0", 8},
                                                                                     {"C64", 64}}};

// That the header says what can be. `data`: bytes behind it in the file; none where the header was taken by itself.
void check_safetensors(const std::string& path, const WeightsListing::Tensor& tensor,
                       const std::vector<int64_t>& offsets, int64_t data) {
  const auto fail = [&](const std::string& what) { throw Error(fmt::format("{}: '{}' {}", path, tensor.name, what)); };
  const std::string place = fmt::format("[{}]", fmt::join(offsets, ", "));
  if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] < offsets[0]) fail("has data_offsets " + place);
  const auto* const type = std::find_if(safetensors_types.begin(), safetensors_types.end(),
                                        [&](const auto& t) { return t.first == tensor.dtype; });
  if (type != safetensors_types.end()) {
    int64_t bits = type->second;
    bool fits = true;
    for (const int64_t size : tensor.sizes) fits &= size >= 0 && !__builtin_mul_overflow(bits, size, &bits);
    if (!fits) fail(fmt::format("has the sizes [{}]", fmt::join(tensor.sizes, ", ")));
    if (bits / 8 != offsets[1] - offsets[0]) {
      fail(fmt::format("has {} bytes, [{}] of {}, but its data_offsets {} are {} apart", bits / 8,
                       fmt::join(tensor.sizes, ", "), tensor.dtype, place, offsets[1] - offsets[0]));
    }
  }
  if (data > 0 && offsets[1] > data) {
    fail(fmt::format("ends at {} of the data, which end at {}: the file is cut, or its header is wrong", offsets[1],
                     data));
  }
}

std::string read_header(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::array<unsigned char, 8> length{};
  in.read(reinterpret_cast<char*>(length.data()), 8);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
  uint64_t size = 0;
  for (size_t i = 8; i-- > 0;) size = (size << 8) | length[i];
  if (!in || size < 2 || size > static_cast<uint64_t>(largest_header)) {
    throw Error(fmt::format("{}: no safetensors file: it does not begin with the length of a header", path));
  }
  std::string text(static_cast<size_t>(size), '\0');
  in.read(text.data(), static_cast<std::streamsize>(size));
  if (!in) throw Error(fmt::format("{}: the file ends within its header of {} bytes", path, size));
  return text;
}

WeightsListing read_safetensors(const std::string& path) {
  const std::string text = read_header(path);
  const Node node = config::parse_yaml(text, path);
  std::error_code ignored;
  const auto data = static_cast<int64_t>(fs::file_size(path, ignored)) - 8 - static_cast<int64_t>(text.size());
  const View header(node);
  WeightsListing out;
  out.path = path;
  out.has_shapes = true;
  int64_t bytes = 0;
  for (const std::string& name : header.keys()) {
    if (name == "__metadata__") continue;
    const View tensor = header.child(name);
    out.tensors.push_back({name, tensor.get<std::string>("dtype"), tensor.get<std::vector<int64_t>>("shape")});
    const auto offsets = tensor.get<std::vector<int64_t>>("data_offsets");
    check_safetensors(path, out.tensors.back(), offsets, data);
    bytes = std::max(bytes, offsets[1]);
  }
  out.total_size = bytes;
  return out;
}

WeightsListing read_index(const std::string& path, const View& index) {
  WeightsListing out;
  out.path = path;
  for (const std::string& name : index.child("weight_map").keys()) out.tensors.push_back({name, "", {}});
  if (const auto metadata = index.optional_child("metadata"); metadata && metadata->has("total_size")) {
    // Written as a float by some versions of transformers.
    const View size = metadata->at("total_size");
    out.total_size = size.node().is(Kind::floating) ? static_cast<int64_t>(size.as<double>()) : size.as<int64_t>();
  }
  return out;
}

Shape shape_of(const std::vector<int64_t>& sizes) {
  if (sizes.size() > static_cast<size_t>(Shape::max_rank)) throw Error("a tensor of more dimensions than torch has");
  Shape out;
  for (const int64_t size : sizes) out.push_back(size);
  return out;
}

std::string described(const WeightsListing& weights) {
  return fmt::format("{} ({} tensor{}{})", weights.has_shapes ? "a safetensors file" : "an index of weights",
                     weights.tensors.size(), weights.tensors.size() == 1 ? "" : "s",
                     weights.total_size ? fmt::format(", {} bytes", *weights.total_size) : "");
}

// --- pipelines -------------------------------------------------------------------------------------------------------

bool names_component(const Node& index, const char* name) {
  const Node* found = index.find(name);
  return found != nullptr && found->is(Kind::list) && !found->items().empty() && !found->items()[0].is(Kind::null);
}

PipelineFiles read_pipeline(const Node& index, const fs::path& folder) {
  PipelineFiles out;
  out.class_name = text_at(index, "_class_name");
  out.index = index;
  const auto read = [&](const char* name, const char* file, std::optional<Node>& into) {
    if (!names_component(index, name)) return;
    const fs::path path = folder / name / file;
    if (is_file(path)) {
      into = read_data_file(path.string());
    } else {
      out.missing.push_back(fmt::format("{}/{}", name, file));
    }
  };
  read("transformer_2", "config.json", out.transformer_2);
  read("text_encoder", "config.json", out.text_encoder);
  read("image_encoder", "config.json", out.image_encoder);
  read("vae", "config.json", out.vae);
  read("scheduler", "scheduler_config.json", out.scheduler);
  return out;
}

// --- following the path ----------------------------------------------------------------------------------------------

ModelFiles from_pipeline(const View& at, const fs::path& index_path) {
  const fs::path folder = index_path.parent_path(), config = folder / "transformer" / "config.json";
  const Node index = read_data_file(index_path.string());
  if (!is_file(config)) {
    throw at.error(fmt::format("{} is the index of a pipeline ({}), and transformer/config.json is not beside it",
                               index_path.string(), text_at(index, "_class_name")),
                   {fmt::format("looked for {}", config.string())});
  }
  ModelFiles out;
  out.config_path = config.string();
  out.config = read_data_file(out.config_path);
  out.pipeline = read_pipeline(index, folder);
  return out;
}

ModelFiles from_config(const std::string& path) {
  ModelFiles out;
  out.config_path = path;
  out.config = read_data_file(path);
  return out;
}

ModelFiles from_folder(const View& at, const fs::path& folder) {
  if (is_file(folder / "model_index.json")) return from_pipeline(at, folder / "model_index.json");
  // Wan2.2's original folders have a folder for each expert, with the same sizes.
  for (const char* name : {"config.json", "transformer/config.json", "high_noise_model/config.json"}) {
    if (is_file(folder / name)) return from_config((folder / name).string());
  }
  std::vector<std::string> there;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".json" && there.size() < 10) there.push_back(entry.path().filename().string());
  }
  std::sort(there.begin(), there.end());
  std::vector<std::string> notes;
  if (!there.empty()) notes.push_back(fmt::format("there are: {}", fmt::join(there, ", ")));
  throw at.error(
      fmt::format("'{}' is a folder without config.json, transformer/config.json or model_index.json", folder.string()),
      std::move(notes));
}

ModelFiles from_weights(const View& at, WeightsListing weights) {
  const fs::path config = fs::path(weights.path).parent_path() / "config.json";
  if (!is_file(config)) {
    throw at.error(fmt::format("{} is {}: it gives no model's sizes, and config.json is not beside it", weights.path,
                               described(weights)),
                   {fmt::format("looked for {}", config.string())});
  }
  ModelFiles out = from_config(config.string());
  out.weights = std::move(weights);
  return out;
}

std::string encoder_or_other(const Node& config, const std::string& klass) {
  const std::string type = text_at(config, "model_type");
  const auto is = [&](std::string_view part) {
    return type.find(part) != std::string::npos || klass.find(part) != std::string::npos;
  };
  if (is("umt5") || is("UMT5") || is("T5Encoder") || type == "t5" || type == "mt5")
    return "the config of a text encoder";
  if (is("clip") || is("CLIP")) return "the config of an image encoder";
  if (config.find("added_tokens_decoder") != nullptr || config.find("tokenizer_class") != nullptr) {
    return "the config of a tokenizer";
  }
  if (config.find("image_mean") != nullptr) return "the config of an image processor";
  if (config.find("peft_type") != nullptr) return "the config of an adapter (LoRA)";
  return "";
}

}  // namespace

ModelFiles find_model(const View& at, const DataFiles& files) {
  const std::string path = files.find(at);
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return from_folder(at, fs::path(path) / "");
  if (ends_with(path, ".safetensors")) return from_weights(at, read_safetensors(path));
  ModelFiles out = from_config(path);
  if (!out.config.is(Kind::map)) return out;
  if (ends_with(text_at(out.config, "_class_name"), "Pipeline")) return from_pipeline(at, path);
  if (out.config.find("weight_map") != nullptr) return from_weights(at, read_index(path, View(out.config)));
  return out;
}

std::string class_name_of(const View& config) {
  if (!config.node().is(Kind::map)) return "";
  if (const std::string name = text_at(config.node(), "_class_name"); !name.empty()) return name;
  const Node* list = config.node().find("architectures");
  if (list == nullptr || !list->is(Kind::list) || list->items().empty()) return "";
  return list->items()[0].is(Kind::string) ? list->items()[0].as_string() : "";
}

std::string what_it_is(const Node& config) {
  if (!config.is(Kind::map)) return "";
  const std::string klass = class_name_of(View(config));
  const auto with = [&](std::string text) {
    return klass.empty() || text.empty() ? std::move(text) : fmt::format("{} ({})", text, klass);
  };
  if (config.find("num_train_timesteps") != nullptr || ends_with(klass, "Scheduler")) {
    return with("the config of a scheduler");
  }
  if (klass.compare(0, 11, "Autoencoder") == 0) return with("the config of an autoencoder");
  if (config.find("language_config") != nullptr || klass.find("OCR") != std::string::npos ||
      klass.find("Ocr") != std::string::npos) {
    return with("the config of a model that reads pages");
  }
  return with(encoder_or_other(config, klass));
}

std::string compare_weights(const WeightsListing& weights, const BaseLayer& layer) {
  std::map<std::string, Shape> ours;
  layer.for_each_parameter([&](const std::string& name, const TensorSpec& spec) { ours[name] = spec.sizes; });
  const auto differs = [&](const std::string& what) {
    throw Error(fmt::format("{}: {}: {}", weights.path, described(weights), what));
  };
  bool skipped = false;
  for (const WeightsListing::Tensor& tensor : weights.tensors) {
    // Published image-to-video checkpoints hold it, and diffusers leaves it out (_keys_to_ignore_on_load_unexpected).
    if (tensor.name.find(".norm_added_q.") != std::string::npos) {
      skipped = true;
      continue;
    }
    const auto found = ours.find(tensor.name);
    if (found == ours.end()) differs(fmt::format("'{}' is no parameter of {}", tensor.name, layer.class_name()));
    const Shape sizes = shape_of(tensor.sizes);
    if (weights.has_shapes && sizes != found->second) {
      differs(fmt::format("'{}' is {}, by config.json {}", tensor.name, sizes.to_string(), found->second.to_string()));
    }
    ours.erase(found);
  }
  // One file of several holds some of the tensors.
  if (!weights.has_shapes && !ours.empty()) differs(fmt::format("'{}' is missing", ours.begin()->first));
  std::string said = fmt::format("{} is {}: the {}", fs::path(weights.path).filename().string(), described(weights),
                                 weights.has_shapes ? "names and shapes are" : "names are");
  said += fmt::format(" those of {}", layer.class_name());
  if (!weights.total_size || !ours.empty() || skipped) return said;
  for (const int64_t bytes : {2, 4}) {
    if (*weights.total_size == checked_mul(layer.parameter_count(), bytes, "the size of the weights")) {
      return fmt::format("{}, {} bytes a parameter", said, bytes);
    }
  }
  return fmt::format("{}; {} parameters in {} bytes are neither 2 nor 4 each", said, layer.parameter_count(),
                     *weights.total_size);
}

bool is_off(const config::Entry& entry) {
  const Node& value = entry.value;
  if (!entry.key.text.empty() && entry.key.text[0] == '_') return true;
  if (value.is(Kind::null) || (value.is(Kind::boolean) && !value.as_bool())) return true;
  return (value.is(Kind::list) && value.items().empty()) || (value.is(Kind::map) && value.entries().empty());
}

void require_known_published_keys(const View& config, const std::vector<std::string>& known, std::string_view format) {
  for (const config::Entry& entry : config.node().entries()) {
    const std::string& key = entry.key.text;
    if (is_off(entry) || std::find(known.begin(), known.end(), key) != known.end()) continue;
    const View at = config.at(key);
    if (key == "quantization_config") {
      check_quantization_config(at);  // read_weight_storage() reads it
      continue;
    }
    std::vector<std::string> notes = name_notes(key, known, "known keys");
    notes.insert(notes.begin(), fmt::format("{} has no such key; what it switches on is not modelled", format));
    throw Error(fmt::format("{}: unknown key", at.path()), entry.key_mark.source ? entry.key_mark.span() : at.span(),
                std::move(notes));
  }
}

std::string choice_or_alias(const View& view, std::string_view key, const std::vector<std::string>& allowed,
                            const std::vector<std::pair<std::string, std::string>>& aliases) {
  if (view.at(key).node().is(Kind::string)) {
    for (const auto& [alias, name] : aliases) {
      if (view.at(key).node().as_string() == alias) return name;
    }
  }
  return view.get_choice(key, allowed);
}

}  // namespace modelmeter
