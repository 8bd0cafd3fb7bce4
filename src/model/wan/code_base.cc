#include "model/wan/code_base.h"

#include "model/wan/diffusers/code_base.h"
#include "model/wan/official/code_base.h"

namespace modelmeter::wan {

const std::vector<const CodeBase*>& code_bases() {
  static const std::vector<const CodeBase*> table = {&official::code_base(), &diffusers::code_base()};
  return table;
}

const CodeBase& code_base_named(const config::View& runtime) {
  std::vector<std::string> names;
  for (const CodeBase* code : code_bases()) names.emplace_back(code->name);
  const std::string wanted = runtime.get_choice("implementation", names);
  for (const CodeBase* code : code_bases()) {
    if (code->name == wanted) return *code;
  }
  throw runtime.error("no code base");  // get_choice() has refused it
}

}  // namespace modelmeter::wan
