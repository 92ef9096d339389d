#include "scratch.h"

#include <new>

namespace lookupffn {

namespace {
constexpr auto kAlignment = std::align_val_t(64);
}

Scratch::~Scratch() { ::operator delete(data_, kAlignment); }

char* Scratch::reserve(size_t bytes) {
  if (bytes > bytes_) {
    char* larger = static_cast<char*>(::operator new(bytes, kAlignment));
    ::operator delete(data_, kAlignment);
    data_ = larger;
    bytes_ = bytes;
  }
  return data_;
}

std::unique_ptr<Scratch> ScratchPool::take() {
  std::lock_guard<std::mutex> lock(mutex_);
  // The vector's capacity covers every scratch that is out, so that put never allocates.
  if (free_.empty()) {
    free_.reserve(free_.capacity() + 1);
    return std::make_unique<Scratch>();
  }
  std::unique_ptr<Scratch> scratch = std::move(free_.back());
  free_.pop_back();
  return scratch;
}

void ScratchPool::put(std::unique_ptr<Scratch> scratch) {
  std::lock_guard<std::mutex> lock(mutex_);
  free_.push_back(std::move(scratch));
}

}  // namespace lookupffn
