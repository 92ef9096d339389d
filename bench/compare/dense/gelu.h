// Elementwise steps for peers that bring a matrix product alone. Compiled with -O3 -march=native -ffast-math
// in a file of its own; plain types for the reason given in plain_loop.h.
#ifndef LOOKUPFFN_BENCH_GELU_H
#define LOOKUPFFN_BENCH_GELU_H

// values = gelu(values + bias), the exact GELU by a rational approximation of erf good to 2e-7.
void add_bias_gelu(float* values, const float* bias, int count);

// values += bias
void add_bias(float* values, const float* bias, int count);

#endif
