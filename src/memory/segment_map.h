// What lies between what is reserved and what is allocated, at one moment: where it is free, and what holds it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "memory/allocation_log.h"

namespace modelmeter {

struct SegmentSums {
  int64_t reserved = 0, allocated = 0;
  int64_t rounding = 0;                       // of allocated: blocks of 512 B, and rests that are not split off
  int64_t waiting = 0;                        // freed, but kernels that read it have not run (record_stream)
  int64_t free_beside = 0;                    // free, in segments in which something is alive or waits
  int64_t free_segments = 0;                  // wholly free: they go back where the device is full
  int64_t segments = 0, held = 0, whole = 0;  // how many there are, and of the latter two
};

SegmentSums sums_of(const std::vector<AllocatorSegment>& segments);

// Indices, those with the most free bytes first; the order of addresses among equal ones. Full ones are left out.
std::vector<size_t> by_free_bytes(const std::vector<AllocatorSegment>& segments);
int64_t free_bytes(const AllocatorSegment& segment);
// The largest that is alive in it, or null.
const AllocatorBlock* largest_block(const AllocatorSegment& segment);

// A segment in so many columns: '#' where all is allocated, '.' where nothing is, '+' between.
std::string drawn(const AllocatorSegment& segment, int columns);

}  // namespace modelmeter
