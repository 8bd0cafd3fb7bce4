// Integer arithmetic that throws instead of wrapping. Counts in modelmeter are exact or they are an error.
#pragma once

#include <cstdint>

namespace modelmeter {

// Throws Error: "<what> overflows 64 bits".
[[noreturn]] void throw_overflow(const char* what);

inline int64_t checked_mul(int64_t a, int64_t b, const char* what) {
  int64_t out;
  if (__builtin_mul_overflow(a, b, &out)) throw_overflow(what);
  return out;
}

inline int64_t checked_add(int64_t a, int64_t b, const char* what) {
  int64_t out;
  if (__builtin_add_overflow(a, b, &out)) throw_overflow(what);
  return out;
}

}  // namespace modelmeter
