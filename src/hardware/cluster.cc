#include "hardware/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"

namespace modelmeter {
namespace {

constexpr double a_us = 1e-6, an_mb = 1e6, a_gb = 1e9;
constexpr int64_t most_gpus = 65'536;
const std::vector<std::string> collective_names = {"all_reduce", "all_gather", "reduce_scatter", "all_to_all"};

// A list of as many numbers as there are counts of ranks.
std::vector<double> numbers(const config::View& curve, const char* key, size_t count, bool zero_allowed) {
  auto out = curve.get<std::vector<double>>(key);
  const auto wrong = [&](double value) { return !(zero_allowed ? value >= 0 : value > 0) || value > 1e12; };
  if (out.size() != count || std::any_of(out.begin(), out.end(), wrong)) {
    throw curve.at(key).expected(
        fmt::format("{} numbers {}, one for each of ranks", count, zero_allowed ? "from 0 on" : "above 0"));
  }
  return out;
}

CollectiveCurve read_curve(const config::View& curve, const std::string& name,
                           const std::vector<std::string>& sources) {
  curve.require_known_keys({"source", "ranks", "latency_us", "rate_gb_s", "ramp_us", "ramp_mb"});
  CollectiveCurve out;
  out.collective = name;
  out.source = curve.get_choice("source", sources);
  const auto ranks = curve.get<std::vector<int64_t>>("ranks");
  const bool ordered = std::adjacent_find(ranks.begin(), ranks.end(), std::greater_equal<>()) == ranks.end();
  if (ranks.empty() || ranks.front() < 2 || !ordered) {
    throw curve.at("ranks").expected("numbers of ranks in order, from 2 on");
  }
  const bool ramps = curve.has("ramp_us") || curve.has("ramp_mb");
  const std::vector<double> latency = numbers(curve, "latency_us", ranks.size(), true),
                            rate = numbers(curve, "rate_gb_s", ranks.size(), false);
  std::vector<double> ramp(ranks.size()), ramp_bytes(ranks.size(), 1);
  if (ramps) {
    ramp = numbers(curve, "ramp_us", ranks.size(), true);
    ramp_bytes = numbers(curve, "ramp_mb", ranks.size(), false);
  }
  for (size_t i = 0; i < ranks.size(); ++i) {
    out.points.push_back({ranks[i], latency[i] * a_us, rate[i] * a_gb, ramp[i] * a_us, ramp_bytes[i] * an_mb});
  }
  return out;
}

void read_network(const config::View& file, Cluster& out) {
  out.nodes = file.has("nodes") ? file.get_positive<int64_t>("nodes", most_gpus) : 1;
  if (checked_mul(out.nodes, out.gpus_per_node, "the number of GPUs") > most_gpus) {
    throw file.at("nodes").error(fmt::format("{} GPUs are more than {}", out.gpus(), most_gpus));
  }
  out.network_bandwidth = read_optional_quantity(file, "network_bandwidth", Dimension::bandwidth, out.sources);
  out.network_latency = read_optional_quantity(file, "network_latency", Dimension::time, out.sources);
  if (out.nodes > 1 && !(out.network_bandwidth.known() && out.network_latency.known())) {
    throw file.at("nodes").error("several nodes have network_bandwidth and network_latency");
  }
}

}  // namespace

const CollectiveCurve* Cluster::curve(std::string_view collective) const {
  const auto found =
      std::find_if(curves.begin(), curves.end(), [&](const CollectiveCurve& c) { return c.collective == collective; });
  return found == curves.end() ? nullptr : &*found;
}

Cluster read_cluster(const config::View& file, const std::string& id) {
  file.require_known_keys({"name", "notes", "sources", "devices", "gpus_per_node", "nodes", "link", "link_bandwidth",
                           "network_bandwidth", "network_latency", "collectives"});
  Cluster out;
  out.id = id;
  out.name = file.get<std::string>("name");
  out.notes = file.get_or<std::string>("notes", "");
  out.sources = read_sources(file);
  if (file.has("devices")) out.devices = file.get<std::vector<std::string>>("devices");
  out.gpus_per_node = file.get_positive<int64_t>("gpus_per_node", most_gpus);
  out.link = file.get_choice("link", {"nvswitch", "pcie"}) == "pcie" ? LinkKind::pcie : LinkKind::nvswitch;
  out.link_bandwidth = read_quantity(file, "link_bandwidth", Dimension::bandwidth, out.sources);
  read_network(file, out);
  if (!file.has("collectives")) return out;
  std::vector<std::string> sources;
  for (const Source& source : out.sources) sources.push_back(source.key);
  const config::View curves = file.at("collectives");
  curves.require_known_keys(collective_names);
  for (const std::string& name : curves.keys()) {
    out.curves.push_back(read_curve(curves.child(name), name, sources));
  }
  return out;
}

}  // namespace modelmeter
