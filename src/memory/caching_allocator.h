// PyTorch's caching allocator for one device and one stream, replayed: which block each allocation gets, which segments
// are taken from the device for them, and what stays reserved when tensors go.
//
// A request is rounded to blocks; it takes the smallest free block of its pool that is large enough (the lowest address
// of equal ones), and gives back the rest of it where the rest is worth a block. Where there is none, a segment is
// taken from the device; where that has no room, free segments go back to it and it is asked once more. Freed blocks
// merge with free neighbours of their segment and stay. The rules are those of c10/cuda/CUDACachingAllocator.cpp as
// PyTorch 2.11 documents and shows them (its memory snapshots replayed: tests/allocator_test.cc); their sizes are data
// (hardware/stack.h).
//
// Not modelled: several streams, garbage_collection_threshold (it acts only where a memory fraction is set). Addresses,
// which decide between free blocks of one size, are the driver's: here each segment lies below all others, in steps of
// 32 MiB, as those of a process on an H200 mostly do (CUDA 13.0).
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "hardware/stack.h"

namespace modelmeter {

// PYTORCH_CUDA_ALLOC_CONF, and the device.
struct AllocatorSettings {
  bool expandable_segments = false;
  int64_t max_split_size = 0;  // bytes; larger blocks are not split. 0: no bound
  int64_t roundup_power2_divisions =
      0;                 // requests are rounded to so many steps between powers of two. 0, 1: they are not
  int64_t capacity = 0;  // bytes that segments may take. 0: no bound
};

class CachingAllocator {
 public:
  using Block = int32_t;
  static constexpr Block none = -1;

  explicit CachingAllocator(const AllocatorRules& rules, const AllocatorSettings& settings = {});

  // The block that holds so many bytes, at least one; `none` where the device has no room for it even after
  // empty_cache().
  Block allocate(int64_t bytes);
  void free(Block block);
  // Where the driver puts the next segment, for replays of logs that tell it. Above 0.
  void place_next_segment(int64_t address) { placed_ = address; }
  void empty_cache();  // torch.cuda.empty_cache(): wholly free segments go back to the device

  int64_t allocated() const { return allocated_; }  // memory_allocated()
  int64_t reserved() const { return reserved_; }    // memory_reserved()
  int64_t peak_allocated() const { return peak_allocated_; }
  int64_t peak_reserved() const { return peak_reserved_; }
  void reset_peaks() { peak_allocated_ = allocated_, peak_reserved_ = reserved_; }
  int64_t retries() const { return retries_; }  // how often the device had no room and segments went back first

  // Equal where the same blocks lie at the same addresses. What is in them is not part of it.
  uint64_t state() const { return state_; }
  int64_t address(Block block) const { return blocks_[static_cast<size_t>(block)].address; }

  // The segments in order of their addresses, with their blocks; for people and for snapshots.
  struct BlockView {
    int64_t size, requested;  // requested: 0 of a free block
    bool allocated;
  };
  struct SegmentView {
    int64_t address, size;
    bool small, expandable;
    std::vector<BlockView> blocks;
  };
  std::vector<SegmentView> segments() const;

 private:
  enum class Use : uint8_t { unused, free, allocated, unmapped };  // unmapped: of an expandable segment
  struct BlockData {
    int64_t address, size, requested;
    Block previous, next;  // in its segment, by address
    int32_t segment;
    Use use;
  };
  struct Segment {
    int64_t address, size;  // size: what is mapped of it
    Block first;
    bool small, expandable;
  };
  using Pool = std::map<std::pair<int64_t, int64_t>, Block>;  // free blocks by size and address

  BlockData& at(Block block) { return blocks_[static_cast<size_t>(block)]; }
  Segment& segment_of(Block block) { return segments_[static_cast<size_t>(at(block).segment)]; }
  Pool& pool_of(Block block) { return pools_[segment_of(block).small ? 0 : 1]; }

  int64_t rounded(int64_t bytes) const;
  int64_t segment_bytes(int64_t size) const;
  bool worth_splitting(const Segment& segment, int64_t size, int64_t rest) const;

  Block find(Pool& pool, int64_t size);
  Block new_segment(int64_t size);
  Block expand(bool small, int64_t size);
  Block take(Block block, int64_t size, int64_t requested);
  bool reserve(int64_t bytes);

  Block add_block(const BlockData& block);
  void set_use(Block block, Use use);
  void resize(Block block, int64_t size);
  void split_off(Block block, int64_t size, Use use);  // what is above `size` becomes a block of its own
  Block merge(Block low, Block high);
  void remove_segment(int32_t segment);
  void unmap_free_pages(int32_t segment);
  uint64_t hash(const BlockData& block) const;

  const AllocatorRules rules_;
  const AllocatorSettings settings_;
  std::vector<BlockData> blocks_;
  std::vector<Block> unused_blocks_;
  std::vector<Segment> segments_;
  std::vector<int32_t> unused_segments_;
  int32_t expandable_[2] = {-1, -1};  // of the small and of the large pool
  Pool pools_[2];                     // small, large
  int64_t lowest_ = 0, placed_ = 0;   // addresses
  int64_t allocated_ = 0, reserved_ = 0, peak_allocated_ = 0, peak_reserved_ = 0, retries_ = 0;
  uint64_t state_ = 0;
};

}  // namespace modelmeter
