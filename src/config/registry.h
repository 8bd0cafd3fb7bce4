// A Registry makes objects from `_target_`, the native shape of hydra.utils.instantiate (Hydra 1.3.2): a table from the
// names that a config may use to functions that build a Product from the config node.
//
//   Registry<std::unique_ptr<Model>> models("model");
//   models.add("wan2_1.Pipeline", [](const View& config) { return std::make_unique<Wan>(config); });
//   std::unique_ptr<Model> model = models.instantiate(view.child("model"));
//
// Product is a unique_ptr of a base class or a plain value; Args are passed on to the factory. The keys that
// instantiate reserves (`_target_ _args_ _recursive_ _convert_ _partial_`) are known to View::require_known_keys and
// otherwise ignored.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/edit_distance.h"
#include "base/error.h"
#include "config/access.h"

namespace modelmeter::config {

// The name in `_target_`. Throws Error if it is not there or not a string; what says what is being made.
std::string target_of(const View& config, std::string_view what);
// Error for a target that no one registered, at its place, with the names there are.
Error unknown_target(const View& config, std::string_view what, const std::string& target,
                     const std::vector<std::string>& known);

template <typename Product, typename... Args>
class Registry {
 public:
  using Factory = std::function<Product(const View&, Args...)>;

  // what names the products in messages: "model", "device".
  explicit Registry(std::string what) : what_(std::move(what)) {}

  // Throws Error (internal) if the name is taken.
  void add(std::string target, Factory factory) {
    const auto [place, added] = factories_.emplace(std::move(target), std::move(factory));
    if (!added) throw Error(ErrorCode::internal, what_ + " '" + place->first + "' is registered twice");
  }

  bool contains(const std::string& target) const { return factories_.count(target) > 0; }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, factory] : factories_) out.push_back(name);
    return out;
  }

  Product instantiate(const View& config, Args... args) const {
    const std::string target = target_of(config, what_);
    const auto found = factories_.find(target);
    if (found == factories_.end()) throw unknown_target(config, what_, target, names());
    return found->second(config, std::forward<Args>(args)...);
  }

 private:
  std::string what_;
  std::map<std::string, Factory> factories_;
};

}  // namespace modelmeter::config
