#include "model/wan/runtime.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/model_files.h"

namespace modelmeter::wan {

const char* name_of(Residency residency) {
  switch (residency) {
    case Residency::all: return "all";
    case Residency::offload: return "offload";
    case Residency::sequential: return "sequential";
    case Residency::group: return "group";
  }
  return "";
}

const char* name_of(Scheduler scheduler) {
  switch (scheduler) {
    case Scheduler::unipc: return "unipc";
    case Scheduler::dpm_solver: return "dpm++";
    case Scheduler::euler: return "euler";
    case Scheduler::lcm: return "lcm";
  }
  return "";
}

const char* name_of(AttentionKernel kernel) { return kernel == AttentionKernel::flash ? "flash" : "math"; }

DType dtype_or(const config::View& view, std::string_view key, const std::vector<std::string>& allowed,
               DType otherwise) {
  if (!view.has(key)) return otherwise;
  std::string name = view.get<std::string>(key);
  try {
    name = torch_name(parse_dtype(name));
  } catch (const Error&) {  // get_choice() says what there is
    return parse_dtype(view.get_choice(key, allowed));
  }
  if (std::find(allowed.begin(), allowed.end(), name) == allowed.end())
    return parse_dtype(view.get_choice(key, allowed));
  return parse_dtype(name);
}

namespace {

Scheduler read_scheduler(const config::View& view, const CodeBase& code) {
  const std::vector<Scheduler> all = {Scheduler::unipc, Scheduler::dpm_solver, Scheduler::euler, Scheduler::lcm};
  std::vector<std::string> names;
  for (const Scheduler scheduler : all) names.emplace_back(name_of(scheduler));
  const std::string wanted = choice_or_alias(
      view, "scheduler", names, {{"dpmpp", "dpm++"}, {"dpm-solver++", "dpm++"}, {"flow_match_euler", "euler"}});
  std::string has;
  for (const Scheduler scheduler : code.schedulers) {
    if (wanted == name_of(scheduler)) return scheduler;
    has += (has.empty() ? "" : ", ") + std::string(name_of(scheduler));
  }
  throw view.at("scheduler").error(fmt::format("{} has {}", code.name, has));
}

// A number for both, or one for each.
template <class T>
std::vector<T> one_or_two(const config::View& view, const char* what) {
  if (!view.node().is(config::Kind::list)) return {view.as<T>()};
  std::vector<T> out = view.as<std::vector<T>>();
  if (out.size() != 2) throw view.expected(what);
  return out;
}

void read_experts(const config::View& view, Runtime& r) {
  if (view.has("shift")) r.shift = view.get_positive<double>("shift");
  if (view.has("boundary")) {
    r.boundary = view.get_positive<double>("boundary");
    if (*r.boundary > 1) throw view.at("boundary").expected("a share of the noise schedule, at most 1");
  }
  if (view.has("expert_steps")) {
    r.expert_steps = view.get<std::vector<int64_t>>("expert_steps");
    const auto negative = [](int64_t steps) { return steps < 0; };
    if (r.expert_steps.size() != 2 || std::any_of(r.expert_steps.begin(), r.expert_steps.end(), negative)) {
      throw view.at("expert_steps").expected("two numbers of steps: of the high-noise expert and the low-noise one");
    }
  }
  if (view.has("guidance_scale")) {
    r.guidance_scale =
        one_or_two<double>(view.at("guidance_scale"), "one scale, or the high-noise expert's and the other's");
    if (!r.code_base->guides(r.guidance_scale[0])) r.cfg = false;
  }
}

void read_shortcuts(const config::View& view, Runtime& r) {
  if (view.has("step_cache")) {
    r.step_cache = view.get_non_negative<double>("step_cache");
    if (r.step_cache >= 1) {
      throw view.at("step_cache").expected("the share of forwards that are skipped, from 0 to below 1");
    }
  }
  if (view.has("attention_density")) {
    r.attention_density = view.get_positive<double>("attention_density");
    if (r.attention_density > 1 || r.attention_density * whole_share < 1) {
      throw view.at("attention_density").expected("the share of queries and keys that is computed, at most 1");
    }
    if (r.attention == AttentionKernel::math && r.attention_density < 1) {
      throw view.at("attention_density")
          .error("attention=math computes all of them", {"attention=flash may be sparse"});
    }
  }
}

void read_tiles(const config::View& view, Runtime& r) {
  const auto read = [&](const char* key, std::array<int64_t, 2>& into) {
    if (!view.has(key)) return;
    if (!r.vae_tiling) throw view.at(key).error("runtime.vae_tiling=true runs in tiles");
    const auto sizes = one_or_two<int64_t>(view.at(key), "one size, or a height and a width");
    into = {sizes.front(), sizes.back()};
    if (into[0] < 1 || into[1] < 1) throw view.at(key).expected("sizes above 0");
  };
  read("vae_tile_size", r.tiles.size);
  read("vae_tile_stride", r.tiles.stride);
  if (r.tiles.stride[0] <= r.tiles.size[0] && r.tiles.stride[1] <= r.tiles.size[1]) return;
  throw view.at(view.has("vae_tile_stride") ? "vae_tile_stride" : "vae_tile_size")
      .error(fmt::format("tiles of {} x {} with strides of {} x {} leave gaps", r.tiles.size[0], r.tiles.size[1],
                         r.tiles.stride[0], r.tiles.stride[1]));
}

// The arguments of diffusers' apply_group_offloading(). They may stand there unused, as a configuration has them all.
void read_group_offload(const config::View& view, Runtime& r) {
  if (!view.has("group_offload")) return;
  const config::View group = view.at("group_offload");
  group.require_known_keys(
      {"offload_type", "num_blocks_per_group", "use_stream", "record_stream", "low_cpu_mem_usage"});
  if (group.has("offload_type")) {
    r.group_by_leaves = group.get_choice("offload_type", {"block_level", "leaf_level"}) == "leaf_level";
  }
  if (group.has("num_blocks_per_group")) r.blocks_per_group = group.get_positive<int64_t>("num_blocks_per_group");
  r.use_stream = group.get_or<bool>("use_stream", false);
  r.record_stream = group.get_or<bool>("record_stream", false);
  r.low_cpu_mem_usage = group.get_or<bool>("low_cpu_mem_usage", false);
  const std::pair<const char*, bool> set[] = {{"offload_type", r.group_by_leaves},
                                              {"num_blocks_per_group", r.blocks_per_group != 1},
                                              {"use_stream", r.use_stream},
                                              {"record_stream", r.record_stream},
                                              {"low_cpu_mem_usage", r.low_cpu_mem_usage}};
  for (const auto& [key, is_set] : set) {
    if (is_set && r.residency != Residency::group) {
      throw group.at(key).error("it says how groups are offloaded, and nothing is", {"runtime.residency=group"});
    }
  }
  if (r.group_by_leaves && group.has("num_blocks_per_group") && r.blocks_per_group != 1) {
    throw group.at("num_blocks_per_group").error("it is of offload_type=block_level: each leaf is a group of its own");
  }
  if (r.record_stream && !r.use_stream) {
    throw group.at("record_stream").error("diffusers refuses record_stream without use_stream");
  }
  if (r.low_cpu_mem_usage && !r.use_stream) {
    throw group.at("low_cpu_mem_usage").error("memory is pinned only with use_stream: it changes nothing");
  }
  if (r.use_stream && !r.group_by_leaves && r.blocks_per_group > 1) {
    throw group.at("num_blocks_per_group").error("with use_stream diffusers makes it 1");
  }
}

void read_block_swap(const config::View& view, Runtime& r) {
  if (view.has("block_swap")) r.block_swap = view.get_non_negative<int64_t>("block_swap");
  if (view.has("prefetch_blocks")) r.prefetch_blocks = view.get_non_negative<int64_t>("prefetch_blocks");
  if (r.prefetch_blocks > 0 && r.block_swap == 0) {
    throw view.at("prefetch_blocks").error("no block is swapped", {"runtime.block_swap=N swaps the last N"});
  }
  if (r.prefetch_blocks > r.block_swap) {
    throw view.at("prefetch_blocks").error(fmt::format("more than the {} blocks that are swapped", r.block_swap));
  }
  if (r.block_swap > 0 && (r.residency == Residency::sequential || r.residency == Residency::group)) {
    throw view.at("block_swap")
        .error(fmt::format("residency={} moves the blocks already", name_of(r.residency)),
               {"residency=all or offload"});
  }
}

// Weights go to the device as they are read.
void read_device_map(const config::View& view, Runtime& r) {
  if (!view.has("device_map")) return;
  r.device_map = view.get_choice("device_map", {"cuda", "balanced", "auto", "sequential"});
  const config::View at = view.at("device_map");
  if (r.device_map == "auto" || r.device_map == "sequential") {
    throw at.error(fmt::format("diffusers' pipelines have no device_map={}", r.device_map),
                   {"cuda has all on the device; runtime.residency=sequential brings each module as it runs"});
  }
  if (r.device_map == "balanced") {
    throw at.error("which models it leaves on the host follows from the memory that is free as they are loaded",
                   {"on one device that holds all of them it is device_map=cuda"});
  }
  if (r.residency != Residency::all || r.block_swap > 0 || r.t5_cpu) {
    throw at.error("diffusers offloads no pipeline that has a device map",
                   {"runtime.residency=all, without block_swap and t5_cpu"});
  }
}

}  // namespace

Runtime Runtime::read(const config::View& view) {
  view.require_known_keys({"implementation",    "execution",      "attention",         "cfg",
                           "scheduler",         "shift",          "boundary",          "expert_steps",
                           "guidance_scale",    "step_cache",     "attention_density", "weight_dtype",
                           "autocast",          "autocast_dtype", "residency",         "t5_cpu",
                           "vae_tiling",        "vae_tile_size",  "vae_tile_stride",   "vae_slicing",
                           "allow_unsupported", "group_offload",  "block_swap",        "prefetch_blocks",
                           "device_map"});
  Runtime r;
  r.code_base = &code_base_named(view);
  const std::vector<std::pair<std::string, std::string>> sdpa = {{"sdpa", "flash"}, {"flash_attn", "flash"}};
  r.attention = choice_or_alias(view, "attention", {"flash", "math"}, sdpa) == "flash" ? AttentionKernel::flash
                                                                                       : AttentionKernel::math;
  r.cfg = view.get_or<bool>("cfg", true);
  if (view.has("scheduler")) r.scheduler = read_scheduler(view, *r.code_base);
  read_experts(view, r);
  read_shortcuts(view, r);
  const std::vector<std::string> dtypes = {"float32", "bfloat16", "float16"};
  r.weight_dtype = dtype_or(view, "weight_dtype", dtypes, r.code_base->transformer_dtype);
  r.autocast.enabled = view.get_or<bool>("autocast", r.code_base->autocasts);
  if (r.autocast.enabled && !r.code_base->autocasts) {
    throw view.at("autocast").error(fmt::format("{} runs without autocast", r.code_base->name));
  }
  r.autocast.dtype = dtype_or(view, "autocast_dtype", dtypes, DType::bfloat16);
  if (view.has("residency")) {
    const std::string name = view.get_choice("residency", {"all", "offload", "sequential", "group"});
    for (const Residency residency : {Residency::offload, Residency::sequential, Residency::group}) {
      if (name == name_of(residency)) r.residency = residency;
    }
  }
  read_group_offload(view, r);
  read_block_swap(view, r);
  r.t5_cpu = view.get_or<bool>("t5_cpu", false);
  read_device_map(view, r);
  r.vae_tiling = view.get_or<bool>("vae_tiling", false);
  read_tiles(view, r);
  r.vae_slicing = view.get_or<bool>("vae_slicing", false);
  r.allow_unsupported = view.get_or<bool>("allow_unsupported", false);
  r.code_base->check_runtime(view, r);
  return r;
}

Offload block_swap(Role role, const Runtime& runtime) {
  Offload out;
  if (role != Role::transformer || runtime.block_swap == 0) return out;
  out.kind = Offload::Kind::block_swap;
  out.blocks = runtime.block_swap;
  out.prefetch = runtime.prefetch_blocks;
  return out;
}

Fields Runtime::fields() const {
  Fields out = {{"implementation", std::string(code_base->name)},
                {"attention", std::string(name_of(attention))},
                {"cfg", cfg},
                {"weight_dtype", std::string(torch_name(weight_dtype))}};
  if (autocast.enabled) out.emplace_back("autocast_dtype", std::string(torch_name(autocast.dtype)));
  out.emplace_back("residency", std::string(name_of(residency)));
  if (residency == Residency::group) {
    std::string how = group_by_leaves ? "leaf_level" : fmt::format("block_level, {} a group", blocks_per_group);
    if (use_stream) how += record_stream ? ", stream recorded" : ", stream";
    if (low_cpu_mem_usage) how += ", pinned for each copy";
    out.emplace_back("group_offload", std::move(how));
  }
  if (block_swap > 0) out.emplace_back("block_swap", block_swap);
  if (prefetch_blocks > 0) out.emplace_back("prefetch_blocks", prefetch_blocks);
  out.emplace_back("t5_cpu", t5_cpu);
  if (!device_map.empty()) out.emplace_back("device_map", device_map);
  out.emplace_back("vae_tiling", vae_tiling);
  if (vae_tiling && !(tiles == Tiles())) {
    out.emplace_back("vae_tile_size", fmt::format("{} x {}", tiles.size[0], tiles.size[1]));
    out.emplace_back("vae_tile_stride", fmt::format("{} x {}", tiles.stride[0], tiles.stride[1]));
  }
  if (vae_slicing) out.emplace_back("vae_slicing", true);
  if (step_cache > 0) out.emplace_back("step_cache", step_cache);
  if (attention_density < 1) out.emplace_back("attention_density", attention_density);
  return out;
}

}  // namespace modelmeter::wan
