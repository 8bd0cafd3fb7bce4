#include "timing/roofline.h"

#include <algorithm>

#include "cost/op_cost.h"

namespace modelmeter {
namespace {

// Of the factors: a bias and scales come before them.
const char* precision(const Launch& launch, const LaunchFlags& flags, const Machine& machine) {
  if (launch.inputs == 0) return "";
  const bool product =
      info(launch.kernel).kind == OpKind::matmul && launch.kernel != Kernel::grouped_mm && launch.inputs > 1;
  return precision_of(launch.input(product ? launch.inputs - 2 : 0).dtype, flags.tf32 && has_tf32(machine));
}

}  // namespace

KernelTime roofline_time(const Launch& launch, const LaunchFlags& flags, const Machine& machine) {
  const OpCost cost = cost_of(launch);
  const auto tensor_flops = static_cast<double>(cost.flops_tensor),
             vector_flops = static_cast<double>(cost.flops_vector);
  const double bytes = static_cast<double>(cost.bytes_read) + static_cast<double>(cost.bytes_written);
  double tensor = 0, vector = vector_flops / machine.vector_rate();
  if (const char* units = tensor_flops > 0 ? precision(launch, flags, machine) : ""; *units != '\0') {
    tensor = tensor_flops / machine.device().rate(units).rate.value;
  } else {
    vector += tensor_flops / machine.vector_rate();
  }
  const double memory = bytes / machine.device().memory_bandwidth.value;
  KernelTime t;
  t.light = std::max({tensor, vector, memory});
  t.tensor = tensor >= vector;
  (memory > std::max(tensor, vector) ? t.memory : t.compute) = t.light;
  if (const auto& power = machine.device().power) {
    t.joules_at_clock = tensor_flops * power->tensor.value;
    t.joules = bytes * power->memory.value;
  }
  return t;
}

}  // namespace modelmeter
