// Chunked storage with stable addresses: objects are appended, never moved, and all given back at once by clear(),
// which keeps the memory for the next use.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace modelmeter {

template <class T>
class Arena {
 public:
  // A new object; trivially copyable T only, its fields are whatever the caller sets.
  T* add() {
    if (next_ == end_) grow();
    return next_++;
  }

  // Calls visit(object) for each, in the order in which they were added.
  template <class Visit>
  void for_each(Visit visit) const {
    for (size_t c = 0; c < used_; ++c) {
      const T* end = c + 1 == used_ ? next_ : chunks_[c].get() + chunk;
      for (const T* at = chunks_[c].get(); at != end; ++at) visit(*at);
    }
  }

  void clear() {
    used_ = 0;
    next_ = end_ = nullptr;
  }

 private:
  static constexpr size_t chunk = 256;

  void grow() {
    if (used_ == chunks_.size()) chunks_.push_back(std::unique_ptr<T[]>(new T[chunk]));
    next_ = chunks_[used_++].get();
    end_ = next_ + chunk;
  }

  std::vector<std::unique_ptr<T[]>> chunks_;
  size_t used_ = 0;
  T* next_ = nullptr;
  T* end_ = nullptr;
};

}  // namespace modelmeter
