#include "model/wan/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace modelmeter::wan {
namespace {

using config::View;

View place_of_transformer(const View& hf) {
  if (hf.has("config")) return hf.at("config");
  return hf.has("config_path") ? hf.at("config_path") : hf;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace

Metadata Metadata::read(const View& hf, const DataFiles& files) {
  hf.require_known_keys({"model_id", "model_variant", "config_path", "config", "variant", "generation", "notes"});
  Metadata m;
  m.model_id = hf.get<std::string>("model_id");
  m.model_variant = hf.get<std::string>("model_variant");
  m.notes_text = hf.get_or<std::string>("notes", "");
  m.read_transformer(hf, files);
  Architecture& a = m.architecture;
  m.known_variant = hf.has("variant");
  m.variant =
      m.known_variant ? &variant_named(hf.at("variant")) : &variant_of(m.has_transformer ? a.task() : a.model_type);
  a.generation = m.variant->generation;
  if (hf.has("generation")) {
    const bool second = hf.get_choice("generation", {"wan2.1", "wan2.2"}) == "wan2.2";
    a.generation = second ? Generation::wan2_2 : Generation::wan2_1;
    if (m.known_variant && a.generation != m.variant->generation) {
      throw hf.at("generation").error(fmt::format("{} is of the other generation", m.variant->name));
    }
  }
  if (m.has_transformer && m.known_variant) {
    m.check_task(place_of_transformer(hf));
    m.check_image_branch(place_of_transformer(hf));
    m.name_model(hf);
  }
  // Wan2.2's image-to-video model has no image encoder; its official config.json does not say so.
  if (a.generation == Generation::wan2_2) a.image_dim = a.pos_embed_seq_len = 0;
  return m;
}

void Metadata::read_transformer(const View& hf, const DataFiles& files) {
  has_transformer = true;
  if (hf.has("config")) {
    if (hf.has("config_path")) throw hf.at("config").error("stands in place of config_path, which is given too");
    config_json = hf.at("config").node();
    architecture = read_architecture(hf.at("config"));
  } else if (hf.has("config_path")) {
    ModelFiles found = find_model(hf.at("config_path"), files);
    config_path = found.config_path;
    pipeline = std::move(found.pipeline);
    weights = std::move(found.weights);
    architecture = read_architecture(View(found.config));
    config_json = std::move(found.config);
    if (pipeline) check_pipeline(hf.at("config_path"));
  } else {
    has_transformer = false;
  }
}

void Metadata::check_pipeline(const View& at) {
  const std::vector<std::string> modelled = {"WanPipeline", "WanImageToVideoPipeline", "WanVACEPipeline"};
  if (std::find(modelled.begin(), modelled.end(), pipeline->class_name) == modelled.end()) {
    throw at.error(fmt::format("the pipeline {} is not modelled", pipeline->class_name),
                   {"modelled: " + listed(modelled)});
  }
  for (const std::string& file : pipeline->missing) {
    notes.push_back(fmt::format("{} is named by model_index.json and is not there: taken as published", file));
  }
  const View index(pipeline->index);
  if (index.has("boundary_ratio")) boundary = index.get_positive<double>("boundary_ratio");
  if (pipeline->scheduler) read_scheduler(View(*pipeline->scheduler));
  if (!pipeline->transformer_2) return;
  Architecture second = read_architecture(View(*pipeline->transformer_2));
  if (json_of(second, KeyNames::published) != json_of(architecture, KeyNames::published)) {
    throw at.error("transformer and transformer_2 have other sizes; modelled are experts of the same");
  }
}

void Metadata::read_scheduler(const View& config) {
  const std::string klass = class_name_of(config);
  if (klass == "UniPCMultistepScheduler") {
    scheduler = Scheduler::unipc;
  } else if (klass == "DPMSolverMultistepScheduler") {
    scheduler = Scheduler::dpm_solver;
  } else if (klass == "FlowMatchEulerDiscreteScheduler") {
    scheduler = Scheduler::euler;
  } else if (klass == "FlowMatchLCMScheduler") {
    scheduler = Scheduler::lcm;
  } else {
    throw config.error(fmt::format("the scheduler {} is not modelled", klass),
                       {"modelled: UniPCMultistepScheduler, DPMSolverMultistepScheduler, "
                        "FlowMatchEulerDiscreteScheduler, FlowMatchLCMScheduler"});
  }
  for (const char* key : {"use_dynamic_shifting", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas",
                          "stochastic_sampling", "thresholding"}) {
    if (config.get_or<bool>(key, false)) throw config.at(key).error("is not modelled; Wan's pipelines have it off");
  }
  if (config.has("solver_order") && config.get<int64_t>("solver_order") != 2) {
    throw config.at("solver_order").error("order 2 is modelled");
  }
  for (const char* key : {"flow_shift", "shift"}) {
    if (config.has(key)) shift = config.get_positive<double>(key);
  }
}

// An entry for text to video with the file of an image-to-video model is a mistake, not a wish.
void Metadata::check_task(const View& at) const {
  const std::string task = architecture.task();
  if (variant->makes(task)) return;
  const std::string file = config_path.empty() ? "these sizes are" : config_path + " is";
  const std::string fits = variants_making(task);
  std::vector<std::string> hints;
  if (!fits.empty()) hints.push_back("entries for it are those of " + fits);
  if (task == "ti2v" || architecture.out_dim != variant->latent_channels()) {
    hints.push_back(fmt::format("its patch embedding takes {} channels; {} has latents of {}", architecture.in_dim,
                                variant->name, variant->latent_channels()));
  }
  throw at.error(fmt::format("{} of a {} transformer, and the entry is {}", file, task, variant->name),
                 std::move(hints));
}

// Only diffusers' format says whether there is one.
void Metadata::check_image_branch(const View& at) const {
  if (architecture.format != KeyNames::published || variant->task != Task::i2v) return;
  const bool wanted = variant->generation == Generation::wan2_1;
  if (architecture.image_conditioned() == wanted) return;
  throw at.error(wanted ? fmt::format("the file gives no image branch (added_kv_proj_dim), which {} has", variant->name)
                        : fmt::format("the file gives an image branch, which {} has not", variant->name),
                 {fmt::format("it is of the other generation: {}", wanted ? "i2v-A14B" : "i2v-14B")});
}

void Metadata::name_model(const View& hf) {
  const std::string entry = model_variant;
  const View at = place_of_transformer(hf);
  const std::string source = hf.has("config") ? "hf.config" : at.as<std::string>();
  if (variant->has_sizes_of(architecture)) {
    const std::string others = variants_with_sizes_of(architecture, *variant);
    if (others.empty() || source == fmt::format("models/{}/config.json", entry)) return;
    notes.push_back(
        fmt::format("{} may as well be of {}: the sizes are the same, and it is taken as {}'s", source, others, entry));
    return;
  }
  if (const Variant* other = variant_of_sizes(architecture, variant->task, variant->generation)) {
    variant = other;
    model_id = other->repository;
    model_variant = other->label();
    const std::string others = variants_with_sizes_of(architecture, *variant);
    notes.push_back(fmt::format("{} is not of {}: it has the sizes of {}{}, and the report says so", source, entry,
                                model_variant, others.empty() ? "" : ", as has " + others));
    return;
  }
  const Architecture& a = architecture;
  model_id = source;
  model_variant = fmt::format("wan-{}-{}x{}", architecture.task(), a.dim, a.num_layers);
  const std::string others = variants_with_sizes_of(a, *variant);
  if (!others.empty()) {
    notes.push_back(fmt::format("{} is not of {}: it has the sizes of {}, and is modelled as the code of {} runs it",
                                source, entry, others, entry));
    return;
  }
  notes.push_back(fmt::format(
      "{} is of no published model: width {}, {} layers, {} heads, MLP {}; sizes of videos are checked as for {}",
      source, a.dim, a.num_layers, a.num_heads, a.ffn_dim, entry));
}

}  // namespace modelmeter::wan
