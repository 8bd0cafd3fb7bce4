// nccl.csv: single collectives of nccl-tests on one node.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "hardware/catalog.h"
#include "timing/collectives.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

struct NamedCollective {
  const char* name;  // in the file
  Kernel kernel;
};
constexpr NamedCollective named_collectives[] = {{"all_reduce", Kernel::allreduce_},
                                                 {"all_gather", Kernel::allgather_base_},
                                                 {"reduce_scatter", Kernel::reduce_scatter_base_},
                                                 {"alltoall", Kernel::alltoall_base_}};

bool begins(const std::string& name, const std::string& with) {
  return name == with || name.compare(0, with.size() + 1, with + "_") == 0;
}

// The cluster that is made of a device: "h100", "h100_sxm".
std::optional<Cluster> cluster_of(const std::string& device, const config::Repository& repository) {
  for (const std::string& name : repository.options("cluster")) {
    Cluster cluster = load_cluster(repository, name);
    for (const std::string& known : cluster.devices) {
      if (begins(known, device) || begins(device, known)) return cluster;
    }
  }
  return std::nullopt;
}

const char* size_class(double bytes) {
  constexpr double small = 256 * 1024, large = 16 * 1024 * 1024;
  return bytes < small ? "below 256 KiB" : bytes < large ? "below 16 MiB" : "16 MiB and more";
}

}  // namespace

std::optional<Machine> connected(const Machine& machine, const ValidationContext& context) {
  std::optional<Cluster> cluster = cluster_of(machine.device().id, context.repository);
  if (!cluster) return std::nullopt;
  return Machine(machine.device(), machine.stack(), machine.host(), std::move(cluster));
}

Validation validate_collectives(const std::string& path, const ValidationContext& context) {
  const CsvTable table(path);
  table.expect_columns({"sys", "op_name", "num_gpus", "bytes", "us"}, "nccl.csv");
  return validate_rows(table, path, {"sys", "op_name"}, [&](size_t i) -> RowOutcome {
    const std::string &device = table.text(i, "sys"), &op = table.text(i, "op_name");
    const std::optional<Cluster> cluster = cluster_of(device, context.repository);
    if (!cluster) return {{}, fmt::format("no file of configs/cluster is of {}", device)};
    const auto* const named = std::find_if(std::begin(named_collectives), std::end(named_collectives),
                                           [&](const NamedCollective& c) { return op == c.name; });
    if (named == std::end(named_collectives)) return {{}, fmt::format("no rule for {}", op)};
    const double ranks = table.number(i, "num_gpus"), bytes = table.number(i, "bytes"), us = table.number(i, "us");
    if (ranks < 2 || ranks > static_cast<double>(cluster->gpus_per_node) || ranks != std::floor(ranks)) {
      return {{}, fmt::format("{} has {} GPUs a node", cluster->id, cluster->gpus_per_node)};
    }
    if (bytes <= 0 || us <= 0) return {{}, "nothing was measured"};
    ProcessGroup group;
    group.size = static_cast<int32_t>(ranks);
    const double sent = (named->kernel == Kernel::allreduce_ ? 2 : 1) * bytes * (ranks - 1) / ranks;
    const CollectiveTime time = collective_time(named->kernel, group, sent, *cluster);
    ValidationRow row;
    row.device = device;
    row.name = fmt::format("{} of {} bytes on {}", op, bytes, ranks);
    row.group = fmt::format("{}, {}", op, size_class(bytes));
    row.predicted_device_ms = time.seconds() / one_ms;
    row.measured_device_ms = us * one_us / one_ms;
    return {std::move(row), ""};
  });
}

}  // namespace modelmeter
