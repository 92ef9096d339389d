// Bytes that end where a page that must not be touched begins: reading one byte past them ends the test
// with SIGSEGV, in any build.
#ifndef LOOKUPFFN_TESTS_GUARDED_BYTES_H
#define LOOKUPFFN_TESTS_GUARDED_BYTES_H

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

class GuardedBytes {
 public:
  explicit GuardedBytes(const std::vector<uint8_t>& bytes) : size_(bytes.size()) {
    const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const size_t usable = (size_ + page - 1) / page * page;
    mapped_ = usable + page;
    void* base = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || ::mprotect(static_cast<uint8_t*>(base) + usable, page, PROT_NONE) != 0) {
      throw std::bad_alloc();
    }
    base_ = static_cast<uint8_t*>(base);
    data_ = base_ + usable - size_;
    if (size_ != 0) std::memcpy(data_, bytes.data(), size_);
  }
  ~GuardedBytes() { ::munmap(base_, mapped_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  size_t size_ = 0, mapped_ = 0;
  uint8_t* base_ = nullptr;
  uint8_t* data_ = nullptr;
};

#endif
