// Memory that a forward works in, kept from call to call.
#ifndef LOOKUPFFN_SCRATCH_H
#define LOOKUPFFN_SCRATCH_H

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

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

// As many as forwards run at a time. Thread-safe.
class ScratchPool {
 public:
  class Lease {
   public:
    explicit Lease(ScratchPool& pool) : pool_(pool), scratch_(pool.take()) {}
    ~Lease() { pool_.put(std::move(scratch_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Scratch& operator*() const { return *scratch_; }

   private:
    ScratchPool& pool_;
    std::unique_ptr<Scratch> scratch_;
  };

 private:
  std::unique_ptr<Scratch> take();
  void put(std::unique_ptr<Scratch> scratch);

  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> free_;
};

}  // namespace lookupffn
#endif
