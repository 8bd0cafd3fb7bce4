#include "memory/caching_allocator.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "base/checked.h"
#include "base/error.h"

namespace modelmeter {
namespace {

constexpr char reserved_memory[] = "the memory of the device";
constexpr int64_t expandable_begin[2] = {int64_t{1} << 60, int64_t{1} << 61};  // beyond all other addresses
constexpr int64_t expandable_bytes = int64_t{1} << 59;
constexpr int64_t driver_step = int64_t{32} << 20;

int64_t round_up(int64_t bytes, int64_t unit) { return checked_mul((bytes + unit - 1) / unit, unit, reserved_memory); }

// splitmix64's finalizer
uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

}  // namespace

CachingAllocator::CachingAllocator(const AllocatorRules& rules, const AllocatorSettings& settings)
    : rules_(rules), settings_(settings) {}

// A request in blocks. With divisions, of a power of two between which it lies.
int64_t CachingAllocator::rounded(int64_t bytes) const {
  const int64_t block = rules_.block.value, divisions = settings_.roundup_power2_divisions;
  if (bytes <= block) return block;
  if (divisions <= 1 || bytes <= block * divisions) return round_up(bytes, block);
  const auto power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes)));
  if (power == bytes) return bytes;
  return power + round_up(bytes - power, std::max<int64_t>(power / divisions, 1));
}

int64_t CachingAllocator::segment_bytes(int64_t size) const {
  if (size <= rules_.small_allocation.value) return rules_.small_segment.value;
  if (size < rules_.large_allocation.value) return rules_.large_segment.value;
  return round_up(size, rules_.own_segment.value);
}

bool CachingAllocator::worth_splitting(const Segment& segment, int64_t size, int64_t rest) const {
  if (segment.small || segment.expandable) return rest >= rules_.block.value;
  const bool may = settings_.max_split_size == 0 || size < settings_.max_split_size;
  return may && rest > rules_.small_allocation.value;
}

CachingAllocator::Block CachingAllocator::allocate(int64_t bytes) {
  const int64_t size = rounded(std::max<int64_t>(bytes, 1));
  const bool small = size <= rules_.small_allocation.value;
  for (const bool again : {false, true}) {
    if (again) {
      ++retries_;
      empty_cache();
    }
    Block block = find(pools_[small ? 0 : 1], size);
    if (block == none) block = settings_.expandable_segments ? expand(small, size) : new_segment(size);
    if (block != none) return take(block, size, bytes);
  }
  return none;
}

// The smallest free block that holds it. One too large to be split is no place for what is small, nor for what is much
// smaller than it.
CachingAllocator::Block CachingAllocator::find(Pool& pool, int64_t size) {
  const auto found = pool.lower_bound({size, std::numeric_limits<int64_t>::min()});
  if (found == pool.end()) return none;
  const int64_t most = settings_.max_split_size, has = found->first.first;
  if (most > 0 && size < most && has >= most) return none;
  if (most > 0 && size >= most && has >= size + rules_.large_segment.value) return none;
  return found->second;
}

bool CachingAllocator::reserve(int64_t bytes) {
  const int64_t sum = checked_add(reserved_, bytes, reserved_memory);
  if (settings_.capacity > 0 && sum > settings_.capacity) return false;
  reserved_ = sum;
  peak_reserved_ = std::max(peak_reserved_, reserved_);
  return true;
}

CachingAllocator::Block CachingAllocator::new_segment(int64_t size) {
  const int64_t bytes = segment_bytes(size);
  if (!reserve(bytes)) return none;
  lowest_ -= round_up(bytes, driver_step);
  const int64_t address = placed_ > 0 ? std::exchange(placed_, 0) : lowest_;
  const auto index = static_cast<int32_t>(unused_segments_.empty() ? segments_.size() : unused_segments_.back());
  if (unused_segments_.empty()) {
    segments_.emplace_back();
  } else {
    unused_segments_.pop_back();
  }
  segments_[static_cast<size_t>(index)] = {address, bytes, none, size <= rules_.small_allocation.value, false};
  const Block block = add_block({address, bytes, 0, none, none, index, Use::unused});
  segments_[static_cast<size_t>(index)].first = block;
  set_use(block, Use::free);
  return block;
}

// Maps pages behind the lowest free place of the pool's expandable segment that has room for so much.
CachingAllocator::Block CachingAllocator::expand(bool small, int64_t size) {
  int32_t& index = expandable_[small ? 0 : 1];
  if (index < 0) {
    index = static_cast<int32_t>(segments_.size());
    const int64_t begin = expandable_begin[small ? 0 : 1];
    segments_.push_back({begin, 0, none, small, true});
    const Block all = add_block({begin, expandable_bytes, 0, none, none, index, Use::unused});
    segments_[static_cast<size_t>(index)].first = all;
    set_use(all, Use::unmapped);
  }
  Block from = segments_[static_cast<size_t>(index)].first;
  for (int64_t room = 0; room < size;) {  // from the block `from` on
    room = 0;
    while (at(from).use == Use::allocated) from = at(from).next;
    Block end = from;
    for (; end != none && at(end).use != Use::allocated && room < size; end = at(end).next) room += at(end).size;
    if (room < size) from = at(end).next;
  }
  const int64_t page = small ? rules_.small_segment.value : rules_.large_segment.value;
  while (at(from).use == Use::unmapped || at(from).size < size) {
    const Block next = at(from).use == Use::unmapped ? from : at(from).next;
    const int64_t missing = size - (next == from ? 0 : at(from).size);
    if (at(next).use == Use::unmapped) {
      const int64_t bytes = std::min(round_up(missing, page), at(next).size);
      if (!reserve(bytes)) return none;
      segments_[static_cast<size_t>(index)].size += bytes;
      if (bytes < at(next).size) split_off(next, bytes, Use::unmapped);
      set_use(next, Use::free);
    }
    if (next != from) from = merge(from, next);
  }
  return from;
}

CachingAllocator::Block CachingAllocator::take(Block block, int64_t size, int64_t requested) {
  if (worth_splitting(segment_of(block), size, at(block).size - size)) split_off(block, size, Use::free);
  set_use(block, Use::allocated);
  at(block).requested = requested;
  allocated_ += at(block).size;
  peak_allocated_ = std::max(peak_allocated_, allocated_);
  return block;
}

void CachingAllocator::free(Block block) {
  allocated_ -= at(block).size;
  at(block).requested = 0;
  set_use(block, Use::free);
  const Block low = at(block).previous, high = at(block).next;
  if (high != none && at(high).use == Use::free) merge(block, high);
  if (low != none && at(low).use == Use::free) merge(low, block);
}

void CachingAllocator::empty_cache() {
  for (size_t i = 0; i < segments_.size(); ++i) {
    const Segment& s = segments_[i];
    if (s.first == none) continue;
    if (s.expandable) {
      unmap_free_pages(static_cast<int32_t>(i));
    } else if (at(s.first).use == Use::free && at(s.first).next == none) {
      remove_segment(static_cast<int32_t>(i));
    }
  }
}

void CachingAllocator::remove_segment(int32_t index) {
  Segment& s = segments_[static_cast<size_t>(index)];
  set_use(s.first, Use::unused);
  unused_blocks_.push_back(s.first);
  reserved_ -= s.size;
  s.first = none;
  unused_segments_.push_back(index);
}

// Pages of an expandable segment that lie wholly in a free block.
void CachingAllocator::unmap_free_pages(int32_t index) {
  Segment& s = segments_[static_cast<size_t>(index)];
  const int64_t page = s.small ? rules_.small_segment.value : rules_.large_segment.value;
  for (Block block = s.first; block != none; block = at(block).next) {
    if (at(block).use != Use::free) continue;
    const int64_t offset = at(block).address - s.address;
    const int64_t begin = round_up(offset, page), end = (offset + at(block).size) / page * page;
    if (end <= begin) continue;
    if (end < offset + at(block).size) split_off(block, end - offset, Use::free);
    if (begin > offset) {
      split_off(block, begin - offset, Use::free);
      block = at(block).next;
    }
    reserved_ -= end - begin;
    s.size -= end - begin;
    set_use(block, Use::unmapped);
    if (at(block).previous != none && at(at(block).previous).use == Use::unmapped) {
      block = merge(at(block).previous, block);
    }
    if (at(block).next != none && at(at(block).next).use == Use::unmapped) merge(block, at(block).next);
  }
}

CachingAllocator::Block CachingAllocator::add_block(const BlockData& block) {
  if (unused_blocks_.empty()) {
    blocks_.push_back(block);
    return static_cast<Block>(blocks_.size() - 1);
  }
  const Block out = unused_blocks_.back();
  unused_blocks_.pop_back();
  at(out) = block;
  return out;
}

uint64_t CachingAllocator::hash(const BlockData& block) const {
  if (block.use == Use::unused || block.use == Use::unmapped) return 0;
  return mixed(static_cast<uint64_t>(block.address) * 3 + (block.use == Use::allocated ? 1 : 0)) ^
         mixed(static_cast<uint64_t>(block.address) + mixed(static_cast<uint64_t>(block.size)));
}

void CachingAllocator::set_use(Block block, Use use) {
  BlockData& b = at(block);
  if (b.use == Use::free) pool_of(block).erase({b.size, b.address});
  state_ ^= hash(b);
  b.use = use;
  state_ ^= hash(b);
  if (use == Use::free) pool_of(block).emplace(std::pair{b.size, b.address}, block);
}

void CachingAllocator::resize(Block block, int64_t size) {
  const Use use = at(block).use;
  set_use(block, Use::unused);
  at(block).size = size;
  set_use(block, use);
}

void CachingAllocator::split_off(Block block, int64_t size, Use use) {
  const BlockData b = at(block);
  const Block rest = add_block({b.address + size, b.size - size, 0, block, b.next, b.segment, Use::unused});
  if (b.next != none) at(b.next).previous = rest;
  at(block).next = rest;
  resize(block, size);
  set_use(rest, use);
}

// Two neighbours of one use become the lower one.
CachingAllocator::Block CachingAllocator::merge(Block low, Block high) {
  const int64_t size = at(low).size + at(high).size;
  set_use(high, Use::unused);
  at(low).next = at(high).next;
  if (at(high).next != none) at(at(high).next).previous = low;
  unused_blocks_.push_back(high);
  resize(low, size);
  return low;
}

std::vector<CachingAllocator::SegmentView> CachingAllocator::segments() const {
  std::vector<SegmentView> out;
  for (const Segment& s : segments_) {
    if (s.first == none) continue;
    SegmentView view{s.address, s.size, s.small, s.expandable, {}};
    for (Block block = s.first; block != none; block = blocks_[static_cast<size_t>(block)].next) {
      const BlockData& b = blocks_[static_cast<size_t>(block)];
      if (b.use == Use::unmapped) continue;
      view.blocks.push_back({b.size, b.requested, b.use == Use::allocated});
    }
    out.push_back(std::move(view));
  }
  std::sort(out.begin(), out.end(), [](const SegmentView& a, const SegmentView& b) { return a.address < b.address; });
  return out;
}

}  // namespace modelmeter
