#include "trace/fusion.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <set>

#include "base/checked.h"

namespace modelmeter {
namespace {

// torch._inductor.config: realize_reads_threshold, realize_acc_reads_threshold, max_fusion_size; how far apart in the
// order of launches two kernels may be that only share inputs (Scheduler.are_long_distant_nodes).
constexpr size_t most_reads_of_many = 4, most_reads = 8, most_fused = 64;
constexpr int32_t most_distance = 64;

enum class Work : uint8_t { none, library, elementwise, rows };

// What of a kernel's ops Inductor generates code for.
Work work_of(const Trace& trace, const Op& op) {
  if (trace.transfer_of(op) != Transfer::none || op.stream != 0) return Work::library;
  for (int k = 0; k < op.inputs + op.outputs; ++k) {
    const TensorMeta& meta = trace.operand(op, k);
    if (is_complex(meta.dtype) || meta.storage->place == Place::host) return Work::library;
  }
  if (is_recorded(op.kernel) && op.kernel != Kernel::recorded_elementwise) return Work::library;
  switch (op.kernel) {
    case Kernel::topk:
    case Kernel::sort:
    case Kernel::nonzero:
    case Kernel::histc:
    case Kernel::cumsum:
    case Kernel::linalg_solve_ex:
    case Kernel::index_put_:
    case Kernel::fp8_act_quant:
    case Kernel::int8_vectorwise_quant:
    case Kernel::int8_mm_dequant:
    case Kernel::dequantize_4bit:
    case Kernel::dequantize_blockwise:
    case Kernel::scatter_:
    case Kernel::masked_scatter_:
    case Kernel::upsample_bicubic2d_aa: return Work::library;
    default: break;
  }
  switch (info(op.kernel).kind) {
    case OpKind::norm:
    case OpKind::reduction:
    case OpKind::softmax: return Work::rows;
    case OpKind::elementwise:
    case OpKind::gather:
    case OpKind::copy:
    case OpKind::resample:
    case OpKind::random: return Work::elementwise;
    case OpKind::allocate: return Work::none;
    default: return Work::library;
  }
}

int64_t vector_flops(const Trace& trace, const Op& op) {
  const KernelInfo& kernel = info(op.kernel);
  if (const RecordedKernel* recorded = trace.recorded_kernel(op)) return recorded->flops_vector;
  const TensorMeta& basis = kernel.basis == Basis::output ? trace.output(op, 0) : trace.input(op, 0);
  return checked_mul(kernel.vector_flops, basis.numel, "the number of FLOPs");
}

// Elements of a row that is reduced to one.
int64_t row_of(const Trace& trace, const Op& op) {
  const TensorMeta &in = trace.input(op, 0), &out = trace.output(op, 0);
  if (info(op.kernel).kind != OpKind::reduction) return in.sizes.rank() == 0 ? 1 : in.sizes[in.sizes.rank() - 1];
  return out.numel == 0 ? 1 : std::max<int64_t>(1, in.numel / out.numel);
}

// Whether neighbours in the result are not neighbours in what is read.
bool reads_apart(const TensorMeta& in, const TensorMeta& out) {
  if (in.contiguous() || in.sizes.rank() != out.sizes.rank()) return false;
  const Shape strides = in.strides(), of_out = out.strides();
  int inner = -1;
  for (int d = 0; d < out.sizes.rank(); ++d) {
    if (out.sizes[d] > 1 && in.sizes[d] > 1 && (inner < 0 || of_out[d] < of_out[inner])) inner = d;
  }
  return inner >= 0 && strides[inner] > 1 && strides[inner] != of_out[inner];
}

// An op of the region; the bias of a convolution is one of its own.
struct Part {
  Op op;
  int32_t at;  // in Trace::ops
  Work work;
  bool dropped = false;  // takes memory and nothing else
  bool inlined = false;  // computed anew by each of its readers
};

// An operand: of the op `part`, the k-th.
struct Slot {
  int32_t part;
  int k;
};

// A kernel that is launched.
struct Group {
  std::vector<int32_t> own;   // parts whose results are there
  std::set<int32_t> inlined;  // parts that it computes for these
  bool library = false;
  int64_t points = 0, row = 0;                // elements that it goes over; of which so many are reduced to one
  int32_t first = 0, at = 0;                  // the first and the last part of its own
  std::set<int32_t> before;                   // groups that it needs
  std::map<const Storage*, int64_t> touched;  // bytes that it reads or writes
  bool gone = false;
};

class RegionFusion {
 public:
  RegionFusion(Trace& trace, const Rewriting& rewriting, size_t region)
      : trace_(trace), rewriting_(rewriting), region_(region) {}

  std::vector<NewOp> fuse() {
    add_parts();
    find_accesses();
    for (int32_t i = 0; i < count(); ++i) decide_inlining(i);
    for (int32_t i = 0; i < count(); ++i) add_group(i);
    add_edges();
    while (fuse_round()) {}
    return launches_in_order();
  }

 private:
  int32_t count() const { return static_cast<int32_t>(parts_.size()); }
  Part& part(int32_t i) { return parts_[static_cast<size_t>(i)]; }
  const Part& part(int32_t i) const { return parts_[static_cast<size_t>(i)]; }
  const TensorMeta& meta(Slot slot) const { return trace_.operand(part(slot.part).op, slot.k); }
  const TensorMeta& last_meta(Slot slot) const { return trace_.operand(last_of(trace_, part(slot.part).op), slot.k); }

  // --- parts ---

  void add_parts() {
    const Region& region = rewriting_.regions()[region_];
    for (int32_t i = region.first; i < region.end; ++i) {
      const Op op = trace_.ops[static_cast<size_t>(i)];
      parts_.push_back({op, i, work_of(trace_, op)});
      if (op.kernel == Kernel::convolution && op.inputs > 2 && work_of(trace_, op) == Work::library) split_bias(i);
    }
  }

  // Inductor takes the bias out of a convolution: one more kernel, on its result.
  void split_bias(int32_t at) {
    Part bias{part(count() - 1).op, at, Work::elementwise};
    Part& conv = part(count() - 1);
    const auto split = [&](Op& product, Op& sum) {
      const TensorMeta& added = trace_.input(product, product.inputs - 1);
      const TensorMeta& result = trace_.output(product, 0);
      const TensorMeta* operands[] = {&trace_.input(product, 0), &trace_.input(product, 1), &result, &added};
      product.inputs = 2;
      product.input_bytes -= added.bytes;
      product.operands = static_cast<int32_t>(trace_.operands.size());
      for (int k : {0, 1, 2}) trace_.operands.push_back(operands[k]);
      sum = product;
      sum.kernel = Kernel::add_;
      sum.in_place = true;
      sum.params = {};
      sum.operands = static_cast<int32_t>(trace_.operands.size());
      for (int k : {2, 3, 2}) trace_.operands.push_back(operands[k]);
    };
    const int32_t last = conv.op.last;
    split(conv.op, bias.op);
    if (last >= 0) {
      Op product = trace_.last_ops[static_cast<size_t>(last)], sum = product;
      split(product, sum);
      conv.op.last = static_cast<int32_t>(trace_.last_ops.size());
      trace_.last_ops.push_back(product);
      bias.op.last = conv.op.last + 1;
      trace_.last_ops.push_back(sum);
    }
    parts_.push_back(bias);
  }

  // --- who reads and writes what ---

  struct Accesses {
    std::vector<int32_t> writers, readers;  // parts
  };

  void find_accesses() {
    for (int32_t i = 0; i < count(); ++i) {
      const Op& op = part(i).op;
      if (part(i).work == Work::none) continue;
      for (int k = 0; k < op.inputs + op.outputs; ++k) {
        if (k < op.inputs && !reads_input(op, k)) continue;
        Accesses& accesses = accesses_[meta({i, k}).storage];
        std::vector<int32_t>& list = k < op.inputs ? accesses.readers : accesses.writers;
        if (list.empty() || list.back() != i) list.push_back(i);
      }
    }
    // Memory that another op fills is taken when it does.
    for (Part& p : parts_) {
      if (p.work != Work::none) continue;
      const auto found = accesses_.find(trace_.output(p.op, 0).storage);
      p.dropped = p.op.outputs == 1 && found != accesses_.end() && !found->second.writers.empty();
      if (!p.dropped) p.work = Work::library;
    }
  }

  const Accesses& accesses_of(const Storage* storage) const {
    static const Accesses none;
    const auto found = accesses_.find(storage);
    return found == accesses_.end() ? none : found->second;
  }

  // --- what is not made ---

  // Storages that it reads, with those of parts that are computed in it.
  std::set<const Storage*> reads_of(int32_t i) const {
    std::set<const Storage*> out;
    const Op& op = part(i).op;
    for (int k = 0; k < op.inputs; ++k) {
      if (!reads_input(op, k)) continue;
      const int32_t maker = inlined_maker(meta({i, k}).storage);
      if (maker < 0) {
        out.insert(meta({i, k}).storage);
      } else {
        out.merge(reads_of(maker));
      }
    }
    return out;
  }

  int32_t inlined_maker(const Storage* storage) const {
    const Accesses& accesses = accesses_of(storage);
    return accesses.writers.size() == 1 && part(accesses.writers[0]).inlined ? accesses.writers[0] : -1;
  }

  void decide_inlining(int32_t i) {
    Part& p = part(i);
    if (p.work != Work::elementwise || p.op.outputs != 1 || p.op.in_place) return;
    const Storage* storage = trace_.output(p.op, 0).storage;
    if (!rewriting_.is_inner(storage, region_)) return;
    const Accesses& accesses = accesses_of(storage);
    if (accesses.writers.size() != 1) return;
    for (const int32_t reader : accesses.readers) {
      if (part(reader).work != Work::elementwise && part(reader).work != Work::rows) return;
    }
    const std::set<const Storage*> reads = reads_of(i);
    if (reads.size() > (accesses.readers.size() > 1 ? most_reads_of_many : most_reads)) return;
    for (const Storage* read : reads) {  // as it is now
      const Accesses& of = accesses_of(read);
      if (!of.writers.empty() && of.writers.back() > i) return;
    }
    p.inlined = true;
  }

  // --- kernels ---

  void add_inlined(int32_t i, std::set<int32_t>& out) const {
    const Op& op = part(i).op;
    for (int k = 0; k < op.inputs; ++k) {
      const int32_t maker = reads_input(op, k) ? inlined_maker(meta({i, k}).storage) : -1;
      if (maker >= 0 && out.insert(maker).second) add_inlined(maker, out);
    }
  }

  void add_group(int32_t i) {
    const Part& p = part(i);
    if (p.inlined || p.dropped) return;
    Group group;
    group.own = {i};
    group.first = group.at = i;
    group.library = p.work == Work::library;
    add_inlined(i, group.inlined);
    if (!group.library) {
      const TensorMeta& out = trace_.output(p.op, 0);
      group.points = out.numel;
      if (p.op.in_place && p.work == Work::elementwise) {  // of a part of a tensor, as a selection from the whole
        group.points = out.storage->bytes / size_of(out.dtype);
      }
      if (p.work == Work::rows) {
        group.points = trace_.input(p.op, 0).numel;
        group.row = row_of(trace_, p.op);
      }
    }
    for_each_access(group, [&](Slot slot, bool) {
      int64_t& bytes = group.touched[meta(slot).storage];
      bytes = std::max(bytes, meta(slot).bytes);
    });
    groups_.push_back(std::move(group));
  }

  // Calls visit(slot, whether it is written) for each operand that is in memory, in order.
  template <class Visit>
  void for_each_access(const Group& group, const Visit& visit) const {
    std::set<int32_t> parts = group.inlined;
    parts.insert(group.own.begin(), group.own.end());
    for (const int32_t i : parts) {
      const Op& op = part(i).op;
      for (int k = 0; k < op.inputs + op.outputs; ++k) {
        const bool written = k >= op.inputs;
        if (!written && !reads_input(op, k)) continue;
        if (written ? part(i).inlined : inlined_maker(meta({i, k}).storage) >= 0) continue;
        visit(Slot{i, k}, written);
      }
    }
  }

  void add_edges() {
    std::map<const Storage*, std::vector<std::pair<int32_t, int32_t>>> writers, readers;  // part, group
    for (int32_t g = 0; g < static_cast<int32_t>(groups_.size()); ++g) {
      for_each_access(groups_[static_cast<size_t>(g)], [&](Slot slot, bool written) {
        (written ? writers : readers)[meta(slot).storage].emplace_back(slot.part, g);
      });
    }
    const auto add = [&](std::pair<int32_t, int32_t> a, std::pair<int32_t, int32_t> b) {
      if (a.second != b.second && a.first < b.first) groups_[static_cast<size_t>(b.second)].before.insert(a.second);
    };
    for (const auto& [storage, list] : writers) {
      for (const auto& writer : list) {
        for (const auto& other : list) add(writer, other);
        for (const auto& reader : readers[storage]) {
          add(writer, reader);
          add(reader, writer);
        }
      }
    }
  }

  // --- fusion ---

  struct Candidate {
    int64_t shared;  // bytes
    int32_t a, b;
  };

  static bool fits(const Group& a, const Group& b) {
    if (a.row > 0 && b.row > 0) return a.points == b.points && a.row == b.row;
    if (a.points == b.points) return true;
    const Group &rows = a.row > 0 ? a : b, &other = a.row > 0 ? b : a;
    return rows.row > 0 && other.points == rows.points / rows.row;
  }

  static int64_t shared_bytes(const Group& a, const Group& b) {
    int64_t out = 0;
    for (const auto& [storage, bytes] : a.touched) {
      const auto found = b.touched.find(storage);
      if (found != b.touched.end()) out += std::min(bytes, found->second);
    }
    return out;
  }

  // Whether b needs something that needs a, other than a itself.
  bool between(int32_t a, int32_t b) const {
    std::vector<int32_t> next;
    for (const int32_t g : groups_[static_cast<size_t>(b)].before) {
      if (g != a) next.push_back(g);
    }
    std::set<int32_t> seen;
    while (!next.empty()) {
      const int32_t g = next.back();
      next.pop_back();
      if (g == a) return true;
      if (!seen.insert(g).second) continue;
      const std::set<int32_t>& before = groups_[static_cast<size_t>(g)].before;
      next.insert(next.end(), before.begin(), before.end());
    }
    return false;
  }

  bool may_fuse(int32_t i, int32_t j) const {
    const Group &a = groups_[static_cast<size_t>(i)], &b = groups_[static_cast<size_t>(j)];
    if (a.gone || b.gone || a.library || b.library || !fits(a, b)) return false;
    if (a.own.size() + b.own.size() > most_fused) return false;
    const bool needs = b.before.count(i) != 0 || a.before.count(j) != 0;
    if (!needs && std::max(std::abs(b.at - a.first), std::abs(a.at - b.first)) > most_distance) return false;
    return !between(i, j) && !between(j, i);
  }

  bool fuse_round() {
    std::vector<Candidate> candidates;
    for (int32_t j = 0; j < static_cast<int32_t>(groups_.size()); ++j) {
      const Group& b = groups_[static_cast<size_t>(j)];
      if (b.gone || b.library) continue;
      for (int32_t i = 0; i < j; ++i) {
        const Group& a = groups_[static_cast<size_t>(i)];
        if (a.gone || a.library || !fits(a, b)) continue;
        if (const int64_t shared = shared_bytes(a, b); shared > 0) candidates.push_back({shared, i, j});
      }
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.shared > b.shared; });
    bool fused = false;
    for (const Candidate& c : candidates) {
      if (!may_fuse(c.a, c.b)) continue;
      merge(c.a, c.b);
      fused = true;
    }
    return fused;
  }

  void merge(int32_t into, int32_t from) {
    Group &a = groups_[static_cast<size_t>(into)], &b = groups_[static_cast<size_t>(from)];
    a.own.insert(a.own.end(), b.own.begin(), b.own.end());
    a.inlined.insert(b.inlined.begin(), b.inlined.end());
    if (a.row == 0) a.points = b.row > 0 ? b.points : a.points;
    a.row = std::max(a.row, b.row);
    a.first = std::min(a.first, b.first);
    a.at = std::max(a.at, b.at);
    for (const auto& [storage, bytes] : b.touched) a.touched[storage] = std::max(a.touched[storage], bytes);
    a.before.insert(b.before.begin(), b.before.end());
    for (Group& g : groups_) {
      if (g.before.erase(from) != 0) g.before.insert(into);
    }
    a.before.erase(into);
    b.gone = true;
    b.before.clear();
  }

  // --- launches ---

  std::vector<NewOp> launches_in_order() {
    // Inductor takes the order that holds the least (reorder_for_peak_memory), of these.
    const std::vector<int32_t> as_written = order_as_written(), by_need = order_by_need();
    const std::vector<int32_t>& order = peak_of(by_need) <= peak_of(as_written) ? by_need : as_written;
    find_last_uses(order);
    std::vector<NewOp> out;
    for (const int32_t g : order) {
      NewOp launched = launch(g);
      if (launched.op.outputs > 0) out.push_back(std::move(launched));  // else nothing reads what it would make
    }
    return out;
  }

  // Each as soon as what it needs is there, in the order of the eager kernels.
  std::vector<int32_t> order_as_written() const {
    std::vector<size_t> needs(groups_.size());
    std::vector<std::vector<int32_t>> after(groups_.size());
    using Next = std::pair<int32_t, int32_t>;  // the last part, the group
    std::priority_queue<Next, std::vector<Next>, std::greater<>> ready;
    for (int32_t g = 0; g < static_cast<int32_t>(groups_.size()); ++g) {
      const Group& group = groups_[static_cast<size_t>(g)];
      if (group.gone) continue;
      needs[static_cast<size_t>(g)] = group.before.size();
      for (const int32_t before : group.before) after[static_cast<size_t>(before)].push_back(g);
      if (group.before.empty()) ready.emplace(group.at, g);
    }
    std::vector<int32_t> order;
    while (!ready.empty()) {
      const int32_t g = ready.top().second;
      ready.pop();
      order.push_back(g);
      for (const int32_t next : after[static_cast<size_t>(g)]) {
        if (--needs[static_cast<size_t>(next)] == 0) ready.emplace(groups_[static_cast<size_t>(next)].at, next);
      }
    }
    return order;
  }

  // Each just before the first that needs it, input by input.
  std::vector<int32_t> order_by_need() const {
    std::map<const Storage*, std::vector<int32_t>> writers;
    for (int32_t g = 0; g < static_cast<int32_t>(groups_.size()); ++g) {
      if (groups_[static_cast<size_t>(g)].gone) continue;
      for_each_access(groups_[static_cast<size_t>(g)], [&](Slot slot, bool written) {
        if (written) writers[meta(slot).storage].push_back(g);
      });
    }
    std::vector<bool> seen(groups_.size());
    std::vector<int32_t> order;
    const std::function<void(int32_t)> visit = [&](int32_t g) {
      if (seen[static_cast<size_t>(g)]) return;
      seen[static_cast<size_t>(g)] = true;
      const Group& group = groups_[static_cast<size_t>(g)];
      for_each_access(group, [&](Slot slot, bool written) {
        if (written) return;
        for (const int32_t writer : writers[meta(slot).storage]) {
          if (group.before.count(writer) != 0) visit(writer);
        }
      });
      for (const int32_t before : group.before) visit(before);
      order.push_back(g);
    };
    for (const int32_t g : sinks()) visit(g);
    return order;
  }

  // That no other needs, in the order of the eager kernels.
  std::vector<int32_t> sinks() const {
    std::set<int32_t> needed;
    for (const Group& group : groups_) needed.insert(group.before.begin(), group.before.end());
    std::vector<int32_t> out;
    for (int32_t g = 0; g < static_cast<int32_t>(groups_.size()); ++g) {
      if (!groups_[static_cast<size_t>(g)].gone && needed.count(g) == 0) out.push_back(g);
    }
    const auto at = [this](int32_t g) { return groups_[static_cast<size_t>(g)].at; };
    std::sort(out.begin(), out.end(), [&](int32_t a, int32_t b) { return at(a) < at(b); });
    return out;
  }

  // Of what is made here, in this order.
  int64_t peak_of(const std::vector<int32_t>& order) const {
    struct Life {
      size_t first = 0, last = 0;
    };
    std::map<const Storage*, Life> lives;
    for (size_t i = 0; i < order.size(); ++i) {
      for_each_access(groups_[static_cast<size_t>(order[i])], [&](Slot slot, bool) {
        const Storage* storage = meta(slot).storage;
        if (rewriting_.use(storage).region != static_cast<int32_t>(region_)) return;
        Life& life = lives.try_emplace(storage, Life{i, i}).first->second;
        life.last = i;
      });
    }
    std::vector<int64_t> change(order.size() + 1);
    for (const auto& [storage, life] : lives) {
      if (life.first == life.last && rewriting_.is_inner(storage, region_)) continue;
      change[life.first] += storage->bytes;
      if (rewriting_.is_inner(storage, region_)) change[life.last + 1] -= storage->bytes;
    }
    int64_t live = 0, peak = 0;
    for (const int64_t bytes : change) peak = std::max(peak, live += bytes);
    return peak;
  }

  void find_last_uses(const std::vector<int32_t>& order) {
    for (const int32_t g : order) {
      for_each_access(groups_[static_cast<size_t>(g)], [&](Slot slot, bool written) {
        (written ? last_writer_ : last_reader_)[meta(slot).storage] = g;
      });
      place_[g] = static_cast<int32_t>(place_.size());
    }
  }

  NewOp launch(int32_t g) {
    const Group& group = groups_[static_cast<size_t>(g)];
    NewOp out;
    out.at = part(group.at).at;
    if (group.library) {
      out.op = part(group.own[0]).op;
      out.grows = out.op.last >= 0;
      if (out.grows) out.last = last_of(trace_, out.op);
      return out;
    }
    return generated(g, std::move(out));
  }

  struct Moved {
    std::vector<Slot> reads, writes;
  };

  // Whether what a group writes is read after it, or by what it does not compute itself.
  bool is_kept(const Storage* storage, int32_t g) const {
    if (!rewriting_.is_inner(storage, region_)) return true;
    const auto reader = last_reader_.find(storage);
    return reader != last_reader_.end() && place_.at(reader->second) > place_.at(g);
  }

  // Whether another group wrote it before, or nothing in this region did.
  bool is_there(const Storage* storage, int32_t g) const {
    const Group& group = groups_[static_cast<size_t>(g)];
    const Accesses& accesses = accesses_of(storage);
    if (rewriting_.use(storage).region != static_cast<int32_t>(region_)) return true;
    return std::any_of(accesses.writers.begin(), accesses.writers.end(), [&](int32_t writer) {
      const bool here = std::find(group.own.begin(), group.own.end(), writer) != group.own.end();
      return !here && writer < group.at;
    });
  }

  Moved moved_by(int32_t g) const {
    Moved out;
    std::set<const Storage*> written;
    const auto add = [&](std::vector<Slot>& list, Slot slot) {
      const auto same = [&](Slot other) { return meta(other).same_as(meta(slot)); };
      if (std::none_of(list.begin(), list.end(), same)) list.push_back(slot);
    };
    for_each_access(groups_[static_cast<size_t>(g)], [&](Slot slot, bool writes) {
      const Storage* storage = meta(slot).storage;
      if (writes) {
        written.insert(storage);
        if (is_kept(storage, g)) add(out.writes, slot);
      } else if (written.count(storage) == 0 && is_there(storage, g)) {
        add(out.reads, slot);
      }
    });
    return out;
  }

  // Elements that it reads out of order, each view once.
  int64_t apart_in(const Group& group, bool last) const {
    std::vector<const TensorMeta*> seen;
    int64_t out = 0;
    std::set<int32_t> parts = group.inlined;
    parts.insert(group.own.begin(), group.own.end());
    for (const int32_t i : parts) {
      const Op& op = last ? last_of(trace_, part(i).op) : part(i).op;
      for (int k = 0; k < op.inputs && op.outputs > 0; ++k) {
        if (!reads_input(op, k)) continue;
        const TensorMeta& in = trace_.operand(op, k);
        const auto same = [&](const TensorMeta* other) { return other->same_as(in); };
        if (!reads_apart(in, trace_.output(op, 0)) || std::any_of(seen.begin(), seen.end(), same)) continue;
        seen.push_back(&in);
        out = checked_add(out, in.bytes / size_of(in.dtype), "the number of elements");
      }
    }
    return out;
  }

  std::array<int64_t, 3> params_of(const Group& group, bool last) const {
    int64_t flops = 0;
    const auto add = [&](int32_t i) {
      const Op& op = last ? last_of(trace_, part(i).op) : part(i).op;
      flops = checked_add(flops, vector_flops(trace_, op), "the number of FLOPs");
    };
    for (const int32_t i : group.own) add(i);
    for (const int32_t i : group.inlined) {
      if (std::find(group.own.begin(), group.own.end(), i) == group.own.end()) add(i);
    }
    return {flops, group.row, apart_in(group, last)};
  }

  NewOp generated(int32_t g, NewOp out) {
    const Group& group = groups_[static_cast<size_t>(g)];
    const Moved moved = moved_by(g);
    out.op = part(group.at).op;
    out.op.kernel = group.row > 0 ? Kernel::triton_red : Kernel::triton_poi;
    out.op.in_place = out.op.causal = out.op.tf32 = false;
    out.op.scope = common_scope(group);
    for (const std::set<int32_t>& parts : {group.inlined, std::set<int32_t>(group.own.begin(), group.own.end())}) {
      for (const int32_t i : parts) out.grows |= part(i).op.last >= 0;
    }
    out.last = out.op;
    out.op.params = params_of(group, false);
    const std::vector<Slot> reads = combined(moved.reads), writes = combined(moved.writes);
    set_operands(out.op, reads, writes, false);
    if (out.grows) {
      out.last.params = params_of(group, true);
      set_operands(out.last, reads, writes, true);
    }
    if (out.op.params[2] == 0) take_over(g, reads, writes, out);
    return out;
  }

  // Of several views of one storage that are all of it, one: {part, -1 - k}, which stands for the whole.
  std::vector<Slot> combined(const std::vector<Slot>& slots) const {
    std::map<const Storage*, std::pair<int64_t, int>> views;
    for (const Slot slot : slots) {
      auto& [bytes, number] = views[meta(slot).storage];
      bytes += meta(slot).bytes;
      ++number;
    }
    std::vector<Slot> out;
    std::set<const Storage*> whole;
    for (const Slot slot : slots) {
      const Storage* storage = meta(slot).storage;
      const auto& [bytes, number] = views[storage];
      if (number == 1 || bytes < storage->bytes) {
        out.push_back(slot);
      } else if (whole.insert(storage).second) {
        out.push_back({slot.part, -1 - slot.k});
      }
    }
    return out;
  }

  const TensorMeta& operand(Slot slot, bool last) {
    const Slot view{slot.part, slot.k < 0 ? -1 - slot.k : slot.k};
    const TensorMeta& of = last ? last_meta(view) : meta(view);
    const Op& op = last ? last_of(trace_, part(slot.part).op) : part(slot.part).op;
    const bool gathered = info(op.kernel).reads == Reads::gathered && view.k == 0;
    if (slot.k >= 0 && !gathered) return of;
    TensorMeta* out = trace_.metas.add();
    *out = of;
    out->own_strides = nullptr;
    out->offset = 0;
    out->numel = gathered ? trace_.output(op, 0).numel : of.storage->bytes / size_of(of.dtype);
    out->bytes = out->numel * size_of(of.dtype);
    out->sizes = {out->numel};
    return *out;
  }

  void set_operands(Op& op, const std::vector<Slot>& reads, const std::vector<Slot>& writes, bool last) {
    op.operands = static_cast<int32_t>(trace_.operands.size());
    op.inputs = static_cast<uint8_t>(reads.size());
    op.outputs = static_cast<uint8_t>(writes.size());
    op.input_bytes = op.output_bytes = 0;
    for (const std::vector<Slot>* list : {&reads, &writes}) {
      int64_t& bytes = list == &reads ? op.input_bytes : op.output_bytes;
      for (const Slot slot : *list) {
        const TensorMeta& meta = operand(slot, last);
        trace_.operands.push_back(&meta);
        bytes = checked_add(bytes, meta.bytes, "the number of bytes moved");
      }
    }
  }

  // Inputs that go with this kernel and whose memory its outputs take.
  void take_over(int32_t g, const std::vector<Slot>& reads, const std::vector<Slot>& writes, NewOp& out) {
    const auto whole = [&](Slot slot) { return slot.k < 0 || meta(slot).bytes == meta(slot).storage->bytes; };
    for (const Slot write : writes) {
      const Storage* made = meta_of(write).storage;
      if (!whole(write) || is_there(made, g) || rewriting_.use(made).region != static_cast<int32_t>(region_)) continue;
      for (const Slot read : reads) {
        Storage* storage = meta_of(read).storage;
        const bool free = rewriting_.is_inner(storage, region_) && last_reader_.at(storage) == g &&
                          (last_writer_.count(storage) == 0 || place_.at(last_writer_.at(storage)) < place_.at(g));
        const bool taken = std::find(out.taken.begin(), out.taken.end(), storage) != out.taken.end();
        if (!free || taken || !whole(read) || storage->bytes != made->bytes) continue;
        out.taken.push_back(storage);
        break;
      }
    }
  }
  const TensorMeta& meta_of(Slot slot) const { return meta({slot.part, slot.k < 0 ? -1 - slot.k : slot.k}); }

  // The innermost scope that all of its own parts are in.
  int32_t common_scope(const Group& group) const {
    int32_t scope = part(group.own[0]).op.scope;
    for (const int32_t i : group.own) {
      while (!trace_.is_within(part(i).op.scope, scope)) scope = trace_.scopes[static_cast<size_t>(scope)].parent;
    }
    return scope;
  }

  Trace& trace_;
  const Rewriting& rewriting_;
  size_t region_;
  std::vector<Part> parts_;
  std::map<const Storage*, Accesses> accesses_;
  std::vector<Group> groups_;
  std::map<const Storage*, int32_t> last_writer_, last_reader_;  // groups
  std::map<int32_t, int32_t> place_;                             // of groups, among the launches
};

}  // namespace

void compile(Trace& trace, Rewriting& rewriting) {
  for (size_t region = 0; region < rewriting.regions().size(); ++region) {
    rewriting.replace(region, RegionFusion(trace, rewriting, region).fuse());
  }
}

}  // namespace modelmeter
