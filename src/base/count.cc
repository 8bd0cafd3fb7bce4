#include "base/count.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "base/checked.h"
#include "base/error.h"

namespace modelmeter {

void throw_count_overflow(const char* what) {
  throw Error(fmt::format("{} overflows 128 bits", what), {},
              {"sums are exact integers up to 1.7e38; make the workload smaller"});
}

int64_t Count::to_int64(const char* what) const {
  if (!fits_64()) throw_overflow(what);
  return static_cast<int64_t>(value_);
}

Count Count::times_in_full(Count other, const char* what) const {
  Count out;
  if (__builtin_mul_overflow(value_, other.value_, &out.value_)) throw_count_overflow(what);
  return out;
}

std::string to_string(Count count) {
  if (count.fits_64()) return std::to_string(static_cast<int64_t>(count.value()));  // many times as fast
  std::string out;
  const bool negative = count < 0;
  // The remainder of a negative number is negative or 0: no sign is turned that could overflow.
  Int128 rest = count.value();
  do {
    const int digit = static_cast<int>(rest % 10);
    out += static_cast<char>('0' + (negative ? -digit : digit));
    rest /= 10;
  } while (rest != 0);
  if (negative) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

std::optional<Count> count_from(std::string_view digits) {
  const bool negative = !digits.empty() && digits.front() == '-';
  if (negative) digits.remove_prefix(1);
  if (digits.empty()) return std::nullopt;
  Int128 value = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const Int128 digit = negative ? '0' - c : c - '0';
    if (__builtin_mul_overflow(value, Int128(10), &value)) return std::nullopt;
    if (__builtin_add_overflow(value, digit, &value)) return std::nullopt;
  }
  return Count::of(value);
}

std::ostream& operator<<(std::ostream& out, Count count) { return out << to_string(count); }

}  // namespace modelmeter
