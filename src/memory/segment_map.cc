#include "memory/segment_map.h"

#include <algorithm>

namespace modelmeter {

int64_t free_bytes(const AllocatorSegment& segment) {
  int64_t out = 0;
  for (const AllocatorBlock& block : segment.blocks) out += block.allocated || block.waits ? 0 : block.size;
  return out;
}

SegmentSums sums_of(const std::vector<AllocatorSegment>& segments) {
  SegmentSums out;
  for (const AllocatorSegment& segment : segments) {
    const int64_t free = free_bytes(segment);
    ++out.segments;
    out.reserved += segment.size;
    for (const AllocatorBlock& block : segment.blocks) {
      out.allocated += block.allocated ? block.size : 0;
      out.waiting += block.waits ? block.size : 0;
      out.rounding += block.allocated ? block.size - block.requested : 0;
    }
    if (free == segment.size) {
      ++out.whole;
      out.free_segments += free;
    } else if (free > 0) {
      ++out.held;
      out.free_beside += free;
    }
  }
  return out;
}

std::vector<size_t> by_free_bytes(const std::vector<AllocatorSegment>& segments) {
  std::vector<size_t> out;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (free_bytes(segments[i]) > 0) out.push_back(i);
  }
  std::stable_sort(out.begin(), out.end(),
                   [&](size_t a, size_t b) { return free_bytes(segments[a]) > free_bytes(segments[b]); });
  return out;
}

const AllocatorBlock* largest_block(const AllocatorSegment& segment) {
  const AllocatorBlock* out = nullptr;
  for (const AllocatorBlock& block : segment.blocks) {
    if ((block.allocated || block.waits) && (out == nullptr || block.size > out->size)) out = &block;
  }
  return out;
}

std::string drawn(const AllocatorSegment& segment, int columns) {
  std::string out;
  for (int c = 0; c < columns; ++c) {
    const auto edge = [&](int column) { return segment.address + segment.size / columns * column; };
    const int64_t begin = edge(c), end = c + 1 == columns ? segment.address + segment.size : edge(c + 1);
    int64_t allocated = 0;
    for (const AllocatorBlock& block : segment.blocks) {
      if (!block.allocated && !block.waits) continue;
      allocated += std::max<int64_t>(std::min(end, block.address + block.size) - std::max(begin, block.address), 0);
    }
    out += allocated == end - begin ? '#' : allocated == 0 ? '.' : '+';
  }
  return out;
}

}  // namespace modelmeter
