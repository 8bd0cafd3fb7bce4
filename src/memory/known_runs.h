// What a stage did to the allocator, kept for others that find it alike: of a few hundred ways to run, most end with
// the same stage, the decoder of the video, between weights in other formats.
//
// A stage frees all that it asks for. What it does then follows from its program, from what is free before it
// (CachingAllocator::shape()) and from how much room the device has left; where it was never short of room, from no
// more than that there is enough of it. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

#include "memory/allocation_program.h"

namespace modelmeter {

struct KnownRun {
  int64_t room = 0;                               // bytes that segments could take before it
  int64_t peak_allocated = 0, peak_reserved = 0;  // bytes above what was there
  int64_t retries = 0;
  bool fits = true;
  int64_t failed_bytes = 0, allocated = 0, reserved = 0;  // where it does not: what was asked for, and above what was
  int32_t failed_op = -1;                                 // there what was taken then
};

class KnownRuns {
 public:
  struct Key {
    const AllocationProgram* program = nullptr;
    uint64_t shape = 0;
    int64_t input_bytes = 0;
    bool takes_cublas_workspace = false, expandable = false;

    auto tied() const { return std::tie(program, shape, input_bytes, takes_cublas_workspace, expandable); }
    friend bool operator<(const Key& a, const Key& b) { return a.tied() < b.tied(); }
  };

  // One that is like it.
  std::optional<KnownRun> find(const Key& key, int64_t room) const {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(key);
    if (known == known_.end()) return std::nullopt;
    for (const KnownRun& run : known->second) {
      const bool was_roomy = run.fits && run.retries == 0;
      if (run.room == room || (was_roomy && run.peak_reserved <= room)) return run;
    }
    return std::nullopt;
  }
  void add(const Key& key, const KnownRun& run) {
    const std::lock_guard lock(mutex_);
    known_[key].push_back(run);
  }

 private:
  mutable std::mutex mutex_;
  std::map<Key, std::vector<KnownRun>> known_;
};

}  // namespace modelmeter
