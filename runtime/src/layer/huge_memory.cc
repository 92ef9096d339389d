#include "huge_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "failure.h"

namespace lookupffn {
namespace {
constexpr size_t kHugePage = size_t(2) << 20;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
constexpr bool kOffered = true;
#else
constexpr bool kOffered = false;
#endif
}  // namespace

size_t addressable(uint64_t bytes) {
  if (bytes > SIZE_MAX - 2 * kHugePage) throw Failure(LOOKUPFFN_OUT_OF_MEMORY, "packed weights pass the address space");
  return size_t(bytes);
}

HugeMemory::HugeMemory(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const bool huge = kOffered && addressable(bytes) >= kHugePage;
  mapped_ = huge ? (bytes + 2 * kHugePage - 1) / kHugePage * kHugePage : bytes;
  mapping_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping_ == MAP_FAILED) {
    mapping_ = nullptr;
    throw Failure(LOOKUPFFN_OUT_OF_MEMORY, "no memory for " + std::to_string(bytes) + " bytes of packed weights");
  }
  data_ = mapping_;
  if (huge) {
    data_ = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(mapping_) + kHugePage - 1) / kHugePage * kHugePage);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const size_t whole = bytes / kHugePage * kHugePage;
    const size_t reach = mapped_ - size_t(static_cast<char*>(data_) - static_cast<char*>(mapping_));
    if (madvise(data_, reach, MADV_HUGEPAGE) == 0) huge_page_bytes_ = whole;
#endif
  }
}

size_t HugeMemory::page_bytes() const { return huge_page_bytes_ > 0 ? kHugePage : size_t(sysconf(_SC_PAGESIZE)); }

HugeMemory::HugeMemory(HugeMemory&& other) noexcept { *this = std::move(other); }

HugeMemory& HugeMemory::operator=(HugeMemory&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(huge_page_bytes_, other.huge_page_bytes_);
  return *this;
}

HugeMemory::~HugeMemory() {
  if (mapping_) munmap(mapping_, mapped_);
}

}  // namespace lookupffn
