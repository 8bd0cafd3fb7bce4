#include "model/wan/runtime.h"

#include <fmt/format.h>

namespace modelmeter::wan {

const char* name_of(Residency residency) {
  switch (residency) {
    case Residency::all: return "all";
    case Residency::offload: return "offload";
    case Residency::sequential: return "sequential";
  }
  return "";
}

const char* name_of(Scheduler scheduler) { return scheduler == Scheduler::unipc ? "unipc" : "dpm++"; }
const char* name_of(AttentionKernel kernel) { return kernel == AttentionKernel::flash ? "flash" : "math"; }

DType dtype_or(const config::View& view, std::string_view key, const std::vector<std::string>& allowed,
               DType otherwise) {
  return view.has(key) ? parse_dtype(view.get_choice(key, allowed)) : otherwise;
}

Runtime Runtime::read(const config::View& view) {
  view.require_known_keys({"implementation", "attention", "cfg", "scheduler", "weight_dtype", "autocast",
                           "autocast_dtype", "residency", "t5_cpu", "vae_tiling", "vae_slicing", "allow_unsupported"});
  Runtime r;
  r.code_base = &code_base_named(view);
  r.attention =
      view.get_choice("attention", {"flash", "math"}) == "flash" ? AttentionKernel::flash : AttentionKernel::math;
  r.cfg = view.get_or<bool>("cfg", true);
  if (view.has("scheduler") && view.get_choice("scheduler", {"unipc", "dpm++"}) == "dpm++") {
    r.scheduler = Scheduler::dpm_solver;
  }
  const std::vector<std::string> dtypes = {"float32", "bfloat16", "float16"};
  r.weight_dtype = dtype_or(view, "weight_dtype", dtypes, r.code_base->transformer_dtype);
  r.autocast.enabled = view.get_or<bool>("autocast", r.code_base->autocasts);
  if (r.autocast.enabled && !r.code_base->autocasts) {
    throw view.at("autocast").error(fmt::format("{} runs without autocast", r.code_base->name));
  }
  r.autocast.dtype = dtype_or(view, "autocast_dtype", dtypes, DType::bfloat16);
  if (view.has("residency")) {
    const std::string name = view.get_choice("residency", {"all", "offload", "sequential"});
    for (const Residency residency : {Residency::offload, Residency::sequential}) {
      if (name == name_of(residency)) r.residency = residency;
    }
  }
  r.t5_cpu = view.get_or<bool>("t5_cpu", false);
  r.vae_tiling = view.get_or<bool>("vae_tiling", false);
  r.vae_slicing = view.get_or<bool>("vae_slicing", false);
  r.allow_unsupported = view.get_or<bool>("allow_unsupported", false);
  r.code_base->check_runtime(view, r);
  return r;
}

Fields Runtime::fields() const {
  Fields out = {{"implementation", std::string(code_base->name)},
                {"attention", std::string(name_of(attention))},
                {"cfg", cfg},
                {"weight_dtype", std::string(torch_name(weight_dtype))}};
  if (autocast.enabled) out.emplace_back("autocast_dtype", std::string(torch_name(autocast.dtype)));
  out.emplace_back("residency", std::string(name_of(residency)));
  out.emplace_back("t5_cpu", t5_cpu);
  out.emplace_back("vae_tiling", vae_tiling);
  if (vae_slicing) out.emplace_back("vae_slicing", true);
  return out;
}

}  // namespace modelmeter::wan
