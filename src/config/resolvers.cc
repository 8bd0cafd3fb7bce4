// The resolvers that every configuration may use: OmegaConf 2.3's oc.*, Hydra 1.3's now, and eval.
#include <fmt/format.h>

#include <cstdlib>
#include <ctime>

#include "config/arithmetic.h"
#include "config/interpolation.h"
#include "config/scalar.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

using Args = std::vector<Node>;

void require_args(const Args& args, size_t least, size_t most, std::string_view name) {
  if (args.size() >= least && args.size() <= most) return;
  const std::string count = least == most ? std::to_string(least) : fmt::format("{} or {}", least, most);
  throw Error(fmt::format("{}: expected {} argument{}, got {}", name, count, most == 1 ? "" : "s", args.size()));
}

Node env(const Args& args, const ResolverScope&) {
  require_args(args, 1, 2, "oc.env");
  const std::string name = python_str(args[0]);
  if (const char* value = std::getenv(name.c_str())) return Node::literal(value);
  if (args.size() < 2) throw Error(fmt::format("Environment variable '{}' not found", name));
  if (args[1].is(Kind::null)) return Node::null();
  return Node::literal(python_str(args[1]));
}

Node select_key(const Args& args, const ResolverScope& scope) {
  require_args(args, 1, 2, "oc.select");
  std::optional<Node> found = scope.select(python_str(args[0]));
  if (found && !found->is(Kind::missing)) return *std::move(found);
  return args.size() > 1 ? args[1] : Node::null();
}

// A text is YAML; a word alone is a map with that key, as OmegaConf.create has it.
Node create(const Args& args, const ResolverScope&) {
  require_args(args, 1, 1, "oc.create");
  if (args[0].is_container() || args[0].is(Kind::null)) return args[0];
  if (!args[0].is(Kind::string)) {
    throw Error(fmt::format("oc.create: expected a map, a list or a text, got {}", with_article(args[0].kind())));
  }
  return parse_yaml(args[0].as_string(), "oc.create");
}

const Node& the_map(const std::optional<Node>& found, const Node& key, std::string_view name) {
  if (!found) throw Error(fmt::format("{}: Key not found: '{}'", name, python_str(key)));
  if (!found->is(Kind::map)) {
    throw Error(fmt::format("{}: '{}' is {}, not a map", name, python_str(key), with_article(found->kind())));
  }
  return *found;
}

Node dict_keys(const Args& args, const ResolverScope& scope) {
  require_args(args, 1, 1, "oc.dict.keys");
  // Names need no values: these may lead back to where the names are asked for.
  const std::optional<Node> found = scope.unresolved(python_str(args[0]));
  List keys;
  for (const Entry& entry : the_map(found, args[0], "oc.dict.keys").entries()) {
    keys.push_back(entry.key.kind == KeyKind::string ? Node::literal(entry.key.text)
                                                     : plain_scalar(entry.key.text, entry.key_mark));
  }
  return Node::list(std::move(keys));
}

Node dict_values(const Args& args, const ResolverScope& scope) {
  require_args(args, 1, 1, "oc.dict.values");
  const std::optional<Node> found = scope.select(python_str(args[0]));
  List values;
  for (const Entry& entry : the_map(found, args[0], "oc.dict.values").entries()) values.push_back(entry.value);
  return Node::list(std::move(values));
}

Node deprecated(const Args& args, const ResolverScope& scope) {
  require_args(args, 1, 2, "oc.deprecated");
  std::optional<Node> found = scope.select(python_str(args[0]));
  if (!found) throw Error(fmt::format("oc.deprecated: Key not found: '{}'", python_str(args[0])));
  return *std::move(found);
}

Node eval(const Args& args, const ResolverScope&) {
  require_args(args, 1, 1, "eval");
  if (args[0].is(Kind::integer) || args[0].is(Kind::floating)) return args[0];
  if (!args[0].is(Kind::string)) throw Error(fmt::format("eval: {} is no expression", with_article(args[0].kind())));
  return calculate(args[0].as_string());
}

Node now(const Args& args, std::time_t time) {
  require_args(args, 1, 1, "now");
  std::tm local = {};
  localtime_r(&time, &local);
  char out[256];
  const size_t length = std::strftime(out, sizeof(out), python_str(args[0]).c_str(), &local);
  return Node::literal(std::string(out, length));
}

}  // namespace

Resolvers Resolvers::standard(std::optional<std::time_t> time) {
  // One moment for the process, so that all uses in a run agree.
  static const std::time_t first_use = std::time(nullptr);
  Resolvers out;
  out.add("oc.env", env);
  out.add("oc.select", select_key);
  out.add("oc.create", create);
  out.add("oc.dict.keys", dict_keys);
  out.add("oc.dict.values", dict_values);
  out.add("oc.deprecated", deprecated);
  out.add("eval", eval);
  out.add("now",
          [moment = time.value_or(first_use)](const Args& args, const ResolverScope&) { return now(args, moment); });
  out.add("oc.decode", [](const Args& args, const ResolverScope& scope) {
    require_args(args, 1, 1, "oc.decode");
    if (args[0].is(Kind::null)) return Node::null();
    if (!args[0].is(Kind::string)) {
      throw Error(fmt::format("oc.decode: expected a string, got {}", with_article(args[0].kind())));
    }
    return scope.decode(args[0].as_string());
  });
  return out;
}

const Resolvers::Function* Resolvers::find(const std::string& name) const {
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : &found->second;
}

std::vector<std::string> Resolvers::names() const {
  std::vector<std::string> out;
  for (const auto& [name, function] : functions_) out.push_back(name);
  return out;
}

}  // namespace modelmeter::config
