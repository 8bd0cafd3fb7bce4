// What a pass over a trace sees and leaves: regions of ops, the tensors that they make, and what stands in their place.
//
// A region is what runs one after another equally often: a block that is repeated, the chunk of a video, what stands
// before and after; no two stages are of one. It is as much as is compiled at once ("regional compilation"), so that a
// block x 39 stays one. Memory is traced by storage; a storage is made in the region of the first op that writes it.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "trace/trace.h"

namespace modelmeter {

struct Region {
  int32_t first, end;  // ops [first, end)
};

// Runs of ops from `first` on that are of one: the same innermost repetition, or stage, a function above all modules.
std::vector<Region> regions_of(const Trace& trace, size_t first);

// Whether the kernel reads its k-th input: not what only gives a shape, nor what it overwrites.
inline bool reads_input(const Op& op, int k) {
  const Reads reads = info(op.kernel).reads;
  return reads == Reads::source ? k > 0 : reads != Reads::none;
}

// The op in the last repetition of what grows; the op itself where it does not.
inline const Op& last_of(const Trace& trace, const Op& op) {
  return op.last < 0 ? op : trace.last_ops[static_cast<size_t>(op.last)];
}

// How the ops that are replaced use a storage.
struct StorageUse {
  int32_t region = -1;      // in which it was made; -1: before
  int32_t last_write = -1;  // ops
  int32_t last_read = -1;
  bool elsewhere = false;  // in another region than that of `region`
  bool secondary = true;   // nothing but a further output of its ops, as the statistics of a norm
  int64_t last_bytes = 0;  // its size in the last repetition
};

// An op of the new trace.
struct NewOp {
  Op op{};                      // `live` and `last` are set by Rewriting
  Op last{};                    // in the last repetition of what grows
  bool grows = false;           // whether `last` is another one
  int32_t at = 0;               // the old op that it takes the place of
  std::vector<Storage*> taken;  // inputs whose memory its outputs take over
};

class Rewriting {
 public:
  Rewriting(Trace& trace, size_t first);

  const std::vector<Region>& regions() const { return regions_; }
  const StorageUse& use(const Storage* storage) const { return uses_.at(storage); }
  // Whether it was made in the region and goes when it ends.
  bool is_inner(const Storage* storage, size_t region) const;

  // The ops of a region, in their new order.
  void replace(size_t region, std::vector<NewOp> ops) { new_ops_[region] = std::move(ops); }
  // Puts them into the trace. What none of them touches any more takes no memory.
  void finish();

 private:
  struct Touched {
    int32_t first = -1, last = -1;  // new ops of its region
    bool taken = false;             // the last one's outputs took it over
  };
  struct Change {
    int64_t bytes = 0, last_bytes = 0;
  };
  using Touches = std::unordered_map<const Storage*, Touched>;

  void add_uses();
  void add_use(int32_t index, size_t region, const TensorMeta& meta, bool writes, bool secondary, int64_t last_bytes);
  size_t region_at(int32_t op) const;  // that has the op
  int32_t moved(int32_t op) const;     // where what was before this op is before now
  int32_t new_end(size_t region) const { return starts_[region + 1]; }
  void touch(size_t region);
  void move_lives();
  void move_life(Storage& storage);
  void change(size_t region, int32_t at, int64_t bytes, int64_t last_bytes);  // of live memory, from a new op on
  void set_live(size_t region);
  // Live memory before a region, and before its last repetition.
  std::pair<int64_t, int64_t> live_before(size_t region) const;
  const Scope* growing_scope(size_t region) const;  // that the region is in, or null
  int64_t growth_of(size_t region) const;           // of what is live, from the first repetition to the last

  Trace& trace_;
  size_t first_;
  std::vector<Region> regions_;
  std::unordered_map<const Storage*, StorageUse> uses_;
  std::vector<std::vector<NewOp>> new_ops_;
  std::vector<int32_t> starts_;                      // of regions, and the end
  std::vector<Touches> touches_;                     // by region
  std::vector<std::pair<int64_t, int64_t>> before_;  // live_before()
  std::vector<std::vector<Change>> changes_;         // of live memory, by region and new op
};

}  // namespace modelmeter
