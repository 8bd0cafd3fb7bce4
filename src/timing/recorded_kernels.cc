#include "timing/recorded_kernels.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace modelmeter {
namespace {

double real(int64_t n) { return static_cast<double>(n); }
bool is_16_bits(DType dtype) { return size_of(dtype) <= 2; }

class RecordedLauncher {
 public:
  RecordedLauncher(const Launch& launch, const LaunchFlags& flags, const Machine& machine,
                   std::vector<DeviceKernel>& out)
      : op_(launch), flags_(flags), machine_(machine), out_(out) {}

  void add() {
    if (op_.outputs == 0) return add_plain(MemoryClass::vectorized);
    const bool computes = op_.recorded->flops_tensor > 0;
    switch (info(op_.kernel).kind) {
      case OpKind::matmul: return computes && op_.inputs > 1 ? add_product() : add_plain(MemoryClass::vectorized);
      case OpKind::conv: return computes && op_.inputs > 1 ? add_convolutions() : add_plain(MemoryClass::vectorized);
      case OpKind::attention: return computes && op_.inputs > 2 ? add_attention() : add_plain(MemoryClass::vectorized);
      case OpKind::norm: return add_norm();
      case OpKind::softmax: return add_rows(MemoryClass::softmax);
      case OpKind::reduction: return add_reduction();
      case OpKind::gather: return is_view_backward() ? add_view_backward() : add_plain(MemoryClass::gather);
      case OpKind::resample: return add_plain(MemoryClass::resample);
      case OpKind::random: return add_plain(MemoryClass::random);
      case OpKind::copy:
        if (is_view_backward()) return add_view_backward();
        return add_plain(op_.inputs > 0 ? MemoryClass::vectorized : MemoryClass::fill);
      case OpKind::elementwise: return add_elementwise();
      case OpKind::collective:
      case OpKind::transfer:
      case OpKind::allocate: return;
    }
  }

 private:
  bool is_named(std::string_view part) const { return op_.recorded->name.find(part) != std::string_view::npos; }
  bool is_backward() const { return is_named("backward"); }
  bool is_narrow() const { return op_.inputs > 0 && is_16_bits(op_.input(0).dtype); }
  bool is_mixed() const {
    for (int i = 0; i < op_.inputs; ++i) {
      const TensorMeta& in = op_.input(i);
      if (in.sizes.rank() > 0 && in.dtype != op_.output(0).dtype && in.dtype != DType::boolean) return true;
    }
    return false;
  }

  // The kernel's traffic, or an equal part of it.
  DeviceKernel& add_traffic(MemoryClass memory, double parts = 1) {
    DeviceKernel& k = out_.emplace_back();
    k.shape = KernelShape::memory;
    k.memory = memory;
    k.read = real(op_.recorded->read) / parts;
    k.written = real(op_.recorded->written) / parts;
    double all = 0, largest = 0;
    for (int i = 0; i < op_.inputs + op_.outputs; ++i) {
      const TensorMeta& t = *op_.operands[i];
      if (i < op_.inputs && t.storage->born < 0) k.cold += real(t.bytes);
      if (i >= op_.inputs) all += real(t.numel);
      largest = std::max(largest, real(t.numel));
    }
    k.cold = std::min(k.cold, k.read);
    k.elements = std::max(all, largest) / parts;
    return k;
  }
  void add_plain(MemoryClass memory) { add_traffic(memory); }

  void add_elementwise() {
    if (is_mixed()) return add_plain(MemoryClass::unrolled_binary);
    const bool heavy = is_named("gelu") && is_narrow();
    add_plain(heavy ? MemoryClass::vectorized_heavy : MemoryClass::vectorized);
  }

  // Of a view: the gradient of the whole, zeros, and what came in copied into its part.
  bool is_view_backward() const { return is_named("select_backward") || is_named("slice_backward"); }
  void add_view_backward() {
    if (op_.inputs == 0) return add_plain(MemoryClass::fill);
    const double part = real(op_.input(0).bytes);
    DeviceKernel& zeros = out_.emplace_back();
    zeros.shape = KernelShape::memory;
    zeros.memory = MemoryClass::fill;
    zeros.written = real(op_.output(0).bytes);
    zeros.elements = real(op_.output(0).numel);
    add_pass(MemoryClass::vectorized, part, part, real(op_.input(0).numel));
  }

  void add_pass(MemoryClass memory, double read, double written, double elements) {
    DeviceKernel& k = out_.emplace_back();
    k.shape = KernelShape::memory;
    k.memory = memory;
    k.read = read;
    k.written = written;
    k.elements = elements;
  }

  // Batch norm goes over the image as elementwise kernels do, its parameters broadcast over channels; in training once
  // more before that, for the statistics of channels, or backward for their gradients' sums. Backward of the norms of
  // rows: one kernel for the input, one for weight and bias, along the columns.
  void add_norm() {
    if (op_.inputs == 0) return add_plain(MemoryClass::vectorized);
    const TensorMeta& in = op_.input(0);
    if (is_named("batch_norm")) {
      const bool trains = is_backward() || is_named("cudnn_batch_norm");
      if (trains) {
        add_columns(in);
      } else {
        add_deviations(in);
      }
      return add_plain(is_narrow() ? MemoryClass::broadcast_narrow : MemoryClass::broadcast);
    }
    add_rows(is_narrow() ? MemoryClass::layer_norm_narrow : MemoryClass::layer_norm);
    if (is_backward()) add_columns(in);
  }

  // Of the variances that were kept, one for each channel; those of 16 bits are cast before.
  void add_deviations(const TensorMeta& in) {
    const double channels = in.sizes.rank() < 2 ? 1 : real(in.sizes[1]),
                 wide = channels * real(size_of(DType::float32));
    if (is_narrow()) add_pass(MemoryClass::vectorized, channels * real(size_of(in.dtype)), wide, channels);
    add_pass(MemoryClass::vectorized, wide, wide, channels);
  }

  // Sums over all but the channels (dimension 1 of an image, else the last) of what comes in and the input.
  void add_columns(const TensorMeta& in) {
    const double bytes = is_backward() ? 2 * real(in.bytes) : real(in.bytes);
    add_pass(MemoryClass::reduction_outer, bytes, 0, real(in.numel));
    DeviceKernel& k = out_.back();
    const int rank = in.sizes.rank();
    const bool image = is_named("batch_norm") && rank > 2;
    k.rows = rank == 0 ? 1 : std::max(1.0, real(in.sizes[image ? 1 : rank - 1]));
    k.width = k.elements / k.rows;
  }

  void add_rows(MemoryClass memory) {
    DeviceKernel& k = add_traffic(memory);
    if (op_.inputs == 0) return;
    const TensorMeta& in = op_.input(0);
    k.elements = real(in.numel);
    k.width = in.sizes.rank() == 0 ? 1 : std::max(1.0, real(in.sizes[in.sizes.rank() - 1]));
    k.rows = k.elements / k.width;
  }

  void add_reduction() {
    DeviceKernel& k = add_traffic(MemoryClass::reduction);
    if (op_.inputs == 0) return;
    k.elements = real(op_.input(0).numel);
    k.rows = std::max(1.0, real(op_.output(0).numel));
    k.width = k.elements / k.rows;
  }

  void add_product() {
    const TensorMeta &a = op_.input(op_.inputs - 2), &out = op_.output(0);
    DeviceKernel& k = add_traffic(MemoryClass::vectorized);
    k.shape = KernelShape::gemm;
    k.precision = precision_of(a.dtype, flags_.tf32 && has_tf32(machine_));
    k.k = a.sizes.rank() == 0 ? 1 : std::max(1.0, real(a.sizes[a.sizes.rank() - 1]));
    k.n = out.sizes.rank() == 0 ? 1 : std::max(1.0, real(out.sizes[out.sizes.rank() - 1]));
    k.batch = a.sizes.rank() > 2 ? std::max(1.0, real(a.sizes[0])) : 1;
    k.m = std::max(1.0, real(op_.recorded->flops_tensor) / (2 * k.k * k.n * k.batch));
  }

  // Queries and keys: of the backward after the gradient of the result.
  void add_attention() {
    const bool backward = is_backward();
    const TensorMeta &q = op_.input(backward ? 1 : 0), &key = op_.input(backward ? 2 : 1);
    const int rank = q.sizes.rank();
    if (rank != key.sizes.rank() || rank < 3) return add_plain(MemoryClass::vectorized);
    DeviceKernel& k = add_traffic(MemoryClass::vectorized);
    k.shape = KernelShape::attention;
    k.attention = attention_kernel(q.dtype);
    k.precision = precision_of(q.dtype, false);
    k.k = real(q.sizes[rank - 1]);
    k.m = real(q.sizes[rank - 2]);
    k.n = real(key.sizes[rank - 2]);
    k.causal = flags_.causal;
    k.splits = false;
    k.batch = std::max(1.0, real(op_.recorded->flops_tensor) / (4 * k.m * k.n * k.k));
    if (backward) add_passes_of_attention(q);
  }

  // Before the fused kernel the sums of the result times its gradient; after it the gradient of the queries, which it
  // adds up in float32, is made what it is.
  void add_passes_of_attention(const TensorMeta& q) {
    const double bytes = real(q.bytes), elements = real(q.numel), wide = elements * real(size_of(DType::float32));
    add_pass(MemoryClass::vectorized, 2 * bytes, 0, elements);
    add_pass(MemoryClass::vectorized, wide, bytes, elements);
  }

  const char* attention_kernel(DType dtype) const {
    const auto& kernels = machine_.kernels().attention;
    const bool narrow = dtype == DType::bfloat16 || dtype == DType::float16;
    if (narrow && kernels.count("cudnn") != 0) return "cudnn";
    return narrow && kernels.count("flash") != 0 ? "flash" : "efficient";
  }

  // Each of the FLOPs of its forward: the gradient of the result, the input and the filter are what it reads.
  void add_convolutions() {
    const bool backward = op_.inputs > 2 && is_backward();
    const TensorMeta &y = backward ? op_.input(0) : op_.output(0), &x = op_.input(backward ? 1 : 0),
                     &weight = op_.input(backward ? 2 : 1);
    if (y.sizes.rank() < 3 || weight.sizes.rank() != y.sizes.rank() || weight.numel == 0 || y.numel == 0) {
      return add_plain(MemoryClass::vectorized);
    }
    const double filters = real(weight.sizes[0]), taken = real(weight.numel) / filters;
    const double once = 2 * real(y.numel) * taken;
    const double times = std::max(1.0, std::round(real(op_.recorded->flops_tensor) / once));
    double taps = 1;
    int wide = 0;
    for (int d = 2; d < weight.sizes.rank(); ++d) {
      taps *= real(weight.sizes[d]);
      wide += weight.sizes[d] > 1 ? 1 : 0;
    }
    const char* precision = precision_of(x.dtype, flags_.tf32 && has_tf32(machine_));
    const bool converts = *precision != '\0' && taps > 1 && !is_channels_last(x.sizes, x.strides());
    for (int i = 0; i < static_cast<int>(std::min(times, 3.0)); ++i) {
      if (converts) add_conversion(i == 0 ? y : x);
      DeviceKernel& k = add_traffic(MemoryClass::vectorized, times);
      k.shape = KernelShape::convolution;
      k.precision = precision;
      k.m = real(op_.recorded->flops_tensor) / times / (2 * filters * taken);
      k.n = filters;
      k.k = taken;
      k.channels = taken / taps;
      k.three_d = wide == 3;
      k.pointwise = taps == 1;
    }
  }

  void add_conversion(const TensorMeta& t) {
    DeviceKernel& k = out_.emplace_back();
    k.shape = KernelShape::memory;
    k.memory = is_16_bits(t.dtype) ? MemoryClass::to_channels_last_narrow : MemoryClass::to_channels_last;
    k.read = k.written = real(t.bytes);
    k.elements = real(t.numel);
  }

  const Launch& op_;
  const LaunchFlags& flags_;
  const Machine& machine_;
  std::vector<DeviceKernel>& out_;
};

}  // namespace

void recorded_kernels(const Launch& launch, const LaunchFlags& flags, const Machine& machine,
                      std::vector<DeviceKernel>& out) {
  RecordedLauncher(launch, flags, machine, out).add();
}

}  // namespace modelmeter
