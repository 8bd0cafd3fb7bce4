// The groups of a configuration that say which models are in a pipeline, read for Wan2_1Model: transformer (its depth
// and the block that it repeats), text_encoder, image_encoder and vae.
//
// Sizes of a group are, from the strongest: those on the command line, those of the pipeline's files where
// hf.config_path names a folder of diffusers, those of the group's option file.
#include "model/wan/groups.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "model/wan/model.h"

namespace modelmeter::wan {
namespace {

using config::Node;
using config::View;

// The keys of a node whose values stand on the command line.
Node typed_keys(const View& group) {
  Node out = Node::map();
  for (const config::Entry& entry : group.node().entries()) {
    if (is_typed(entry.value)) out.set(entry.key, entry.value);
  }
  return out;
}

// `file`: what the pipeline's folder says of it.
template <class A>
void read_sizes_of(const View& group, const std::optional<Node>& file, A& a, std::vector<std::string>& notes) {
  read_architecture(group, a);
  if (file) {
    const A of_group = a;
    read_published(View(*file), a);
    if (json_of(a, KeyNames::original) != json_of(of_group, KeyNames::original)) {
      notes.push_back(
          fmt::format("{}: the sizes are those of the pipeline's {}/config.json", group.path(), group.path()));
    }
    const Node typed = typed_keys(group);
    read_architecture(View(typed, group.path()), a);
  }
  check_architecture(group, a);
}

}  // namespace

View group_or_none(const View& config, const char* name) {
  static const Node none = Node::map();
  const std::optional<View> node = config.optional_child(name);
  return node ? *node : View(none, name);
}

bool is_typed(const Node& value) { return value.mark().source && value.mark().source->file == "<command line>"; }

// --- the transformer -------------------------------------------------------------------------------------------------

void Wan2_1Model::read_transformer(const View& transformer) {
  transformer.require_known_keys(with_storage_keys({"_target_", "num_layers", "vace_layers", "block"}));
  std::vector<std::string> changes;
  if (transformer.has("num_layers")) {
    architecture_.num_layers = transformer.get_positive<int64_t>("num_layers", config::max_layers);
    changes.push_back(fmt::format("num_layers={}", architecture_.num_layers));
    notes_.push_back(fmt::format("the depth is set to {} blocks by transformer.num_layers", architecture_.num_layers));
  }
  if (const std::optional<View> block = transformer.optional_child("block")) read_block(*block, changes);
  for (const std::string& change : changes) metadata_.model_variant += "+" + change;
  if (!transformer.has("vace_layers")) return;
  const View layers = transformer.at("vace_layers");
  architecture_.vace_layers = layers.as<std::vector<int64_t>>();
  if (metadata_.has_transformer && architecture_.vace_in_dim == 0) throw layers.error("the model has no VACE blocks");
  if (metadata_.has_transformer) check_vace_layers(architecture_, layers);
}

// The block that is repeated, where it is not the metadata's.
void Wan2_1Model::read_block(const View& block, std::vector<std::string>& changes) {
  block.require_known_keys({"dim", "ffn_dim", "num_heads", "qk_norm", "cross_attn_norm"});
  const size_t before = changes.size();
  Architecture& a = architecture_;
  for (const auto& [key, size] :
       {std::pair("dim", &a.dim), std::pair("ffn_dim", &a.ffn_dim), std::pair("num_heads", &a.num_heads)}) {
    if (!block.has(key)) continue;
    *size = block.get_positive<int64_t>(key);
    changes.push_back(fmt::format("{}={}", key, *size));
  }
  for (const auto& [key, norm] : {std::pair("qk_norm", &a.qk_norm), std::pair("cross_attn_norm", &a.cross_attn_norm)}) {
    if (!block.has(key)) continue;
    *norm = block.get<bool>(key);
    changes.push_back(fmt::format("{}={}", key, *norm));
  }
  if (changes.size() == before) return;
  if (!metadata_.has_transformer) throw block.error("hf.config_path or hf.config must say which transformer");
  check_architecture(a, block);
  notes_.push_back(fmt::format("{} of the block {} set by transformer.block, in place of the metadata's",
                               fmt::join(changes.begin() + static_cast<std::ptrdiff_t>(before), changes.end(), ", "),
                               changes.size() - before == 1 ? "is" : "are"));
}

// --- the models around it --------------------------------------------------------------------------------------------

void Wan2_1Model::read_groups(const View& config, const DataFiles& files) {
  const View text = group_or_none(config, "text_encoder"), image = group_or_none(config, "image_encoder");
  const View vae = group_or_none(config, "vae");
  read_text_encoder(text);
  read_image_encoder(image);
  read_vae(vae);
  runtime_.code_base->check_groups({text, image, vae}, text_encoder_.architecture, image_encoder_.architecture, vae_);
  read_storage(config, files);
}

void Wan2_1Model::read_storage(const View& config, const DataFiles& files) {
  const CodeBase& code = *runtime_.code_base;
  const auto node = [](const std::optional<Node>& file) { return file ? &*file : nullptr; };
  const std::optional<PipelineFiles>& of = metadata_.pipeline;
  const auto read = [&](const char* name, Role role, const Node* file) {
    const View group = group_or_none(config, name);
    WeightStorage storage = read_weight_storage(group, file, code.formats(role), files);
    check_storage(group, storage);
    return storage;
  };
  transformer_.storage = read("transformer", Role::transformer, node(metadata_.config_json));
  text_encoder_.storage = read("text_encoder", Role::text_encoder, of ? node(of->text_encoder) : nullptr);
  image_encoder_.storage = read("image_encoder", Role::image_encoder, of ? node(of->image_encoder) : nullptr);
  read("vae", Role::autoencoder, of ? node(of->vae) : nullptr);
}

// bitsandbytes' layers cannot be moved as others are.
void Wan2_1Model::check_storage(const View& group, const WeightStorage& storage) const {
  const bool is_swapped = runtime_.block_swap > 0 && storage.group == "transformer";
  if (storage.format == nullptr || (runtime_.residency == Residency::all && !is_swapped)) return;
  const View at = group.has("weight_format") ? group.at("weight_format") : group;
  if (storage.format->kind == WeightFormatKind::bnb_int8) {
    throw at.error("8-bit layers of bitsandbytes stay on the device that they were loaded to",
                   {"runtime.residency=all without block_swap leaves them there"});
  }
  if (storage.format->kind == WeightFormatKind::bnb_4bit && runtime_.residency == Residency::sequential) {
    throw at.error("4-bit layers of bitsandbytes cannot be offloaded module by module",
                   {"runtime.residency=offload moves whole models"});
  }
}

void Wan2_1Model::read_text_encoder(const View& text) {
  text.require_known_keys(with_storage_keys(transformers::text_encoder_keys({"weight_dtype"})));
  const std::optional<PipelineFiles>& files = metadata_.pipeline;
  const std::optional<Node> file = files ? files->text_encoder : std::nullopt;
  read_sizes_of(text, file, text_encoder_.architecture, notes_);
  if (runs("text_encoder")) require_sizes(text, text_encoder_.architecture);
  DType dtype = runtime_.code_base->text_encoder_dtype;
  if (file)
    dtype =
        dtype_or(View(*file), file->find("dtype") != nullptr ? "dtype" : "torch_dtype", {"float32", "bfloat16"}, dtype);
  text_encoder_.weight_dtype = dtype_or(text, "weight_dtype", {"float32", "bfloat16"}, dtype);
  text_encoder_.attention = runtime_.attention;
  text_encoder_.text_len = workload_.text_len;
}

void Wan2_1Model::read_image_encoder(const View& image) {
  image.require_known_keys(with_storage_keys(transformers::image_encoder_keys({"weight_dtype", "batch_size"})));
  const std::optional<PipelineFiles>& files = metadata_.pipeline;
  read_sizes_of(image, files ? files->image_encoder : std::nullopt, image_encoder_.architecture, notes_);
  image_encoder_.weight_dtype =
      dtype_or(image, "weight_dtype", {"float32", "bfloat16", "float16"}, runtime_.code_base->image_encoder_dtype);
  image_encoder_.attention = runtime_.attention;
  image_encoder_.batch = variant_->task == Task::flf2v ? 2 : 1;
  if (image.has("batch_size")) image_encoder_.batch = image.get_positive<int64_t>("batch_size");
}

void Wan2_1Model::read_vae(const View& vae) {
  vae.require_known_keys(with_storage_keys(vae_keys({"weight_dtype"})));
  const std::optional<PipelineFiles>& files = metadata_.pipeline;
  read_sizes_of(vae, files ? files->vae : std::nullopt, vae_, notes_);
  if (runs("vae_encode") || runs("vae_decode")) require_sizes(vae, vae_);
  vae_dtype_ = dtype_or(vae, "weight_dtype", {"float32", "bfloat16", "float16"}, vae_dtype_);
  const CodeBase& code = *runtime_.code_base;
  if (code.autoencoder_in_float32 && vae_dtype_ != DType::float32) {
    throw vae.at("weight_dtype").error(fmt::format("the {} autoencoder runs in float32", code.name));
  }
}

}  // namespace modelmeter::wan
