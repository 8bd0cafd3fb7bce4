// How long a collective takes on a cluster (hardware/cluster.h), for one rank that all others are ready with.
//
// In a node: the curve of its kind, between the numbers of ranks that the file has in the logarithm of ranks and of its
// constants; beyond the last as with the last, each further step as long as the last ones. Without a curve
//
//   latency = base + steps x step    steps: 2 (N - 1) of all_reduce, N - 1 of others, 1 of send
//   rate = share x link
//
// with NCCL's own base and step (src/graph/tuning.cc @5067397) and shares of the link that collectives reach (measured:
// docs/plans.md). send, recv and broadcast have no curves.
//
// Over several nodes, of a group with g ranks in each of m: reduce_scatter, all_gather and all_reduce take the node's
// part, then what is left between m ranks over each GPU's network card; all_to_all sends what is for other nodes
// through it while the rest goes inside.
//
// Not modelled: what a collective takes of the SMs and of the memory of kernels beside it, contention between groups,
// in-network reduction, ranks that come late.
#pragma once

#include "cost/collective_cost.h"
#include "hardware/cluster.h"

namespace modelmeter {

struct CollectiveTime {
  double latency = 0, transfer = 0;  // s
  double link_bytes = 0;             // sent over the links of a node, or network cards where it crosses nodes
  bool crosses_nodes = false;
  double seconds() const { return latency + transfer; }
};

// The collectives' names in files of clusters: all_reduce, all_gather, reduce_scatter, all_to_all; "send" else.
std::string_view collective_name(Kernel kernel);

// Of `bytes`, that a rank sends (LinkBytes). Error where the cluster has fewer GPUs than the group takes.
CollectiveTime collective_time(Kernel kernel, const ProcessGroup& group, double bytes, const Cluster& cluster);

// Of an op of kind collective.
CollectiveTime collective_time(const Launch& op, const Cluster& cluster);

}  // namespace modelmeter
