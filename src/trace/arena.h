// Memory that a trace fills again and again. Objects are added unset and all given back at once by clear(), which keeps
// the memory for the next use.
//   Arena   objects stay where they are; reached by their addresses
//   Buffer  objects stand in a row, which moves as it grows; reached by their indices
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

namespace modelmeter {

// Error: a run whose loops have no two alike iterations, and many of them.
[[noreturn]] void throw_trace_too_large(size_t most);

template <class T>
class Arena {
 public:
  // A new object: its fields are whatever the caller sets.
  T* add() {
    if (next_ == end_) grow();
    return next_++;
  }
  // Gives back the object added last, before any other is added.
  void take_back() { --next_; }

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
  static_assert(std::is_trivially_destructible_v<T>);
  static constexpr size_t chunk = 256;
  // Some hundred megabytes; the largest trace of a model has a thousandth of it.
  static constexpr size_t most = size_t{1} << 21;

  [[gnu::cold]] void grow() {
    if (used_ * chunk >= most) throw_trace_too_large(most);
    if (used_ == chunks_.size()) chunks_.push_back(std::unique_ptr<T[]>(new T[chunk]));
    next_ = chunks_[used_++].get();
    end_ = next_ + chunk;
  }

  std::vector<std::unique_ptr<T[]>> chunks_;
  size_t used_ = 0;
  T* next_ = nullptr;
  T* end_ = nullptr;
};

template <class T>
class Buffer {
 public:
  // So many new objects in a row: their fields are whatever the caller sets.
  T* add(size_t n = 1) {
    if (size_ + n > capacity_) grow(n);
    T* out = data_.get() + size_;
    size_ += n;
    return out;
  }
  void push_back(const T& object) { *add() = object; }
  // Gives back those from `end` on.
  void end_at(const T* end) { size_ = static_cast<size_t>(end - data_.get()); }
  void clear() { size_ = 0; }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_.get()[i]; }
  const T& operator[](size_t i) const { return data_.get()[i]; }
  T& front() { return data_[0]; }
  const T& front() const { return data_[0]; }
  T& back() { return data_[size_ - 1]; }
  const T& back() const { return data_[size_ - 1]; }
  const T* data() const { return data_.get(); }
  T* begin() { return data_.get(); }
  T* end() { return data_.get() + size_; }
  const T* begin() const { return data_.get(); }
  const T* end() const { return data_.get() + size_; }

 private:
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
  struct Free {
    void operator()(T* objects) const { ::operator delete(static_cast<void*>(objects)); }
  };

  [[gnu::cold]] void grow(size_t n) {
    const size_t wanted = std::max(size_ + n, std::max<size_t>(2 * capacity_, 64));
    // NOLINTNEXTLINE(bugprone-sizeof-expression): where T is a pointer, its own size is meant
    std::unique_ptr<T[], Free> larger(static_cast<T*>(::operator new(wanted * sizeof(T))));
    std::uninitialized_copy_n(data_.get(), size_, larger.get());
    data_ = std::move(larger);
    capacity_ = wanted;
  }

  std::unique_ptr<T[], Free> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace modelmeter
