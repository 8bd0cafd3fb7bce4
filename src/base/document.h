// A document of maps, lists and values, written in order: what JSON and YAML have in common. One walk over a report
// writes either.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/count.h"
#include "base/fields.h"

namespace modelmeter {

class DocumentWriter {
 public:
  virtual ~DocumentWriter() = default;

  // Values of a list, and within a map each after its key.
  virtual void begin_map() = 0;
  virtual void end_map() = 0;
  virtual void begin_list() = 0;
  virtual void end_list() = 0;
  virtual void key(std::string_view name) = 0;

  void value(std::string_view text) { write_text(text); }
  void value(const std::string& text) { write_text(text); }
  void value(const char* text) { write_text(text); }
  void value(int64_t number) { write_integer(std::to_string(number)); }
  void value(size_t number) { write_integer(std::to_string(number)); }
  void value(int32_t number) { write_integer(std::to_string(number)); }
  void value(Count number) { write_integer(to_string(number)); }
  void value(double number) { write_double(number); }
  void value(bool truth) { write_word(truth ? "true" : "false"); }
  void value(std::nullptr_t) { write_word("null"); }
  void value(const FieldValue& value);
  void value(const Fields& fields);
  template <class T>
  void value(const std::optional<T>& item) {
    item ? value(*item) : value(nullptr);
  }
  template <class T>
  void value(const std::vector<T>& items) {
    begin_list();
    for (const T& item : items) value(item);
    end_list();
  }

  template <class T>
  void field(std::string_view name, const T& item) {
    key(name);
    value(item);
  }
  // field("units", [&] { … the fields of a map … })
  template <class Write>
  void map(std::string_view name, const Write& write) {
    key(name);
    map(write);
  }
  template <class Write>
  void map(const Write& write) {
    begin_map();
    write();
    end_map();
  }
  // A list of what `write` writes of each item.
  template <class Items, class Write>
  void list(std::string_view name, const Items& items, const Write& write) {
    key(name);
    begin_list();
    for (const auto& item : items) write(item);
    end_list();
  }

 private:
  virtual void write_text(std::string_view text) = 0;
  virtual void write_integer(std::string_view digits) = 0;  // of any length
  virtual void write_double(double number) = 0;
  virtual void write_word(std::string_view word) = 0;  // true, false, null
};

}  // namespace modelmeter
