// Single kernels in a loop, against tables of measurements.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "timing/clock.h"
#include "verify/csv.h"
#include "verify/launch_time.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

constexpr double us = 1e-6, millisecond = 1e-3;
// A table's loop of one kernel: 12 ms of it and no fewer than seven; of convolutions, whose rows were measured apart,
// 30 ms.
constexpr double loop_seconds = 0.0125, least_runs = 7;
constexpr double convolution_loop_seconds = 0.03, convolution_least_runs = 10;
// A CUDA graph copies half a GiB and more with the copy engine, which streams of kernels outrun: 2.43 TB/s on the H100,
// 2.71 on the H200 (power.csv, ceilings, 2026-11).
constexpr double copy_engine_bytes = 1 << 30, copy_engine_rate = 2.57e12;  // B read and written; B/s
// s from one kernel to the next of a CUDA graph, where they are short: what a profile's times do not have (kernels of
// less than 1 MiB in loops and in forwards on the H100 and the H200, 2026-11). Of GEMM: configs/stack.
constexpr double memory_between = 0.28e-6;
// Operands of a GEMM are rotated: where L2 does not hold all of them, it has none of what is read next, and loads wait
// for so much of it (micro.csv on the H100 and the H200, 2026-11; fitted with the constants of GEMM).
constexpr double waited_share = 0.352, most_copies = 5;

constexpr double nvfp4_bytes = 0.5 + 1.0 / 16;  // of an element: a scale of 8 bits for 16

bool is_held(double rotated, const Machine& machine) { return rotated <= machine.device().l2_size.value; }

std::string short_dtype(const std::string& name) {
  if (name == "bfloat16") return "bf16";
  if (name == "float16") return "f16";
  if (name == "float32" || name == "tf32") return "f32";
  return name;
}

const char* precision_named(const std::string& dtype) {
  for (const auto& [name, precision] :
       {std::pair{"bfloat16", "bf16"}, std::pair{"float16", "fp16"}, std::pair{"tf32", "tf32"},
        std::pair{"fp8_e4m3", "fp8"}, std::pair{"fp8", "fp8"}, std::pair{"nvfp4", "fp4"}, std::pair{"float32", ""}}) {
    if (dtype == name) return precision;
  }
  return nullptr;
}

double element_bytes(const std::string& precision) {
  if (precision == "fp4") return nvfp4_bytes;
  if (precision == "fp8" || precision == "int8") return 1;
  return precision == "tf32" || precision.empty() ? 4 : 2;
}

// gemm.csv rotates copies of the weights, as many as fill L2 but no more than five. L2 loses some of them before they
// fill it, and keeps some where they are more (the L40S's rows of one to 64: from none to all of the time that memory
// takes).
double rotated_weights(const DeviceKernel& kernel, const Machine& machine) {
  constexpr double all_kept = 0.8, none_kept = 1.15;  // of the size of L2
  const double l2 = machine.device().l2_size.value;
  if (l2 == 0) return 0;
  const double weights = kernel.n * kernel.k * element_bytes(kernel.precision);
  const double copies = std::clamp(std::ceil(l2 / weights), 1.0, most_copies);
  return weights * std::clamp((copies * weights / l2 - all_kept) / (none_kept - all_kept), 0.0, 1.0);
}

std::optional<DeviceKernel> gemm_kernel(double batch, double m, double n, double k, const std::string& dtype) {
  const char* precision = precision_named(dtype);
  if (precision == nullptr) return std::nullopt;
  constexpr double vector_bytes = 16;
  const double element = element_bytes(precision), result = std::max(element, 2.0);
  DeviceKernel out;
  out.shape = KernelShape::gemm;
  out.precision = precision;
  out.batch = batch;
  out.m = m;
  out.n = n;
  out.k = k;
  out.read = batch * (m * k + k * n) * element;
  out.written = batch * m * n * result;
  out.aligned = std::fmod(n * result, vector_bytes) == 0 && std::fmod(k * element, vector_bytes) == 0;
  return out;
}

std::vector<int64_t> sizes(double first, double second) {
  return {static_cast<int64_t>(first), static_cast<int64_t>(second)};
}

// The launch of a row of micro.csv that is an elementwise kernel or along rows.
std::optional<MeasuredLaunch> elementwise_launch(const CsvTable& table, size_t row) {
  struct Renamed {
    const char *op, *name;
  };
  static constexpr Renamed unary[] = {{"silu", "silu"},        {"gelu_tanh", "gelu"},
                                      {"rsqrt", "rsqrt"},      {"exp", "exp"},
                                      {"pow2", "pow"},         {"clamp_min", "clamp_min"},
                                      {"fill", "fill_"},       {"layer_norm", "native_layer_norm"},
                                      {"softmax", "_softmax"}, {"mean", "mean"}};
  static constexpr Renamed binary[] = {
      {"add", "add"}, {"mul", "mul"}, {"div", "div"}, {"mul_row", "mul"}, {"add_col", "add"}};
  const std::string& op = table.text(row, "op");
  const std::string& dtype = table.text(row, "dtype");
  const double n = table.number(row, "n"), width = std::max(table.number(row, "note"), 1.0);
  const double rows = std::floor(n / width);
  MeasuredLaunch out;
  for (const Renamed& r : unary) {
    if (op != r.op) continue;
    out.op = r.name;
    out.shapes = {sizes(rows, width)};
    out.dtypes = {dtype};
    return out;
  }
  for (const Renamed& r : binary) {
    if (op != r.op) continue;
    out.op = r.name;
    const auto second = op == "mul_row" ? sizes(1, width) : op == "add_col" ? sizes(rows, 1) : sizes(rows, width);
    out.shapes = {sizes(rows, width), second};
    const size_t plus = dtype.find('+');
    out.dtypes = {dtype.substr(0, plus), plus == std::string::npos ? dtype : dtype.substr(plus + 1)};
    return out;
  }
  const bool clones = op == "clone";
  if (!clones && op != "_to_copy") return std::nullopt;
  const size_t arrow = dtype.find("->");
  if (!clones && arrow == std::string::npos) return std::nullopt;
  out.op = "copy_";
  out.shapes = {sizes(rows, width), sizes(rows, width)};
  out.dtypes = {clones ? dtype : dtype.substr(arrow + 2), clones ? dtype : dtype.substr(0, arrow)};
  return out;
}

std::vector<int64_t> integers(const std::string& text) {
  const Json json = parse_json(text);
  std::vector<int64_t> out;
  if (!json.is_array()) return out;
  for (const Json& item : json) out.push_back(item.is_number_integer() ? item.get<int64_t>() : 0);
  return out;
}

// `size` is the input's, padding included.
std::optional<MeasuredLaunch> convolution_launch(const CsvTable& table, size_t row) {
  const std::vector<int64_t> size = integers(table.text(row, "size")), filter = integers(table.text(row, "k"));
  std::vector<int64_t> stride = integers(table.text(row, "stride"));
  if (size.size() != filter.size() || size.empty()) return std::nullopt;
  stride.resize(size.size(), 1);
  MeasuredLaunch out;
  out.op = "cudnn_convolution";
  const auto in = static_cast<int64_t>(table.number(row, "cin")), to = static_cast<int64_t>(table.number(row, "cout"));
  out.shapes = {{static_cast<int64_t>(table.number(row, "b")), in}, {to, in}};
  out.shapes[0].insert(out.shapes[0].end(), size.begin(), size.end());
  out.shapes[1].insert(out.shapes[1].end(), filter.begin(), filter.end());
  out.dtypes = {short_dtype(table.text(row, "dtype"))};
  out.output = {out.shapes[0][0], to};
  for (size_t d = 0; d < size.size(); ++d) {
    if (stride[d] < 1 || filter[d] < 1 || filter[d] > size[d]) return std::nullopt;
    out.output.push_back((size[d] - filter[d]) / stride[d] + 1);
  }
  return out;
}

std::optional<DeviceKernel> attention_kernel(const CsvTable& table, size_t row) {
  const std::string& backend = table.text(row, "backend");
  for (const char* name : {"flash", "cudnn", "efficient"}) {
    if (backend != name) continue;
    DeviceKernel k;
    k.shape = KernelShape::attention;
    k.attention = name;
    k.precision = table.text(row, "dtype") == "float32" ? "" : "bf16";
    k.batch = table.number(row, "b") * table.number(row, "h");
    k.m = table.number(row, "sq");
    k.n = table.number(row, "sk");
    k.k = table.number(row, "d");
    k.causal = table.text(row, "causal") == "True" && k.m == k.n;
    k.read = k.batch * (k.m + 2 * k.n) * k.k * element_bytes(k.precision);
    k.written = k.batch * k.m * k.k * element_bytes(k.precision);
    return k;
  }
  return std::nullopt;
}

std::vector<DeviceKernel> kernels_of_row(const CsvTable& table, size_t row, const Machine& machine) {
  const std::string& kind = table.text(row, "kind");
  std::optional<DeviceKernel> kernel;
  if (kind == "gemm" || kind == "bmm") {
    kernel = gemm_kernel(std::max(table.number(row, "b"), 1.0), table.number(row, "m"), table.number(row, "n"),
                         table.number(row, "k"), table.text(row, "dtype"));
    if (kernel && !is_held(table.number(row, "sets") * kernel->bytes(), machine)) {
      kernel->cold = waited_share * kernel->read;
    }
  } else if (kind == "attention") {
    kernel = attention_kernel(table, row);
  } else {
    const bool layout = kind == "elementwise" && is_layout(table.text(row, "op"));
    const auto launch = layout           ? std::nullopt
                        : kind == "conv" ? convolution_launch(table, row)
                                         : elementwise_launch(table, row);
    if (!launch && !layout) return {};
    std::vector<DeviceKernel> out = layout ? layout_kernels(table, row, machine)
                                           : kernels_of(*launch, machine).value_or(std::vector<DeviceKernel>());
    // Operand sets are rotated: where L2 does not hold all of them, it has none of what a kernel reads first.
    if (!out.empty() && table.number(row, "sets") * out.front().read > machine.device().l2_size.value) {
      out.front().cold = out.front().read;
    }
    return out;
  }
  if (!kernel) return {};
  return {*kernel};
}

std::string group_of(const CsvTable& table, size_t row) {
  const std::string& kind = table.text(row, "kind");
  constexpr double mebibyte = 1048576;
  if (kind == "elementwise" && is_layout(table.text(row, "op"))) return "layouts, sums, top-k";
  if (kind == "elementwise") {
    return table.number(row, "read") + table.number(row, "write") > mebibyte ? "elementwise above 1 MiB"
                                                                             : "elementwise, small";
  }
  return fmt::format("{} {}{}", kind, kind == "attention" ? table.text(row, "backend") + " " : "",
                     table.text(row, "dtype"));
}

ValidationRow kernel_row(const std::string& path, const MeasuredKernels& row, const Machine& machine) {
  ValidationRow out;
  out.file = path;
  out.device = machine.device().id;
  out.group = row.group;
  out.name = row.name;
  const double predicted = looped_seconds(row.kernels, machine, row.burst_left) + row.beside;
  out.predicted_device_ms = predicted / millisecond;
  out.measured_device_ms = row.seconds / millisecond;
  out.inside = std::abs(row.seconds - predicted) <= spread_of_kernels(row.kernels, predicted, machine);
  return out;
}

// Machines are made once for each name.
class Machines {
 public:
  explicit Machines(const ValidationContext& context) : context_(context) {}
  const Machine* named(const std::string& name) {
    const auto found = std::find_if(made_.begin(), made_.end(), [&](const auto& m) { return m.first == name; });
    if (found != made_.end()) return found->second ? &*found->second : nullptr;
    made_.emplace_back(name, machine_named(name, context_));
    return made_.back().second ? &*made_.back().second : nullptr;
  }

 private:
  const ValidationContext& context_;
  std::vector<std::pair<std::string, std::optional<Machine>>> made_;
};

// What a row is of, or why nothing is predicted for it.
struct KernelsOrWhy {
  std::optional<MeasuredKernels> row;
  std::string why;
};

std::string name_of_row(const CsvTable& table, size_t i) {
  std::string out;
  for (const char* column : {"op", "note", "b", "h", "m", "n", "k", "sq", "sk", "d", "cin", "cout", "size"}) {
    if (!table.text(i, column).empty())
      out += fmt::format("{}{} {}", out.empty() ? "" : " ", column, table.text(i, column));
  }
  return out;
}

// Of micro.csv.
KernelsOrWhy micro_row(const CsvTable& table, size_t i, Machines& machines) {
  const Machine* machine = machines.named(table.text(i, "device"));
  if (machine == nullptr) return {{}, unknown_device(table.text(i, "device"))};
  if (table.number(i, "us") <= 0) return {{}, "no time"};
  std::vector<DeviceKernel> kernels = kernels_of_row(table, i, *machine);
  if (kernels.empty()) {
    const std::string &kind = table.text(i, "kind"), &op = table.text(i, kind == "attention" ? "backend" : "op");
    return {{},
            fmt::format("no rule for {}{}{} of {}", kind, op.empty() ? "" : " ", op,
                        table.text(i, "dtype").empty() ? "no dtype" : table.text(i, "dtype"))};
  }
  return {MeasuredKernels{table.text(i, "device"), group_of(table, i), name_of_row(table, i), std::move(kernels),
                          table.number(i, "us") * us},
          ""};
}

KernelsOrWhy gemm_row(const CsvTable& table, size_t i, Machines& machines) {
  const std::string &device = table.text(i, "sys"), &dtype = table.text(i, "gemm_dtype");
  const Machine* machine = machines.named(device);
  if (machine == nullptr) return {{}, unknown_device(device)};
  auto kernel = gemm_kernel(1, table.number(i, "m"), table.number(i, "n"), table.number(i, "k"), dtype);
  if (!kernel) return {{}, fmt::format("no rule for a product of {}", dtype)};
  if (table.number(i, "us") <= 0 || kernel->m <= 0 || kernel->n <= 0 || kernel->k <= 0) return {{}, "no size or time"};
  kernel->cold = rotated_weights(*kernel, *machine);
  constexpr double large = 1024;
  const bool big = std::min({kernel->m, kernel->n, kernel->k}) >= large;
  const double beside = quantising_seconds(kernel->m * kernel->k, kernel->precision, *machine);
  return {MeasuredKernels{device,
                          fmt::format("gemm {}{}, {}", short_dtype(dtype), beside > 0 ? " with quantising" : "",
                                      big ? "1024 and more" : "small"),
                          fmt::format("{} x {} x {}", kernel->m, kernel->n, kernel->k),
                          {*kernel},
                          table.number(i, "us") * us,
                          beside,
                          burst_left_of_gemm_table},
          ""};
}

KernelsOrWhy attention_row(const CsvTable& table, size_t i, Machines& machines) {
  const std::string &device = table.text(i, "sys"), &source = table.text(i, "kernel_source");
  if (machines.named(device) == nullptr) return {{}, unknown_device(device)};
  if (source.find("fa2") == std::string::npos) return {{}, fmt::format("no rule for the kernel '{}'", source)};
  DeviceKernel k;
  k.shape = KernelShape::attention;
  k.attention = "flash";
  k.precision = "bf16";
  k.batch = table.number(i, "batch_size") * table.number(i, "num_heads");
  k.m = k.n = table.number(i, "isl");
  k.k = table.number(i, "head_dim");
  k.read = 3 * k.batch * k.m * k.k * 2;
  k.written = k.batch * k.m * k.k * 2;
  if (k.written <= 0 || table.number(i, "us") <= 0) return {{}, "no size or time"};
  return {MeasuredKernels{
              device, "attention FA2", fmt::format("{} x {} x {}", k.batch, k.m, k.k), {k}, table.number(i, "us") * us},
          ""};
}

using RowOf = KernelsOrWhy (*)(const CsvTable&, size_t, Machines&);

struct KernelTable {
  const char* file;
  const char* device;  // the columns
  const char* name;
  std::vector<std::string> columns;
  RowOf row;
};

const std::array<KernelTable, 3>& kernel_tables() {
  static const std::array<KernelTable, 3> tables = {{
      {"micro.csv", "device", "op", {"device", "kind", "us", "dtype"}, micro_row},
      {"gemm.csv", "sys", "gemm_dtype", {"sys", "gemm_dtype", "m", "n", "k", "us"}, gemm_row},
      {"attention.csv",
       "sys",
       "kernel_source",
       {"sys", "kernel_source", "batch_size", "isl", "num_heads", "head_dim", "us"},
       attention_row},
  }};
  return tables;
}

Validation validated(const std::string& path, const ValidationContext& context, const KernelTable& kind) {
  Machines machines(context);
  const CsvTable table(path);
  table.expect_columns(kind.columns, kind.file);
  return validate_rows(table, path, {kind.device, kind.name}, [&](size_t i) -> RowOutcome {
    const KernelsOrWhy found = kind.row(table, i, machines);
    if (!found.row) return {{}, found.why};
    return {kernel_row(path, *found.row, *machines.named(found.row->device)), ""};
  });
}

}  // namespace

double looped_seconds(const std::vector<DeviceKernel>& kernels, const Machine& machine, double burst_left) {
  std::vector<TimedKernel> loop;
  double once = 0;
  bool convolves = false;
  for (const DeviceKernel& kernel : kernels) {
    loop.push_back({time_of(kernel, machine), 1});
    if (kernel.shape == KernelShape::memory && kernel.memory == MemoryClass::copy &&
        kernel.bytes() >= copy_engine_bytes) {
      loop.back().time.memory = kernel.bytes() / std::min(copy_engine_rate, machine.bandwidth());
    }
    convolves |= kernel.shape == KernelShape::convolution;
    if (kernel.shape == KernelShape::memory) loop.back().time.fixed += machine.start(memory_between);
    if (kernel.shape == KernelShape::gemm) loop.back().time.fixed += machine.start(machine.kernels().gemm.between);
    once += loop.back().time.seconds(1);
  }
  const double times = convolves ? std::max(convolution_least_runs, convolution_loop_seconds / once)
                                 : std::max(least_runs, loop_seconds / once) / burst_left;
  for (TimedKernel& k : loop) k.times = times;
  return solve_clock(loop, machine.device()).seconds / times;
}

Validation validate_kernels(const std::string& path, const ValidationContext& context) {
  return validated(path, context, kernel_tables()[0]);
}

Validation validate_gemm_table(const std::string& path, const ValidationContext& context) {
  return validated(path, context, kernel_tables()[1]);
}

Validation validate_attention_table(const std::string& path, const ValidationContext& context) {
  return validated(path, context, kernel_tables()[2]);
}

std::vector<MeasuredKernels> measured_kernels(const std::string& path, const ValidationContext& context) {
  const std::string name = std::filesystem::path(path).filename().string();
  Machines machines(context);
  std::vector<MeasuredKernels> out;
  for (const KernelTable& kind : kernel_tables()) {
    if (name != kind.file) continue;
    const CsvTable table(path);
    table.expect_columns(kind.columns, kind.file);
    for (size_t i = 0; i < table.rows(); ++i) {
      KernelsOrWhy found = kind.row(table, i, machines);
      if (found.row) out.push_back(std::move(*found.row));
    }
  }
  return out;
}

}  // namespace modelmeter
