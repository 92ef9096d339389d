// Pages chosen for weights: what the memory holds afterwards, and what is left behind.
#include "fast_pages.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "load.h"

namespace lookupffn {
namespace {

size_t mapped_kib() {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("VmSize:", 0) == 0) return size_t(std::stoul(line.substr(7)));
  }
  return 0;
}

void expect_usable(size_t all, size_t from, size_t bytes, bool chosen) {
  SCOPED_TRACE(std::to_string(bytes) + " bytes from " + std::to_string(from) + " of " + std::to_string(all));
  HugeMemory memory(all);
  const size_t before = mapped_kib();
  char* const data = static_cast<char*>(memory.data());
  const PageChoice choice = choose_fast_pages(memory, data + from, bytes);
  if (!checks::emulated()) {  // what an emulator maps for itself would be counted
    EXPECT_LE(mapped_kib(), before + 64) << "the other sets are given back";
  }
  EXPECT_GE(choice.spread(), 1);
#if defined(__linux__)
  EXPECT_EQ(choice.sets > 1, chosen);
#endif
  // All of it still belongs to the memory, is zero, and can be written.
  for (size_t i = 0; i < all; ++i) ASSERT_EQ(data[i], 0) << i;
  std::memset(data, 7, all);
  EXPECT_EQ(data[all - 1], 7);
}

TEST(FastPages, MemoryStaysWhereItIsAndHoldsZeros) {
  constexpr size_t kKiB = 1024, kMiB = 1024 * kKiB;
  expect_usable(512 * kKiB, 0, 512 * kKiB, true);                // small pages
  expect_usable(700 * kKiB, 100 * kKiB + 64, 300 * kKiB, true);  // not at the start of a page
  expect_usable(5 * kMiB, 4 * kMiB + 192, kMiB - 192, true);     // in the last huge page
  expect_usable(6 * kMiB, 3 * kMiB, 3 * kMiB, true);             // across huge pages
}

TEST(FastPages, LeavesAloneWhatIsTooSmallOrTooLarge) {
  expect_usable(size_t(1) << 20, 0, kLeastBytes - 64, false);
  expect_usable(size_t(8) << 20, 0, kMostBytes + 64, false);
  expect_usable(64, 0, 0, false);
}

}  // namespace
}  // namespace lookupffn
