// Calls of torch's functions and of layers on small tensors, written as text: what is given and what came of it. For
// tests that hold a trace to what tools/reference recorded of PyTorch.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "trace/tracer.h"

namespace modelmeter::testing_calls {

struct Inputs {
  Tensor a, b, c, d, e;
};

inline DType dtype_named(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(DType::complex128); ++i) {
    if (short_name(static_cast<DType>(i)) == name) return static_cast<DType>(i);
  }
  ADD_FAILURE() << name;
  return DType::float32;
}

// Of "f32[2,3] cpu:i64[3]": a and b, the latter in host memory.
inline Inputs inputs_of(Tracer& tracer, const std::string& text) {
  Inputs out;
  Tensor* next = &out.a;
  std::istringstream words(text);
  for (std::string word; words >> word; ++next) {
    const bool on_host = word.compare(0, 4, "cpu:") == 0;
    if (on_host) word.erase(0, 4);
    const size_t bracket = word.find('[');
    const DType dtype = dtype_named(word.substr(0, bracket));
    std::istringstream list(word.substr(bracket + 1));
    Shape sizes;
    for (std::string size; std::getline(list, size, ',') && size != "]";) sizes.push_back(std::stoll(size));
    *next = on_host ? tracer.host(sizes, dtype) : tracer.input(sizes, dtype);
  }
  return out;
}

// "f32[4,3]{1,4}": strides where it is not contiguous, "-" for those of dimensions of size 1.
inline std::string shown(const TensorMeta& meta) {
  std::string out = (meta.storage->place == Place::host ? "cpu:" : "") + std::string(short_name(meta.dtype));
  const Shape strides = meta.strides();
  std::string sizes, steps;
  for (int i = 0; i < strides.rank(); ++i) {
    sizes += (i == 0 ? "" : ",") + std::to_string(meta.sizes[i]);
    steps += (i == 0 ? "" : ",") + (meta.sizes[i] == 1 ? "-" : std::to_string(strides[i]));
  }
  return out + "[" + sizes + "]" + (meta.contiguous() ? "" : "{" + steps + "}");
}

// "mm f32[2,3] f32[3,4] -> f32[2,4] @32": with the live memory after it.
inline std::vector<std::string> kernels_of(const Trace& trace) {
  std::vector<std::string> out;
  for (const Op& op : trace.ops) {
    std::string line(info(op.kernel).name);
    for (int i = 0; i < op.inputs + op.outputs; ++i) {
      if (i == op.inputs) line += " ->";
      const TensorMeta& meta = trace.operand(op, i);
      // The recorder lists neither the random generator's state nor results without bytes.
      const bool listed = meta.dtype != DType::uint64 && (i < op.inputs || meta.storage->bytes > 0);
      if (listed) line += " " + shown(meta);
    }
    out.push_back(line + " @" + std::to_string(op.live));
  }
  return out;
}

// "3 add, 1 mm": how often each kernel runs, by name.
inline std::string counts_of(const Trace& trace) {
  std::map<std::string, int64_t> counts;
  for (const Op& op : trace.ops) counts[std::string(info(op.kernel).name)] += trace.executions(op.scope);
  std::string out;
  for (const auto& [name, count] : counts) out += (out.empty() ? "" : ", ") + std::to_string(count) + " " + name;
  return out;
}

}  // namespace modelmeter::testing_calls
