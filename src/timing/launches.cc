#include "timing/launches.h"

#include <algorithm>
#include <cmath>

#include "cost/op_cost.h"
#include "timing/operand_bytes.h"
#include "timing/recorded_kernels.h"

namespace modelmeter {
namespace {

constexpr int most_cat_dims = 4;    // of CatArrayBatchedCopy
constexpr int64_t one_block = 512;  // elements that a block of an unrolled kernel takes at once
constexpr int64_t warp_softmax_width = 1024;
// Few results of so many elements each (256 a thread of a block of 512) are added up by several blocks (Reduce.cuh,
// ctas_per_output), as many as the device holds.
constexpr double split_reduction = 1 << 17, warps_of_sm_in_parts = 64;
constexpr int64_t padded_channels = 8;  // that matrix units take of 16 bits
// Layouts are converted in tiles of so many channels by as many positions (or taps of a filter), full or not: 1.4 ns
// each of 16 bits from an image of 3 channels to a filter of 512 (H100 and H200, 2026-11).
constexpr double layout_tile = 32;
constexpr int64_t register_softmax_width = 2048;  // two elements a thread
constexpr double vector_bytes = 16;               // of a load of a vectorised kernel
constexpr double word_bytes = 8;                  // of one that goes by offsets
constexpr const char* before_tf32 = "sm70";

double count(int64_t n) { return static_cast<double>(n); }

bool is_scalar(const TensorMeta& t) { return t.sizes.rank() == 0; }
bool is_narrow(DType dtype) { return size_of(dtype) <= 2; }
bool is_16_bit_float(DType dtype) { return dtype == DType::bfloat16 || dtype == DType::float16; }

// Weights and what else was there before the run.
bool is_cold(const TensorMeta& t) { return t.storage != nullptr && t.storage->born < 0; }

class Launcher {
 public:
  Launcher(const Launch& launch, const LaunchFlags& flags, const Machine& machine, std::vector<DeviceKernel>& out)
      : op_(launch), flags_(flags), machine_(machine), out_(out), kind_(info(launch.kernel).kind) {}

  void add() {
    if (flags_.transfer) return add_transfer();
    if (info(op_.kernel).basis == Basis::listed) return add_generated();
    switch (kind_) {
      case OpKind::matmul: return op_.kernel == Kernel::grouped_mm ? add_grouped() : add_gemm();
      case OpKind::attention: return add_attention();
      case OpKind::conv: return add_convolution();
      case OpKind::elementwise: return add_elementwise();
      case OpKind::copy: return add_copy();
      case OpKind::norm: return add_norm();
      case OpKind::softmax: return add_softmax();
      case OpKind::reduction: return add_reduction();
      case OpKind::gather: return add_gather();
      case OpKind::resample: add_simple(MemoryClass::resample); return;
      case OpKind::random: add_simple(MemoryClass::random); return;
      case OpKind::collective:
      case OpKind::transfer:
      case OpKind::allocate: return;
    }
  }

 private:
  // A kernel with the bytes and elements of the launch.
  DeviceKernel& add_simple(MemoryClass memory) {
    DeviceKernel k;
    k.shape = KernelShape::memory;
    k.memory = memory;
    const OpCost cost = cost_of(op_);
    k.read = count(cost.bytes_read);
    k.written = count(cost.bytes_written);
    k.elements = count(op_.outputs > 0 ? op_.output(0).numel : op_.input(0).numel);
    for (int i = 0; i < op_.inputs; ++i) {
      if (is_cold(op_.input(i))) k.cold += std::min(k.read, count(op_.input(i).bytes));
    }
    k.cold = std::min(k.cold, k.read);
    return out_.emplace_back(k);
  }

  void add_small() { out_.emplace_back().shape = KernelShape::small; }

  void add_transfer() {
    DeviceKernel& k = out_.emplace_back();
    k.shape = KernelShape::transfer;
    k.written = count(op_.output(0).bytes);
    const Storage *source = op_.input(op_.inputs - 1).storage, *target = op_.output(0).storage;
    if (source == nullptr || target == nullptr) return;
    if (source->role == streamed_role) k.host_memory = BusMemory::pageable_target;
    if (target->role != streamed_role) return;
    const bool pinned = source->role == pinned_role || source->role == pinned_anew_role;
    k.host_memory = pinned ? BusMemory::pinned : BusMemory::pageable_source;
  }

  // Elements read out of order cost as much as a strided copy's.
  void add_generated() {
    DeviceKernel& k = add_simple(MemoryClass::generated);
    const double flops_of_one =
        machine_.memory(MemoryClass::generated).per_clock / machine_.memory(MemoryClass::strided_narrow).per_clock;
    k.elements = count(op_.params[0]) + count(op_.params[2]) * flops_of_one;
  }

  // --- elementwise and copies ---

  MemoryClass elementwise_class() const {
    const TensorMeta& out = op_.output(0);
    bool contiguous = true, mixed = false, broadcast = false, wide = out.dtype == DType::float64;
    const bool compares = out.dtype == DType::boolean;
    const DType dtype = compares && op_.inputs > 0 ? op_.input(0).dtype : out.dtype;
    for (int i = 0; i < op_.inputs; ++i) {
      const TensorMeta& in = op_.input(i);
      if (is_scalar(in)) continue;
      contiguous &= one_layout(in, out);
      broadcast |= in.bytes < out.numel * size_of(in.dtype);
      mixed |= in.dtype != dtype && in.dtype != DType::boolean;
      wide |= in.dtype == DType::float64;
    }
    if (contiguous && mixed) return wide ? MemoryClass::unrolled_wide : MemoryClass::unrolled_binary;
    if (contiguous) return vectorized_class();
    if (mixed) return MemoryClass::broadcast_mixed;
    if (is_narrow(dtype)) return broadcast ? MemoryClass::broadcast_narrow : MemoryClass::strided_narrow;
    return broadcast ? MemoryClass::broadcast : MemoryClass::strided;
  }

  // Functions of tens of instructions, where 16 bits let memory deliver more elements than the units work off.
  MemoryClass vectorized_class() const {
    switch (op_.kernel) {
      case Kernel::silu:
      case Kernel::silu_:
      case Kernel::sin:
      case Kernel::cos: return MemoryClass::vectorized_silu;
      case Kernel::gelu:
      case Kernel::quick_gelu:
        return is_narrow(op_.output(0).dtype) ? MemoryClass::vectorized_heavy : MemoryClass::vectorized;
      default: return MemoryClass::vectorized;
    }
  }

  void add_elementwise() {
    DeviceKernel& k = add_simple(elementwise_class());
    k.read = 0;
    for (int i = 0; i < op_.inputs; ++i) {
      bool seen = false;
      for (int j = 0; j < i; ++j) seen |= op_.input(j).same_as(op_.input(i));
      if (seen) continue;
      k.read += read_bytes(op_.input(i), op_.output(0), machine_);
      k.sectors += sector_bytes(op_.input(i), op_.output(0));
    }
    k.sectors += k.written;
  }

  static MemoryClass copy_class(const TensorMeta& from, const TensorMeta& to) {
    const bool contiguous = one_layout(from, to);
    if (from.dtype == to.dtype) {
      if (contiguous) return MemoryClass::copy;
      return is_narrow(to.dtype) ? MemoryClass::strided_narrow : MemoryClass::strided;
    }
    if (!contiguous) return MemoryClass::strided_narrow;
    if (from.dtype == DType::float64) return MemoryClass::unrolled_from_wide;
    if (to.dtype == DType::float64) return MemoryClass::unrolled_wide;
    const bool narrowing = from.dtype == DType::float32 && is_16_bit_float(to.dtype);
    return narrowing || to.numel <= one_block ? MemoryClass::vectorized : MemoryClass::unrolled_widen;
  }

  void add_copy_of(const TensorMeta& from, const TensorMeta& to) {
    DeviceKernel& k = out_.emplace_back();
    k.shape = KernelShape::memory;
    k.memory = copy_class(from, to);
    k.read = read_bytes(from, to, machine_);
    k.written = written_bytes(to);
    k.sectors = sector_bytes(from, to) + k.written;
    k.elements = count(to.numel);
    k.cold = is_cold(from) ? k.read : 0;
  }

  void add_copy() {
    switch (op_.kernel) {
      case Kernel::to_copy:
      case Kernel::clone: return add_copy_of(op_.input(0), op_.output(0));
      case Kernel::copy_: return add_copy_of(op_.input(op_.inputs - 1), op_.output(0));
      case Kernel::cat:
      case Kernel::stack: return add_cat();
      case Kernel::repeat: add_simple(MemoryClass::strided); return;
      default: add_simple(MemoryClass::fill); return;
    }
  }

  void add_cat() {
    const TensorMeta& out = op_.output(0);
    int parts = 0;
    double largest = 0;
    bool vectors = true;
    for (int i = 0; i < op_.inputs; ++i) {
      const TensorMeta& in = op_.input(i);
      if (in.numel == 0) {
        vectors = false;
        continue;
      }
      ++parts;
      largest = std::max(largest, count(in.numel));
      vectors &= in.contiguous() && std::fmod(inner_bytes(in, out), vector_bytes) == 0;
    }
    if (out.sizes.rank() == 1) vectors = true;
    const bool leading = op_.kernel == Kernel::cat && out.sizes.rank() > 0 && parts == 1;
    if (leading && (vectors || out.sizes.rank() == 0 || first_differs_at_zero())) {
      add_simple(MemoryClass::copy);
    } else if (out.sizes.rank() <= most_cat_dims) {
      DeviceKernel& k = add_simple(vectors ? MemoryClass::vectorized : MemoryClass::cat_batched);
      // Each part has blocks of its own; complex128 is moved in two.
      if (!vectors) k.elements = largest * std::max(1.0, count(size_of(out.dtype)) / word_bytes);
    } else {
      for (int i = 0; i < op_.inputs; ++i) add_part(op_.input(i));
    }
  }

  // Along the first dimension one part is the whole result, empty ones beside it or not.
  bool first_differs_at_zero() const {
    for (int i = 0; i < op_.inputs; ++i) {
      const TensorMeta& in = op_.input(i);
      if (in.numel == 0 && in.sizes.rank() > 0 && in.sizes[0] != 0) return false;
      if (in.numel > 0 && !in.contiguous()) return false;
    }
    return true;
  }

  // Bytes of a part that lie together in the result.
  static double inner_bytes(const TensorMeta& in, const TensorMeta& out) {
    int64_t n = 1;
    for (int d = in.sizes.rank(); d-- > 0;) {
      n *= in.sizes[d];
      if (d >= out.sizes.rank() || in.sizes[d] != out.sizes[d]) break;
    }
    return count(n * size_of(in.dtype));
  }

  void add_part(const TensorMeta& in) {
    if (in.numel == 0) return;
    DeviceKernel& k = out_.emplace_back();
    k.shape = KernelShape::memory;
    k.memory = is_narrow(in.dtype) ? MemoryClass::strided_narrow : MemoryClass::strided;
    k.read = k.written = count(in.bytes);
    k.elements = count(in.numel);
  }

  // --- along rows ---

  void add_rows(MemoryClass memory) {
    DeviceKernel& k = add_simple(memory);
    const TensorMeta& in = op_.input(0);
    k.elements = count(in.numel);
    k.width = in.sizes.rank() == 0 ? 1 : count(in.sizes[in.sizes.rank() - 1]);
    k.rows = k.width == 0 ? 0 : k.elements / k.width;
  }

  void add_softmax() {
    const TensorMeta& in = op_.input(0);
    const bool wide = in.sizes.rank() > 0 && in.sizes[in.sizes.rank() - 1] > warp_softmax_width;
    const bool in_registers = wide && in.sizes[in.sizes.rank() - 1] <= register_softmax_width;
    add_rows(!wide                 ? MemoryClass::softmax
             : !in_registers       ? MemoryClass::softmax_long
             : is_narrow(in.dtype) ? MemoryClass::softmax_wide_narrow
                                   : MemoryClass::softmax_wide);
  }

  void add_norm() {
    const bool narrow = is_narrow(op_.input(0).dtype);
    if (op_.kernel == Kernel::fused_rms_norm) return add_rows(MemoryClass::rms_norm);
    if (op_.kernel == Kernel::linalg_vector_norm) return add_reduction();
    add_rows(narrow ? MemoryClass::layer_norm_narrow : MemoryClass::layer_norm);
  }

  void add_reduction() {
    switch (op_.kernel) {
      case Kernel::sort:
      case Kernel::topk: return add_sort();
      case Kernel::mean:
      case Kernel::sum:
      case Kernel::amax:
      case Kernel::max:
      case Kernel::argmax:
      case Kernel::linalg_vector_norm: break;
      default: return add_small();
    }
    const TensorMeta &in = op_.input(0), &out = op_.output(0);
    const int last = in.sizes.rank() - 1;
    const bool inner = last < 0 || in.sizes.rank() != out.sizes.rank() || out.sizes[last] != in.sizes[last];
    DeviceKernel& k = add_simple(inner ? MemoryClass::reduction : MemoryClass::reduction_outer);
    k.elements = count(in.numel);
    k.rows = count(out.numel);
    k.width = k.rows == 0 ? 0 : k.elements / k.rows;
    if (inner && k.width >= split_reduction && k.rows < machine_.sms()) {
      const double warps = std::ceil(machine_.sms() * warps_of_sm_in_parts / k.rows);
      k.rows *= warps;
      k.width /= warps;
      k.in_parts = true;
    }
  }

  // Radix sort of long rows in one block, of longer ones in passes; top-k goes over all rows (H100 and H200, 2026-11).
  void add_sort() {
    const TensorMeta& in = op_.input(0);
    const double width = in.sizes.rank() == 0 ? 1 : count(in.sizes[in.sizes.rank() - 1]);
    DeviceKernel& k = out_.emplace_back();
    k.shape = KernelShape::small;
    k.width = width;
    k.rows = width == 0 ? 0 : count(in.numel) / width;
    k.sorts = op_.kernel == Kernel::topk ? Sorts::top_k : Sorts::all;
  }

  void add_gather() {
    const bool reads = op_.kernel == Kernel::embedding || op_.kernel == Kernel::index;
    add_simple(reads ? MemoryClass::gather : MemoryClass::scatter);
    if (!reads) return;
    DeviceKernel& k = out_.back();
    const TensorMeta& out = op_.output(0);
    // A row is a block's, whatever its width.
    const double width = out.sizes.rank() == 0 ? 1 : count(out.sizes[out.sizes.rank() - 1]);
    k.elements = k.elements / std::max(width, 1.0);
  }

  // --- matrix products ---

  bool aligned(double row, DType dtype) const { return std::fmod(row * count(size_of(dtype)), vector_bytes) == 0; }

  DeviceKernel& add_gemm_of(double batch, double m, double n, double k_size, DType dtype) {
    DeviceKernel& k = add_simple(MemoryClass::vectorized);
    k.shape = KernelShape::gemm;
    k.precision = precision_of(dtype, flags_.tf32 && has_tf32(machine_));
    k.batch = batch;
    k.m = m;
    k.n = n;
    k.k = k_size;
    k.aligned = aligned(n, dtype) && aligned(k_size, dtype);
    return k;
  }

  void add_gemm() {
    const TensorMeta& a = op_.input(op_.inputs - 2);
    const int rank = a.sizes.rank();
    add_gemm_of(rank == 3 ? count(a.sizes[0]) : 1, count(a.sizes[rank - 2]), count(op_.output(0).sizes[rank - 1]),
                count(a.sizes[rank - 1]), a.dtype);
  }

  // Rows spread over the groups evenly.
  void add_grouped() {
    const TensorMeta &rows = op_.input(0), &weights = op_.input(1);
    const double groups = count(weights.sizes[0]);
    add_gemm_of(groups, std::max(1.0, count(rows.sizes[0]) / groups), count(weights.sizes[2]), count(rows.sizes[1]),
                rows.dtype);
  }

  const char* attention_kernel() const {
    if (op_.kernel == Kernel::flash_attention_forward) return "flash";
    const auto& kernels = machine_.kernels().attention;
    const bool narrow = is_16_bit_float(op_.input(0).dtype);
    if (narrow && kernels.count("cudnn") != 0) return "cudnn";
    return op_.kernel == Kernel::sdpa_flash && kernels.count("flash") != 0 ? "flash" : "efficient";
  }

  void add_attention() {
    DeviceKernel& k = add_simple(MemoryClass::vectorized);
    const Shape& q = op_.input(0).sizes;
    k.shape = KernelShape::attention;
    k.attention = attention_kernel();
    k.precision = precision_of(op_.input(0).dtype, false);
    k.batch = count(op_.params[0] * q[op_.kernel == Kernel::flash_attention_forward && q.rank() == 4 ? 2 : 1]);
    k.m = count(op_.params[1]);
    k.n = count(op_.params[2]);
    k.k = count(q[q.rank() - 1]);
    k.causal = flags_.causal;
    k.masked = op_.kernel == Kernel::sdpa_efficient && op_.inputs > 3;
    k.splits = op_.kernel != Kernel::flash_attention_forward || q.rank() == 4;
  }

  void add_convolution() {
    const TensorMeta &x = op_.input(0), &weight = op_.input(1), &y = op_.output(0);
    const int dims = y.sizes.rank() - 2;
    double taps = 1, positions = count(y.sizes[0]);
    int wide_dims = 0;
    for (int d = 0; d < dims; ++d) {
      taps *= count(weight.sizes[2 + d]);
      positions *= count(y.sizes[2 + d]);
      wide_dims += weight.sizes[2 + d] > 1 ? 1 : 0;
    }
    const bool few_channels = weight.sizes[1] < padded_channels;
    const bool one_image = y.sizes[0] == 1 && std::fmod(taps, padded_channels) == 0;
    const bool vector = few_channels && (!is_narrow(x.dtype) || one_image);
    const char* precision = vector ? "" : precision_of(x.dtype, flags_.tf32 && has_tf32(machine_));
    const bool patches = few_channels && !vector;
    const bool strided = y.numel / y.sizes[1] < x.numel / x.sizes[1] && taps == 1;
    const double row = count(x.numel / (x.sizes[0] * x.sizes[1]));
    const bool pointwise = taps == 1 && !strided && (!is_narrow(x.dtype) || std::fmod(row, 4) == 0);
    const bool converts = *precision != '\0' && !pointwise && !is_channels_last(x.sizes, x.strides());
    if (converts) add_conversion(x, patches);
    if (converts && taps > 1) add_conversion(weight, patches);
    DeviceKernel& k = add_simple(MemoryClass::vectorized);
    k.shape = KernelShape::convolution;
    k.precision = precision;
    k.m = positions;
    k.n = count(weight.sizes[0]);
    k.channels = patches ? padded_channels : count(weight.sizes[1]);
    k.k = taps * k.channels;
    k.three_d = wide_dims == 3;
    k.pointwise = pointwise;
    k.patches = patches;
    k.aligned = std::fmod(row * count(size_of(x.dtype)), vector_bytes) == 0;
    // Strides skip what no tap is on.
    const double reached = positions * taps * count(weight.sizes[1] * size_of(x.dtype));
    k.read -= std::max(0.0, count(x.bytes) - reached);
    if (converts) {
      add_layout(y, is_narrow(y.dtype) ? MemoryClass::from_channels_last_narrow : MemoryClass::from_channels_last);
    }
  }

  DeviceKernel& add_kernel_of(const TensorMeta& t, MemoryClass memory) {
    DeviceKernel& k = out_.emplace_back();
    k.shape = KernelShape::memory;
    k.memory = memory;
    k.read = k.written = count(t.bytes);
    k.elements = count(t.numel);
    k.cold = is_cold(t) ? k.read : 0;
    return k;
  }

  static MemoryClass to_channels_last(const TensorMeta& t) {
    return is_narrow(t.dtype) ? MemoryClass::to_channels_last_narrow : MemoryClass::to_channels_last;
  }

  DeviceKernel& add_layout(const TensorMeta& t, MemoryClass memory) {
    DeviceKernel& k = add_kernel_of(t, memory);
    const double images = count(t.sizes[0]), channels = count(t.sizes[1]);
    const double positions = channels == 0 || images == 0 ? 0 : count(t.numel) / (images * channels);
    k.elements =
        images * std::ceil(channels / layout_tile) * std::ceil(positions / layout_tile) * layout_tile * layout_tile;
    return k;
  }

  // Few channels are padded: memory is set to zero first.
  void add_conversion(const TensorMeta& t, bool patches) {
    const double padding = patches ? padded_channels / count(t.sizes[1]) : 1;
    if (patches) {
      DeviceKernel& zeros = add_kernel_of(t, MemoryClass::fill);
      zeros.read = zeros.cold = 0;
      zeros.written *= padding;
    }
    add_layout(t, to_channels_last(t)).written *= padding;
  }

  const Launch& op_;
  const LaunchFlags& flags_;
  const Machine& machine_;
  std::vector<DeviceKernel>& out_;
  const OpKind kind_;
};

}  // namespace

bool has_tf32(const Machine& machine) { return machine.device().architecture != before_tf32; }

const char* precision_of(DType dtype, bool tf32) {
  switch (dtype) {
    case DType::bfloat16: return "bf16";
    case DType::float16: return "fp16";
    case DType::float8_e4m3fn:
    case DType::float8_e5m2: return "fp8";
    case DType::int8: return "int8";
    case DType::float32: return tf32 ? "tf32" : "";
    default: return "";
  }
}

void device_kernels(const Launch& launch, const LaunchFlags& flags, const Machine& machine,
                    std::vector<DeviceKernel>& out) {
  if (!launches(launch)) return;
  if (launch.recorded != nullptr && !flags.transfer) return recorded_kernels(launch, flags, machine, out);
  Launcher(launch, flags, machine, out).add();
}

}  // namespace modelmeter
