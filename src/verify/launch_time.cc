#include "verify/launch_time.h"

#include <algorithm>
#include <array>
#include <deque>
#include <string_view>

#include "base/error.h"
#include "verify/forward_launches.h"

namespace modelmeter {
namespace {

struct Alias {
  const char* op;
  Kernel kernel;
};

// Ops of profiles that traces call otherwise.
constexpr Alias aliases[] = {
    {"cudnn_convolution", Kernel::convolution},
    {"gather", Kernel::embedding},
    {"_cudnn_attention_forward", Kernel::sdpa_flash},
    {"_efficient_attention_forward", Kernel::sdpa_efficient},
    {"_scaled_dot_product_cudnn_attention", Kernel::sdpa_flash},
    {"_scaled_dot_product_flash_attention", Kernel::flash_attention_forward},
    {"_addmm_activation", Kernel::addmm},
    {"clamp_min_", Kernel::clamp_},
    {"_index_put_impl_", Kernel::index_put_},
};

// Of Inductor's names the first part says what kind it is, the rest what it is made of.
std::optional<Kernel> generated_kernel(const std::string& op) {
  const std::string plain = plain_op(op);
  if (plain == info(Kernel::triton_poi).name) return Kernel::triton_poi;
  if (plain == info(Kernel::triton_red).name) return Kernel::triton_red;
  return std::nullopt;
}

std::optional<Kernel> kernel_named(const std::string& op) {
  for (const Alias& alias : aliases) {
    if (op == alias.op) return alias.kernel;
  }
  for (size_t i = 0; i < std::size(kernel_table); ++i) {
    const Kernel kernel = static_cast<Kernel>(i);
    if (kernel_table[i].name == op && !is_recorded(kernel)) return kernel;
  }
  return generated_kernel(op);
}

std::optional<DType> dtype_named(const std::string& name) {
  try {
    return parse_dtype(name == "b1" ? "bool" : name);
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// Operands made up for a launch.
class Operands {
 public:
  Operands(const MeasuredLaunch& launch, Kernel kernel) : launch_(launch), kernel_(kernel) {
    by_offsets_ = contains(launch.kernels, "elementwise_kernel<128");
    outer_ = contains(launch.kernels, "reduce_kernel<128");
  }

  // Whether shapes and dtypes are those that the kernel takes.
  bool fill() {
    if (shapes() == 0) return false;
    if (info(kernel_).basis == Basis::listed) return generated();
    switch (info(kernel_).kind) {
      case OpKind::matmul: return matrix();
      case OpKind::attention: return attention();
      case OpKind::conv: return convolution();
      case OpKind::copy: return copy();
      case OpKind::reduction: return reduction();
      case OpKind::gather: return gather();
      case OpKind::resample:
      case OpKind::allocate: return false;
      default: return elementwise();
    }
  }

  Launch launch() const {
    return {kernel_, static_cast<int>(inputs_), static_cast<int>(operands_.size() - inputs_), operands_.data(),
            params_.data()};
  }

 private:
  size_t shapes() const { return launch_.shapes.size(); }
  static Shape shape_of(const std::vector<int64_t>& sizes) {
    Shape out;
    if (sizes.size() > Shape::max_rank) throw Error("more dimensions than traces have");
    for (const int64_t size : sizes) {
      if (size < 0) throw Error("a negative size");
      out.push_back(size);
    }
    return out;
  }
  std::optional<DType> dtype(size_t i) const {
    if (launch_.dtypes.empty()) return std::nullopt;
    return dtype_named(launch_.dtypes[std::min(i, launch_.dtypes.size() - 1)]);
  }

  void add(const Shape& sizes, DType dtype, bool strided = false) {
    TensorMeta meta{};
    meta.storage = &storages_.emplace_back();
    meta.dtype = dtype;
    meta.sizes = sizes;
    meta.numel = sizes.numel();
    meta.bytes = meta.numel * size_of(dtype);
    if (strided) stride(meta);
    operands_.push_back(&metas_.emplace_back(meta));
  }
  // As rows of a wider tensor lie: the outermost dimension, unless there is one only.
  void stride(TensorMeta& meta) {
    const Shape& sizes = meta.sizes;
    int outer = 0;
    while (outer < sizes.rank() && sizes[outer] == 1) ++outer;
    int inner = sizes.rank() - 1;
    while (inner > outer && sizes[inner] == 1) --inner;
    if (outer >= inner) return;
    Shape& strides = strides_.emplace_back(contiguous_strides(sizes));
    for (int d = 0; d <= outer; ++d) strides[d] *= 2;
    meta.own_strides = &strides;
  }

  bool add_input(size_t i, bool strided = false) {
    const std::optional<DType> type = dtype(i);
    if (i >= shapes() || !type) return false;
    add(shape_of(launch_.shapes[i]), *type, strided);
    inputs_ = operands_.size();
    return true;
  }
  bool done(const Shape& sizes, DType dtype) {
    add(sizes, dtype);
    return true;
  }

  bool elementwise() {
    if (shapes() == 0) return false;
    Shape out;
    std::optional<DType> type;
    bool equal = true;
    for (size_t i = 0; i < shapes(); ++i) equal &= launch_.shapes[i] == launch_.shapes[0] || launch_.shapes[i].empty();
    for (size_t i = 0; i < shapes(); ++i) {
      if (!add_input(i, by_offsets_ && equal && i == 0)) return false;
      if (launch_.shapes[i].empty()) continue;
      out = out.rank() == 0 ? operands_.back()->sizes : broadcast(out, operands_.back()->sizes);
      const DType of = operands_.back()->dtype;
      type = type ? promote_types(*type, of) : of;
    }
    const std::string_view name = info(kernel_).name;
    const bool compares = name == "eq" || name == "ne" || name == "lt" || name == "le" || name == "gt" || name == "ge";
    return done(out, compares ? DType::boolean : type.value_or(DType::float32));
  }

  // Pointers of what it reads, then of what it writes: how many of each the file does not say. One is written; of those
  // that go over fewer elements (a scale, a bias) each is read once.
  bool generated() {
    for (size_t i = 0; i + 1 < shapes(); ++i) {
      if (!add_input(i)) return false;
    }
    const std::optional<DType> last = dtype(shapes() - 1);
    if (!last) return false;
    const Shape out = shape_of(launch_.shapes[shapes() - 1]);
    if (shapes() == 1 && !add_input(0)) return false;  // in place
    params_ = {out.numel() * operations_in_name(), 0, 0};
    return done(out, *last);
  }

  // "triton_poi_fused_add_mul_0": an element's FLOPs, of the ops that its name lists.
  int64_t operations_in_name() const {
    int64_t out = 0;
    for (const KernelInfo& known : kernel_table) {
      const std::string part = "_" + std::string(known.name) + "_";
      const bool counted = known.basis != Basis::listed && known.kind != OpKind::matmul && known.kind != OpKind::copy;
      if (counted && contains(launch_.op + "_", part)) out += known.vector_flops;
    }
    return std::max<int64_t>(1, out);
  }

  bool copy() {
    if (kernel_ == Kernel::copy_) {
      const std::optional<DType> to = dtype(0);
      if (shapes() < 2 || !to || !add_input(1, by_offsets_)) return false;
      return done(shape_of(launch_.shapes[0]), *to);
    }
    if (kernel_ == Kernel::cat) return cat();
    const std::optional<DType> type = dtype(0);
    if (shapes() == 0 || !type) return false;
    return done(shape_of(launch_.shapes[0]), *type);
  }

  // The copy engine's name says no dtype. Its dtypes are not in the file ("TensorList"), nor which dimension it joins:
  // the first in which its inputs differ.
  bool cat() {
    if (contains(launch_.kernels, "gpu_memcpy")) return false;
    const DType type = contains(launch_.kernels, "OpaqueType<2u>") ? DType::bfloat16 : DType::float32;
    // The kernel for parts that lie apart.
    const bool slow = contains(launch_.kernels, "CatArrayBatchedCopy<");
    Shape out = shape_of(launch_.shapes[0]);
    int dim = -1;
    for (size_t i = 0; i < shapes(); ++i) {
      const Shape part = shape_of(launch_.shapes[i]);
      if (part.rank() != out.rank()) return false;
      add(part, type, slow && part.rank() > 1);
      for (int d = 0; d < out.rank() && dim < 0; ++d) dim = part[d] != out[d] ? d : -1;
    }
    inputs_ = operands_.size();
    if (dim < 0) dim = std::max(0, out.rank() - 3);
    if (out.rank() == 0) return false;
    out[dim] = 0;
    for (size_t i = 0; i < shapes(); ++i) out[dim] += operands_[i]->sizes[dim];
    return done(out, type);
  }

  bool reduction() {
    if (!add_input(0) || operands_[0]->sizes.rank() == 0) return false;
    Shape out = operands_[0]->sizes;
    const int last = out.rank() - 1;
    // F.normalize of a convolution's channels; the bias of one, backward; means of images; and else of rows or columns.
    const bool channels = kernel_ == Kernel::linalg_vector_norm && out.rank() > 2;
    const bool bias = !channels && out.rank() == 4 && outer_;
    for (int d = 0; d <= last; ++d) {
      const bool image = out.rank() == 4 && kernel_ == Kernel::mean && d >= 2;
      const bool reduced = channels ? d == 1 : bias ? d != 1 : outer_ ? d < std::max(1, last) && out[d] > 1 : d == last;
      if (reduced || image) out[d] = 1;
    }
    return done(out, operands_[0]->dtype);
  }

  bool gather() {
    if (kernel_ == Kernel::embedding) {
      if (shapes() < 3 || !add_input(0) || launch_.shapes[2].size() < 2) return false;
      add({launch_.shapes[2][0]}, DType::int64);  // the profile has the indices expanded
      inputs_ = operands_.size();
      return done(shape_of(launch_.shapes[2]), operands_[0]->dtype);
    }
    if (!add_input(0)) return false;
    return done(operands_[0]->sizes, operands_[0]->dtype);
  }

  bool matrix() {
    if (kernel_ == Kernel::grouped_mm) return false;  // how rows are grouped is in a tensor
    const size_t first = kernel_ == Kernel::addmm || kernel_ == Kernel::baddbmm ? 1 : 0;
    if (shapes() < first + 2) return false;
    for (size_t i = 0; i < first + 2; ++i) {
      if (!add_input(i)) return false;
    }
    // What mm and addmm multiply by are weights, which L2 does not have; activations meet in bmm.
    if (kernel_ == Kernel::mm || kernel_ == Kernel::addmm) storages_.back().born = -1;
    const Shape &a = operands_[first]->sizes, &b = operands_[first + 1]->sizes;
    if (a.rank() != b.rank() || a.rank() < 2 || a[a.rank() - 1] != b[b.rank() - 2]) return false;
    Shape out = a;
    out[out.rank() - 1] = b[b.rank() - 1];
    return done(out, operands_[first]->dtype);
  }

  // [s, heads, d] of one sequence (flash_attn_varlen), [b, s, heads, d] (flash_attn), or [b, heads, s, d].
  bool attention() {
    for (size_t i = 0; i < 3; ++i) {
      if (!add_input(i)) return false;
    }
    const Shape q = operands_[0]->sizes, k = operands_[1]->sizes;
    if (q.rank() != k.rank() || q.rank() < 3 || q.rank() > 4) return false;
    const bool heads_first = kernel_ == Kernel::sdpa_flash;
    const int rows = q.rank() == 3 ? 0 : heads_first ? 2 : 1;
    params_ = {q.rank() == 3 ? 1 : q[0], q[rows], k[rows]};
    if (kernel_ == Kernel::sdpa_efficient) transpose_heads();
    const bool masked = heads_first && shapes() > 3 && launch_.shapes[3].size() == 4;
    if (masked) {
      kernel_ = Kernel::sdpa_efficient;
      if (!add_input(3)) return false;
    }
    return done(operands_[0]->sizes, operands_[0]->dtype);
  }

  // The profile has [b, s, heads, d] of it, traces [b, heads, s, d].
  void transpose_heads() {
    for (TensorMeta& meta : metas_) {
      if (meta.sizes.rank() == 4) std::swap(meta.sizes[1], meta.sizes[2]);
    }
  }

  // Without stride and padding in the file, a filter as wide as its stride is taken for a patch embedding where the
  // sizes allow that and the input has few channels; any other for one of stride 1 without padding.
  bool convolution() {
    if (!add_input(0) || !add_input(1)) return false;
    const Shape x = operands_[0]->sizes, weight = operands_[1]->sizes;
    if (x.rank() != weight.rank() || x.rank() < 3) return false;
    for (int d = 1; d < x.rank(); ++d) {
      if (weight[d] == 0) return false;
    }
    Shape out = x;
    out[1] = weight[0];
    bool patches = x[1] <= 16;
    for (int d = 2; d < x.rank(); ++d) patches &= x[d] % weight[d] == 0;
    if (static_cast<int>(launch_.output.size()) == x.rank()) return done(shape_of(launch_.output), operands_[0]->dtype);
    for (int d = 2; d < x.rank(); ++d) out[d] = patches ? x[d] / weight[d] : std::max<int64_t>(1, x[d] - weight[d] + 1);
    return done(out, operands_[0]->dtype);
  }

  const MeasuredLaunch& launch_;
  Kernel kernel_;
  bool by_offsets_ = false;
  bool outer_ = false;  // a reduction that is not along the innermost dimension
  std::deque<TensorMeta> metas_;
  std::deque<Shape> strides_;
  std::deque<Storage> storages_;
  std::vector<const TensorMeta*> operands_;
  size_t inputs_ = 0;
  std::array<int64_t, 3> params_{};
};

}  // namespace

OpKind op_kind_of(const MeasuredLaunch& launch) {
  const std::optional<Kernel> kernel = kernel_named(launch.op);
  return kernel ? info(*kernel).kind : OpKind::elementwise;
}

void infer_outputs(std::vector<MeasuredLaunch>& launches) {
  constexpr size_t ahead = 4;  // casts of a norm's parameters come before the norm
  for (size_t i = 0; i < launches.size(); ++i) {
    MeasuredLaunch& launch = launches[i];
    if (launch.op != "cudnn_convolution" || launch.shapes.size() < 2) continue;
    const std::vector<int64_t>&x = launch.shapes[0], &weight = launch.shapes[1];
    if (x.empty() || weight.empty()) continue;
    for (size_t j = i + 1; j < std::min(launches.size(), i + 1 + ahead) && launch.output.empty(); ++j) {
      if (launches[j].op == launch.op || launches[j].shapes.empty()) continue;
      const std::vector<int64_t>& next = launches[j].shapes[0];
      bool fits = next.size() == x.size() && x.size() > 2 && next[0] == x[0] && next[1] == weight[0];
      for (size_t d = 2; fits && d < x.size(); ++d) fits = next[d] <= x[d];
      if (fits) launch.output = next;
    }
  }
}

std::optional<std::vector<DeviceKernel>> kernels_of(const MeasuredLaunch& launch, const Machine& machine) {
  const std::optional<Kernel> kernel = kernel_named(launch.op);
  if (!kernel) return std::nullopt;
  Operands operands(launch, *kernel);
  try {
    if (!operands.fill()) return std::nullopt;
  } catch (const Error&) {  // sizes that do not go together: not what the op's name says
    return std::nullopt;
  }
  LaunchFlags flags;
  flags.tf32 = info(*kernel).kind == OpKind::conv;
  flags.transfer = contains(launch.kernels, "HtoD") || contains(launch.kernels, "DtoH");
  std::vector<DeviceKernel> out;
  device_kernels(operands.launch(), flags, machine, out);
  // Kernels are those of gelu's tanh form. By the error function they take more instructions; the name tells.
  constexpr double of_error_function = 1.22;  // ViT and SAM on the H100 and the H200, 2026-11
  if (contains(launch.kernels, "GeluType)::{lambda()#2}")) {
    for (DeviceKernel& k : out) k.elements *= of_error_function;
  }
  return out;
}

}  // namespace modelmeter
