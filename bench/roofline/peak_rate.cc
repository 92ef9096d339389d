#include "peak_rate.h"

#include "parallel_bursts.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#endif

namespace lookupffn::bench {

const char* name_of(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kSse41:
      return "sse41 f32";
    case Arithmetic::kAvx2:
      return "avx2 f32";
    case Arithmetic::kAvx512:
      return "avx512 f32";
    case Arithmetic::kAvx512Bf16:
      return "avx512_bf16";
    case Arithmetic::kAmxBf16:
      return "amx bf16";
  }
  return "";
}

#if defined(__x86_64__)
namespace {

// Independent sums, more than an FMA's latency of 4 on two ports asks for. The instructions are spelt out, so
// that no compiler merges, folds or drops them, and the sums are variables of their own, which stay in
// registers.
#define FOR_EACH_OF_8(step) step(s0) step(s1) step(s2) step(s3) step(s4) step(s5) step(s6) step(s7)

__attribute__((target("sse4.1"))) void burst_sse41(size_t iterations) {
  const __m128 a = _mm_set1_ps(0.5f), b = a;
  __m128 s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, product;
#define STEP(s) asm volatile("movaps %2, %1\n\tmulps %3, %1\n\taddps %1, %0" : "+x"(s), "=&x"(product) : "x"(a), "x"(b));
  for (size_t i = 0; i < iterations; ++i) {
    FOR_EACH_OF_8(STEP)
  }
#undef STEP
}

__attribute__((target("avx2,fma"))) void burst_avx2(size_t iterations) {
  const __m256 a = _mm256_set1_ps(0.5f), b = a;
  __m256 s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a;
#define STEP(s) asm volatile("vfmadd231ps %1, %2, %0" : "+x"(s) : "x"(a), "x"(b));
  for (size_t i = 0; i < iterations; ++i) {
    FOR_EACH_OF_8(STEP)
    STEP(s8) STEP(s9)
  }
#undef STEP
}

__attribute__((target("avx512f"))) void burst_avx512(size_t iterations) {
  const __m512 a = _mm512_set1_ps(0.5f), b = a;
  __m512 s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a;
#define STEP(s) asm volatile("vfmadd231ps %1, %2, %0" : "+v"(s) : "v"(a), "v"(b));
  for (size_t i = 0; i < iterations; ++i) {
    FOR_EACH_OF_8(STEP)
    STEP(s8) STEP(s9)
  }
#undef STEP
}

__attribute__((target("avx512f,avx512bf16"))) void burst_avx512_bf16(size_t iterations) {
  const __m512 a = _mm512_set1_ps(0.5f), b = a;  // bits that are small bf16 numbers too
  __m512 s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a;
  __m512 s10 = a, s11 = a, s12 = a, s13 = a, s14 = a, s15 = a;
#define STEP(s) asm volatile("vdpbf16ps %1, %2, %0" : "+v"(s) : "v"(a), "v"(b));
  for (size_t i = 0; i < iterations; ++i) {
    FOR_EACH_OF_8(STEP)
    STEP(s8) STEP(s9) STEP(s10) STEP(s11) STEP(s12) STEP(s13) STEP(s14) STEP(s15)
  }
#undef STEP
}
#undef FOR_EACH_OF_8

struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_a_row[16] = {};
  uint8_t rows[16] = {};
};

__attribute__((target("amx-tile,amx-bf16"))) void burst_amx(size_t iterations) {
  TileConfiguration configuration;
  for (int tile = 0; tile < 8; ++tile) {
    configuration.bytes_a_row[tile] = 64;
    configuration.rows[tile] = 16;
  }
  asm volatile("" : : "r"(&configuration) : "memory");  // gcc takes the next line to read eight bytes alone
  _tile_loadconfig(&configuration);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (size_t i = 0; i < iterations; ++i) {  // tile instructions are volatile
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

struct Burst {
  Arithmetic arithmetic;
  void (*run)(size_t iterations);
  double flops_an_iteration;
};

constexpr Burst kBursts[] = {
    {Arithmetic::kSse41, burst_sse41, 8 * 4 * 2},
    {Arithmetic::kAvx2, burst_avx2, 10 * 8 * 2},
    {Arithmetic::kAvx512, burst_avx512, 10 * 16 * 2},
    {Arithmetic::kAvx512Bf16, burst_avx512_bf16, 16 * 32 * 2},
    {Arithmetic::kAmxBf16, burst_amx, 4 * 16 * 16 * 32 * 2},
};

const Burst& find_burst(Arithmetic arithmetic) { return kBursts[static_cast<int>(arithmetic)]; }

__attribute__((target("xsave"))) uint64_t enabled_state() { return _xgetbv(0); }

bool has_amx() {
  uint32_t a = 7, b = 0, c = 0, d = 0;
  asm("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  constexpr uint32_t kBf16 = 1u << 22, kTile = 1u << 24;
  if ((d & kBf16) == 0 || (d & kTile) == 0) return false;
  constexpr uint64_t kTileState = 3u << 17;
  if ((enabled_state() & kTileState) != kTileState) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // arch_prctl(2)
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool has_avx512_bf16() {
  uint32_t a = 7, b = 0, c = 1, d = 0;
  asm("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (a & (1u << 5)) != 0 && __builtin_cpu_supports("avx512f") != 0;
}

}  // namespace

const std::vector<Arithmetic>& runnable_arithmetic() {
  static const std::vector<Arithmetic> runnable = [] {
    std::vector<Arithmetic> found;
    if (__builtin_cpu_supports("sse4.1")) found.push_back(Arithmetic::kSse41);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.push_back(Arithmetic::kAvx2);
    if (__builtin_cpu_supports("avx512f")) found.push_back(Arithmetic::kAvx512);
    if (has_avx512_bf16()) found.push_back(Arithmetic::kAvx512Bf16);
    if (__builtin_cpu_supports("avx2") && has_amx()) found.push_back(Arithmetic::kAmxBf16);
    return found;
  }();
  return runnable;
}

double sample_peak_gflops(Arithmetic arithmetic, size_t threads, double milliseconds) {
  const Burst& burst = find_burst(arithmetic);
  constexpr size_t kTrial = 2000;
  const double trial = time_bursts(1, [&](size_t) { burst.run(kTrial); });
  const size_t iterations = kTrial + static_cast<size_t>(kTrial * milliseconds * 1e-3 / trial);
  const double seconds = time_bursts(threads, [&](size_t) { burst.run(iterations); });
  return burst.flops_an_iteration * iterations * threads / seconds * 1e-9;
}

#else

const std::vector<Arithmetic>& runnable_arithmetic() {
  static const std::vector<Arithmetic> none;
  return none;
}

double sample_peak_gflops(Arithmetic, size_t, double) { return 0; }

#endif

}  // namespace lookupffn::bench
