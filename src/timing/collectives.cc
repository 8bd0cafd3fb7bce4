#include "timing/collectives.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace modelmeter {
namespace {

// NCCL's model: base latency and that of a hop, of its simple protocol over rings.
constexpr double base_latency = 8.4e-6, nvlink_step = 3.4e-6, pcie_step = 5.7e-6;
// Of the link, what collectives of many megabytes reach where nobody measured: NVSwitch as on 4 ranks of A100, H100 and
// B200, PCIe without peer-to-peer access as on 2 ranks of L40S.
constexpr double nvswitch_share = 0.66, pcie_share = 0.6, network_share = 0.73;
constexpr double point_to_point_share = 0.83;  // a pair of H100: 376 of 450 GB/s (NCCL issue 1264)

int64_t ring_steps(Kernel kernel, int64_t ranks) {
  if (kernel == Kernel::allreduce_) return 2 * (ranks - 1);
  return collective_name(kernel) == "send" ? 1 : ranks - 1;
}

double interpolated(double a, double b, double share) {
  return a > 0 && b > 0 ? std::exp(std::log(a) + share * (std::log(b) - std::log(a))) : a + share * (b - a);
}

// The constants for a number of ranks.
CollectivePoint point_of(const CollectiveCurve& curve, int64_t ranks) {
  const std::vector<CollectivePoint>& points = curve.points;
  const auto upper =
      std::find_if(points.begin(), points.end(), [&](const CollectivePoint& p) { return p.ranks >= ranks; });
  if (upper != points.end() && upper->ranks == ranks) return *upper;
  if (upper == points.begin()) return *upper;
  CollectivePoint out;
  if (upper == points.end()) {
    out = points.back();
    if (points.size() > 1) {
      const CollectivePoint& before = points[points.size() - 2];
      const auto more = static_cast<double>(ranks - out.ranks), step = static_cast<double>(out.ranks - before.ranks);
      out.latency += std::max(out.latency - before.latency, 0.0) * more / step;
    }
  } else {
    const CollectivePoint &a = *(upper - 1), &b = *upper;
    const double share = std::log(static_cast<double>(ranks) / static_cast<double>(a.ranks)) /
                         std::log(static_cast<double>(b.ranks) / static_cast<double>(a.ranks));
    out.latency = interpolated(a.latency, b.latency, share);
    out.rate = interpolated(a.rate, b.rate, share);
    out.ramp = interpolated(a.ramp, b.ramp, share);
    out.ramp_bytes = interpolated(a.ramp_bytes, b.ramp_bytes, share);
  }
  out.ranks = ranks;
  return out;
}

CollectiveTime in_a_node(Kernel kernel, int64_t ranks, double bytes, const Cluster& cluster) {
  CollectiveTime out;
  out.link_bytes = bytes;
  if (ranks < 2) return out;
  const std::string_view name = collective_name(kernel);
  if (const CollectiveCurve* curve = cluster.curve(name)) {
    const CollectivePoint p = point_of(*curve, ranks);
    out.latency = p.latency;
    out.transfer = bytes / p.rate + p.ramp * (1 - std::exp(-bytes / p.ramp_bytes));
    return out;
  }
  const bool pcie = cluster.link == LinkKind::pcie;
  const double share = name == "send" ? point_to_point_share : pcie ? pcie_share : nvswitch_share;
  out.latency = base_latency + static_cast<double>(ring_steps(kernel, ranks)) * (pcie ? pcie_step : nvlink_step);
  out.transfer = bytes / (share * cluster.link_bandwidth.value);
  return out;
}

}  // namespace

std::string_view collective_name(Kernel kernel) {
  switch (kernel) {
    case Kernel::allreduce_: return "all_reduce";
    case Kernel::allgather_:
    case Kernel::allgather_base_: return "all_gather";
    case Kernel::reduce_scatter_base_: return "reduce_scatter";
    case Kernel::alltoall_:
    case Kernel::alltoall_base_: return "all_to_all";
    default: return "send";
  }
}

CollectiveTime collective_time(Kernel kernel, const ProcessGroup& group, double bytes, const Cluster& cluster) {
  const int64_t size = group.size, needed = size * std::max(group.stride, 1);
  if (needed > cluster.gpus()) {
    throw Error(fmt::format("the plan's {} ranks are more than the {} GPU{} of {}", needed, cluster.gpus(),
                            cluster.gpus() == 1 ? "" : "s", cluster.id),
                {}, {"plan.world_size and the degrees say how many there are; cluster.nodes=N adds nodes"});
  }
  const int64_t in_node = std::clamp<int64_t>(cluster.gpus_per_node / std::max(group.stride, 1), 1, size);
  if (in_node == size) return in_a_node(kernel, size, bytes, cluster);

  const int64_t whole_nodes = (size + in_node - 1) / in_node;
  const auto nodes = static_cast<double>(whole_nodes);
  const double network = network_share * cluster.network_bandwidth.value;
  CollectiveTime out;
  out.crosses_nodes = true;
  const auto of_ranks = [](double n) { return (n - 1) / n; };
  const double all = bytes / of_ranks(static_cast<double>(size));  // with the rank's own part
  if (collective_name(kernel) == "send") {
    out.link_bytes = bytes;
    out.latency = cluster.network_latency.value;
    out.transfer = bytes / network;
    return out;
  }
  if (collective_name(kernel) == "all_to_all") {
    out.link_bytes = all * of_ranks(nodes);
    const CollectiveTime inside = in_a_node(kernel, in_node, bytes - out.link_bytes, cluster);
    out.latency = inside.latency + (nodes - 1) * cluster.network_latency.value;
    out.transfer = std::max(inside.transfer, out.link_bytes / network);
    return out;
  }
  const auto g = static_cast<double>(in_node);
  const CollectiveTime inside = in_a_node(kernel, in_node, all * of_ranks(g), cluster);
  out.link_bytes = all / g * of_ranks(nodes);
  const double steps = static_cast<double>(ring_steps(kernel, static_cast<int64_t>(nodes)));
  out.latency = inside.latency + steps * cluster.network_latency.value;
  out.transfer = inside.transfer + out.link_bytes / network;
  return out;
}

CollectiveTime collective_time(const Launch& op, const Cluster& cluster) {
  const LinkBytes bytes = link_bytes(op);
  return collective_time(op.kernel, group_of(op.params), static_cast<double>(std::max(bytes.sent, bytes.received)),
                         cluster);
}

}  // namespace modelmeter
