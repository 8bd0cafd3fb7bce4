#include "trace/compulsory.h"

#include <algorithm>

#include "base/checked.h"
#include "base/count.h"

namespace modelmeter {
namespace {

class CompulsoryRegion {
 public:
  CompulsoryRegion(Trace& trace, const Rewriting& rewriting, size_t region)
      : trace_(trace), rewriting_(rewriting), region_(region) {}

  std::vector<NewOp> ops() {
    const Region& region = rewriting_.regions()[region_];
    std::vector<NewOp> out;
    for (int32_t i = region.first; i < region.end; ++i) {
      const Op& op = trace_.ops[static_cast<size_t>(i)];
      NewOp n;
      n.at = i;
      n.op = op;
      n.grows = op.last >= 0;
      if (n.grows) n.last = last_of(trace_, op);
      out.push_back(n);
    }
    for (NewOp& n : out) read_once(n);
    // From the last on: that is when a result is written.
    std::for_each(out.rbegin(), out.rend(), [this](NewOp& n) { write_once(n); });
    for (NewOp& n : out) {
      add_up(n.op);
      if (n.grows) add_up(n.last);
    }
    return out;
  }

 private:
  // What has moved of a storage.
  struct Moved {
    int64_t bytes = 0;
    std::vector<const TensorMeta*> views;
  };
  using MovedOf = std::unordered_map<const Storage*, Moved>;

  void read_once(NewOp& n) {
    copy_operands(n);
    const bool gathers = info(n.op.kernel).reads == Reads::gathered;
    for (int k = gathers ? 1 : 0; k < n.op.inputs; ++k) {
      const TensorMeta& meta = trace_.input(n.op, k);
      const bool made_here = rewriting_.use(meta.storage).region == static_cast<int32_t>(region_);
      if (made_here || (reads_input(n.op, k) && !moves(read_, meta))) drop(n, k);
    }
  }

  void write_once(NewOp& n) {
    if (info(n.op.kernel).reads == Reads::gathered) return;
    const bool launched = info(n.op.kernel).kind != OpKind::allocate;
    for (int k = n.op.inputs; k < n.op.inputs + n.op.outputs; ++k) {
      const TensorMeta& meta = trace_.operand(n.op, k);
      if (rewriting_.is_inner(meta.storage, region_) || (launched && !moves(written_, meta))) drop(n, k);
    }
  }

  // Whether it moves for the first time, as far as is known from its views.
  static bool moves(MovedOf& all, const TensorMeta& meta) {
    Moved& moved = all[meta.storage];
    const auto same = [&](const TensorMeta* view) { return view->same_as(meta); };
    if (moved.bytes >= meta.storage->bytes || std::any_of(moved.views.begin(), moved.views.end(), same)) return false;
    moved.bytes += meta.bytes;
    moved.views.push_back(&meta);
    return true;
  }

  // Operands of its own, for some to be replaced.
  void copy_operands(NewOp& n) {
    const auto copy = [this](Op& op) {
      const auto from = static_cast<size_t>(op.operands);
      op.operands = static_cast<int32_t>(trace_.operands.size());
      for (size_t k = 0; k < static_cast<size_t>(op.inputs) + op.outputs; ++k) {
        const TensorMeta* meta = trace_.operands[from + k];
        trace_.operands.push_back(meta);
      }
    };
    copy(n.op);
    if (n.grows) copy(n.last);
  }

  void drop(NewOp& n, int k) {
    const auto drop_of = [&](const Op& op) {
      trace_.operands[static_cast<size_t>(op.operands) + static_cast<size_t>(k)] = without_bytes(trace_.operand(op, k));
    };
    drop_of(n.op);
    if (n.grows) drop_of(n.last);
  }

  const TensorMeta* without_bytes(const TensorMeta& meta) {
    const TensorMeta*& known = without_bytes_[&meta];
    if (known != nullptr) return known;
    TensorMeta* out = trace_.metas.add();
    *out = meta;
    out->bytes = 0;
    return known = out;
  }

  // Op::input_bytes and output_bytes.
  void add_up(Op& op) const {
    const int64_t read = op.input_bytes, written = op.output_bytes;
    op.input_bytes = op.output_bytes = 0;
    for (int k = 0; k < op.inputs + op.outputs; ++k) {
      int64_t& bytes = k < op.inputs ? op.input_bytes : op.output_bytes;
      bytes = checked_add(bytes, trace_.operand(op, k).bytes, "the number of bytes moved");
    }
    if (is_recorded(op.kernel)) move_recorded(op, read, written);
  }

  // Of the bytes that a recorded kernel moves, the share that its operands still have.
  void move_recorded(Op& op, int64_t read, int64_t written) const {
    RecordedKernel kernel = *trace_.recorded_kernel(op);
    const auto share = [](int64_t bytes, int64_t left, int64_t all) {
      if (all == 0 || left >= all) return bytes;
      return (Count(bytes) * Count(left) / Count(all)).to_int64("the number of bytes moved");
    };
    kernel.read = share(kernel.read, op.input_bytes, read);
    kernel.written = share(kernel.written, op.output_bytes, written);
    op.params[0] = static_cast<int64_t>(trace_.recorded.size());
    trace_.recorded.push_back(kernel);
  }

  Trace& trace_;
  const Rewriting& rewriting_;
  size_t region_;
  MovedOf read_, written_;
  std::unordered_map<const TensorMeta*, const TensorMeta*> without_bytes_;
};

}  // namespace

void keep_compulsory(Trace& trace, Rewriting& rewriting) {
  for (size_t region = 0; region < rewriting.regions().size(); ++region) {
    rewriting.replace(region, CompulsoryRegion(trace, rewriting, region).ops());
  }
}

}  // namespace modelmeter
