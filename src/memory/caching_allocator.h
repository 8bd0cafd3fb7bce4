// PyTorch's caching allocator for one device, replayed: which block each allocation gets, which segments are taken from
// the device for them, and what stays reserved when tensors go.
//
// A request is rounded to blocks; it takes the smallest free block of its pool and stream that is large enough (the
// lowest address of equal ones), and gives back the rest of it where the rest is worth a block. Where there is none, a
// segment is taken from the device; where that has no room, free segments go back to it and it is asked once more: with
// max_split_size first the larger ones of the same pool alone, then all. Freed blocks
// merge with free neighbours of their segment and stay. The rules are those of c10/cuda/CUDACachingAllocator.cpp as
// PyTorch 2.11 documents and shows them (its memory snapshots replayed: tests/allocator_test.cc); their sizes are data
// (hardware/stack.h).
//
// A block that another stream used (record_stream()) is free only once the kernels that were launched there by then
// have run: free_after() says how many more launches that takes, launched() counts them. A device without room waits
// for them all.
//
// Not modelled: addresses, which decide between free blocks of one size, are the driver's: here each segment lies below
// all others, in steps of 32 MiB, as those of a process on an H200 mostly do (CUDA 13.0).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "hardware/stack.h"
#include "memory/allocation_log.h"
#include "memory/free_blocks.h"

namespace modelmeter {

// PYTORCH_CUDA_ALLOC_CONF, and the device.
struct AllocatorSettings {
  bool expandable_segments = false;
  int64_t max_split_size = 0;          // bytes; larger blocks are not split. 0: no bound
  int64_t max_non_split_rounding = 0;  // bytes; by how much such a block may be larger than what it is for. 0: 20 MiB
  // Requests are rounded to so many steps between powers of two: from 2^i to 2^(i+1) MiB, the first also of what is
  // smaller, the last of what is larger. 0, 1: they are not.
  std::array<int64_t, 16> roundup_power2_divisions{};
  // Shares; 0: not set. memory_fraction, of the device's memory, bounds what segments take; then, before
  // garbage_collection_threshold of that is passed, unused segments go back, those first that have waited longest.
  double memory_fraction = 0, garbage_collection_threshold = 0;
  int64_t memory = 0;    // of the device, where memory_fraction is set
  int64_t capacity = 0;  // bytes that segments may take. 0: no bound
};

class CachingAllocator {
 public:
  using Block = int32_t;
  static constexpr Block none = -1;

  // Error where a share of the device's memory is asked for and that is not known.
  explicit CachingAllocator(const AllocatorRules& rules, const AllocatorSettings& settings = {});

  // The block that holds so many bytes, at least one; `none` where the device has no room for it even after
  // empty_cache(). `stream`: the one that it is for; a freed block is used again on it alone.
  Block allocate(int64_t bytes, int32_t stream = 0);
  void free(Block block);
  // The same one after the other, where that leaves all as it was; false, and nothing is done, where it may not.
  bool touch(int64_t bytes, int32_t stream = 0);
  // The same, but that it is used again only after so many more launches. It does not count as allocated meanwhile.
  void free_after(Block block, int64_t launches);
  void launched(int64_t kernels) { launched_ += kernels; }
  void synchronize();  // all kernels have run
  // Where the driver puts the next segment, for replays of logs that tell it. Above 0.
  void place_next_segment(int64_t address) { placed_ = address; }
  void empty_cache();  // torch.cuda.empty_cache(): all kernels run, and wholly free segments go back to the device

  int64_t allocated() const { return allocated_; }  // memory_allocated()
  int64_t reserved() const { return reserved_; }    // memory_reserved()
  int64_t peak_allocated() const { return peak_allocated_; }
  int64_t peak_reserved() const { return peak_reserved_; }
  void reset_peaks() { peak_allocated_ = allocated_, peak_reserved_ = reserved_; }
  int64_t retries() const { return retries_; }  // how often the device had no room and segments went back first

  // Equal where the same blocks lie at the same addresses. What is in them is not part of it. With garbage collection,
  // which asks how long blocks have been free, no two states are equal.
  uint64_t state() const;
  // Equal where what is free lies alike: the same free blocks in the same order, beside others or not. Nothing where
  // what comes next follows from more: blocks that wait, ages of blocks (garbage collection).
  std::optional<uint64_t> shape() const;
  // Bytes that segments may take on top of those that there are.
  int64_t room() const;
  // As if so much had been allocated and reserved at once.
  void raise_peaks(int64_t allocated, int64_t reserved) {
    peak_allocated_ = std::max(peak_allocated_, allocated);
    peak_reserved_ = std::max(peak_reserved_, reserved);
  }
  int64_t address(Block block) const { return blocks_[static_cast<size_t>(block)].address; }

  // The segments in order of their addresses, with their blocks; for people and for snapshots.
  std::vector<AllocatorSegment> segments() const;

  // Of all allocations the one after which most was reserved, and of those most allocated: its number, from 1.
  int64_t fullest() const { return fullest_.number; }
  // Records what follows until log->last; null: no more.
  void log_to(AllocationLog* log) { log_ = log; }
  // Whose what is allocated next is, where it is recorded.
  void set_maker(AllocationMaker maker) {
    if (log_ != nullptr) log_->maker = maker;
  }

 private:
  // waiting: for kernels that read it; unmapped: of an expandable segment
  enum class Use : uint8_t { unused, free, allocated, waiting, unmapped };
  struct BlockData {
    int64_t address, size, requested;
    Block previous, next;  // in its segment, by address
    int32_t segment;
    Use use;
    int64_t free_since = 0;  // of a free block: requests of its pool before
    AllocationMaker maker;
  };
  struct Segment {
    int64_t address, size;  // size: what is mapped of it
    Block first;
    bool small, expandable;
    int32_t stream;
  };
  struct Fullest {
    int64_t reserved = 0, allocated = 0, number = 0;
  };
  struct Waiting {
    Block block;
    int64_t until;  // launches
  };
  // What is asked for.
  struct Request {
    int64_t size;  // rounded
    bool small;
    int32_t stream;
  };

  BlockData& at(Block block) { return blocks_[static_cast<size_t>(block)]; }
  Segment& segment_of(Block block) { return segments_[static_cast<size_t>(at(block).segment)]; }
  FreeBlocks& pool_of(Block block) { return pools_[segment_of(block).small ? 0 : 1]; }

  int64_t rounded(int64_t bytes) const;
  int64_t segment_bytes(int64_t size) const;
  bool worth_splitting(const Segment& segment, int64_t size, int64_t rest) const;

  Block find(const Request& request) const;
  Block from_device(const Request& request);
  Block new_segment(const Request& request);
  int32_t expandable_segment(const Request& request);
  Block expand(const Request& request);
  void count_peaks(int64_t allocated);
  Block take(Block block, int64_t size, int64_t requested);
  bool reserve(int64_t bytes);
  bool has_room(int64_t reserved) const;
  bool is_held(Block block) const;   // not for others, nor unmapped
  bool is_whole(Block block) const;  // a free segment
  bool release_larger(const Request& request);
  void collect_garbage();

  Block add_block(const BlockData& block);
  FreeBlock in_pool(Block block) const;
  void leave_pool(Block block);                         // of a free one
  void release(Block block);                            // one in no pool, to those that are free
  void become_free(Block block);                        // with no free neighbour, or none in a pool yet
  Block split_off(Block block, int64_t size, Use use);  // what is above `size`, of a block in no pool
  void absorb(Block low, Block high);                   // two neighbours, both in no pool, become the lower one
  void remove_segment(int32_t segment);
  void unmap_free_pages(int32_t segment);
  static uint64_t hash(int64_t address, int64_t size);
  void count_pages(int64_t address, int64_t bytes, int64_t page);
  void record(AllocationLog::Action action, Block block);
  void record(AllocationLog::Action action, int64_t address, int64_t size, const Segment& segment,
              AllocationMaker maker = {});

  const AllocatorRules rules_;
  const AllocatorSettings settings_;
  std::vector<BlockData> blocks_;
  std::vector<Block> unused_blocks_;
  std::vector<Segment> segments_;
  std::vector<int32_t> unused_segments_;
  std::vector<int32_t> expandable_;  // segments: one for each pool and stream
  FreeBlocks pools_[2];              // small, large
  std::deque<Waiting> waiting_;      // in the order in which they go
  int64_t launched_ = 0;             // kernels
  int64_t lowest_ = 0, placed_ = 0;  // addresses
  int64_t allocated_ = 0, reserved_ = 0, peak_allocated_ = 0, peak_reserved_ = 0, retries_ = 0;
  int64_t allocations_ = 0, requests_[2] = {};  // by pool
  int64_t allowed_ = 0;                         // of memory_fraction; 0: no bound
  Fullest fullest_;
  AllocationLog* log_ = nullptr;
  uint64_t state_ = 0;  // of allocated blocks, segments and mapped pages, from which free ones follow
};

}  // namespace modelmeter
