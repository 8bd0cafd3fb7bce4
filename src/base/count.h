// A Count is an exact sum: of FLOPs, bytes or kernels over a whole run. 128 bits, up to 1.7e38; an operation that would
// overflow throws Error and never wraps. What one kernel counts stays within 64 bits (base/checked.h); sums of a run do
// not: a 14B pipeline at 720p passes 9.2e18 FLOPs after 710 steps.
//
// It mixes with integers of any width, since those fit, and goes to a double only when asked. JSON and reports write it
// in full (base/json.h).
#pragma once

#include <concepts>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace modelmeter {

__extension__ using Int128 = __int128;

// Throws Error: "<what> overflows 128 bits".
[[noreturn]] void throw_count_overflow(const char* what);

class Count {
 public:
  constexpr Count() = default;
  // Implicit: every integer of 64 bits or less is a Count.
  template <std::integral T>
  constexpr Count(T value) : value_(value) {}
  static constexpr Count of(Int128 value) {
    Count out;
    out.value_ = value;
    return out;
  }

  constexpr Int128 value() const { return value_; }
  constexpr bool fits_64() const { return value_ == static_cast<int64_t>(value_); }
  // The same in 64 bits; Error naming `what` where it does not fit.
  int64_t to_int64(const char* what) const;
  explicit operator double() const { return static_cast<double>(value_); }

  // Errors say "a count".
  Count& operator+=(Count other) { return *this = plus(other, "a count"); }
  Count& operator-=(Count other) { return *this = minus(other, "a count"); }
  friend Count operator+(Count a, Count b) { return a.plus(b, "a count"); }
  friend Count operator-(Count a, Count b) { return a.minus(b, "a count"); }
  friend Count operator*(Count a, Count b) { return a.times(b, "a count"); }
  friend Count operator/(Count a, Count b) { return of(a.value_ / b.value_); }  // rounded towards 0; b is not 0
  friend Count operator%(Count a, Count b) { return of(a.value_ % b.value_); }

  // The same with an error that names what is counted.
  Count plus(Count other, const char* what) const {
    Count out;
    if (__builtin_add_overflow(value_, other.value_, &out.value_)) throw_count_overflow(what);
    return out;
  }
  Count minus(Count other, const char* what) const {
    Count out;
    if (__builtin_sub_overflow(value_, other.value_, &out.value_)) throw_count_overflow(what);
    return out;
  }
  // Adds what one kernel counts, which is not negative. Not checked: it takes 2^63 of them to overflow.
  void add_64(int64_t value) { value_ += static_cast<uint64_t>(value); }
  Count times(Count other, const char* what) const {
    // Two factors of 64 bits fit: one multiplication, where the checked one of 128 bits is a call.
    if (fits_64() && other.fits_64()) return of(value_ * other.value_);
    return times_in_full(other, what);
  }

  friend constexpr bool operator==(Count a, Count b) { return a.value_ == b.value_; }
  friend constexpr bool operator!=(Count a, Count b) { return a.value_ != b.value_; }
  friend constexpr bool operator<(Count a, Count b) { return a.value_ < b.value_; }
  friend constexpr bool operator>(Count a, Count b) { return a.value_ > b.value_; }
  friend constexpr bool operator<=(Count a, Count b) { return a.value_ <= b.value_; }
  friend constexpr bool operator>=(Count a, Count b) { return a.value_ >= b.value_; }

 private:
  Count times_in_full(Count other, const char* what) const;

  Int128 value_ = 0;
};

// "-170141183460469231731687303715884105728": all digits.
std::string to_string(Count count);
// Nothing where the text is not an integer in decimal digits, a minus before it or not, or does not fit.
std::optional<Count> count_from(std::string_view digits);

std::ostream& operator<<(std::ostream& out, Count count);

}  // namespace modelmeter
