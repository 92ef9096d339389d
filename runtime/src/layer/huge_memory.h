// Memory for packed weights.
#ifndef LOOKUPFFN_HUGE_MEMORY_H
#define LOOKUPFFN_HUGE_MEMORY_H

#include <cstddef>
#include <cstdint>

namespace lookupffn {

// A number of bytes that was reckoned in 64 bits, where addresses may have 32. Throws Failure (LOOKUPFFN_OUT_OF_MEMORY) where
// they cannot count so far.
size_t addressable(uint64_t bytes);

// Zeroed memory, aligned to a cache line at least; from 2 MiB on aligned to and asked for in huge pages, which
// spare a random row read its address translation. Movable, not copyable.
class HugeMemory {
 public:
  HugeMemory() = default;
  explicit HugeMemory(size_t bytes);  // throws Failure (LOOKUPFFN_OUT_OF_MEMORY)
  HugeMemory(HugeMemory&& other) noexcept;
  HugeMemory& operator=(HugeMemory&& other) noexcept;
  ~HugeMemory();

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  // How much of it the system was asked to hold in huge pages.
  size_t huge_page_bytes() const { return huge_page_bytes_; }
  // Of a page, as far as was asked for: its pages are aligned to so much, and are wholly its own.
  size_t page_bytes() const;

 private:
  void* mapping_ = nullptr;
  size_t mapped_ = 0;
  void* data_ = nullptr;
  size_t bytes_ = 0;
  size_t huge_page_bytes_ = 0;
};

}  // namespace lookupffn
#endif
