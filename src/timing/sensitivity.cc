#include "timing/sensitivity.h"

namespace modelmeter {
namespace {

constexpr double more = 1.1;

struct Resource {
  const char* name;
  void (*add)(Device&, Host&);
  bool (*known)(const Device&);
};

constexpr Resource resources[] = {
    {"matrix units",
     [](Device& d, Host&) {
       for (TensorRate& rate : d.tensor_rates) rate.rate.value *= more;
     },
     [](const Device&) { return true; }},
    // Rates of matrix units are stated at a clock of their own, and follow this one.
    {"clock", [](Device& d, Host&) { d.boost_clock.value *= more; }, [](const Device&) { return true; }},
    {"memory bandwidth", [](Device& d, Host&) { d.memory_bandwidth.value *= more; },
     [](const Device&) { return true; }},
    {"L2", [](Device& d, Host&) { d.l2_size.value *= more; }, [](const Device& d) { return d.l2_size.known(); }},
    {"power limit", [](Device& d, Host&) { d.power_limit.value *= more; },
     [](const Device& d) { return d.power && d.power_limit.known(); }},
    {"host",
     [](Device&, Host& h) {
       for (double* call : {&h.elementwise, &h.matmul, &h.norm, &h.attention, &h.convolution, &h.python}) *call /= more;
     },
     [](const Device&) { return true; }},
};

}  // namespace

std::vector<Sensitivity> sensitivities(const Evaluation& run, const Machine& machine) {
  std::vector<Sensitivity> out;
  std::optional<Cluster> cluster;
  if (machine.cluster() != nullptr) cluster = *machine.cluster();
  for (const Resource& resource : resources) {
    Device device = machine.device();
    Host host = machine.host();
    if (!resource.known(device)) continue;
    if (!device.tensor_clock.known()) device.tensor_clock = device.boost_clock;
    resource.add(device, host);
    out.push_back({resource.name, time_run(run, Machine(device, machine.stack(), host, cluster)).total().wall});
  }
  if (cluster) {
    cluster->link_bandwidth.value *= more;
    cluster->network_bandwidth.value *= more;
    for (CollectiveCurve& curve : cluster->curves) {
      for (CollectivePoint& point : curve.points) point.rate *= more;
    }
    out.push_back(
        {"links", time_run(run, Machine(machine.device(), machine.stack(), machine.host(), cluster)).total().wall});
  }
  return out;
}

}  // namespace modelmeter
