#include "base/pickle_writer.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <limits>

#include "base/error.h"

namespace modelmeter {
namespace {

// Opcodes, as Python's pickletools calls them.
constexpr char binint = 'J', binint1 = 'K', binint2 = 'M', long1 = '\x8a', binfloat = 'G', none = 'N';
constexpr char newtrue = '\x88', newfalse = '\x89', binunicode = 'X', stop = '.';
constexpr char binput = 'q', long_binput = 'r', binget = 'h', long_binget = 'j';

}  // namespace

std::string PickleWriter::take() {
  out_ += stop;
  return std::move(out_);
}

void PickleWriter::put_number(uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out_ += static_cast<char>(number >> (8 * i) & 0xff);
}

void PickleWriter::after_value() {
  if (!adds_.empty()) out_ += adds_.back();
}

void PickleWriter::begin(char opcode, char adds) {
  out_ += opcode;
  adds_.push_back(adds);
}

void PickleWriter::end() {
  adds_.pop_back();
  after_value();
}

void PickleWriter::put(std::string_view text) {
  const auto [known, is_new] = known_.try_emplace(std::string(text), static_cast<uint32_t>(known_.size()));
  const bool is_short = known->second < 256;
  if (is_new) {
    out_ += binunicode;
    put_number(text.size(), 4);
    out_ += text;
    out_ += is_short ? binput : long_binput;
  } else {
    out_ += is_short ? binget : long_binget;
  }
  put_number(known->second, is_short ? 1 : 4);
}

void PickleWriter::write_text(std::string_view text) {
  put(text);
  after_value();
}

void PickleWriter::write_integer(std::string_view digits) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    throw Error(ErrorCode::internal, fmt::format("{} is beyond the integers of a pickle", digits));
  }
  const auto bits = static_cast<uint64_t>(number);
  if (number >= 0 && number < 256) {
    out_ += binint1;
    put_number(bits, 1);
  } else if (number >= 0 && number < 65536) {
    out_ += binint2;
    put_number(bits, 2);
  } else if (number >= std::numeric_limits<int32_t>::min() && number <= std::numeric_limits<int32_t>::max()) {
    out_ += binint;
    put_number(bits, 4);
  } else {
    out_ += long1;
    out_ += '\x08';
    put_number(bits, 8);
  }
  after_value();
}

void PickleWriter::write_double(double number) {
  out_ += binfloat;
  const auto bits = std::bit_cast<uint64_t>(number);
  for (int i = 7; i >= 0; --i) out_ += static_cast<char>(bits >> (8 * i) & 0xff);  // big-endian
  after_value();
}

void PickleWriter::write_word(std::string_view word) {
  out_ += word == "true" ? newtrue : word == "false" ? newfalse : none;
  after_value();
}

}  // namespace modelmeter
