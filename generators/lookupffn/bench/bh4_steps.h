// The steps of a BH4 hash around its block products, for a tile of tokens. Compiled with -O3 -march=native
// -ffast-math in a file of its own; plain types for the reason given in plain_loop.h.
#ifndef LOOKUPFFN_BENCH_BH4_STEPS_H
#define LOOKUPFFN_BENCH_BH4_STEPS_H

#include <stdint.h>

// h [tokens, padded] = LayerNorm of x [tokens, d], zero-padded.
void layer_norm_tile(const float* x, const float* gamma, const float* beta, float eps, float* h, int tokens, int d, int padded);

// The Hadamard transform across blocks: v[n, b, :] over b, for v [tokens, padded / block, block].
void hadamard_across_blocks(float* v, int tokens, int padded, int block);

// z = decay * v + (1 - decay) * h + bias, for the first `outputs` of a repeat; then codes and scores of
// tables of `bits` outputs each. v, h [tokens, padded]; code and score point at the repeat's first table,
// `stride` tables from one token to the next.
void code_and_score_tile(const float* v, const float* h, const float* bias, float decay, int tokens, int padded, int outputs,
                         int bits, int32_t* code, float* score, int stride);

#endif
