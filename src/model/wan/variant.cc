#include "model/wan/variant.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/edit_distance.h"

namespace modelmeter::wan {
namespace {

const std::vector<Variant>& variants() {
  const std::vector<std::vector<int64_t>> small = {{832, 480}, {480, 832}};
  const std::vector<std::vector<int64_t>> both = {{1280, 720}, {720, 1280}, {832, 480}, {480, 832}};
  const std::vector<std::vector<int64_t>> images = {{1280, 720}, {720, 1280}, {832, 480}, {480, 832}, {1024, 1024}};
  const std::vector<std::vector<int64_t>> hd = {{1280, 704}, {704, 1280}};
  using G = Generation;
  static const std::vector<Variant> table = {
      {"t2v-14B", Task::t2v, G::wan2_1, both, false, 0, 5120, 13824, 40, 40, "Wan-AI/Wan2.1-T2V-14B"},
      {"t2v-1.3B", Task::t2v, G::wan2_1, small, false, 0, 1536, 8960, 12, 30, "Wan-AI/Wan2.1-T2V-1.3B"},
      {"t2i-14B", Task::t2i, G::wan2_1, images, false, 0, 5120, 13824, 40, 40, "Wan-AI/Wan2.1-T2V-14B"},
      {"i2v-14B", Task::i2v, G::wan2_1, both, false, 0, 5120, 13824, 40, 40, "Wan-AI/Wan2.1-I2V-14B-720P"},
      {"flf2v-14B", Task::flf2v, G::wan2_1, both, false, 0, 5120, 13824, 40, 40, "Wan-AI/Wan2.1-FLF2V-14B-720P"},
      {"vace-1.3B", Task::vace, G::wan2_1, small, false, 0, 1536, 8960, 12, 30, "Wan-AI/Wan2.1-VACE-1.3B"},
      {"vace-14B", Task::vace, G::wan2_1, both, false, 0, 5120, 13824, 40, 40, "Wan-AI/Wan2.1-VACE-14B"},
      {"t2v-A14B", Task::t2v, G::wan2_2, both, false, 0.875, 5120, 13824, 40, 40, "Wan-AI/Wan2.2-T2V-A14B"},
      {"i2v-A14B", Task::i2v, G::wan2_2, both, false, 0.900, 5120, 13824, 40, 40, "Wan-AI/Wan2.2-I2V-A14B"},
      {"ti2v-5B", Task::ti2v, G::wan2_2, hd, true, 0, 3072, 14336, 24, 30, "Wan-AI/Wan2.2-TI2V-5B"},
  };
  return table;
}

}  // namespace

const char* name_of(Task task) {
  switch (task) {
    case Task::t2v: return "t2v";
    case Task::t2i: return "t2i";
    case Task::i2v: return "i2v";
    case Task::flf2v: return "flf2v";
    case Task::vace: return "vace";
    case Task::ti2v: return "ti2v";
  }
  return "";
}

const Variant& variant_named(const config::View& name) {
  const std::string wanted = name.as<std::string>();
  std::vector<std::string> known;
  for (const Variant& variant : variants()) {
    if (variant.name == wanted) return variant;
    known.push_back(variant.name);
  }
  throw name.error(fmt::format("there is no variant '{}'", wanted), model_notes(wanted, known, "variants"));
}

const Variant& variant_of(const std::string& model_type) {
  const std::string name = model_type == "ti2v" ? "ti2v-5B" : model_type + "-14B";
  for (const Variant& variant : variants()) {
    if (variant.name == name) return variant;
  }
  return variants().front();
}

std::string Variant::label() const {
  std::string out = (generation == Generation::wan2_1 ? "wan2.1-" : "wan2.2-") + name;
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

bool Variant::has_sizes_of(const Architecture& a) const {
  std::vector<int64_t> hints;  // blocks that VACE adds to: every fifth of 40, every second of 30
  if (task == Task::vace) {
    for (int64_t i = 0; i < num_layers; i += num_layers == 40 ? 5 : 2) hints.push_back(i);
  }
  const Architecture published;
  return a.dim == dim && a.ffn_dim == ffn_dim && a.num_heads == num_heads && a.num_layers == num_layers &&
         a.vace_layers == hints && a.out_dim == latent_channels() && a.freq_dim == published.freq_dim &&
         a.text_dim == published.text_dim && a.patch_size == published.patch_size && a.qk_norm && a.cross_attn_norm;
}

bool Variant::makes(const std::string& architecture_task) const {
  return architecture_task == (task == Task::t2i ? "t2v" : name_of(task));
}

const Variant* variant_of_sizes(const Architecture& a, Task task, Generation generation) {
  for (const Variant& variant : variants()) {
    if (variant.task == task && variant.generation == generation && variant.has_sizes_of(a)) return &variant;
  }
  return nullptr;
}

std::string variants_with_sizes_of(const Architecture& a, const Variant& known) {
  std::string out;
  for (const Variant& variant : variants()) {
    if (variant.repository == known.repository || variant.task == Task::t2i) continue;
    if (!variant.makes(a.task()) || !variant.has_sizes_of(a)) continue;
    // diffusers' format says whether there is an image branch.
    const bool says = a.format == KeyNames::published && variant.task == Task::i2v;
    if (says && a.image_conditioned() != (variant.generation == Generation::wan2_1)) continue;
    out += (out.empty() ? "" : ", ") + variant.label();
  }
  return out;
}

std::string variants_making(const std::string& architecture_task) {
  std::string out;
  for (const Variant& variant : variants()) {
    if (variant.makes(architecture_task)) out += (out.empty() ? "" : ", ") + variant.name;
  }
  return out;
}

std::string refused_by_generate(const Variant& variant, const VideoSize& video) {
  const bool one_frame = variant.task == Task::t2i;
  if (one_frame && video.frames != 1) {
    return fmt::format("{} makes one frame, not {}; allowed: workload.num_frames=1", variant.name, video.frames);
  }
  if (!one_frame && (video.frames - 1) % 4 != 0) {
    return fmt::format("{} takes 4n + 1 frames, not {}; allowed: 5, 9, 13, … 81 …", variant.name, video.frames);
  }
  const std::vector<int64_t> size = {video.width, video.height};
  if (std::find(variant.sizes.begin(), variant.sizes.end(), size) != variant.sizes.end()) return "";
  std::string allowed;
  for (const auto& s : variant.sizes) allowed += fmt::format("{}{} x {}", allowed.empty() ? "" : ", ", s[1], s[0]);
  return fmt::format("{} does not support {} x {} (height x width); allowed: {}", variant.name, video.height,
                     video.width, allowed);
}

}  // namespace modelmeter::wan
