// JSON text of a document, as nlohmann's dump(2) and Python's json.dumps(indent=2) lay it out, without a tree of it in
// memory: a key or an item a line, `{}` and `[]` where nothing is in them. UTF-8 stands as it is. Doubles are the
// shortest text that reads back to the same, as Python's repr; what is not finite is null.
#pragma once

#include <string>

#include "base/document.h"

namespace modelmeter {

class JsonWriter : public DocumentWriter {
 public:
  void begin_map() override { begin('{'); }
  void end_map() override { end('}'); }
  void begin_list() override { begin('['); }
  void end_list() override { end(']'); }
  void key(std::string_view name) override;

  std::string take() { return std::move(out_); }

 private:
  void write_text(std::string_view text) override;
  void write_integer(std::string_view digits) override { write_word(digits); }
  void write_double(double number) override;
  void write_word(std::string_view word) override;

  void begin(char bracket);
  void end(char bracket);
  void before_item();
  void new_line();
  void quoted(std::string_view text);

  std::string out_;
  size_t depth_ = 0;
  bool first_ = true;  // nothing stands in the innermost map or list
  bool after_key_ = false;
};

// Writes one document with `write(DocumentWriter&)`: its JSON text, without a newline at the end.
template <class Write>
std::string json_text(const Write& write) {
  JsonWriter out;
  write(out);
  return out.take();
}

}  // namespace modelmeter
