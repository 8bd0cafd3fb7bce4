// The free blocks of a pool of the caching allocator, in order of their stream, size and address: in sorted runs of
// bounded length, so that the few of a forward lie in one array, and hundreds of thousands, as there are while many
// experts are loaded, take no longer to be found.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace modelmeter {

struct FreeBlock {
  uint64_t rank;  // by stream and size
  int64_t address;
  int32_t block;  // CachingAllocator::Block

  static constexpr int size_bits = 48;  // of blocks below 256 TiB, on streams below 65,536

  FreeBlock(int64_t size, int64_t at, int32_t of, int32_t stream)
      : rank(static_cast<uint64_t>(stream) << size_bits | static_cast<uint64_t>(size)), address(at), block(of) {}
  int64_t size() const { return static_cast<int64_t>(rank & ((uint64_t{1} << size_bits) - 1)); }
  int32_t stream() const { return static_cast<int32_t>(rank >> size_bits); }

  friend bool operator<(const FreeBlock& a, const FreeBlock& b) {
    return a.rank < b.rank || (a.rank == b.rank && a.address < b.address);
  }
};

class FreeBlocks {
 public:
  void insert(const FreeBlock& block) {
    if (runs_.empty()) {
      runs_.push_back({block});
      ends_.push_back(block);
      return;
    }
    const size_t at = std::min(run_of(block), runs_.size() - 1);
    Run& run = runs_[at];
    run.insert(std::lower_bound(run.begin(), run.end(), block), block);
    ends_[at] = run.back();
    if (run.size() <= longest_run) return;
    Run upper(run.begin() + longest_run / 2, run.end());
    run.erase(run.begin() + longest_run / 2, run.end());
    ends_[at] = run.back();
    const auto next = static_cast<std::ptrdiff_t>(at) + 1;
    ends_.insert(ends_.begin() + next, upper.back());
    runs_.insert(runs_.begin() + next, std::move(upper));
  }
  // One that is there.
  void erase(const FreeBlock& block) {
    const size_t at = run_of(block);
    Run& run = runs_[at];
    run.erase(std::lower_bound(run.begin(), run.end(), block));
    if (!run.empty()) {
      ends_[at] = run.back();
      return;
    }
    runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(at));
    ends_.erase(ends_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  // The smallest of a stream with so many bytes or more, at the lowest address; null: none.
  const FreeBlock* smallest(int64_t size, int32_t stream) const {
    const FreeBlock key{size, std::numeric_limits<int64_t>::min(), -1, stream};
    const size_t at = run_of(key);
    if (at == runs_.size()) return nullptr;
    const FreeBlock* const found = &*std::lower_bound(runs_[at].begin(), runs_[at].end(), key);
    return found->stream() == stream ? found : nullptr;
  }
  // The first, and the last, for which that is true; null: none.
  template <class Is>
  const FreeBlock* first(const Is& is) const {
    for (const Run& run : runs_) {
      for (const FreeBlock& block : run) {
        if (is(block)) return &block;
      }
    }
    return nullptr;
  }
  template <class Is>
  const FreeBlock* last(const Is& is) const {
    for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
      const auto found = std::find_if(run->rbegin(), run->rend(), is);
      if (found != run->rend()) return &*found;
    }
    return nullptr;
  }
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (const Run& run : runs_) {
      for (const FreeBlock& block : run) visit(block);
    }
  }

 private:
  using Run = std::vector<FreeBlock>;  // never empty

  static constexpr size_t longest_run = 64;

  // The first run whose last is not below it.
  size_t run_of(const FreeBlock& key) const {
    return static_cast<size_t>(std::lower_bound(ends_.begin(), ends_.end(), key) - ends_.begin());
  }

  std::vector<Run> runs_;
  std::vector<FreeBlock> ends_;  // the last of each
};

}  // namespace modelmeter
