// A run's allocations on the caching allocator. Repetitions are replayed until the allocator is as one of them found it
// before; the rest are then the same and are not replayed. It is within a few: after 64 without one that is the same
// the rest are taken to bring nothing new. Of a loop that grows up to 64 repetitions are replayed, evenly over all.
//
// Where streams are recorded the host is taken to be as far ahead of the kernels as their queue lets it, 1,024 launches
// (an op is one): as kernels that take longer than the copies leave it. That is the most that waits.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "memory/allocation_program.h"
#include "memory/caching_allocator.h"

namespace modelmeter {

class AllocationReplay {
 public:
  static constexpr int64_t launches_ahead = 1024;

  // Keeps references to both. `of`: AllocationMaker::of, where the allocator keeps a log.
  AllocationReplay(const AllocationProgram& program, CachingAllocator& allocator, int32_t of = -1)
      : program_(program),
        allocator_(allocator),
        of_(of),
        instances_(static_cast<size_t>(program.storages), CachingAllocator::none) {}

  // False where the device has no room for an allocation: failed_op() and failed_bytes() say for which. What the
  // program leaves allocated stays so until free_rest().
  bool run() { return run(0, program_.events.size(), 0, 1); }
  void free_rest();

  // Before it runs: memory that the program finds. After it: what is there of that storage, no longer the program's.
  void give(int32_t storage, CachingAllocator::Block block) { add(storage, block); }
  CachingAllocator::Block take(int32_t storage);

  int32_t failed_op() const { return failed_op_; }
  int64_t failed_bytes() const { return failed_bytes_; }
  int64_t replayed() const { return replayed_; }  // events

 private:
  using Block = CachingAllocator::Block;

  bool run(size_t first, size_t end, int64_t iteration, int64_t iterations);
  bool run_once(const AllocationLoop& loop, int64_t iteration, int64_t iterations);
  bool run_loop(const AllocationLoop& loop, int64_t iteration, int64_t iterations);
  bool goes_at_once(size_t event) const;
  bool allocate(const AllocationEvent& event, int64_t iteration, int64_t iterations);
  void add(int32_t storage, Block block);
  void free(int32_t storage, int64_t launches = 0);
  void launch_until(int32_t op);
  void carry_on(const AllocationLoop& loop);
  uint64_t state(const AllocationLoop& loop) const;

  const AllocationProgram& program_;
  CachingAllocator& allocator_;
  const int32_t of_;
  std::vector<Block> instances_;                            // by storage: the one alive
  std::unordered_map<int32_t, std::vector<Block>> others_;  // of several repetitions where nothing lets them go
  int32_t at_ = 0;                                          // the op that comes next, where launches are counted
  int32_t failed_op_ = -1;
  int64_t failed_bytes_ = 0, replayed_ = 0;
};

}  // namespace modelmeter
