// The grammar of OmegaConf 2.3 for strings with `${...}`. The parser evaluates as it reads: an Evaluator looks nodes up
// and calls resolvers; without one the parser only checks the syntax.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/element_parser.h"

namespace modelmeter::config {

// What `${..a.b[0]}` names: one leading dot is the parent of the node that holds it.
struct Reference {
  int dots = 0;
  std::vector<std::string> keys;

  std::string text() const;  // "..a.b.0", as messages print it
};

// "a.b[0]", ".x": the keys of OmegaConf.select.
Reference split_key(std::string_view key);

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual Node look_up(const Reference& reference) = 0;
  // The same as a part of a text: a map or list is written with its interpolations as they are.
  virtual std::string look_up_text(const Reference& reference) = 0;
  virtual Node call(const std::string& resolver, const std::vector<Node>& args) = 0;
};

class InterpolationParser : public ElementParser {
 public:
  // site is the place that errors point to.
  InterpolationParser(std::string_view text, Mark site, Evaluator* evaluator);

  // The whole text, as the value of a config: the Reference if it is one interpolation of a node alone, the value that
  // a resolver gave if it is that, else a string.
  std::pair<std::optional<Reference>, Node> config_value();
  // The whole text as one element (`oc.decode`).
  Node single_element();

 protected:
  Node interpolation() override;
  Node quoted() override;

 private:
  // At "${": either alternative; a Reference is left to the caller to look up.
  std::pair<std::optional<Reference>, Node> parse_interpolation();
  std::optional<std::string> key();
  std::vector<Node> arguments();
  Node look_up(const Reference& reference);
  // What an interpolation adds to a text.
  std::string text_of(const std::optional<Reference>& reference, const Node& value);
  // Backslashes at the cursor that stand before "${": halves them into out; true if they escape it.
  bool escaped_interpolation(std::string& out);
  void skip_all_blanks();

  Evaluator* evaluator_;
};

}  // namespace modelmeter::config
