// Rows of micro.csv that say how many elements there are, not how they lie: those of the script that made it.
#include <cmath>

#include "verify/validation_files.h"

namespace modelmeter {
namespace {

// A kernel of a row of micro.csv that says how many elements there are, not how they lie: those of the script that
// made it, rows of 1,024.
DeviceKernel layout_kernel(MemoryClass memory, const CsvTable& table, size_t row) {
  DeviceKernel out;
  out.shape = KernelShape::memory;
  out.memory = memory;
  out.read = table.number(row, "read");
  out.written = table.number(row, "write");
  out.elements = table.number(row, "n");
  return out;
}

// The first dimension becomes the last: of 32 bytes that are read one element is wanted.
DeviceKernel transposition(const CsvTable& table, size_t row, bool narrow) {
  constexpr double sector = 32;
  DeviceKernel out = layout_kernel(narrow ? MemoryClass::strided_narrow : MemoryClass::strided, table, row);
  out.sectors = out.elements * sector + out.written;
  // Rows of 1,024 lie a whole column apart: where L2 loses them in between, each element is a sector of memory.
  constexpr double row_elements = 1024, kept = 10e6, line = 64;
  if (out.elements / row_elements * line > kept) out.read = out.elements * sector;
  return out;
}

// Zeros are written, then the rows between them.
std::vector<DeviceKernel> padding(const CsvTable& table, size_t row) {
  DeviceKernel zeros = layout_kernel(MemoryClass::fill, table, row);
  zeros.read = 0;
  DeviceKernel rows = layout_kernel(MemoryClass::strided, table, row);
  rows.written = rows.read;
  return {zeros, rows};
}

DeviceKernel norm_of_channels(const CsvTable& table, size_t row) {
  constexpr double channels = 96;
  DeviceKernel out = layout_kernel(MemoryClass::reduction_outer, table, row);
  out.width = channels;
  out.rows = std::floor(out.elements / channels);
  return out;
}

DeviceKernel sum_of_all(const CsvTable& table, size_t row, const Machine& machine) {
  constexpr double one_block = 1 << 17, warps_of_sm = 64;
  DeviceKernel out = layout_kernel(MemoryClass::reduction, table, row);
  out.in_parts = out.elements >= one_block;
  out.rows = out.in_parts ? machine.sms() * warps_of_sm : 1;
  out.width = out.elements / out.rows;
  return out;
}

DeviceKernel top_k(const CsvTable& table, size_t row) {
  constexpr double experts = 64;
  DeviceKernel out;
  out.sorts = Sorts::top_k;
  out.width = experts;
  out.rows = table.number(row, "n") / experts;
  return out;
}

}  // namespace

std::vector<DeviceKernel> layout_kernels(const CsvTable& table, size_t row, const Machine& machine) {
  const std::string& op = table.text(row, "op");
  const bool narrow = table.text(row, "dtype") == "bf16";
  if (op == "transpose") return {transposition(table, row, narrow)};
  if (op == "permute_bshd") return {layout_kernel(MemoryClass::strided_narrow, table, row)};
  if (op == "cat" || op == "cat0") return {layout_kernel(MemoryClass::vectorized, table, row)};
  if (op == "pad") return padding(table, row);
  if (op == "norm") return {norm_of_channels(table, row)};
  if (op == "sum") return {sum_of_all(table, row, machine)};
  if (op == "topk") return {top_k(table, row)};
  constexpr double row_elements = 1024, enlarged = 4;
  if (op == "index_select") {
    DeviceKernel rows = layout_kernel(MemoryClass::gather, table, row);
    rows.elements /= row_elements;
    return {rows};
  }
  if (op != "upsample") return {};
  DeviceKernel pixels = layout_kernel(MemoryClass::resample, table, row);
  pixels.elements *= enlarged;
  return {pixels};
}

bool is_layout(const std::string& op) {
  for (const char* name :
       {"transpose", "permute_bshd", "cat", "cat0", "pad", "norm", "sum", "topk", "index_select", "upsample"}) {
    if (op == name) return true;
  }
  return false;
}

}  // namespace modelmeter
