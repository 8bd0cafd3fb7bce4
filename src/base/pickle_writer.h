// A document as Python's pickle, protocol 2: what pickle.load() and the reader in PyTorch's memory viewer read. Maps
// are dicts with keys of text, lists lists; a text that was written before is referred to.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/document.h"

namespace modelmeter {

class PickleWriter : public DocumentWriter {
 public:
  PickleWriter() : out_("\x80\x02") {}

  void begin_map() override { begin('}', 's'); }
  void end_map() override { end(); }
  void begin_list() override { begin(']', 'a'); }
  void end_list() override { end(); }
  void key(std::string_view name) override { put(name); }

  // The pickle; nothing is written behind it.
  std::string take();

 private:
  void write_text(std::string_view text) override;
  void write_integer(std::string_view digits) override;  // Error beyond 64 bits
  void write_double(double number) override;
  void write_word(std::string_view word) override;

  void begin(char opcode, char adds);
  void end();
  void put(std::string_view text);
  void put_number(uint64_t number, int bytes);  // little-endian
  void after_value();                           // puts it into the list or map that it stands in

  std::string out_;
  std::vector<char> adds_;  // of what is open, the opcode that adds a value to it
  std::unordered_map<std::string, uint32_t> known_;
};

// Writes one document with `write(DocumentWriter&)`: its pickle.
template <class Write>
std::string pickle_of(const Write& write) {
  PickleWriter out;
  write(out);
  return out.take();
}

}  // namespace modelmeter
