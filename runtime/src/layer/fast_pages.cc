#include "fast_pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <time.h>
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace lookupffn {

#if defined(__linux__) && defined(MREMAP_FIXED)
namespace {

constexpr size_t kFirstSets = 3, kMostSets = 8;
constexpr int kRounds = 6;
// Sets that differ by less are as good as each other, and so will be others.
constexpr double kAlike = 1.005;

double now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) * 1e9 + double(t.tv_nsec);
}

// A word of each line: that brings all of the line, and is never slower than the caches are.
void read_all(const char* data, size_t bytes) {
  constexpr size_t kLine = 64, kLines = 8;
  uint64_t seen[kLines] = {};
  for (size_t at = 0; at + kLines * kLine <= bytes; at += kLines * kLine) {
    for (size_t i = 0; i < kLines; ++i) {
      uint64_t word;
      std::memcpy(&word, data + at + i * kLine, sizeof word);
      seen[i] |= word;
    }
  }
  uint64_t all = 0;
  for (const uint64_t word : seen) all |= word;
  asm volatile("" : : "r"(all));
}

// A set of pages for a range, mapped elsewhere.
struct PageSet {
  char* data = nullptr;
  double ns = 0;  // of the fastest read
};

// Nothing where the system gives no memory. Aligned to `page`, in huge pages if that is one.
char* map_pages(size_t bytes, size_t page, bool huge) {
  const size_t mapped = bytes + (huge ? page : 0);
  void* const mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return nullptr;
  char* const first = static_cast<char*>(mapping);
  char* const data = first + (page - reinterpret_cast<uintptr_t>(first) % page) % page;
  if (data > first) munmap(first, size_t(data - first));
  if (data + bytes < first + mapped) munmap(data + bytes, size_t(first + mapped - data - bytes));
  if (huge) madvise(data, bytes, MADV_HUGEPAGE);
  return data;
}

// Written, or all of it is the one page of zeros.
void touch(char* data, size_t bytes) {
  constexpr size_t kSmallest = 4096;
  for (size_t at = 0; at < bytes; at += kSmallest) *static_cast<volatile char*>(data + at) = 0;
}

// In turn, and each time anew in the caches.
void time_reads(PageSet* sets, size_t count, size_t offset, size_t bytes) {
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < count; ++i) {
      for (int warm_up = 0; warm_up < 2; ++warm_up) read_all(sets[i].data + offset, bytes);
      for (int read = 0; read < 3; ++read) {
        const double start = now_ns();
        read_all(sets[i].data + offset, bytes);
        const double ns = now_ns() - start;
        if (sets[i].ns == 0 || ns < sets[i].ns) sets[i].ns = ns;
      }
    }
  }
}

}  // namespace

PageChoice choose_fast_pages(const HugeMemory& memory, void* start, size_t bytes) noexcept {
  PageChoice choice;
  if (bytes < kLeastBytes || bytes > kMostBytes) return choice;
  const size_t page = memory.page_bytes();
  const bool huge = memory.huge_page_bytes() > 0;
  const uintptr_t from = reinterpret_cast<uintptr_t>(start) / page * page;
  const uintptr_t to = (reinterpret_cast<uintptr_t>(start) + bytes + page - 1) / page * page;
  const size_t offset = reinterpret_cast<uintptr_t>(start) - from, range = to - from;
  PageSet sets[kMostSets];
  sets[0].data = reinterpret_cast<char*>(from);
  touch(sets[0].data, range);
  size_t count = 1;
  for (const size_t wanted : {kFirstSets, kMostSets}) {
    for (; count < wanted; ++count) {
      sets[count].data = map_pages(range, page, huge);
      if (!sets[count].data) break;
      touch(sets[count].data, range);
    }
    time_reads(sets, count, offset, bytes);
    const auto by_time = [](const PageSet& a, const PageSet& b) { return a.ns < b.ns; };
    choice.fastest_ns = std::min_element(sets, sets + count, by_time)->ns;
    choice.slowest_ns = std::max_element(sets, sets + count, by_time)->ns;
    choice.sets = count;
    if (count < wanted || choice.spread() < kAlike) break;
  }
  const size_t best =
      size_t(std::min_element(sets, sets + count, [](const PageSet& a, const PageSet& b) { return a.ns < b.ns; }) - sets);
  for (size_t i = 1; i < count; ++i) {
    if (i == best) {
      if (mremap(sets[i].data, range, range, MREMAP_MAYMOVE | MREMAP_FIXED, sets[0].data) != MAP_FAILED) continue;
      // It may have taken the first set away before it failed.
      mmap(sets[0].data, range, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
    munmap(sets[i].data, range);
  }
  return choice;
}

#else

PageChoice choose_fast_pages(const HugeMemory&, void*, size_t) noexcept { return {}; }

#endif

}  // namespace lookupffn
