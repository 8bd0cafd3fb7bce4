#include "memory/allocation_replay.h"

#include <algorithm>
#include <utility>

namespace modelmeter {
namespace {

using Kind = AllocationEvent::Kind;

constexpr size_t longest_period = 16;    // of the allocator's states, in repetitions
constexpr int64_t most_alike = 64;       // repetitions that are replayed where no state comes back
constexpr int64_t most_of_growing = 64;  // of a growing loop, evenly over all

int64_t bytes_of(const AllocationEvent& event, int64_t iteration, int64_t iterations) {
  if (iterations < 2) return event.bytes;
  return event.bytes + (event.last_bytes - event.bytes) / (iterations - 1) * iteration;
}

}  // namespace

bool AllocationReplay::run(size_t first, size_t end, int64_t iteration, int64_t iterations) {
  for (size_t i = first; i < end; ++i) {
    const AllocationEvent& event = program_.events[i];
    ++replayed_;
    launch_until(event.op);
    if (event.kind == Kind::allocate) {
      if (i + 1 < end && goes_at_once(i) && allocator_.touch(bytes_of(event, iteration, iterations), event.stream)) {
        ++replayed_;
        ++i;
        continue;
      }
      if (!allocate(event, iteration, iterations)) return false;
    } else if (event.kind == Kind::free) {
      free(event.id, program_.records_stream && event.stream == copy_stream ? launches_ahead : 0);
    } else if (event.kind == Kind::wait) {
      allocator_.synchronize();
    } else if (event.kind == Kind::begin) {
      const AllocationLoop& loop = program_.loops[static_cast<size_t>(event.id)];
      if (!run_loop(loop, iteration, iterations)) return false;
      i = loop.end;
    }
  }
  return true;
}

// A workspace, or what nobody reads.
bool AllocationReplay::goes_at_once(size_t event) const {
  const AllocationEvent &now = program_.events[event], &next = program_.events[event + 1];
  const bool is_new = instances_[static_cast<size_t>(now.id)] == CachingAllocator::none;
  return !program_.records_stream && next.kind == Kind::free && next.id == now.id && is_new;
}

void AllocationReplay::launch_until(int32_t op) {
  if (program_.records_stream) allocator_.launched(op - at_);
  at_ = op;
}

bool AllocationReplay::run_once(const AllocationLoop& loop, int64_t iteration, int64_t iterations) {
  at_ = program_.events[loop.begin].op;
  if (!run(loop.begin + 1, loop.end, iteration, iterations)) return false;
  launch_until(program_.events[loop.end].op);
  return true;
}

// `iteration` is that of the growing loop around it.
bool AllocationReplay::run_loop(const AllocationLoop& loop, int64_t iteration, int64_t iterations) {
  if (loop.growing) {
    const int64_t times = std::min(loop.count, most_of_growing);
    for (int64_t k = 0; k < times; ++k) {
      const int64_t at = times == 1 ? 0 : k * (loop.count - 1) / (times - 1);
      if (k > 0) carry_on(loop);
      if (!run_once(loop, at, loop.count)) return false;
    }
    return true;
  }
  std::vector<uint64_t> states;  // after each repetition, the latest last
  for (int64_t left = std::min(loop.count, most_alike); left > 0;) {
    if (!states.empty()) carry_on(loop);
    if (!run_once(loop, iteration, iterations)) return false;
    --left;
    const uint64_t now = state(loop);
    const auto before = std::find(states.rbegin(), states.rend(), now);
    if (before != states.rend()) left %= (before - states.rbegin()) + 1;
    if (states.size() == longest_period) states.erase(states.begin());
    states.push_back(now);
  }
  return true;
}

bool AllocationReplay::allocate(const AllocationEvent& event, int64_t iteration, int64_t iterations) {
  allocator_.set_maker({of_, event.op});
  const int64_t bytes = bytes_of(event, iteration, iterations);
  const Block block = allocator_.allocate(bytes, event.stream);
  if (block == CachingAllocator::none && event.workspace) return true;
  if (block == CachingAllocator::none) {
    failed_op_ = event.op;
    failed_bytes_ = bytes;
    return false;
  }
  add(event.id, block);
  return true;
}

void AllocationReplay::add(int32_t storage, Block block) {
  Block& first = instances_[static_cast<size_t>(storage)];
  if (first == CachingAllocator::none) {
    first = block;
  } else {
    others_[storage].push_back(block);
  }
}

void AllocationReplay::free(int32_t storage, int64_t launches) {
  Block& first = instances_[static_cast<size_t>(storage)];
  if (first == CachingAllocator::none) return;
  allocator_.free_after(first, launches);
  first = CachingAllocator::none;
  const auto others = others_.empty() ? others_.end() : others_.find(storage);
  if (others == others_.end()) return;
  for (const Block block : others->second) allocator_.free_after(block, launches);
  others_.erase(others);
}

// What the repetition left is what the next one finds.
void AllocationReplay::carry_on(const AllocationLoop& loop) {
  for (const auto& [found, left] : loop.carried) {
    Block& from = instances_[static_cast<size_t>(left)];
    if (from == CachingAllocator::none) continue;
    add(found, from);
    from = CachingAllocator::none;
    const auto others = others_.empty() ? others_.end() : others_.find(left);
    if (others == others_.end()) continue;
    const std::vector<Block> moved = std::move(others->second);
    others_.erase(others);
    for (const Block block : moved) add(found, block);
  }
}

uint64_t AllocationReplay::state(const AllocationLoop& loop) const {
  uint64_t out = allocator_.state();
  const auto mix = [&](Block block) {
    out = out * 0x9e3779b97f4a7c15U + static_cast<uint64_t>(allocator_.address(block));
  };
  for (const auto& [found, left] : loop.carried) {
    const Block first = instances_[static_cast<size_t>(left)];
    if (first == CachingAllocator::none) continue;
    mix(first);
    const auto others = others_.find(left);
    if (others == others_.end()) continue;
    for (const Block block : others->second) mix(block);
  }
  return out;
}

CachingAllocator::Block AllocationReplay::take(int32_t storage) {
  return std::exchange(instances_[static_cast<size_t>(storage)], CachingAllocator::none);
}

void AllocationReplay::free_rest() {
  for (int32_t storage = 0; storage < program_.storages; ++storage) free(storage);
}

}  // namespace modelmeter
