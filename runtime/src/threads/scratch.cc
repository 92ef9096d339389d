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

ScratchPool::~ScratchPool() {
  for (Entry* entry = first_.load(std::memory_order_acquire); entry;) {
    Entry* const next = entry->next;
    delete entry;
    entry = next;
  }
}

ScratchPool::Entry& ScratchPool::take() {
  for (Entry* entry = first_.load(std::memory_order_acquire); entry; entry = entry->next) {
    if (!entry->taken.load(std::memory_order_relaxed) && !entry->taken.exchange(true, std::memory_order_acquire)) return *entry;
  }
  Entry* const entry = new Entry;
  entry->next = first_.load(std::memory_order_relaxed);
  while (!first_.compare_exchange_weak(entry->next, entry, std::memory_order_acq_rel, std::memory_order_relaxed)) {
  }
  return *entry;
}

}  // namespace lookupffn
