// The grammar that values of overrides (Hydra 1.3.2) and arguments of resolvers (OmegaConf 2.3) share: an element is a
// primitive, a list or a dict. What `${` and a quote begin differs between the two, so a subclass says.
//
//   primitive  'quoted', or words, numbers and / - \ + . $ % * @ ? | : up to a delimiter; one word alone is typed
//   list       [element, ...]            dict  {key: element, ...}, keys unquoted
//   escapes    \\ \( \) \[ \] \{ \} \: \= \, \<blank> in unquoted text
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"

namespace modelmeter::config {

class ElementParser {
 public:
  // Parses source->text from a byte on. Errors point there: at `site` where it is given, else into the source.
  ElementParser(std::shared_ptr<const Source> source, size_t begin, std::optional<Mark> site = std::nullopt)
      : source_(std::move(source)), at_(begin), site_(std::move(site)) {}
  virtual ~ElementParser() = default;

  virtual Node element();
  Node primitive();
  Node list();
  Node dict();
  // Unquoted text that is a text whatever it looks like, without the blanks around it.
  std::string bare_text();

  void skip_blanks();
  bool at_end() const { return at_ >= text().size(); }
  void expect_end();
  size_t position() const { return at_; }

 protected:
  // At "${": the value, or a string with the text itself.
  virtual Node interpolation() = 0;
  // At a quote: the text, unescaped.
  virtual Node quoted() = 0;
  // At the cursor.
  size_t count_backslashes() const;
  // Behind a quoted text, a list, a dict or a call: blanks may follow. closed_at() is where the last one ended.
  void close() {
    closed_at_ = at_;
    skip_blanks();
  }
  size_t closed_at() const { return closed_at_; }

  const std::string& text() const { return source_->text; }
  char peek(size_t ahead = 0) const { return at_ + ahead < text().size() ? text()[at_ + ahead] : '\0'; }
  bool accept(char c);
  void expect(char c, std::string_view what);
  Mark mark(size_t offset) const;
  [[noreturn]] void fail(std::string_view expected) const;
  [[noreturn]] void fail_at(size_t offset, std::string message, std::vector<std::string> notes = {}) const;

  // Bounds how deep the grammar may nest, while it lives.
  class Nesting {
   public:
    explicit Nesting(ElementParser& parser);
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ~Nesting();

   private:
    ElementParser& parser_;
  };

  std::shared_ptr<const Source> source_;
  size_t at_;

 private:
  struct Word;
  Word unquoted(bool is_key);
  Key dict_key();

  std::optional<Mark> site_;
  int depth_ = 0;
  size_t closed_at_ = std::string::npos;
};

}  // namespace modelmeter::config
