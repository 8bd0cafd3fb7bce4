// The parser of override.h: keys, values, and calls of functions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/element_parser.h"
#include "config/override.h"

namespace modelmeter::config {

// A call as it was written; the functions themselves are in override_functions.cc.
struct OverrideCall {
  std::string name;
  std::string text;
  std::vector<std::pair<std::string, OverrideValue>> args;  // name ("" for a positional one) and value
  Mark mark;
};

OverrideValue evaluate(const OverrideCall& call);

class OverrideParser : public ElementParser {
 public:
  explicit OverrideParser(std::shared_ptr<const Source> source) : ElementParser(std::move(source), 0) {}

  Override override_word();
  // element, or elements with commas between: a sweep.
  OverrideValue value();
  OverrideValue element_or_sweep();
  Node element() override;

 protected:
  Node interpolation() override;
  Node quoted() override;

 private:
  std::string key();
  std::string package();
  std::string key_part();
  bool at_call() const;
  OverrideValue call();
};

}  // namespace modelmeter::config
