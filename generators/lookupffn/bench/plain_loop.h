// The whole layer as one would write it in plain C++ for speed without intrinsics. Compiled on its own with
// -O3 -march=native; the types here are plain so that no inline function of a header is compiled for it.
#ifndef LOOKUPFFN_BENCH_PLAIN_LOOP_H
#define LOOKUPFFN_BENCH_PLAIN_LOOP_H

struct PlainLayer {
  int d, d_out, padded, tables, bits, block, repeats;  // dense: block = repeats = 0
  int zero_is_one;                                     // z = 0 sets its bit
  float decay, layer_norm_eps;
  // gamma, beta NULL: no LayerNorm. projection_bias NULL: none.
  const float *gamma, *beta, *projection_bias, *table, *bias;
  // Transposed, so that the inner loop runs over outputs and vectorises as it stands:
  // dense [d, tables*bits]; BH4 [repeats, 4, p/block, block (in), block (out)]. NULL: no projection, d = tables*bits.
  const float* weight;
};

// x [tokens, d] to y [tokens, d_out], tokens in parallel (OpenMP). scratch: floats, plain_scratch() for each
// thread.
int plain_scratch(const PlainLayer* layer);
void plain_forward(const PlainLayer* layer, const float* x, float* y, int tokens, int threads, float* scratch);

#endif
