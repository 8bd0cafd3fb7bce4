// YAML text of a document as PyYAML's emitter writes it: block style, width 80, byte for byte. What it does with a long
// or odd string is followed step by step, since users compare and version printed configs.
#pragma once

#include <string>
#include <vector>

#include "base/document.h"
#include "config/key.h"

namespace modelmeter::config {

class YamlWriter : public DocumentWriter {
 public:
  void begin_map() override { begin(true); }
  void end_map() override { end("{}"); }
  void begin_list() override { begin(false); }
  void end_list() override { end("[]"); }
  void key(std::string_view name) override;
  void typed_key(const Key& name);  // a number, a truth value or null is printed as one
  void missing() { write_word("???"); }

  std::string take() { return std::move(out_) + "\n"; }

 private:
  // A map or list that is open. It is begun when the first key or item is written: an empty one is a word.
  struct Level {
    bool is_map;
    int indent;
    bool begun = false;
    bool simple_key = true;  // of a map: that of the value to come
  };

  void write_text(std::string_view text) override;
  void write_integer(std::string_view digits) override { write_word(digits); }
  void write_double(double number) override;
  void write_word(std::string_view word) override;

  void begin(bool is_map);
  void end(std::string_view empty);
  void open_block();
  void before_value();
  void before_scalar();
  void start_key(bool simple);
  void end_key(bool simple);
  int value_indent() const;

  void string(std::string_view text, int indent, bool is_key);
  void start_line(int indent);
  void line_break();
  void fold(int indent);
  void put(std::string_view ascii);
  void put(const std::u32string& text, size_t begin, size_t end);
  void plain(const std::u32string& text, int indent, bool split);
  void single_quoted(const std::u32string& text, int indent, bool split);
  void double_quoted(const std::u32string& text, int indent, bool split);

  std::vector<Level> levels_;
  std::string out_;
  int column_ = 0;
  bool fresh_ = false;  // the line has only "- " or ": " in front
};

}  // namespace modelmeter::config
