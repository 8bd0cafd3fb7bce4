// Weights that come to the device while a model runs and go again: the hooks that diffusers and accelerate put around
// modules, and block swapping. Each copy is an op of the trace (`_to_copy` from host memory), in the scope of the
// module that makes it, into a tensor that lives until it goes; so bytes, live memory and the allocator's events
// follow.
//
//   modules      accelerate's cpu_offload (sequential): a module's own parameters while it runs, from pageable
//                memory, dropped after it; buffers stay on the device
//   block_level  diffusers' group offloading: so many blocks of a ModuleList at a time, all else of the model while it
//                runs. Without a stream copies are from pageable memory and go back the same way; with one they come
//                from pinned memory while the group before runs, and are dropped
//   leaf_level   the same with a group for each module that has parameters or buffers
//   fsdp         no copies: torch's FullyShardedDataParallel cuts weights over ranks, and a block's are gathered before
//                it runs, in the dtype that it computes in, and freed after it. What is in no block is a unit of its
//                own, gathered by the first forward and kept from then on (of it nothing is recorded). A unit is one
//                flat tensor, padded to a multiple of the ranks. The gathers run on a stream of their own
//   block_swap   ComfyUI-WanVideoWrapper's: the last so many blocks, each copied back after it ran; blocks that are
//                prefetched come earlier on the same stream, which hides nothing
//
// Sources: accelerate 1.15.0, hooks.py; diffusers 0.42.1, hooks/group_offloading.py; ComfyUI-WanVideoWrapper @0cf30c6,
// wanvideo/modules/model.py; torch 2.15, distributed/fsdp (FULL_SHARD, without gradients), watched on its fake process
// group. Not modelled: a stream's first forward, which learns the order and hides nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "layer/base_layer.h"

namespace modelmeter {

struct Offload {
  enum class Kind : uint8_t { none, modules, block_level, leaf_level, block_swap, fsdp };
  Kind kind = Kind::none;
  int64_t blocks = 1;              // of a group; that are swapped
  int64_t prefetch = 0;            // blocks that come before their turn (block_swap)
  bool stream = false;             // of group offloading
  bool record_stream = false;      // with one: the host does not wait before it lets a group go
  bool low_cpu_mem_usage = false;  // with one: memory is pinned for each copy
  // Children whose blocks are grouped, in place of the model's own (block_level).
  std::vector<std::string> block_modules = {};
  // Of fsdp: all ranks, which one this is, and the dtype that its part of the weights is kept in.
  Rank rank = {};
  DType shard_dtype = DType::float32;
  bool calls_forward = true;  // false: its own methods are called, past the hooks around the model

  bool operator==(const Offload&) const = default;
  bool active() const { return kind != Kind::none; }
  // Whether what happens depends on which of a list's layers runs.
  bool tells_layers_apart() const { return stream || kind == Kind::block_swap || blocks > 1; }
  bool prefetches() const { return stream || prefetch > 0; }
};

// Bytes of the model's tensors that are on the device all the time, in their order.
std::vector<int64_t> resident_tensors(const BaseLayer& model, const Offload& offload = {});
int64_t resident_bytes(const BaseLayer& model, const Offload& offload);

// Of those that wait in host memory, the bytes in pinned memory.
int64_t pinned_bytes(const BaseLayer& model, const Offload& offload);

// Layers in the list of blocks; 0 where the model has none.
int64_t block_count(const BaseLayer& model);

class OffloadHooks final : public ModuleHooks {
 public:
  // What comes and goes together: modules with what is in them, and of one what it has itself.
  struct Group {
    std::vector<const BaseLayer*> whole;
    const BaseLayer* own = nullptr;
    bool buffers = true, pinned = false, on_stream = false, copied_back = false;
  };
  // In the order in which a call runs them, by the module that is called.
  using Orders = std::unordered_map<const void*, std::vector<Group>>;

  // `orders`: where groups are prefetched (orders_of()).
  OffloadHooks(Tracer& tracer, const BaseLayer& model, const Offload& offload, Orders orders = {});

  void before_forward(const void* module, int64_t index) override;
  void after_forward(const void* module, int64_t index) noexcept override;
  void rethrow() const {  // what went wrong in after_forward()
    if (error_) std::rethrow_exception(error_);
  }

  // forward(tracer) is run and nothing copied.
  template <class Forward>
  static Orders orders_of(const BaseLayer& model, const Offload& offload, const Forward& forward) {
    Tracer tracer;
    const Tracer::Guard guard(tracer);
    OffloadHooks hooks(tracer, model, offload);
    hooks.learns_ = true;
    tracer.unrolls_layers = true;
    tracer.hooks = &hooks;
    forward(tracer);
    return std::move(hooks.orders_);
  }

 private:
  struct Held {
    Group group;
    std::vector<Tensor> tensors;
  };
  using List = std::vector<const BaseLayer*>;  // the layers of a ModuleList, by number

  void add_root(const BaseLayer& root);
  bool is_root(const void* module) const;
  const List* list_of(const void* module, int64_t index) const;
  std::optional<Group> opened_by(const void* module, int64_t index) const;
  std::optional<Group> opened_by_root(const BaseLayer& root) const;
  std::optional<Group> opened_by_block(const List& list, int64_t index) const;
  bool closed_by(const void* module, int64_t index) const;
  void learn(const void* module, std::optional<Group> group);
  void prefetch(int64_t until);
  Held load(const Group& group);
  Held next();
  void copy_in(const TensorSpec& spec, Held& held);
  void let_go(Held& held);
  Held gather(const BaseLayer& block);

  Tracer& tracer_;
  const BaseLayer& model_;
  const Offload offload_;
  std::vector<const BaseLayer*> roots_;  // around whose calls groups are
  std::vector<List> lists_;
  std::unordered_map<const void*, size_t> list_of_;
  Orders orders_;
  const std::vector<Group>* order_ = nullptr;  // of the root that runs
  size_t next_ = 0, loaded_ = 0;               // of it: the group that runs next, the one that comes next
  std::deque<Held> ahead_;                     // that came and do not run yet
  std::vector<Held> open_;                     // of modules that run, the innermost last
  bool learns_ = false;
  std::vector<Group>* learned_ = nullptr;
  std::exception_ptr error_;
};

}  // namespace modelmeter
