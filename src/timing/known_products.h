// The times of matrix products on one machine, kept: finding one tries every tile, and the stages of runs that differ
// in a setting have most products in common. A product is known by all that a kernel is; past `most` all are forgotten.
#pragma once

#include <cstddef>
#include <functional>
#include <unordered_map>

#include "timing/kernel_time.h"

namespace modelmeter {

class KnownProducts {
 public:
  static constexpr size_t most = 20'000;

  // time_of() of a product on the machine, always the same one.
  const KernelTime& time(const DeviceKernel& kernel, const Machine& machine) {
    if (known_.size() >= most) known_.clear();
    if (const auto at = known_.find(kernel); at != known_.end()) return at->second;
    const KernelTime made = time_of(kernel, machine);
    return known_.emplace(kernel, made).first->second;
  }

 private:
  struct Hash {
    size_t operator()(const DeviceKernel& kernel) const {
      size_t out = 0;
      for (const double n : {kernel.batch, kernel.m, kernel.n, kernel.k, kernel.read, kernel.written}) {
        out = (out ^ std::hash<double>()(n)) * 0x9e3779b97f4a7c15U;
      }
      return out ^ (out >> 32);
    }
  };

  std::unordered_map<DeviceKernel, KernelTime, Hash> known_;
};

}  // namespace modelmeter
