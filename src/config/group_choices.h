// What the command line and the `override` lines of files decide about groups, and whether it was put to use: a choice
// or a deletion that reaches nothing is an error. The first choice that is registered for a key stays: the command
// line, then the last in depth-first order.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/default_item.h"
#include "config/override.h"
#include "config/repository.h"

namespace modelmeter::config {

class GroupChoices {
 public:
  // Of the words of a command line; sweeps choose nothing. Those that set values go to config_overrides.
  GroupChoices(const Repository& repository, const std::vector<Override>& overrides,
               std::vector<const Override*>& config_overrides);

  // `+group=option`
  const std::vector<DefaultItem>& appended() const { return appended_; }

  void add_from_file(const DefaultItem& item, const std::string& containing_config);
  // Chooses the option of an item, where one was chosen.
  void apply(DefaultItem& item);
  bool deletes(const DefaultItem& item);
  // Notes the option that an item has. Error where its key has another one already.
  void set_known(const DefaultItem& item);

  // By key, and in the order that they became known.
  const std::map<std::string, std::string>& known() const { return known_; }
  const std::vector<std::pair<std::string, std::string>>& in_order() const { return in_order_; }

  void require_all_used() const;

 private:
  struct Choice {
    Node value;
    std::string containing_config;  // "" is the command line
    Mark mark;
    std::string relative_key;
    bool used = false;
  };
  struct Deletion {
    std::optional<std::string> option;
    Mark mark;
    bool used = false;
  };

  void add(const Repository& repository, const Override& word);
  void add_deletion(const Override& word);
  void choose(const std::string& key, Choice choice);
  bool appends(const std::string& key) const;
  [[noreturn]] void fail_unused(const std::string& key, const Choice& choice) const;
  std::vector<std::string> keys_of(const std::string& group) const;
  std::vector<std::string> known_keys() const;

  std::map<std::string, Choice> choices_;
  std::map<std::string, Deletion> deletions_;
  std::vector<std::string> chosen_, deleted_;  // their keys, as they were registered
  std::map<std::string, std::string> known_;
  std::vector<std::pair<std::string, std::string>> in_order_;
  std::map<std::string, std::set<std::string>> keys_of_group_;
  std::vector<DefaultItem> appended_;
};

}  // namespace modelmeter::config
