// How the times of a report come about, for its pages: the device kernels that an op is (timing/launches.h), what each
// depends on, and the parts of its time (timing/kernel_time.h), in words.
#pragma once

#include <string>

#include "cost/executions.h"
#include "timing/machine.h"
#include "timing/run_time.h"

namespace modelmeter {

class KernelTimes {
 public:
  // Both outlive it; every kernel of the run is recorded.
  KernelTimes(const Evaluation& run, const Machine& machine);

  const std::string& device() const { return machine_.device().id; }
  // s on the device of one execution of an op (index in Trace::ops), at the clocks of the run; where it grows, of the
  // mean one.
  double seconds(int32_t op) const { return times_.ops[static_cast<size_t>(op)]; }
  // A line for each kernel of the op, in its first execution or its last: "gemm bf16, [512, 64] x [64, 64]: 3.2 us".
  std::string parts(const Executions& executions, bool last, const std::string& indent) const;

 private:
  std::string exchange(const Launch& launch, const std::string& indent) const;

  const Trace& trace_;
  const Machine& machine_;
  RunTime times_;
};

}  // namespace modelmeter
