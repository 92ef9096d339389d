#include <math.h>
#include <string.h>

#include "plain_loop.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace {

void forward_token(const PlainLayer& layer, const float* x, float* __restrict y, float* __restrict scratch) {
  const int d = layer.d, p = layer.padded, outputs = layer.tables * layer.bits;
  float* __restrict h = scratch;
  float* __restrict z = h + p;
  float* __restrict v = z + (layer.repeats > 0 ? layer.repeats * p : outputs);
  float* __restrict products = v + p;

  if (layer.gamma == nullptr) {
    memcpy(h, x, d * sizeof(float));
  } else {
    float mean = 0, variance = 0;
    for (int i = 0; i < d; ++i) mean += x[i];
    mean /= d;
    for (int i = 0; i < d; ++i) variance += (x[i] - mean) * (x[i] - mean);
    const float scale = 1 / sqrtf(variance / d + layer.layer_norm_eps);
    for (int i = 0; i < d; ++i) h[i] = (x[i] - mean) * scale * layer.gamma[i] + layer.beta[i];
  }
  for (int i = d; i < p; ++i) h[i] = 0;

  if (layer.weight == nullptr) {
    memcpy(z, h, outputs * sizeof(float));
  } else if (layer.repeats == 0) {
    for (int o = 0; o < outputs; ++o) z[o] = 0;
    for (int i = 0; i < d; ++i) {
      for (int o = 0; o < outputs; ++o) z[o] += layer.weight[i * outputs + o] * h[i];
    }
  }
  for (int r = 0; r < layer.repeats; ++r) {
    memcpy(v, h, p * sizeof(float));
    for (int s = 0; s < 4; ++s) {
      for (int n = 0; n < p / layer.block; ++n) {
        const float* w = layer.weight + static_cast<long>(((r * 4 + s) * p) + n * layer.block) * layer.block;
        float* __restrict out = products + n * layer.block;
        for (int o = 0; o < layer.block; ++o) out[o] = 0;
        for (int i = 0; i < layer.block; ++i) {
          const float value = v[n * layer.block + i];
          for (int o = 0; o < layer.block; ++o) out[o] += w[i * layer.block + o] * value;
        }
      }
      // The Hadamard transform in steps that are all alike, and so all vectorise: each takes neighbours and
      // moves their bit of the index from the bottom to the top.
      float* __restrict from = products;
      float* __restrict to = v;
      for (int step = 1; step < p; step *= 2) {
        for (int j = 0; j < p / 2; ++j) {
          to[j] = from[2 * j] + from[2 * j + 1];
          to[j + p / 2] = from[2 * j] - from[2 * j + 1];
        }
        float* const swapped = from;
        from = to;
        to = swapped;
      }
      if (from != v) memcpy(v, from, p * sizeof(float));
    }
    for (int i = 0; i < p; ++i) z[r * p + i] = layer.decay * v[i] + (1 - layer.decay) * h[i];
  }

  if (layer.projection_bias != nullptr) {
    for (int o = 0; o < outputs; ++o) z[o] += layer.projection_bias[o];
  }
  const int d_out = layer.d_out;
  for (int i = 0; i < d_out; ++i) y[i] = layer.bias[i];
  const int rows = 1 << layer.bits;
  for (int t = 0; t < layer.tables; ++t) {
    int code = 0;
    float sum = 0, product = 1;
    for (int j = 0; j < layer.bits; ++j) {
      const float value = z[t * layer.bits + j];
      code = code * 2 + (layer.zero_is_one ? value >= 0 : value > 0);
      sum += fabsf(value);
      product *= 1 + expf(-2 * fabsf(value));
    }
    const float score = sum / product;
    const float* row = layer.table + (static_cast<long>(t) * rows + code) * d_out;
    for (int i = 0; i < d_out; ++i) y[i] += score * row[i];
  }
}

}  // namespace

int plain_scratch(const PlainLayer* layer) {
  const int outputs = layer->tables * layer->bits, repeated = layer->repeats * layer->padded;
  return 3 * layer->padded + (outputs > repeated ? outputs : repeated);
}

void plain_forward(const PlainLayer* layer, const float* x, float* y, int tokens, [[maybe_unused]] int threads,
                   float* scratch) {
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
  for (int n = 0; n < tokens; ++n) {
    int thread = 0;
#ifdef _OPENMP
    thread = omp_get_thread_num();
#endif
    const long token = n;
    forward_token(*layer, x + token * layer->d, y + token * layer->d_out,
                  scratch + static_cast<long>(thread) * plain_scratch(layer));
  }
}
