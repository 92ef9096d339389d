// The fastest that this core multiplies and adds, by kind of instruction.
#ifndef LOOKUPFFN_BENCH_PEAK_RATE_H
#define LOOKUPFFN_BENCH_PEAK_RATE_H

#include <cstddef>
#include <vector>

namespace lookupffn::bench {

enum class Arithmetic {
  kSse41,       // f32, 128-bit multiply, then add
  kAvx2,        // f32, 256-bit FMA
  kAvx512,      // f32, 512-bit FMA
  kAvx512Bf16,  // bf16 pairs into f32, vdpbf16ps
  kAmxBf16      // bf16 tiles into f32, tdpbf16ps
};

const char* name_of(Arithmetic arithmetic);

// What this CPU and operating system run (nothing on other architectures than x86-64). Asks for the
// permission to use AMX tiles where the system wants to be asked.
const std::vector<Arithmetic>& runnable_arithmetic();

// GFLOP/s of `threads` threads that multiply and add registers for about `milliseconds`, two flops a product.
double sample_peak_gflops(Arithmetic arithmetic, size_t threads, double milliseconds);

}  // namespace lookupffn::bench
#endif
