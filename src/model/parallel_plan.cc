#include "model/parallel_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/checked.h"

namespace modelmeter {
namespace {

constexpr int64_t most_ranks = 65'536;

// A flag for all models that can be cut, or one of them by name.
void read_fsdp(const config::View& plan, ParallelPlan& out) {
  if (!plan.has("fsdp")) return;
  const config::View fsdp = plan.at("fsdp");
  if (fsdp.node().is(config::Kind::boolean)) {
    out.fsdp_transformer = out.fsdp_text_encoder = fsdp.as<bool>();
    return;
  }
  const std::string of = plan.get_choice("fsdp", {"transformer", "text_encoder", "true", "false"});
  out.fsdp_transformer = of != "text_encoder" && of != "false";
  out.fsdp_text_encoder = of != "transformer" && of != "false";
}

int64_t product(const ParallelDegrees& d) {
  constexpr char ranks[] = "the number of ranks";
  return checked_mul(checked_mul(d.ulysses, d.ring, ranks), d.cfg, ranks);
}

void read_ranks(const config::View& plan, ParallelPlan& out) {
  const int64_t needed = product(out.degrees);
  out.world_size = plan.has("world_size") ? plan.get_positive<int64_t>("world_size", most_ranks) : needed;
  if (needed > most_ranks) throw plan.error(fmt::format("{} ranks are more than {}", needed, most_ranks));
  if (out.world_size < needed) {
    throw plan.at("world_size")
        .error(fmt::format("{} ranks are fewer than the plan's degrees, whose product is {}", out.world_size, needed));
  }
  if (out.world_size % needed != 0) {
    throw plan.at("world_size")
        .error(
            fmt::format("{} ranks do not divide by the plan's degrees, whose product is {}", out.world_size, needed));
  }
  if (out.fsdp() && out.world_size == 1) {
    throw plan.at("fsdp").error("weights are cut over ranks, and there is one",
                                {"plan.ulysses=N has several; so has plan.world_size=N, all doing the same"});
  }
  if (!plan.has("rank")) return;
  out.rank = plan.get_non_negative<int64_t>("rank");
  if (out.rank >= out.world_size) {
    throw plan.at("rank").error(
        fmt::format("of {} rank{} the last is {}", out.world_size, out.world_size == 1 ? "" : "s", out.world_size - 1));
  }
}

}  // namespace

ParallelPlan ParallelPlan::read(const config::View& config) {
  ParallelPlan out;
  if (!config.has("plan")) return out;
  const config::View plan = config.at("plan");
  plan.require_known_keys({"ulysses", "ring", "cfg_parallel", "fsdp", "world_size", "rank"});
  const auto degree = [&](const char* key) {
    return plan.has(key) ? plan.get_positive<int64_t>(key, most_ranks) : int64_t{1};
  };
  out.degrees.ulysses = degree("ulysses");
  out.degrees.ring = degree("ring");
  out.degrees.cfg = degree("cfg_parallel");
  if (out.degrees.cfg > 2) throw plan.at("cfg_parallel").error("guidance has two branches: 1 or 2");
  read_fsdp(plan, out);
  read_ranks(plan, out);
  return out;
}

Fields ParallelPlan::fields() const {
  if (one_rank()) return {};
  return {{"plan.world_size", world_size},
          {"plan.rank", rank},
          {"plan.ulysses", degrees.ulysses},
          {"plan.ring", degrees.ring},
          {"plan.cfg_parallel", degrees.cfg},
          {"plan.fsdp", std::string(!fsdp()              ? "false"
                                    : !fsdp_text_encoder ? "transformer"
                                    : !fsdp_transformer  ? "text_encoder"
                                                         : "true")}};
}

std::string ParallelPlan::to_string() const {
  std::vector<std::string> parts;
  for (const auto& [name, degree] :
       {std::pair("ulysses", degrees.ulysses), std::pair("ring", degrees.ring), std::pair("cfg", degrees.cfg)}) {
    if (degree > 1) parts.push_back(fmt::format("{} {}", name, degree));
  }
  if (fsdp()) {
    parts.push_back(fmt::format("fsdp of the {}", !fsdp_text_encoder  ? "transformer"
                                                  : !fsdp_transformer ? "text encoder"
                                                                      : "transformer and the text encoder"));
  }
  if (parts.empty()) parts.emplace_back("the same on each");
  return fmt::format("{} rank{} ({}), of which this is {}", world_size, world_size == 1 ? "" : "s",
                     fmt::join(parts, ", "), rank);
}

void check_divides(const config::View& plan, const char* key, int64_t count, const char* what) {
  const auto degree = plan.has(key) ? plan.get<int64_t>(key) : 1;
  if (count % degree == 0) return;
  std::vector<int64_t> fitting;
  for (int64_t n = 2; n <= count && fitting.size() < 16; ++n) {
    if (count % n == 0) fitting.push_back(n);
  }
  throw plan.at(key).error(fmt::format("{} {} do not divide by {} ranks", count, what, degree),
                           {fmt::format("plan.{}={} would", key, fmt::join(fitting, ", "))});
}

}  // namespace modelmeter
