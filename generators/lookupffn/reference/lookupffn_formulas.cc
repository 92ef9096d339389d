#include "lookupffn_formulas.h"

#include <cmath>

namespace lookupffn::reference {

std::vector<double> layer_norm(const Layer& layer, const std::vector<float>& x) {
  const size_t d_in = layer.shape.d_in, tokens = x.size() / d_in;
  if (!layer.rules.layer_norm) return {x.begin(), x.end()};
  std::vector<double> h(tokens * d_in);
  for (size_t n = 0; n < tokens; ++n) {
    const float* row = &x[n * d_in];
    double mean = 0, variance = 0;
    for (size_t i = 0; i < d_in; ++i) mean += row[i];
    mean /= static_cast<double>(d_in);
    for (size_t i = 0; i < d_in; ++i) variance += (row[i] - mean) * (row[i] - mean);
    variance /= static_cast<double>(d_in);
    for (size_t i = 0; i < d_in; ++i) {
      h[n * d_in + i] = (row[i] - mean) / std::sqrt(variance + layer.shape.layer_norm_eps) * layer.gamma[i] + layer.beta[i];
    }
  }
  return h;
}

std::vector<double> dense_projection(const Layer& layer, const std::vector<double>& h) {
  const size_t d_in = layer.shape.d_in, tokens = h.size() / d_in;
  const size_t outputs = layer.shape.tables * layer.shape.bits;
  std::vector<double> z(tokens * outputs);
  for (size_t n = 0; n < tokens; ++n) {
    for (size_t o = 0; o < outputs; ++o) {
      double sum = layer.projection_bias[o];
      for (size_t i = 0; i < d_in; ++i) sum += layer.weight[o * d_in + i] * h[n * d_in + i];
      z[n * outputs + o] = sum;
    }
  }
  return z;
}

void hadamard_explicit(std::vector<double>& x) {
  std::vector<double> y(x.size(), 0.0);
  for (size_t k = 0; k < x.size(); ++k) {
    for (size_t n = 0; n < x.size(); ++n) y[k] += __builtin_popcountll(k & n) % 2 == 0 ? x[n] : -x[n];
  }
  x = y;
}

void hadamard(std::vector<double>& x) {
  for (size_t half = 1; half < x.size(); half *= 2) {
    for (size_t k = 0; k < x.size(); ++k) {
      if ((k & half) != 0) continue;
      const double a = x[k], b = x[k + half];
      x[k] = a + b;
      x[k + half] = a - b;
    }
  }
}

std::vector<double> bh4_projection(const Layer& layer, const std::vector<double>& h) {
  const lookupffn_shape& shape = layer.shape;
  const size_t d_in = shape.d_in, tokens = h.size() / d_in;
  const size_t outputs = shape.tables * shape.bits;
  const size_t p = padded_width(shape), block = shape.block, segments = p / block;
  std::vector<double> z(tokens * outputs);
  for (size_t n = 0; n < tokens; ++n) {
    std::vector<double> padded(p, 0.0);
    for (size_t i = 0; i < d_in; ++i) padded[i] = h[n * d_in + i];
    for (size_t r = 0; r < shape.repeats; ++r) {
      std::vector<double> x = padded;
      for (size_t s = 0; s < 4; ++s) {
        std::vector<double> y(p, 0.0);
        for (size_t m = 0; m < segments; ++m) {
          for (size_t o = 0; o < block; ++o) {
            for (size_t i = 0; i < block; ++i) {
              const double w = layer.weight[(((r * 4 + s) * segments + m) * block + o) * block + i];  // W[r,s,m,o,i]
              y[m * block + o] += w * x[m * block + i];
            }
          }
        }
        hadamard(y);
        x = y;
      }
      for (size_t i = 0; i < p && r * p + i < outputs; ++i) {
        z[n * outputs + r * p + i] = shape.decay * x[i] + (1.0 - shape.decay) * padded[i] + layer.projection_bias[r * p + i];
      }
    }
  }
  return z;
}

std::vector<double> projection(const Layer& layer, const std::vector<double>& h) {
  if (!layer.rules.projection) return h;
  return layer.shape.projection == LOOKUPFFN_DENSE ? dense_projection(layer, h) : bh4_projection(layer, h);
}

Hash code_and_score(const Layer& layer, const std::vector<double>& z) {
  const size_t bits = layer.shape.bits;
  Hash hash;
  for (size_t nt = 0; nt < z.size() / bits; ++nt) {  // token and table
    int32_t code = 0;
    double sum = 0, product = 1;
    for (size_t j = 0; j < bits; ++j) {
      const double value = z[nt * bits + j];
      if (value > 0 || (value == 0 && layer.rules.zero_is_one)) code |= 1 << (bits - 1 - j);
      sum += std::abs(value);
      product *= 1.0 + std::exp(-2.0 * std::abs(value));
    }
    hash.code.push_back(code);
    hash.score.push_back(sum / product);
  }
  return hash;
}

std::vector<double> gather(const Layer& layer, const std::vector<int32_t>& code, const std::vector<double>& score) {
  const size_t tables = layer.shape.tables, rows = layer.shape.rows, d_out = layer.shape.d_out;
  const size_t tokens = code.size() / tables;
  std::vector<double> y(tokens * d_out);
  for (size_t n = 0; n < tokens; ++n) {
    for (size_t o = 0; o < d_out; ++o) y[n * d_out + o] = layer.bias[o];
    for (size_t t = 0; t < tables; ++t) {
      const size_t row = static_cast<size_t>(code[n * tables + t]);
      for (size_t o = 0; o < d_out; ++o) {
        y[n * d_out + o] += score[n * tables + t] * layer.table[(t * rows + row) * d_out + o];
      }
    }
  }
  return y;
}

Result forward(const Layer& layer, const std::vector<float>& x) {
  return with_z(layer, projection(layer, layer_norm(layer, x)));
}

Result with_z(const Layer& layer, std::vector<double> z) {
  Result result;
  result.z = std::move(z);
  Hash hash = code_and_score(layer, result.z);
  result.code = std::move(hash.code);
  result.score = std::move(hash.score);
  result.y = gather(layer, result.code, result.score);
  return result;
}

}  // namespace lookupffn::reference
