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
constexpr int64_t expandable_begin = int64_t{1} << 46;  // above all other addresses
constexpr int64_t expandable_bytes = int64_t{1} << 44;
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
    : rules_(rules), settings_(settings) {
  if (settings.memory_fraction <= 0) return;
  if (settings.memory <= 0) throw Error("per_process_memory_fraction: of which device? device=NAME is missing");
  allowed_ = static_cast<int64_t>(settings.memory_fraction * static_cast<double>(settings.memory));
}

// A request in blocks. With divisions, of a power of two between which it lies.
int64_t CachingAllocator::rounded(int64_t bytes) const {
  const int64_t block = rules_.block.value;
  if (bytes <= block) return block;
  const auto& by_power = settings_.roundup_power2_divisions;
  const int log2 = static_cast<int>(std::bit_width(static_cast<uint64_t>(bytes))) - 1;
  const int64_t divisions =
      by_power[static_cast<size_t>(std::clamp(log2 - 20, 0, static_cast<int>(by_power.size()) - 1))];
  if (divisions <= 1 || bytes <= block * divisions) return round_up(bytes, block);
  const int64_t power = int64_t{1} << log2;
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

CachingAllocator::Block CachingAllocator::allocate(int64_t bytes, int32_t stream) {
  const int64_t size = rounded(std::max<int64_t>(bytes, 1));
  const Request request{size, size <= rules_.small_allocation.value, stream};
  for (; !waiting_.empty() && waiting_.front().until <= launched_; waiting_.pop_front())
    release(waiting_.front().block);
  ++allocations_;
  ++requests_[request.small ? 0 : 1];
  Block block = find(request);
  if (block == none && allowed_ > 0 && settings_.garbage_collection_threshold > 0) collect_garbage();
  if (block == none) block = from_device(request);
  if (block == none && release_larger(request)) block = from_device(request);
  if (block == none) {
    ++retries_;
    empty_cache();
    block = from_device(request);
  }
  return block == none ? none : take(block, size, bytes);
}

CachingAllocator::Block CachingAllocator::from_device(const Request& request) {
  return settings_.expandable_segments ? expand(request) : new_segment(request);
}

// The smallest free block that holds it. One too large to be split is no place for what is small, nor for what is much
// smaller than it.
CachingAllocator::Block CachingAllocator::find(const Request& request) const {
  const FreeBlock* const found = pools_[request.small ? 0 : 1].smallest(request.size, request.stream);
  if (found == nullptr) return none;
  const int64_t most = settings_.max_split_size, has = found->size();
  if (most == 0) return found->block;
  const int64_t rounding =
      settings_.max_non_split_rounding > 0 ? settings_.max_non_split_rounding : rules_.large_segment.value;
  if (request.size < most && has >= most) return none;
  if (request.size >= most && has >= request.size + rounding) return none;
  return found->block;
}

// As allocate() and free() are where a free block is large enough and nobody asks how long it has been free.
bool CachingAllocator::touch(int64_t bytes, int32_t stream) {
  if (log_ != nullptr || !waiting_.empty() || allowed_ > 0) return false;
  const int64_t size = rounded(std::max<int64_t>(bytes, 1));
  const Request request{size, size <= rules_.small_allocation.value, stream};
  const Block block = find(request);
  if (block == none) return false;
  ++allocations_;
  const bool splits = worth_splitting(segment_of(block), size, at(block).size - size);
  count_peaks(allocated_ + (splits ? size : at(block).size));
  return true;
}

void CachingAllocator::count_peaks(int64_t allocated) {
  peak_allocated_ = std::max(peak_allocated_, allocated);
  if (std::pair(reserved_, allocated) > std::pair(fullest_.reserved, fullest_.allocated)) {
    fullest_ = {reserved_, allocated, allocations_};
  }
}

bool CachingAllocator::has_room(int64_t reserved) const {
  return (settings_.capacity == 0 || reserved <= settings_.capacity) && (allowed_ == 0 || reserved <= allowed_);
}

bool CachingAllocator::reserve(int64_t bytes) {
  const int64_t sum = checked_add(reserved_, bytes, reserved_memory);
  if (!has_room(sum)) return false;
  reserved_ = sum;
  peak_reserved_ = std::max(peak_reserved_, reserved_);
  return true;
}

bool CachingAllocator::is_held(Block block) const {
  const Use use = blocks_[static_cast<size_t>(block)].use;
  return use == Use::allocated || use == Use::waiting;
}

bool CachingAllocator::is_whole(Block block) const {
  const BlockData& b = blocks_[static_cast<size_t>(block)];
  return b.previous == none && b.next == none && !segments_[static_cast<size_t>(b.segment)].expandable;
}

// With max_split_size: one free segment that is large enough, or the largest of those that are not split until they
// are. Whether that may be enough.
bool CachingAllocator::release_larger(const Request& request) {
  const int64_t most = settings_.max_split_size;
  if (most == 0) return false;
  const int64_t wanted = std::max(request.size, most);
  const FreeBlocks& pool = pools_[request.small ? 0 : 1];
  const auto of_stream = [&](const FreeBlock& b) { return b.stream() == request.stream && is_whole(b.block); };
  int64_t released = 0;
  const FreeBlock* const enough = pool.first([&](const FreeBlock& b) { return of_stream(b) && b.size() >= wanted; });
  if (enough != nullptr) {
    remove_segment(at(enough->block).segment);
    return true;
  }
  while (released < wanted) {
    const FreeBlock* const largest = pool.last(of_stream);
    if (largest == nullptr || largest->size() < most) break;
    released += largest->size();
    remove_segment(at(largest->block).segment);
  }
  return released >= wanted;
}

// Free segments of the large pool that have waited no less than all do on average, again and again until no more than
// the threshold is taken.
void CachingAllocator::collect_garbage() {
  const double threshold = settings_.garbage_collection_threshold * static_cast<double>(allowed_);
  while (static_cast<double>(reserved_) > threshold) {
    std::vector<Block> free_segments;
    int64_t waited = 0;
    pools_[1].for_each([&](const FreeBlock& b) {
      if (!is_whole(b.block)) return;
      free_segments.push_back(b.block);
      waited += requests_[1] - at(b.block).free_since;
    });
    if (free_segments.empty()) return;
    const double average = static_cast<double>(waited) / static_cast<double>(free_segments.size());
    for (const Block block : free_segments) {
      if (static_cast<double>(requests_[1] - at(block).free_since) >= average) remove_segment(at(block).segment);
    }
  }
}

CachingAllocator::Block CachingAllocator::new_segment(const Request& request) {
  const int64_t bytes = segment_bytes(request.size);
  if (!reserve(bytes)) return none;
  lowest_ -= round_up(bytes, driver_step);
  const int64_t address = placed_ > 0 ? std::exchange(placed_, 0) : lowest_;
  const auto index = static_cast<int32_t>(unused_segments_.empty() ? segments_.size() : unused_segments_.back());
  if (unused_segments_.empty()) {
    segments_.emplace_back();
  } else {
    unused_segments_.pop_back();
  }
  Segment& segment = segments_[static_cast<size_t>(index)];
  segment = {address, bytes, none, request.small, false, request.stream};
  segment.first = add_block({address, bytes, 0, none, none, index, Use::unused, 0, {}});
  state_ ^= hash(address, bytes);
  become_free(segment.first);
  record(AllocationLog::Action::segment_alloc, address, bytes, segment);
  return segment.first;
}

int32_t CachingAllocator::expandable_segment(const Request& request) {
  for (const int32_t index : expandable_) {
    const Segment& known = segments_[static_cast<size_t>(index)];
    if (known.small == request.small && known.stream == request.stream) return index;
  }
  const auto index = static_cast<int32_t>(segments_.size());
  const int64_t begin = expandable_begin + static_cast<int64_t>(expandable_.size()) * expandable_bytes;
  segments_.push_back({begin, 0, none, request.small, true, request.stream});
  segments_[static_cast<size_t>(index)].first =
      add_block({begin, expandable_bytes, 0, none, none, index, Use::unmapped, 0, {}});
  expandable_.push_back(index);
  return index;
}

// Maps pages behind the lowest free place of the pool's expandable segment that has room for so much.
CachingAllocator::Block CachingAllocator::expand(const Request& request) {
  const int32_t index = expandable_segment(request);
  const int64_t size = request.size;
  Block from = segments_[static_cast<size_t>(index)].first;
  for (int64_t room = 0; room < size;) {  // from the block `from` on
    room = 0;
    while (is_held(from)) from = at(from).next;
    Block end = from;
    for (; end != none && !is_held(end) && room < size; end = at(end).next) room += at(end).size;
    if (room < size) from = at(end).next;
  }
  const int64_t page = request.small ? rules_.small_segment.value : rules_.large_segment.value;
  while (at(from).use == Use::unmapped || at(from).size < size) {
    const Block next = at(from).use == Use::unmapped ? from : at(from).next;
    const int64_t missing = size - (next == from ? 0 : at(from).size);
    if (at(next).use == Use::unmapped) {
      const int64_t bytes = std::min(round_up(missing, page), at(next).size);
      if (!reserve(bytes)) return none;
      Segment& segment = segments_[static_cast<size_t>(index)];
      segment.size += bytes;
      record(AllocationLog::Action::segment_map, at(next).address, bytes, segment);
      if (bytes < at(next).size) split_off(next, bytes, Use::unmapped);
      count_pages(at(next).address, bytes, page);
      become_free(next);
    }
    if (next != from) {
      leave_pool(from);
      leave_pool(next);
      absorb(from, next);
      become_free(from);
    }
  }
  if (const Block high = at(from).next; high != none && at(high).use == Use::free) {
    leave_pool(from);
    leave_pool(high);
    absorb(from, high);
    become_free(from);
  }
  return from;
}

CachingAllocator::Block CachingAllocator::take(Block block, int64_t size, int64_t requested) {
  leave_pool(block);
  if (worth_splitting(segment_of(block), size, at(block).size - size)) become_free(split_off(block, size, Use::unused));
  at(block).use = Use::allocated;
  state_ ^= hash(at(block).address, at(block).size);
  at(block).requested = requested;
  allocated_ += at(block).size;
  count_peaks(allocated_);
  if (log_ != nullptr) {
    at(block).maker = log_->maker;
    record(AllocationLog::Action::alloc, at(block).address, requested, segment_of(block), log_->maker);
    if (allocations_ == log_->last) log_->segments = segments();
  }
  return block;
}

void CachingAllocator::record(AllocationLog::Action action, int64_t address, int64_t size, const Segment& segment,
                              AllocationMaker maker) {
  if (log_ == nullptr || allocations_ > log_->last) return;
  if (allocations_ == log_->last && !log_->segments.empty()) return;
  log_->events.push_back({action, segment.stream, address, size, maker});
}

void CachingAllocator::free(Block block) {
  record(AllocationLog::Action::free_requested, block);
  allocated_ -= at(block).size;
  release(block);
}

void CachingAllocator::free_after(Block block, int64_t launches) {
  if (launches == 0) return free(block);
  record(AllocationLog::Action::free_requested, block);
  allocated_ -= at(block).size;
  at(block).use = Use::waiting;
  waiting_.push_back({block, launched_ + launches});
}

void CachingAllocator::synchronize() {
  for (; !waiting_.empty(); waiting_.pop_front()) release(waiting_.front().block);
}

// Blocks that wait lie where they lay, and go after as many launches more.
uint64_t CachingAllocator::state() const {
  uint64_t out = state_;
  for (const Waiting& w : waiting_) out ^= hash(address(w.block) + 1, w.until - launched_);
  const bool ages = allowed_ > 0 && settings_.garbage_collection_threshold > 0;
  return ages ? out ^ static_cast<uint64_t>(allocations_) : out;
}

std::optional<uint64_t> CachingAllocator::shape() const {
  if (!waiting_.empty() || (allowed_ > 0 && settings_.garbage_collection_threshold > 0)) return std::nullopt;
  std::vector<int32_t> with_free(expandable_);
  for (const FreeBlocks& pool : pools_) {
    pool.for_each([&](const FreeBlock& b) { with_free.push_back(blocks_[static_cast<size_t>(b.block)].segment); });
  }
  const auto segment = [&](int32_t index) -> const Segment& { return segments_[static_cast<size_t>(index)]; };
  std::sort(with_free.begin(), with_free.end(),
            [&](int32_t a, int32_t b) { return segment(a).address < segment(b).address; });
  with_free.erase(std::unique(with_free.begin(), with_free.end()), with_free.end());
  uint64_t out = 0;
  const auto add = [&](int64_t n) { out = mixed(out * 3 + static_cast<uint64_t>(n)); };
  for (const int32_t index : with_free) {
    const Segment& s = segment(index);
    add(s.stream * 4 + (s.small ? 2 : 0) + (s.expandable ? 1 : 0));
    for (Block block = s.first; block != none; block = blocks_[static_cast<size_t>(block)].next) {
      const BlockData& b = blocks_[static_cast<size_t>(block)];
      const bool held_before = b.previous != none && is_held(b.previous);
      if (!is_held(block)) {
        add(b.size * 2 + (b.use == Use::free ? 1 : 0));
      } else if (!held_before) {
        add(-1);
      }
    }
    add(-2);
  }
  return out;
}

int64_t CachingAllocator::room() const {
  int64_t out = std::numeric_limits<int64_t>::max();
  if (settings_.capacity > 0) out = settings_.capacity - reserved_;
  return allowed_ > 0 ? std::min(out, allowed_ - reserved_) : out;
}

void CachingAllocator::record(AllocationLog::Action action, Block block) {
  if (log_ != nullptr) record(action, at(block).address, at(block).requested, segment_of(block), at(block).maker);
}

void CachingAllocator::release(Block block) {
  record(AllocationLog::Action::free_completed, block);
  state_ ^= hash(at(block).address, at(block).size);
  at(block).requested = 0;
  at(block).use = Use::unused;  // until it is as large as it gets
  const Block low = at(block).previous, high = at(block).next;
  if (high != none && at(high).use == Use::free) {
    leave_pool(high);
    absorb(block, high);
  }
  if (low != none && at(low).use == Use::free) {
    leave_pool(low);
    absorb(low, block);
    block = low;
  }
  become_free(block);
}

void CachingAllocator::empty_cache() {
  synchronize();
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
  record(AllocationLog::Action::segment_free, s.address, s.size, s);
  leave_pool(s.first);
  unused_blocks_.push_back(s.first);
  state_ ^= hash(s.address, s.size);
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
    leave_pool(block);
    if (end < offset + at(block).size) become_free(split_off(block, end - offset, Use::unused));
    if (begin > offset) {
      const Block below = block;
      block = split_off(below, begin - offset, Use::unused);
      become_free(below);
    }
    record(AllocationLog::Action::segment_unmap, at(block).address, end - begin, s);
    reserved_ -= end - begin;
    s.size -= end - begin;
    count_pages(at(block).address, end - begin, page);
    at(block).use = Use::unmapped;
    if (const Block low = at(block).previous; low != none && at(low).use == Use::unmapped) {
      absorb(low, block);
      block = low;
    }
    if (const Block high = at(block).next; high != none && at(high).use == Use::unmapped) absorb(block, high);
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

uint64_t CachingAllocator::hash(int64_t address, int64_t size) {
  return mixed(static_cast<uint64_t>(address) * 0x9e3779b97f4a7c15U + static_cast<uint64_t>(size));
}

// Pages of an expandable segment that are mapped, or are not any more.
void CachingAllocator::count_pages(int64_t address, int64_t bytes, int64_t page) {
  for (int64_t at = 0; at < bytes; at += page) state_ ^= hash(address + at, 1);
}

FreeBlock CachingAllocator::in_pool(Block block) const {
  const BlockData& b = blocks_[static_cast<size_t>(block)];
  return {b.size, b.address, block, segments_[static_cast<size_t>(b.segment)].stream};
}

void CachingAllocator::leave_pool(Block block) {
  pool_of(block).erase(in_pool(block));
  at(block).use = Use::unused;
}

void CachingAllocator::become_free(Block block) {
  at(block).use = Use::free;
  at(block).free_since = requests_[segment_of(block).small ? 0 : 1];
  pool_of(block).insert(in_pool(block));
}

CachingAllocator::Block CachingAllocator::split_off(Block block, int64_t size, Use use) {
  const BlockData b = at(block);
  const Block rest = add_block({b.address + size, b.size - size, 0, block, b.next, b.segment, use, 0, {}});
  if (b.next != none) at(b.next).previous = rest;
  at(block).next = rest;
  at(block).size = size;
  return rest;
}

void CachingAllocator::absorb(Block low, Block high) {
  at(low).size += at(high).size;
  at(low).next = at(high).next;
  if (at(high).next != none) at(at(high).next).previous = low;
  unused_blocks_.push_back(high);
}

std::vector<AllocatorSegment> CachingAllocator::segments() const {
  std::vector<AllocatorSegment> out;
  for (const Segment& s : segments_) {
    bool follows = false;  // of an expandable one, each run of mapped pages is one
    for (Block block = s.first; block != none; block = blocks_[static_cast<size_t>(block)].next) {
      const BlockData& b = blocks_[static_cast<size_t>(block)];
      if (b.use != Use::unmapped && !follows) out.push_back({b.address, 0, s.small, s.expandable, s.stream, {}});
      follows = b.use != Use::unmapped;
      if (!follows) continue;
      const bool allocated = b.use == Use::allocated, waits = b.use == Use::waiting;
      out.back().size += b.size;
      out.back().blocks.push_back(
          {b.address, b.size, b.requested, allocated, waits, allocated || waits ? b.maker : AllocationMaker()});
    }
  }
  std::sort(out.begin(), out.end(),
            [](const AllocatorSegment& a, const AllocatorSegment& b) { return a.address < b.address; });
  return out;
}

}  // namespace modelmeter
