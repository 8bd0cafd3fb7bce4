// The entry files of configs/, composed and built as the program does.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/compose.h"
#include "model/registry.h"

namespace modelmeter::entries {

using Overrides = std::vector<std::string>;

inline const std::string source = MODELMETER_SOURCE_DIR;

// The names of all, in order.
inline const std::vector<std::string>& all() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(source + "/configs")) {
      if (entry.path().extension() == ".yaml") out.push_back(entry.path().stem().string());
    }
    std::sort(out.begin(), out.end());
    return out;
  }();
  return names;
}

inline bool is_wan(const std::string& entry) { return entry.rfind("wan", 0) == 0; }
inline bool is_pipeline(const std::string& entry) { return entry.find("_pipeline") != std::string::npos; }

// Ways to run an entry: implementations, and variants of how they run.
inline std::vector<Overrides> variants_of(const std::string& entry) {
  if (entry == "deepseek_ocr_2") {
    return {{},
            {"workload.profile_id=dsocr2-small"},
            {"runtime.attention=eager"},
            {"workload.batch_size=2"},
            {"decoder.num_hidden_layers=3"}};
  }
  if (entry == "deepseek_ocr") {
    return {{},
            {"workload.profile_id=dsocr-tiny"},
            {"workload.profile_id=dsocr-small"},
            {"workload.profile_id=dsocr-base"},
            {"workload.profile_id=dsocr-large"},
            {"workload.profile_id=dsocr-gundam"},
            {"runtime.attention=eager"},
            {"runtime.precision=bf16"},
            {"runtime.sampling=true"},
            {"decoder.routing=worst"},
            {"decoder.routing=best"},
            {"head.logits=last"},
            {"workload.max_new_tokens=9000"},
            {"workload.batch_size=2", "workload.num_pages=4"}};
  }
  std::vector<Overrides> out = {{"runtime=official"},
                                {"runtime=diffusers"},
                                {"runtime=diffusers", "runtime.attention=math"},
                                {"runtime=official", "transformer.num_layers=3"}};
  const bool vace = entry.find("vace") != std::string::npos;
  if (vace) out.back().emplace_back("+transformer.vace_layers=[0,2]");
  if (!is_pipeline(entry)) return out;
  const bool ti2v = entry.find("ti2v") != std::string::npos;
  if (vace) out.push_back({"runtime=official", "workload.src_ref_images=2"});
  if (vace) out.push_back({"runtime=diffusers", "workload.reference_images=1"});
  if (ti2v) out.push_back({"runtime=official", "workload.image=true"});
  if (ti2v) out.push_back({"runtime=diffusers", "workload.image=true", "workload.batch_size=2"});
  for (const char* more :
       {"runtime.residency=offload", "runtime.scheduler=dpm++", "runtime.cfg=false", "runtime.t5_cpu=true"}) {
    out.push_back({"runtime=official", more});
  }
  for (const char* more : {"runtime.residency=offload", "runtime.residency=sequential", "runtime.vae_tiling=true",
                           "runtime.cfg=false", "workload.batch_size=2"}) {
    if (vace && std::string(more) == "workload.batch_size=2") continue;  // diffusers' pipeline makes one video
    out.push_back({"runtime=diffusers", more});
  }
  return out;
}

// Error as the program reports it.
inline std::unique_ptr<AnalyticModel> model(const std::string& entry, const std::vector<std::string>& overrides) {
  static const config::Repository repository(source + "/configs", {});
  const config::Node node = config::resolve(config::compose(repository, entry, overrides));
  return build_model(config::View(node), {source});
}

}  // namespace modelmeter::entries
