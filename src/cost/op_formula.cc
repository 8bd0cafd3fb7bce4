#include "cost/op_formula.h"

#include <fmt/format.h>

#include "base/checked.h"

namespace modelmeter {
namespace {

class WrittenProduct {
 public:
  explicit WrittenProduct(Formula& out) : out_(out) {}

  void each(int64_t n) {
    out_.value = n;
    if (n != 1) write(std::to_string(n), std::to_string(n));
  }
  void factor(const char* symbol, int64_t size) {
    write(symbol, std::to_string(size));
    multiply(size);
  }
  // Sizes of 1 are left out.
  void elements(const char* symbol, const TensorMeta& meta) {
    std::string sizes;
    for (int64_t size : meta.sizes) {
      if (size != 1) sizes += (sizes.empty() ? "" : " x ") + std::to_string(size);
    }
    if (sizes.empty() && out_.numbers.empty()) sizes = "1";
    write(symbol, sizes);
    multiply(meta.numel);
  }

 private:
  void write(const std::string& symbol, const std::string& numbers) {
    out_.symbols += (out_.symbols.empty() ? "" : " ") + symbol;
    if (!numbers.empty()) out_.numbers += (out_.numbers.empty() ? "" : " x ") + numbers;
  }
  void multiply(int64_t size) { out_.value = checked_mul(out_.value, size, "a formula"); }

  Formula& out_;
};

class WrittenSum {
 public:
  explicit WrittenSum(Formula& out) : out_(out) {}

  void recorded(int64_t bytes) {
    if (bytes == 0) return;
    out_.symbols = "recorded";
    out_.numbers = std::to_string(bytes);
    out_.value = bytes;
  }
  void add(const char* symbol, const TensorMeta& meta) {
    if (meta.bytes == 0) return;
    out_.symbols += (out_.symbols.empty() ? "" : " + ") + std::string(symbol);
    out_.numbers += (out_.numbers.empty() ? "" : " + ") + elements_and_size(meta);
    out_.value = checked_add(out_.value, meta.bytes, "a formula");
  }

 private:
  // "512 x 1280 x 2"
  static std::string elements_and_size(const TensorMeta& meta) {
    std::string out;
    if (meta.bytes == meta.numel * size_of(meta.dtype)) {
      for (int64_t size : meta.sizes) out += fmt::format("{} x ", size);
    } else {
      out = fmt::format("{} x ", meta.bytes / size_of(meta.dtype));  // the distinct elements of an expanded tensor
    }
    return out + std::to_string(size_of(meta.dtype));
  }

  Formula& out_;
};

struct Written {
  explicit Written(OpFormula& out)
      : tensor(out.tensor_flops), vector(out.vector_flops), read(out.read), written(out.written) {}
  WrittenProduct tensor, vector;
  WrittenSum read, written;
};

}  // namespace

OpFormula formula_of(const Launch& op) {
  OpFormula out;
  if (!launches(op)) return out;
  Written written(out);
  list_factors(op, written);
  return out;
}

}  // namespace modelmeter
