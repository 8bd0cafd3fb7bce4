#include "layer/offload.h"

#include <algorithm>

#include "base/checked.h"
#include "trace/distributed.h"

namespace modelmeter {
namespace {

using Kind = Offload::Kind;

constexpr char blocks_name[] = "blocks";
constexpr char weights_size[] = "the size of the weights";

const BaseLayer& owner_of(const BaseLayer& layer) { return layer.tied_to() != nullptr ? *layer.tied_to() : layer; }

bool has_parameters(const BaseLayer& layer) {
  const auto& all = layer.parameters();
  return std::any_of(all.begin(), all.end(), [](const BaseLayer::Parameter& p) { return p.persistent; });
}

// Calls visit(spec) for what is in the module, its parameters before its buffers as module.parameters() and
// module.buffers() have them.
template <class Visit>
void visit_all(const BaseLayer& layer, bool buffers, const Visit& visit) {
  layer.for_each_own(buffers, visit);
  for (const BaseLayer::Child& child : layer.children()) {
    for (int64_t i = 0; i < child.count; ++i) visit_all(*child.layer, buffers, visit);
  }
}

// Whether a child is a block that waits on the host: the last ones do.
bool waits(const BaseLayer& model, const Offload& offload, const BaseLayer::Child& child, int64_t number) {
  return offload.kind == Kind::block_swap && child.name == blocks_name && number >= block_count(model) - offload.blocks;
}

template <class Visit>
void visit_resident(const BaseLayer& model, const Offload& offload, bool buffers, const Visit& visit) {
  model.for_each_own(buffers, visit);
  for (const BaseLayer::Child& child : model.children()) {
    for (int64_t i = 0; i < child.count; ++i) {
      if (!waits(model, offload, child, child.first + i)) visit_all(*child.layer, buffers, visit);
    }
  }
}

// --- units of fsdp ---

// Elements of each rank's part of a unit.
int64_t shard_elements(int64_t parameters, const Offload& offload) {
  return (parameters + offload.rank.count - 1) / offload.rank.count;
}

int64_t bytes_in(int64_t elements, DType dtype) { return checked_mul(elements, size_of(dtype), weights_size); }

DType dtype_of(const BaseLayer& layer) {
  DType out = DType::bfloat16;
  bool found = false;
  layer.for_each_parameter([&](const std::string&, const TensorSpec& spec) {
    if (!found) out = spec.dtype;
    found = true;
  });
  return out;
}

// This rank's part of each unit, and all of what is in no block.
void add_units(const BaseLayer& model, const Offload& offload, std::vector<int64_t>& out) {
  int64_t rest = model.parameter_count();
  for (const BaseLayer::Child& child : model.children()) {
    if (!child.list || child.name != blocks_name) continue;
    const int64_t unit = child.layer->parameter_count();
    rest -= unit * child.count;
    for (int64_t i = 0; i < child.count; ++i) {
      out.push_back(bytes_in(shard_elements(unit, offload), offload.shard_dtype));
    }
  }
  const int64_t shard = shard_elements(rest, offload);
  out.push_back(bytes_in(shard, offload.shard_dtype));
  out.push_back(bytes_in(checked_mul(shard, offload.rank.count, weights_size), dtype_of(model)));
}

}  // namespace

int64_t block_count(const BaseLayer& model) {
  int64_t count = 0;
  for (const BaseLayer::Child& child : model.children()) {
    if (child.list && child.name == blocks_name) count += child.count;
  }
  return count;
}

std::vector<int64_t> resident_tensors(const BaseLayer& model, const Offload& offload) {
  std::vector<int64_t> out;
  const auto add = [&](const TensorSpec& spec) { out.push_back(spec.bytes()); };
  const bool parameters = offload.kind == Kind::none || offload.kind == Kind::block_swap;
  if (offload.kind == Kind::fsdp) {
    add_units(model, offload, out);
    visit_resident(model, offload, true, add);
  }
  if (parameters) visit_resident(model, offload, false, add);
  if (parameters || offload.kind == Kind::modules) visit_resident(model, offload, true, add);
  return out;
}

int64_t resident_bytes(const BaseLayer& model, const Offload& offload) {
  int64_t sum = 0;
  for (const int64_t bytes : resident_tensors(model, offload)) sum = checked_add(sum, bytes, weights_size);
  return sum;
}

namespace {

// Around whose calls groups are.
std::vector<const BaseLayer*> roots_of(const BaseLayer& model, const Offload& offload) {
  if (offload.kind != Kind::block_level || offload.block_modules.empty()) return {&model};
  std::vector<const BaseLayer*> out;
  for (const BaseLayer::Child& child : model.children()) {
    const auto& names = offload.block_modules;
    if (std::find(names.begin(), names.end(), child.name) != names.end()) out.push_back(child.layer);
  }
  return out;
}

}  // namespace

int64_t pinned_bytes(const BaseLayer& model, const Offload& offload) {
  if (!offload.stream || offload.low_cpu_mem_usage) return 0;
  const int64_t all = checked_add(model.parameter_bytes(), model.buffer_bytes(), weights_size);
  if (offload.kind != Kind::block_level) return all;
  int64_t blocks = 0;
  for (const BaseLayer* root : roots_of(model, offload)) {
    for (const BaseLayer::Child& child : root->children()) {
      if (child.list) blocks += (child.layer->parameter_bytes() + child.layer->buffer_bytes()) * child.count;
    }
  }
  return blocks;
}

// --- what comes and goes with a module -------------------------------------------------------------------------------

OffloadHooks::OffloadHooks(Tracer& tracer, const BaseLayer& model, const Offload& offload, Orders orders)
    : tracer_(tracer), model_(model), offload_(offload), orders_(std::move(orders)) {
  for (const BaseLayer* root : roots_of(model, offload_)) add_root(*root);
}

void OffloadHooks::add_root(const BaseLayer& root) {
  roots_.push_back(&root);
  std::string name;  // of the list before: one of several kinds of layers is registered run by run
  for (const BaseLayer::Child& child : root.children()) {
    if (!child.list) continue;
    const bool blocks_alone = offload_.kind == Kind::block_swap || offload_.kind == Kind::fsdp;
    if (blocks_alone && child.name != blocks_name) continue;
    if (child.name != name || lists_.empty()) lists_.emplace_back();
    name = child.name;
    list_of_[child.layer] = lists_.size() - 1;
    for (int64_t i = 0; i < child.count; ++i) lists_.back().push_back(child.layer);
  }
}

bool OffloadHooks::is_root(const void* module) const {
  return std::find(roots_.begin(), roots_.end(), module) != roots_.end();
}

const OffloadHooks::List* OffloadHooks::list_of(const void* module, int64_t index) const {
  const auto found = list_of_.find(module);
  return found == list_of_.end() || index < 0 ? nullptr : &lists_[found->second];
}

// What of it is no block.
std::optional<OffloadHooks::Group> OffloadHooks::opened_by_root(const BaseLayer& root) const {
  Group group;
  if (!root.parameters().empty()) group.own = &root;
  for (const BaseLayer::Child& child : root.children()) {
    const bool empty = child.layer->parameter_bytes() + child.layer->buffer_bytes() == 0;
    if (!child.list && !empty) group.whole.push_back(child.layer);
  }
  group.copied_back = true;
  if (group.own == nullptr && group.whole.empty()) return std::nullopt;
  return group;
}

std::optional<OffloadHooks::Group> OffloadHooks::opened_by_block(const List& list, int64_t index) const {
  const auto size = static_cast<int64_t>(list.size());
  Group group;
  group.copied_back = !offload_.stream;
  if (offload_.kind == Kind::block_swap) {
    if (index < size - offload_.blocks) return std::nullopt;
    group.whole = {list[static_cast<size_t>(index)]};
    return group;
  }
  if (index % offload_.blocks != 0) return std::nullopt;
  for (int64_t i = index; i < std::min(index + offload_.blocks, size); ++i) {
    group.whole.push_back(list[static_cast<size_t>(i)]);
  }
  group.pinned = group.on_stream = offload_.stream;
  return group;
}

std::optional<OffloadHooks::Group> OffloadHooks::opened_by(const void* module, int64_t index) const {
  const auto& layer = *static_cast<const BaseLayer*>(module);
  if (offload_.kind == Kind::block_level && is_root(module)) return opened_by_root(layer);
  if (offload_.kind == Kind::fsdp) {
    if (list_of(module, index) == nullptr) return std::nullopt;
    Group unit;
    unit.whole = {&layer};
    return unit;
  }
  if (offload_.kind == Kind::block_level || offload_.kind == Kind::block_swap) {
    const List* list = list_of(module, index);
    return list == nullptr ? std::nullopt : opened_by_block(*list, index);
  }
  Group group;
  group.own = &owner_of(layer);
  if (offload_.kind == Kind::modules) {
    group.buffers = false;
    return has_parameters(*group.own) ? std::optional(group) : std::nullopt;
  }
  group.pinned = offload_.stream;
  group.on_stream = offload_.stream && offload_.calls_forward;
  group.copied_back = !offload_.stream;
  return group.own->parameters().empty() ? std::nullopt : std::optional(group);
}

// Whether a group goes after this module: it came before it, or before the first of the blocks that come together.
bool OffloadHooks::closed_by(const void* module, int64_t index) const {
  if (offload_.kind != Kind::block_level || is_root(module)) return opened_by(module, index).has_value();
  const List* list = list_of(module, index);
  return list != nullptr && ((index + 1) % offload_.blocks == 0 || index + 1 == static_cast<int64_t>(list->size()));
}

// --- copies ----------------------------------------------------------------------------------------------------------

void OffloadHooks::copy_in(const TensorSpec& spec, Held& held) {
  const Tensor host = tracer_.host(spec.sizes, spec.dtype);
  if (held.group.pinned) host.set_role(offload_.low_cpu_mem_usage ? pinned_anew_role : pinned_role);
  Tensor device = tracer_.allocate(spec.sizes, spec.dtype);
  device.set_role(streamed_role);
  const uint8_t stream = std::exchange(tracer_.context.stream, held.group.on_stream ? copy_stream : uint8_t{0});
  tracer_.record(Kernel::to_copy, {&host}, {&device});
  tracer_.context.stream = stream;
  held.tensors.push_back(std::move(device));
}

// What a rank has of the block, cast where it is kept in another dtype, from all of them.
OffloadHooks::Held OffloadHooks::gather(const BaseLayer& block) {
  const DType dtype = dtype_of(block);
  const int64_t shard = shard_elements(block.parameter_count(), offload_), ranks = offload_.rank.count;
  const uint8_t stream = std::exchange(tracer_.context.stream, collective_stream);
  Tensor part = tracer_.parameter({shard}, offload_.shard_dtype);
  if (offload_.shard_dtype != dtype) {
    const Tensor cast = tracer_.allocate({shard}, dtype);
    cast.set_role(streamed_role);
    part = torch::copy_(cast, part);
  }
  Tensor unit = tracer_.allocate({checked_mul(shard, ranks, weights_size)}, dtype);
  unit.set_role(streamed_role);
  torch::distributed::all_gather_into_tensor(unit, std::move(part),
                                             {GroupAxis::world, offload_.rank.count, offload_.rank.index, 1});
  tracer_.context.stream = stream;
  Held held;
  held.tensors.push_back(std::move(unit));
  return held;
}

OffloadHooks::Held OffloadHooks::load(const Group& group) {
  if (offload_.kind == Kind::fsdp) return gather(*group.whole.front());
  Held held{group, {}};
  const auto add = [&](const TensorSpec& spec) { copy_in(spec, held); };
  for (const BaseLayer* layer : group.whole) {
    for (const bool buffers : {false, true}) visit_all(*layer, buffers, add);
  }
  if (group.own == nullptr) return held;
  for (const bool buffers : {false, true}) {
    if (!buffers || group.buffers) group.own->for_each_own(buffers, add);
  }
  return held;
}

void OffloadHooks::let_go(Held& held) {
  for (Tensor& device : held.tensors) {
    if (held.group.copied_back) {
      const Tensor host = tracer_.host(device.sizes(), device.dtype());
      tracer_.record(Kernel::to_copy, {&device}, {&host});
    }
    device.reset();
  }
}

// So many groups of the order have come then.
void OffloadHooks::prefetch(int64_t until) {
  while (static_cast<int64_t>(loaded_) < until && loaded_ < order_->size()) {
    ahead_.push_back(load((*order_)[loaded_]));
    ++loaded_;
  }
}

OffloadHooks::Held OffloadHooks::next() {
  const auto at = static_cast<int64_t>(next_++);
  prefetch(at + 1);
  if (offload_.stream) prefetch(at + 2);
  Held out = std::move(ahead_.front());
  ahead_.pop_front();
  return out;
}

void OffloadHooks::learn(const void* module, std::optional<Group> group) {
  if (is_root(module)) {
    const auto [known, is_new] = orders_.try_emplace(module);
    learned_ = is_new ? &known->second : nullptr;
  } else if (group && learned_ != nullptr) {
    learned_->push_back(std::move(*group));
  }
}

void OffloadHooks::before_forward(const void* module, int64_t index) {
  rethrow();
  std::optional<Group> group = opened_by(module, index);
  if (learns_) return learn(module, std::move(group));
  const bool starts = is_root(module) && (module != &model_ || offload_.calls_forward);
  if (starts) {
    const auto known = orders_.find(module);
    order_ = known == orders_.end() || known->second.empty() ? nullptr : &known->second;
    next_ = loaded_ = 0;
  }
  const List* list = list_of(module, index);
  if (offload_.kind == Kind::block_swap && order_ != nullptr && list != nullptr) {
    prefetch(index + 1 + offload_.prefetch - (static_cast<int64_t>(list->size()) - offload_.blocks));
  }
  if (group) open_.push_back(starts || order_ == nullptr ? load(*group) : next());
  if (starts && order_ != nullptr && offload_.stream) prefetch(1);
}

void OffloadHooks::after_forward(const void* module, int64_t index) noexcept {
  if (learns_ || error_ || !closed_by(module, index) || open_.empty()) return;
  try {
    let_go(open_.back());
    open_.pop_back();
  } catch (...) {
    error_ = std::current_exception();
  }
}

}  // namespace modelmeter
