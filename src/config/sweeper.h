// The jobs of a multirun, as Hydra 1.3.2's BasicSweeper numbers them: a word of the command line is an axis, the last
// one varies fastest, and a word with the key of an earlier one takes its place. Jobs are made one by one, by their
// number, so that a product of any size takes the memory of its axes.
//
//   lr=1,2  lr=choice(1,2)   its values                 db=glob(*)          the options of the group
//   lr=range(0,1,0.25)       0.0, 0.25, 0.5, 0.75       lr=interval(0,1)    refused: it has no values
//
// range() is exact in decimals (as Hydra 1.4's; 1.3's drifts), and shuffle() always gives the same order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/override.h"
#include "config/repository.h"

namespace modelmeter::config {

// One word: "lr=1,2".
struct ProductAxis {
  std::string key;  // with + or ~ and @package: "+exp", "db@pkg"
  Override word;
  std::vector<Node> values;        // one where it is not swept; empty for none (`~key`)
  std::vector<std::string> words;  // "lr=1", "lr=2": of a job

  bool swept() const { return word.is_sweep(); }
};

class Product {
 public:
  // Words without those of hydra.*; `params`, the sweeper's own, come first. Error for what cannot be swept.
  static Product of(const Repository& repository, const std::vector<std::string>& words);

  int64_t size() const { return size_; }
  const std::vector<ProductAxis>& axes() const { return axes_; }
  // Of job `number`: which of its values each axis has, and the words.
  void choose(int64_t number, std::vector<size_t>& out) const;
  std::vector<std::string> job(int64_t number) const;

 private:
  std::vector<ProductAxis> axes_;
  int64_t size_ = 1;
};

// hydra.sweeper.params as words: "lr=1,2".
std::vector<std::string> sweeper_params(const Node& params);

}  // namespace modelmeter::config
