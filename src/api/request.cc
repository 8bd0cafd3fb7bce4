#include "api/request.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "api/advice.h"
#include "api/config_source.h"
#include "api/data_root.h"
#include "base/json_writer.h"

namespace modelmeter {
namespace {

std::string here() {
  std::error_code ignored;
  return std::filesystem::current_path(ignored).string();
}

std::string primary_folder(const std::string& given, const std::string& root) {
  return given.empty() ? root + "/configs" : given;
}

void write_config(const config::Node& node, DocumentWriter& out) {
  switch (node.kind()) {
    case config::Kind::null:
    case config::Kind::missing: return out.value(nullptr);
    case config::Kind::boolean: return out.value(node.as_bool());
    case config::Kind::integer: return out.value(node.as_int());
    case config::Kind::floating: return out.value(node.as_double());
    case config::Kind::string: return out.value(node.as_string());
    case config::Kind::list:
      out.begin_list();
      for (const config::Node& item : node.items()) write_config(item, out);
      return out.end_list();
    case config::Kind::map:
      return out.map([&] {
        for (const config::Entry& entry : node.entries()) {
          out.key(entry.key.text);
          write_config(entry.value, out);
        }
      });
  }
}

}  // namespace

std::string Request::json() const {
  return json_text([&](DocumentWriter& out) { write_config(config_, out); });
}

Request::Request(ConfigRequest asked) : asked_(std::move(asked)), words_(asked_.overrides) {
  files_.root = find_data_root();
  const std::string primary = primary_folder(asked_.config_path, files_.root);
  user_files_.emplace(primary, take_user_files(words_));
  repository_.emplace(user_files_->file_system(), primary, asked_.config_dirs);
  repository_->keep_files();  // what a request is of does not change while it lives
  words_ = with_report_keys(std::move(words_));
  if (asked_.config_name.empty()) {
    throw Error("which configuration?", {}, {fmt::format("there are: {}", fmt::join(repository_->options(""), ", "))});
  }
  try {
    composition_ = composed(words_);
    if (!composition_.hydra_overrides.empty()) {
      throw Error(fmt::format("{}: hydra's own settings are for the command line", composition_.hydra_overrides[0]));
    }
    config_ = config::resolve(composition_);
  } catch (const Error& error) {
    throw advised(without_vain_advice(error, words_, attempt()));
  }
}

config::Composition Request::composed(const std::vector<std::string>& overrides) const {
  return config::compose(*repository_, asked_.config_name, overrides, {.working_directory = here()});
}

std::function<void(const std::vector<std::string>&)> Request::attempt() const {
  return [this](const std::vector<std::string>& words) {
    const config::Composition composition = composed(words);
    const config::Node node = config::resolve(composition);
    build_model(config::View(node), files_);
    machine_of(config::View(node), composition);
  };
}

Error Request::advised(const Error& error) const {
  return user_files_->renamed(with_errors_of_other_words(error, words_, attempt()));
}

std::unique_ptr<AnalyticModel> Request::model() const {
  try {
    return build_model(view(), files_);
  } catch (const Error& error) {
    throw advised(error);
  }
}

std::unique_ptr<AnalyticModel> Request::model_with(const std::vector<std::string>& overrides) const {
  std::vector<std::string> all = words_;
  all.insert(all.end(), overrides.begin(), overrides.end());
  const config::Node config = config::resolve(composed(all));
  return build_model(config::View(config), files_);
}

std::optional<Machine> Request::machine() const { return machine_of(view(), composition_); }

std::optional<Machine> Request::machine_of(const config::View& root, const config::Composition& composition) const {
  try {
    return chosen_machine(root, composition.choices, *repository_);
  } catch (const Error& error) {
    throw user_files_->renamed(error);
  }
}

std::vector<std::string> config_names(const std::string& config_path, const std::vector<std::string>& config_dirs) {
  return config::Repository(primary_folder(config_path, find_data_root()), config_dirs).options("");
}

}  // namespace modelmeter
