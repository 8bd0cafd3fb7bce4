// The free blocks of a pool of the caching allocator, in order of their stream, size and address: in sorted runs of
// bounded length, so that the few of a forward lie in one array, and hundreds of thousands, as there are while many
// experts are loaded, take no longer to be found.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace modelmeter {

struct FreeBlock {
  int64_t size, address;
  int32_t block;  // CachingAllocator::Block
  int32_t stream;

  friend bool operator<(const FreeBlock& a, const FreeBlock& b) {
    if (a.stream != b.stream) return a.stream < b.stream;
    return a.size != b.size ? a.size < b.size : a.address < b.address;
  }
};

class FreeBlocks {
 public:
  void insert(const FreeBlock& block) {
    if (runs_.empty()) {
      runs_.push_back({block});
      return;
    }
    const size_t at = std::min(run_of(block), runs_.size() - 1);
    Run& run = runs_[at];
    run.insert(std::lower_bound(run.begin(), run.end(), block), block);
    if (run.size() <= longest_run) return;
    Run upper(run.begin() + longest_run / 2, run.end());
    run.resize(longest_run / 2);
    runs_.insert(runs_.begin() + static_cast<std::ptrdiff_t>(at) + 1, std::move(upper));
  }
  // One that is there.
  void erase(const FreeBlock& block) {
    const size_t at = run_of(block);
    Run& run = runs_[at];
    run.erase(std::lower_bound(run.begin(), run.end(), block));
    if (run.empty()) runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  // The first that is not below it; null: none.
  const FreeBlock* lower_bound(const FreeBlock& key) const {
    const size_t at = run_of(key);
    return at == runs_.size() ? nullptr : &*std::lower_bound(runs_[at].begin(), runs_[at].end(), key);
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
    const auto found =
        std::partition_point(runs_.begin(), runs_.end(), [&](const Run& run) { return run.back() < key; });
    return static_cast<size_t>(found - runs_.begin());
  }

  std::vector<Run> runs_;
};

}  // namespace modelmeter
