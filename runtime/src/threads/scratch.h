// Memory that a forward works in, kept from call to call.
#ifndef LOOKUPFFN_SCRATCH_H
#define LOOKUPFFN_SCRATCH_H

#include <atomic>
#include <cstddef>

namespace lookupffn {

// One forward's memory; grows to the largest need and stays.
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  // At least so many bytes, aligned to 64; the contents of the last call. Throws std::bad_alloc.
  char* reserve(size_t bytes);

 private:
  char* data_ = nullptr;
  size_t bytes_ = 0;
};

// As many as forwards run at a time. Thread-safe without a lock, which a fork could copy locked for ever.
class ScratchPool {
  struct Entry {
    Scratch scratch;
    std::atomic<bool> taken{true};
    Entry* next = nullptr;
  };

 public:
  ScratchPool() = default;
  ~ScratchPool();
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;

  class Lease {
   public:
    explicit Lease(ScratchPool& pool) : entry_(pool.take()) {}
    ~Lease() { entry_.taken.store(false, std::memory_order_release); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Scratch& operator*() const { return entry_.scratch; }

   private:
    Entry& entry_;
  };

 private:
  Entry& take();

  std::atomic<Entry*> first_{nullptr};  // entries are added, and stay as long as the pool
};

}  // namespace lookupffn
#endif
