/* An instruction beyond the baseline, with nothing that asks whether the CPU has it. */
#include <stdio.h>

#if defined(__x86_64__)
#include <tmmintrin.h>

int main(int argc, char **argv) {
  (void)argv;
  const __m128i shuffled = _mm_shuffle_epi8(_mm_set1_epi8((char)argc), _mm_set1_epi8(0)); /* SSSE3: pshufb */
  printf("%d\n", _mm_cvtsi128_si32(shuffled));
  return 0;
}
#elif defined(__aarch64__)
#include <arm_neon.h>

int main(int argc, char **argv) {
  (void)argv;
  const uint8x16_t ones = vdupq_n_u8((uint8_t)argc);
  printf("%u\n", vaddvq_u32(vdotq_u32(vdupq_n_u32(0), ones, ones))); /* ARMv8.2: udot */
  return 0;
}
#endif
