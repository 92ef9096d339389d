#include "lookupffn_gradients.h"

#include <cmath>

#include "lookupffn_formulas.h"

namespace lookupffn::reference {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// d_h, and the gradients by the projection's weight, of a dense one.
std::vector<double> through_dense(const Layer& layer, const std::vector<double>& h, const std::vector<double>& d_z,
                                  Gradients& result) {
  const size_t d_in = layer.shape.d_in, outputs = layer.shape.tables * layer.shape.bits, tokens = h.size() / d_in;
  std::vector<double> d_h(h.size(), 0.0);
  for (size_t n = 0; n < tokens; ++n) {
    for (size_t k = 0; k < outputs; ++k) {
      for (size_t i = 0; i < d_in; ++i) {
        d_h[n * d_in + i] += d_z[n * outputs + k] * layer.weight[k * d_in + i];
        result.weight[k * d_in + i] += d_z[n * outputs + k] * h[n * d_in + i];
      }
    }
  }
  return d_h;
}

std::vector<double> through_bh4(const Layer& layer, const std::vector<double>& h, const std::vector<double>& d_z,
                                Gradients& result) {
  const lookupffn_shape& shape = layer.shape;
  const size_t d_in = shape.d_in, outputs = shape.tables * shape.bits, tokens = h.size() / d_in;
  const size_t p = padded_width(shape), block = shape.block;
  // W[r, s, m, o, i] of the output m * block + o
  const auto at = [&](size_t r, size_t s, size_t output, size_t i) { return ((r * 4 + s) * p + output) * block + i; };
  std::vector<double> d_h(h.size(), 0.0);
  for (size_t n = 0; n < tokens; ++n) {
    for (size_t r = 0; r < shape.repeats; ++r) {
      std::vector<double> inputs[4], v(p, 0.0);
      for (size_t i = 0; i < d_in; ++i) v[i] = h[n * d_in + i];
      for (size_t s = 0; s < 4; ++s) {
        inputs[s] = v;
        std::vector<double> next(p, 0.0);
        for (size_t o = 0; o < p; ++o) {
          for (size_t i = 0; i < block; ++i) next[o] += layer.weight[at(r, s, o, i)] * v[o / block * block + i];
        }
        hadamard(next);
        v = next;
      }
      std::vector<double> d_v(p, 0.0);
      for (size_t k = 0; k < p && r * p + k < outputs; ++k) {
        const double d = d_z[n * outputs + r * p + k];
        d_v[k] = shape.decay * d;
        if (k < d_in) d_h[n * d_in + k] += (1.0 - shape.decay) * d;
      }
      for (size_t s = 4; s-- > 0;) {
        hadamard(d_v);  // which is symmetric
        std::vector<double> before(p, 0.0);
        for (size_t o = 0; o < p; ++o) {
          for (size_t i = 0; i < block; ++i) {
            result.weight[at(r, s, o, i)] += d_v[o] * inputs[s][o / block * block + i];
            before[o / block * block + i] += d_v[o] * layer.weight[at(r, s, o, i)];
          }
        }
        d_v = before;
      }
      for (size_t i = 0; i < d_in; ++i) d_h[n * d_in + i] += d_v[i];
    }
  }
  return d_h;
}

void through_layer_norm(const Layer& layer, const std::vector<float>& x, const std::vector<double>& d_h, Gradients& result) {
  const size_t d_in = layer.shape.d_in, tokens = x.size() / d_in;
  for (size_t n = 0; n < tokens; ++n) {
    const float* row = &x[n * d_in];
    double mean = 0, variance = 0;
    for (size_t i = 0; i < d_in; ++i) mean += row[i] / static_cast<double>(d_in);
    for (size_t i = 0; i < d_in; ++i) variance += (row[i] - mean) * (row[i] - mean) / static_cast<double>(d_in);
    const double scale = 1 / std::sqrt(variance + layer.shape.layer_norm_eps);
    double sum = 0, normal_sum = 0;
    for (size_t i = 0; i < d_in; ++i) {
      const double d = d_h[n * d_in + i], normal = (row[i] - mean) * scale;
      result.gamma[i] += d * normal;
      result.beta[i] += d;
      sum += d * layer.gamma[i] / static_cast<double>(d_in);
      normal_sum += d * layer.gamma[i] * normal / static_cast<double>(d_in);
    }
    for (size_t i = 0; i < d_in; ++i) {
      result.x[n * d_in + i] = scale * (d_h[n * d_in + i] * layer.gamma[i] - sum - (row[i] - mean) * scale * normal_sum);
    }
  }
}

}  // namespace

std::vector<double> score_gradient(const Layer& layer, const std::vector<double>& z, const std::vector<double>& d_score) {
  const size_t bits = layer.shape.bits;
  std::vector<double> d_z(z.size());
  for (size_t t = 0; t < d_score.size(); ++t) {
    double sum = 0, product = 1;
    for (size_t j = 0; j < bits; ++j) {
      sum += std::fabs(z[t * bits + j]);
      product *= sigmoid(2 * std::fabs(z[t * bits + j]));
    }
    for (size_t j = 0; j < bits; ++j) {
      const double of = z[t * bits + j], sign = of > 0 ? 1 : of < 0 ? -1 : 0;
      d_z[t * bits + j] = d_score[t] * sign * product * (1 + 2 * sum * sigmoid(-2 * std::fabs(of)));
    }
  }
  return d_z;
}

Gradients gradients(const Layer& layer, const std::vector<float>& x, const std::vector<float>& d_y) {
  const lookupffn_shape& shape = layer.shape;
  const size_t d_out = shape.d_out, outputs = shape.tables * shape.bits, tokens = x.size() / shape.d_in;
  Gradients result;
  result.x.resize(x.size());
  result.gamma.resize(shape.d_in);
  result.beta.resize(shape.d_in);
  result.weight.resize(layer.weight.size());
  result.projection_bias.resize(outputs);
  result.table.resize(layer.table.size());
  result.bias.resize(d_out);
  const std::vector<double> h = layer_norm(layer, x), z = projection(layer, h);
  const Hash hash = code_and_score(layer, z);
  std::vector<double> d_score(tokens * shape.tables, 0.0);
  for (size_t n = 0; n < tokens; ++n) {
    for (size_t d = 0; d < d_out; ++d) result.bias[d] += d_y[n * d_out + d];
    for (size_t t = 0; t < shape.tables; ++t) {
      const size_t row = t * shape.rows + static_cast<size_t>(hash.code[n * shape.tables + t]);
      for (size_t d = 0; d < d_out; ++d) {
        result.table[row * d_out + d] += hash.score[n * shape.tables + t] * d_y[n * d_out + d];
        d_score[n * shape.tables + t] += static_cast<double>(layer.table[row * d_out + d]) * d_y[n * d_out + d];
      }
    }
  }
  const std::vector<double> d_z = score_gradient(layer, z, d_score);
  for (size_t k = 0; k < d_z.size(); ++k) result.projection_bias[k % outputs] += d_z[k];
  const bool bh4 = shape.projection == LOOKUPFFN_BH4;
  through_layer_norm(layer, x, bh4 ? through_bh4(layer, h, d_z, result) : through_dense(layer, h, d_z, result), result);
  return result;
}

}  // namespace lookupffn::reference
