// Cluster: how GPUs are connected, and what collectives over them take: a file of configs/cluster.
//
//   ranks      0 to gpus_per_node - 1 are in the first node, the next in the second, …
//   link       between GPUs of a node: nvswitch and pcie are the same between any two
//   network    a network card for each GPU, between nodes
//   curves     of each collective on one node, by the number of its ranks: seconds for w bytes over a rank's links
//                latency + w / rate + ramp (1 - exp(-w / ramp_bytes))
//              where the ramp is what the protocols for small messages save (docs/plans.md)
//
// Rates are of one direction and one GPU. A collective without a curve takes what the link allows: a share of its rate,
// and as long for each step as NCCL's own model says (timing/collectives.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hardware/quantity.h"

namespace modelmeter {

enum class LinkKind : uint8_t { nvswitch, pcie };

struct CollectivePoint {
  int64_t ranks = 0;
  double latency = 0, rate = 0;     // s, B/s
  double ramp = 0, ramp_bytes = 0;  // s, B; a ramp of 0 has none
};

struct CollectiveCurve {
  std::string collective;  // all_reduce, all_gather, reduce_scatter, all_to_all
  std::string source;
  std::vector<CollectivePoint> points;  // by number of ranks
};

struct Cluster {
  std::string id, name, notes;
  std::vector<Source> sources;
  std::vector<std::string> devices;  // options of the group `device` that it is made of; empty: any
  int64_t gpus_per_node = 0, nodes = 1;
  LinkKind link = LinkKind::nvswitch;
  Quantity link_bandwidth;     // B/s; of collectives that have no curve
  Quantity network_bandwidth;  // B/s; must be there where there are several nodes
  Quantity network_latency;    // s
  std::vector<CollectiveCurve> curves;

  int64_t gpus() const { return gpus_per_node * nodes; }
  const CollectiveCurve* curve(std::string_view collective) const;  // null where it has none
};

// Error at the line of what is wrong.
Cluster read_cluster(const config::View& file, const std::string& id);

}  // namespace modelmeter
