#include "config/hydra_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/edit_distance.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

enum class Holds { text, flag, integer, mode, texts, texts_by_name, map, anything, record };

struct Record;

struct Field {
  std::string_view key;
  Holds holds = Holds::text;
  bool optional = false;
  const Record* record = nullptr;
};

struct Record {
  std::string_view name;
  std::vector<Field> fields;
};

const Record& run_dir() {
  static const Record record = {"RunDir", {{"dir"}}};
  return record;
}

const Record& sweep_dir() {
  static const Record record = {"SweepDir", {{"dir"}, {"subdir"}}};
  return record;
}

const Record& help() {
  static const Record record = {"HelpConf", {{"app_name"}, {"header"}, {"footer"}, {"template"}}};
  return record;
}

const Record& hydra_help() {
  static const Record record = {"HydraHelpConf", {{"hydra_help"}, {"template"}}};
  return record;
}

const Record& overrides() {
  static const Record record = {"OverridesConf", {{"hydra", Holds::texts}, {"task", Holds::texts}}};
  return record;
}

const Record& override_dirname() {
  static const Record record = {"OverrideDirname", {{"kv_sep"}, {"item_sep"}, {"exclude_keys", Holds::texts}}};
  return record;
}

const Record& job_config() {
  static const Record record = {"JobConfig", {{"override_dirname", Holds::record, false, &override_dirname()}}};
  return record;
}

const Record& job() {
  static const Record record = {"JobConf",
                                {{"name"},
                                 {"chdir", Holds::flag, true},
                                 {"override_dirname"},
                                 {"id"},
                                 {"num", Holds::integer},
                                 {"config_name", Holds::text, true},
                                 {"env_set", Holds::texts_by_name},
                                 {"env_copy", Holds::texts},
                                 {"config", Holds::record, false, &job_config()}}};
  return record;
}

const Record& runtime() {
  static const Record record = {"RuntimeConf",
                                {{"version"},
                                 {"version_base"},
                                 {"cwd"},
                                 {"config_sources", Holds::anything},
                                 {"output_dir"},
                                 {"choices", Holds::map}}};
  return record;
}

const Record& whole() {
  static const Record record = {"HydraConf",
                                {{"run", Holds::record, false, &run_dir()},
                                 {"sweep", Holds::record, false, &sweep_dir()},
                                 {"launcher", Holds::anything},
                                 {"sweeper", Holds::anything},
                                 {"help", Holds::record, false, &help()},
                                 {"hydra_help", Holds::record, false, &hydra_help()},
                                 {"hydra_logging", Holds::map},
                                 {"job_logging", Holds::map},
                                 {"env", Holds::anything},
                                 {"mode", Holds::mode, true},
                                 {"searchpath", Holds::texts},
                                 {"callbacks", Holds::map},
                                 {"output_subdir", Holds::text, true},
                                 {"overrides", Holds::record, false, &overrides()},
                                 {"job", Holds::record, false, &job()},
                                 {"runtime", Holds::record, false, &runtime()},
                                 {"verbose", Holds::anything}}};
  return record;
}

std::string_view type_in_python(const Node& node) {
  switch (node.kind()) {
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::floating: return "float";
    case Kind::list: return "list";
    case Kind::map: return "dict";
    case Kind::null: return "NoneType";
    case Kind::missing:
    case Kind::string: break;
  }
  return "str";
}

Error wrong(const Node& value, const std::string& path, std::string message) {
  return Error(std::move(message), value.span(), {"full_key: " + path});
}

void to_text(Node& value, const std::string& path) {
  if (value.is(Kind::string)) return;
  if (value.is_container()) {
    throw wrong(value, path,
                fmt::format("Cannot convert '{}' to string: '{}'", type_in_python(value), python_str(value)));
  }
  value = Node::string(python_str(value), value.mark());
}

void to_flag(Node& value, const std::string& path) {
  if (value.is(Kind::boolean)) return;
  std::optional<bool> flag;
  if (value.is(Kind::integer)) flag = value.as_int() != 0;
  if (value.is(Kind::string)) {
    std::string text = value.as_string();
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const char* yes : {"yes", "y", "on", "true", "1"}) {
      if (text == yes) flag = true;
    }
    for (const char* no : {"no", "n", "off", "false", "0"}) {
      if (text == no) flag = false;
    }
  }
  if (!flag) {
    throw wrong(value, path,
                fmt::format("Value '{}' is not a valid bool (type {})", python_str(value), type_in_python(value)));
  }
  value = Node::boolean(*flag, value.mark());
}

void to_integer(Node& value, const std::string& path) {
  if (value.is(Kind::integer)) return;
  const std::optional<int64_t> number = value.is(Kind::string) ? python_int(value.as_string()) : std::nullopt;
  if (!number) {
    throw wrong(value, path,
                fmt::format("Value '{}' of type '{}' could not be converted to Integer", python_str(value),
                            type_in_python(value)));
  }
  value = Node::integer(*number, value.mark());
}

void to_mode(Node& value, const std::string& path) {
  std::string text = python_str(value);
  if (text.compare(0, 8, "RunMode.") == 0) text.erase(0, 8);
  if (value.is(Kind::integer) && (text == "1" || text == "2")) text = text == "1" ? "RUN" : "MULTIRUN";
  if (text != "RUN" && text != "MULTIRUN") {
    throw wrong(value, path, fmt::format("Invalid value '{}', expected one of [RUN, MULTIRUN]", text));
  }
  value = Node::string(std::move(text), value.mark());
}

void convert(Node& value, const Field& field, const std::string& path);

void to_texts(Node& value, const std::string& path) {
  if (!value.is(Kind::list)) {
    throw wrong(value, path,
                fmt::format("Invalid value assigned: {} is not a ListConfig, list or tuple.", type_in_python(value)));
  }
  for (size_t i = 0; i < value.items().size(); ++i) {
    convert(value.items()[i], {"", Holds::text}, fmt::format("{}[{}]", path, i));
  }
}

void require_map(const Node& value, const std::string& path) {
  if (value.is(Kind::map)) return;
  throw wrong(value, path,
              fmt::format("Value '{}' of type '{}' is not a map", python_str(value), type_in_python(value)));
}

void to_record(Node& value, const Record& record, const std::string& path) {
  if (!value.is(Kind::map)) {
    throw wrong(value, path,
                fmt::format("Invalid type assigned: {} is not a subclass of {}. value: {}", type_in_python(value),
                            record.name, python_str(value)));
  }
  for (const Entry& entry : value.entries()) {
    const std::string below = key_below(path, entry.key.text);
    const auto field = std::find_if(record.fields.begin(), record.fields.end(),
                                    [&](const Field& known) { return known.key == entry.key.text; });
    if (field != record.fields.end()) {
      convert(*value.find(entry.key.text), *field, below);
      continue;
    }
    std::vector<std::string> known;
    for (const Field& there : record.fields) known.emplace_back(there.key);
    std::vector<std::string> notes = name_notes(entry.key.text, known, "keys here");
    notes.insert(notes.begin(), "full_key: " + below);
    throw Error(fmt::format("Key '{}' not in '{}'", entry.key.text, record.name), entry.key_mark.span(),
                std::move(notes));
  }
}

void convert(Node& value, const Field& field, const std::string& path) {
  if (field.holds == Holds::anything || value.is(Kind::missing) || value.is_interpolation()) return;
  if (value.is(Kind::null)) {
    if (field.optional) return;
    throw wrong(value, path, fmt::format("field '{}' is not Optional", path));
  }
  switch (field.holds) {
    case Holds::text: return to_text(value, path);
    case Holds::flag: return to_flag(value, path);
    case Holds::integer: return to_integer(value, path);
    case Holds::mode: return to_mode(value, path);
    case Holds::texts: return to_texts(value, path);
    case Holds::map: return require_map(value, path);
    case Holds::record: return to_record(value, *field.record, path);
    case Holds::texts_by_name: break;
    case Holds::anything: return;
  }
  require_map(value, path);
  for (const std::string& key : value.keys()) convert(*value.find(key), {"", Holds::text}, key_below(path, key));
}

}  // namespace

void require_hydra_types(Node& hydra) { convert(hydra, {"hydra", Holds::record, false, &whole()}, "hydra"); }

}  // namespace modelmeter::config
