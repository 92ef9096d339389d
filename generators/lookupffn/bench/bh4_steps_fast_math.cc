#include <math.h>

#include "bh4_steps.h"

void layer_norm_tile(const float* __restrict x, const float* __restrict gamma, const float* __restrict beta, float eps,
                     float* __restrict h, int tokens, int d, int padded) {
  for (int n = 0; n < tokens; ++n, x += d, h += padded) {
    float mean = 0, variance = 0;
    for (int i = 0; i < d; ++i) mean += x[i];
    mean /= d;
    for (int i = 0; i < d; ++i) variance += (x[i] - mean) * (x[i] - mean);
    const float scale = 1 / sqrtf(variance / d + eps);
    for (int i = 0; i < d; ++i) h[i] = (x[i] - mean) * scale * gamma[i] + beta[i];
    for (int i = d; i < padded; ++i) h[i] = 0;
  }
}

void hadamard_across_blocks(float* v, int tokens, int padded, int block) {
  for (int n = 0; n < tokens; ++n, v += padded) {
    for (int half = block; half < padded; half *= 2) {
      for (int i = 0; i < padded; i += 2 * half) {
        float* __restrict low = v + i;
        float* __restrict high = v + i + half;
        for (int j = 0; j < half; ++j) {
          const float a = low[j], b = high[j];
          low[j] = a + b;
          high[j] = a - b;
        }
      }
    }
  }
}

void code_and_score_tile(const float* __restrict v, const float* __restrict h, const float* __restrict bias, float decay,
                         int tokens, int padded, int outputs, int bits, int32_t* __restrict code, float* __restrict score,
                         int stride) {
  enum { kChunk = 64 };  // a multiple of `bits` of it at a time
  const int chunk = kChunk / bits * bits;
  float size[kChunk], factor[kChunk];
  int32_t positive[kChunk];
  for (int n = 0; n < tokens; ++n, v += padded, h += padded, code += stride, score += stride) {
    for (int first = 0; first < outputs; first += chunk) {
      const int count = outputs - first < chunk ? outputs - first : chunk;
      for (int i = 0; i < count; ++i) {
        const float z = decay * v[first + i] + (1 - decay) * h[first + i] + bias[first + i];
        positive[i] = z > 0;
        size[i] = fabsf(z);
        factor[i] = 1 + expf(-2 * fabsf(z));
      }
      for (int t = 0; t < count / bits; ++t) {
        int32_t bitset = 0;
        float sum = 0, product = 1;
        for (int j = 0; j < bits; ++j) {
          bitset = bitset * 2 + positive[t * bits + j];
          sum += size[t * bits + j];
          product *= factor[t * bits + j];
        }
        code[first / bits + t] = bitset;
        score[first / bits + t] = sum / product;
      }
    }
  }
}
