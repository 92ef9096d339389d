#include <math.h>

#include "gelu.h"

void add_bias_gelu(float* __restrict values, const float* __restrict bias, int count) {
  for (int i = 0; i < count; ++i) {
    const float x = values[i] + bias[i];
    // Abramowitz and Stegun 7.1.26
    const float u = fabsf(x) * 0.70710678f, t = 1 / (1 + 0.3275911f * u);
    const float polynomial =
        t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    const float erf_u = 1 - polynomial * expf(-u * u);
    values[i] = 0.5f * x * (1 + copysignf(erf_u, x));
  }
}

void add_bias(float* __restrict values, const float* __restrict bias, int count) {
  for (int i = 0; i < count; ++i) values[i] += bias[i];
}
