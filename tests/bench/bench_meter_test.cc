// How lookupffn_compare samples, and what it sets up for its peers. Calls are counted; no time is asserted.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "meter.h"
#include "one_cpu_set.h"

namespace lookupffn::bench {
namespace {

// Of which times are taken from outside: a call that sleeps takes none of its own.
constexpr size_t kThreads = 2;

// A call that takes longer than the whole warm-up is warmed up by one call all the same.
TEST(Meter, EverySampleIsWarmedUp) {
  size_t calls = 0;
  const auto sample = time_calls(
      [&](size_t) {
        ++calls;
        std::this_thread::sleep_for(std::chrono::milliseconds(40));
      },
      1, 8, kThreads);
  const size_t before = calls;
  EXPECT_GE(sample(), 40e3);
  EXPECT_EQ(calls - before, 2u) << "one untimed, one timed";
}

TEST(Meter, CallsGoRoundTheRing) {
  std::vector<size_t> firsts;
  const auto sample = time_calls(
      [&](size_t first) {
        firsts.push_back(first);
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
      },
      3, 8, kThreads);
  sample();
  sample();
  ASSERT_GE(firsts.size(), 4u);
  for (size_t k = 0; k < firsts.size(); ++k) EXPECT_EQ(firsts[k], k % 2 == 0 ? 0u : 3u);
}

#if defined(__x86_64__)
// OpenBLAS takes a CPU that it does not know for an old one. By features it has AVX-512 where that is not made of halves.
TEST(OpenBlasCore, FollowsTheCpusFeatures) {
  __builtin_cpu_init();
  const std::string core = openblas_core();
  if (!__builtin_cpu_supports("avx2")) {
    EXPECT_EQ(core, "");
  } else if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_is("intel")) {
    EXPECT_EQ(core, "SkylakeX");
  } else if (!__builtin_cpu_supports("avx512f")) {
    EXPECT_EQ(core, "Haswell");
  } else {
    EXPECT_TRUE(core == "SkylakeX" || core == "Haswell") << core;
  }
}
#endif

}  // namespace
}  // namespace lookupffn::bench
