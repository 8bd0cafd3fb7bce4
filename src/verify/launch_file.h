// The launches of a profiled forward: a CSV, gzipped or not, with a row for each: op (the innermost ATen op), module,
// shapes and dtypes of its operands, us on the device, and its kernels as name=us;… . As torch.profiler gives them.
#pragma once

#include <string>
#include <vector>

namespace modelmeter {

struct MeasuredLaunch {
  std::string op, module;  // without "aten."
  std::vector<std::vector<int64_t>> shapes;
  std::vector<std::string> dtypes;
  double us = 0;
  std::string kernels;
  std::vector<int64_t> output;  // sizes of what it makes, where what follows tells; else empty
};

// Error naming the file and row for what is no such file.
std::vector<MeasuredLaunch> read_launch_file(const std::string& path);

}  // namespace modelmeter
