#include "report/kernel_times.h"

#include <fmt/format.h>

#include <vector>

#include "base/format.h"
#include "report/timing_text.h"
#include "timing/collectives.h"
#include "timing/kernel_time.h"
#include "timing/launches.h"
#include "timing/roofline.h"

namespace modelmeter {
namespace {

constexpr double least_light = 1e-9;  // s; what is below says nothing

std::string bytes_text(double bytes) {
  const Count value(static_cast<int64_t>(bytes));
  return decimal_scale(value, "B").text(value);
}

// "[14400, 5120] x [5120, 5120]", of several at once "24 x [...] x [...]".
std::string product_text(const DeviceKernel& kernel) {
  const std::string batch = kernel.batch > 1 ? fmt::format("{:.0f} x ", kernel.batch) : "";
  return fmt::format("{0}[{1:.0f}, {2:.0f}] x [{2:.0f}, {3:.0f}]", batch, kernel.m, kernel.k, kernel.n);
}

std::string units_text(const DeviceKernel& kernel) {
  return *kernel.precision == '\0' ? "on vector units" : kernel.precision;
}

// The class of a kernel and what its time depends on.
std::string kernel_text(const DeviceKernel& kernel) {
  switch (kernel.shape) {
    case KernelShape::memory:
      return fmt::format("{}, {}", memory_class_names()[static_cast<size_t>(kernel.memory)],
                         bytes_text(kernel.bytes()));
    case KernelShape::gemm: return fmt::format("gemm {}, {}", units_text(kernel), product_text(kernel));
    case KernelShape::attention:
      return fmt::format("attention {} {}, {:.0f} heads of {:.0f}, {:.0f} queries, {:.0f} keys", kernel.attention,
                         units_text(kernel), kernel.batch, kernel.k, kernel.m, kernel.n);
    case KernelShape::convolution:
      return fmt::format("convolution {} as gemm, {}", units_text(kernel), product_text(kernel));
    case KernelShape::transfer: return fmt::format("transfer, {}", bytes_text(kernel.written));
    case KernelShape::small: break;
  }
  return "small";
}

// "3.2 us + ((1.02 ms / clock)^3 + (94 us)^3)^(1/3) = 1.03 ms at clock 1", without the parts that are not there.
std::string sum_text(const KernelTime& t) {
  std::string parts = t.fixed > 0 ? seconds_text(t.fixed) : "";
  const auto add = [&](const std::string& part) { parts += (parts.empty() ? "" : " + ") + part; };
  if (t.compute > 0 && t.memory > 0) {
    add(fmt::format("(({} / clock)^{p:.3g} + ({})^{p:.3g})^(1/{p:.3g})", seconds_text(t.compute),
                    seconds_text(t.memory), fmt::arg("p", t.overlap)));
  } else if (t.compute > 0) {
    add(seconds_text(t.compute) + " / clock");
  } else if (t.memory > 0) {
    add(seconds_text(t.memory));
  }
  if (parts.find(' ') == parts.rfind(' ')) return parts.empty() ? "nothing" : parts;
  return fmt::format("{} = {}{}", parts, seconds_text(t.seconds(1)), t.compute > 0 ? " at clock 1" : "");
}

}  // namespace

KernelTimes::KernelTimes(const Evaluation& run, const Machine& machine)
    : trace_(run.trace()), machine_(machine), times_(time_run(run, machine)) {}

std::string KernelTimes::parts(const Executions& executions, bool last, const std::string& indent) const {
  OpAtIteration at(trace_, executions.op);
  at.move_to(last ? iterations_of(trace_, executions.op) - 1 : 0);
  if (info(executions.op.kernel).kind == OpKind::collective) return exchange(at.launch(), indent);
  LaunchFlags flags;
  flags.causal = executions.op.causal;
  flags.tf32 = executions.op.tf32;
  flags.transfer = trace_.transfer_of(executions.op) != Transfer::none;
  if (trace_.execution == Execution::ideal && !flags.transfer) {
    const KernelTime t = roofline_time(at.launch(), flags, machine_);
    return fmt::format("{}- at the speed of light: {}\n", indent, sum_text(t));
  }
  std::vector<DeviceKernel> kernels;
  device_kernels(at.launch(), flags, machine_, kernels);
  std::string out;
  for (const DeviceKernel& kernel : kernels) {
    const KernelTime t = time_of(kernel, machine_);
    out += fmt::format("{}- {}: {}", indent, kernel_text(kernel), sum_text(t));
    out += t.light > least_light ? fmt::format("; speed of light {}\n", seconds_text(t.light)) : "\n";
  }
  return out;
}

std::string KernelTimes::exchange(const Launch& launch, const std::string& indent) const {
  if (machine_.cluster() == nullptr) return "";
  const CollectiveTime t = collective_time(launch, *machine_.cluster());
  const std::string sent = fmt::format("{}- over the links, {}", indent, bytes_text(t.link_bytes));
  if (trace_.execution == Execution::ideal) return sent + ", at their speed\n";
  return fmt::format("{}: {} + {}\n", sent, seconds_text(t.latency), seconds_text(t.transfer));
}

}  // namespace modelmeter
