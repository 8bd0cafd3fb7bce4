#include "memory/allocator.h"

#include "base/checked.h"

namespace modelmeter {
namespace {

constexpr char reserved_memory[] = "the memory of the device";

int64_t round_up(int64_t bytes, const Constant& unit) {
  return checked_mul((bytes + unit.value - 1) / unit.value, unit.value, reserved_memory);
}

}  // namespace

int64_t allocated_bytes(int64_t requested, const AllocatorRules& rules) { return round_up(requested, rules.block); }

int64_t reserved_bytes(const std::vector<int64_t>& requested, const AllocatorRules& rules) {
  int64_t small = 0, large = 0, own = 0;
  for (const int64_t bytes : requested) {
    const int64_t size = allocated_bytes(bytes, rules);
    int64_t& pool = size <= rules.small_allocation.value ? small : size < rules.large_allocation.value ? large : own;
    pool = checked_add(pool, &pool == &own ? round_up(size, rules.own_segment) : size, reserved_memory);
  }
  const int64_t pooled =
      checked_add(round_up(small, rules.small_segment), round_up(large, rules.large_segment), reserved_memory);
  return checked_add(pooled, own, reserved_memory);
}

}  // namespace modelmeter
