// What names of measurements say: variant-implementation-workload.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "verify/forward_launches.h"

namespace modelmeter {
namespace {

// "t2v-14b-official-720p16-compiled": its parts.
std::vector<std::string> parts_of(const std::string& name) {
  std::vector<std::string> out(1);
  for (const char c : name) {
    if (c == '-') {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

std::optional<int64_t> whole_number(const std::string& text) {
  int64_t out = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failed == std::errc() && end == text.data() + text.size() && out > 0 ? std::optional(out) : std::nullopt;
}

std::vector<std::string> size_overrides(int64_t height, int64_t width, int64_t frames) {
  return {fmt::format("workload.height={}", height), fmt::format("workload.width={}", width),
          fmt::format("workload.num_frames={}", frames)};
}

// "480p33" is 33 frames of 480 x 832, "720p16" 16 of 720 x 1280, "704p121" 121 of 704 x 1280, "512p" 16 of 512 x 512,
// "480x832x17" 17 of 480 x 832, "ci-tiny" 4 of 256 x 256 with 64 tokens of text.
std::optional<std::vector<std::string>> workload_overrides(const std::string& workload) {
  if (workload == "512p") return size_overrides(512, 512, 16);
  if (workload == "ci-tiny") {
    std::vector<std::string> out = size_overrides(256, 256, 4);
    out.emplace_back("workload.text_len=64");
    return out;
  }
  const size_t first = workload.find('x'), second = workload.rfind('x');
  if (first != std::string::npos && second > first) {
    const auto height = whole_number(workload.substr(0, first)), frames = whole_number(workload.substr(second + 1)),
               width = whole_number(workload.substr(first + 1, second - first - 1));
    if (height && width && frames) return size_overrides(*height, *width, *frames);
    return std::nullopt;
  }
  constexpr size_t lines = 4;  // "480p"
  for (const auto& [start, height, width] :
       {std::tuple{"480p", 480, 832}, std::tuple{"720p", 720, 1280}, std::tuple{"704p", 704, 1280},
        std::tuple{"512p", 512, 512}, std::tuple{"256p", 256, 256}}) {
    if (workload.rfind(start, 0) != 0) continue;
    if (const auto frames = whole_number(workload.substr(lines))) return size_overrides(height, width, *frames);
  }
  return std::nullopt;
}

// Takes "-compiled", "-eager", … off its end, into an override.
void take_execution(std::string& name, std::vector<std::string>& overrides) {
  for (const char* mode : {"eager", "compiled", "ideal"}) {
    const std::string end = std::string("-") + mode;
    if (name.size() <= end.size() || name.compare(name.size() - end.size(), end.size(), end) != 0) continue;
    name.resize(name.size() - end.size());
    if (std::string(mode) != "eager") overrides.push_back(fmt::format("runtime.execution={}", mode));
    return;
  }
}

// What comes before "-official-" or "-diffusers-".
struct Variant {
  const char *name, *config_name, *stage, *group;
};
constexpr std::array<Variant, 20> variants = {{
    {"t2v-1.3b", "wan2_1_t2v_1_3b", "diffusion/dit", "DiT"},
    {"t2v-14b", "wan2_1_t2v_14b", "diffusion/dit", "DiT"},
    {"t2i-14b", "wan2_1_t2i_14b", "diffusion/dit", "DiT"},
    {"i2v-14b", "wan2_1_i2v_14b_480p", "diffusion/dit", "DiT"},
    {"i2v-14b-480p", "wan2_1_i2v_14b_480p", "diffusion/dit", "DiT"},
    {"i2v-14b-720p", "wan2_1_i2v_14b_720p", "diffusion/dit", "DiT"},
    {"flf2v-14b", "wan2_1_flf2v_14b", "diffusion/dit", "DiT"},
    {"vace-1.3b", "wan2_1_vace_1_3b", "diffusion/dit", "DiT"},
    {"vace-14b", "wan2_1_vace_14b", "diffusion/dit", "DiT"},
    {"t2v-a14b", "wan2_2_t2v_a14b", "diffusion/dit", "DiT"},
    {"i2v-a14b", "wan2_2_i2v_a14b", "diffusion/dit", "DiT"},
    {"ti2v-5b", "wan2_2_ti2v_5b", "diffusion/dit", "DiT"},
    {"block14b", "wan2_1_t2v_14b", "diffusion/dit", "DiT block"},
    {"block1.3b", "wan2_1_t2v_1_3b", "diffusion/dit", "DiT block"},
    {"vae2.1-decode", "wan2_1_t2v_14b_pipeline", "vae/decode", "VAE"},
    {"vae2.1-encode", "wan2_1_i2v_14b_480p_pipeline", "vae/encode", "VAE"},
    {"vae2.2-decode", "wan2_2_ti2v_5b_pipeline", "vae/decode", "VAE"},
    {"vae2.2-encode", "wan2_2_ti2v_5b_pipeline", "vae/encode", "VAE"},
    {"umt5", "wan2_1_t2v_14b_pipeline", "text_encoder/umt5", "encoder"},
    {"clip", "wan2_1_i2v_14b_480p_pipeline", "image_encoder/clip", "encoder"},
}};

// "dsocr-decode-283-eager": a token behind 283. Of a prompt's routers, whose weights were random, a name does not say
// how many experts they took.
std::optional<KnownForward> known_page(const std::vector<std::string>& parts) {
  constexpr size_t name_parts = 4;
  if (parts.size() != name_parts || parts[1] != "decode" || (parts[3] != "eager" && parts[3] != "flash")) return {};
  const std::optional<int64_t> cached = whole_number(parts[2]);
  if (!cached) return {};
  return KnownForward{"deepseek_ocr",
                      "decode",
                      "decode",
                      {"workload=dsocr-base", fmt::format("workload.seq_len={}", *cached),
                       "workload.prompt_tokens=null", "workload.max_new_tokens=2", "runtime.attention=" + parts[3]}};
}

// "umt5-official-512", "clip-official".
std::optional<KnownForward> known_encoder(KnownForward encoder, bool text, const std::string& workload) {
  if (workload.empty()) return encoder;
  const std::optional<int64_t> tokens = text ? whole_number(workload) : std::nullopt;
  if (!tokens) return std::nullopt;
  encoder.overrides.push_back(fmt::format("workload.text_len={}", *tokens));
  return encoder;
}

}  // namespace

std::optional<KnownForward> known_forward(const std::string& name, const std::vector<std::string>& sizes) {
  if (name.rfind("dsocr-", 0) == 0) return known_page(parts_of(name));
  for (const auto& [code, option] : {std::pair{"-official", ""}, std::pair{"-diffusers", "runtime=diffusers"}}) {
    const size_t at = name.find(code);
    if (at == std::string::npos) continue;
    std::string variant = name.substr(0, at), workload = name.substr(at + std::string(code).size());
    std::vector<std::string> overrides;
    if (*option != '\0') overrides.emplace_back(option);
    take_execution(workload, overrides);
    if (workload.rfind('-', 0) == 0) workload.erase(0, 1);
    // "vae2.1-official-decode-480p33"
    for (const std::string direction : {"decode", "encode"}) {
      if (workload.rfind(direction + "-", 0) != 0) continue;
      variant += "-" + direction;
      workload.erase(0, direction.size() + 1);
    }
    const auto* const found =
        std::find_if(variants.begin(), variants.end(), [&](const Variant& v) { return variant == v.name; });
    if (found == variants.end()) return std::nullopt;
    KnownForward out{found->config_name, found->stage, found->group, overrides};
    if (variant.rfind("block", 0) == 0) out.module = "blocks";
    if (std::string(found->group) == "encoder") return known_encoder(std::move(out), variant == "umt5", workload);
    const auto of_workload = sizes.empty() ? workload_overrides(workload) : std::optional(sizes);
    if (!of_workload) return std::nullopt;
    out.overrides.insert(out.overrides.end(), of_workload->begin(), of_workload->end());
    return out;
  }
  return std::nullopt;
}

}  // namespace modelmeter
