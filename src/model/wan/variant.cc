#include "model/wan/variant.h"

#include <fmt/format.h>

#include <algorithm>

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
      {"t2v-14B", Task::t2v, G::wan2_1, both},
      {"t2v-1.3B", Task::t2v, G::wan2_1, small},
      {"t2i-14B", Task::t2i, G::wan2_1, images},
      {"i2v-14B", Task::i2v, G::wan2_1, both},
      {"flf2v-14B", Task::flf2v, G::wan2_1, both},
      {"vace-1.3B", Task::vace, G::wan2_1, small},
      {"vace-14B", Task::vace, G::wan2_1, both},
      {"t2v-A14B", Task::t2v, G::wan2_2, both, false, 0.875, 12.0},
      {"i2v-A14B", Task::i2v, G::wan2_2, both, false, 0.900, 5.0},
      {"ti2v-5B", Task::ti2v, G::wan2_2, hd, true},
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
  throw name.error(fmt::format("there is no variant '{}'", wanted), name_notes(wanted, known, "variants"));
}

const Variant& variant_of(const std::string& model_type) {
  const std::string name = model_type == "ti2v" ? "ti2v-5B" : model_type + "-14B";
  for (const Variant& variant : variants()) {
    if (variant.name == name) return variant;
  }
  return variants().front();
}

std::string refused(const Variant& variant, const VideoSize& video) {
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

int64_t high_noise_steps(int64_t steps, double shift, double boundary) {
  int64_t high = 0;
  for (int64_t i = 0; i < steps; ++i) {
    const double x = 0.999 * (1.0 - static_cast<double>(i) / static_cast<double>(steps));
    const double sigma = shift * x / (1.0 + (shift - 1.0) * x);
    // The schedule's time steps are integers (int64) in the official code.
    if (static_cast<double>(static_cast<int64_t>(sigma * 1000.0)) >= boundary * 1000.0) ++high;
  }
  return high;
}

}  // namespace modelmeter::wan
