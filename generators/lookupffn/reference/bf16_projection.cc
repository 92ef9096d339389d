#include "bf16_projection.h"

#include <algorithm>
#include <cmath>

#include "float_types.h"
#include "packed_shape.h"

namespace lookupffn::reference {
namespace {

double rounded(double value) {
  const float single = float(value);
  uint16_t bf16 = f32_to_bf16(single);
  // As packing does: the largest floats stay finite.
  if (std::isinf(bf16_to_f32(bf16)) && !std::isinf(single)) --bf16;
  return bf16_to_f32(bf16);
}

PackedShape packed_shape(const lookupffn_shape& shape) {
  LayerExtents extents;
  extents.bh4 = shape.projection == LOOKUPFFN_BH4;
  extents.d_in = shape.d_in;
  extents.d_out = shape.d_out;
  extents.tables = shape.tables;
  extents.bits = shape.bits;
  extents.block = shape.block;
  extents.repeats = shape.repeats;
  return PackedShape(extents);
}

// z = W h + b, W [tables*bits, d_in] as the layer's projection amounts to, rounded.
std::vector<double> multiplied_out(const Layer& layer, const std::vector<double>& h) {
  const size_t d_in = layer.shape.d_in, outputs = layer.shape.tables * layer.shape.bits;
  Layer dense{layer.shape, layer.rules, {}, {}, layer.weight, layer.projection_bias, {}, {}};
  dense.shape.projection = LOOKUPFFN_DENSE;
  if (layer.shape.projection == LOOKUPFFN_BH4) {
    const Layer unbiased{layer.shape, layer.rules, {}, {}, layer.weight, std::vector<float>(outputs), {}, {}};
    std::vector<double> identity(d_in * d_in, 0.0);
    for (size_t i = 0; i < d_in; ++i) identity[i * d_in + i] = 1;
    const std::vector<double> columns = bh4_projection(unbiased, identity);  // W's, one a unit vector
    dense.weight.resize(outputs * d_in);
    for (size_t o = 0; o < outputs; ++o) {
      for (size_t i = 0; i < d_in; ++i) dense.weight[o * d_in + i] = float(columns[i * outputs + o]);
    }
  }
  for (float& weight : dense.weight) weight = float(rounded(weight));
  return dense_projection(dense, h);
}

// round(factor H B) of `width` consecutive outputs of a stage, [out, in]; B the layer's own blocks, which may be narrower.
std::vector<double> rounded_matrix(const float* blocks, size_t block, size_t width, double factor) {
  std::vector<double> matrix(width * width), column(width);
  for (size_t i = 0; i < width; ++i) {
    std::fill(column.begin(), column.end(), 0.0);
    const size_t first = i / block * block;
    for (size_t o = first; o < first + block; ++o) column[o] = blocks[o * block + i - first];
    hadamard(column);
    for (size_t o = 0; o < width; ++o) matrix[o * width + i] = rounded(factor * column[o]);
  }
  return matrix;
}

// v = H_(p/block) (x) I v: the part of the transform that goes across blocks.
void hadamard_across(std::vector<double>& v, size_t block) {
  std::vector<double> column(v.size() / block);
  for (size_t k = 0; k < block; ++k) {
    for (size_t m = 0; m < column.size(); ++m) column[m] = v[m * block + k];
    hadamard(column);
    for (size_t m = 0; m < column.size(); ++m) v[m * block + k] = column[m];
  }
}

}  // namespace

std::vector<double> bf16_projection(const Layer& layer, const std::vector<double>& h) {
  const lookupffn_shape& shape = layer.shape;
  const PackedShape packed = packed_shape(shape);
  if (!packed.bh4) return multiplied_out(layer, h);
  const size_t d_in = shape.d_in, tokens = h.size() / d_in, outputs = shape.tables * shape.bits;
  const size_t p = packed.width, width = packed.block;
  std::vector<double> z(tokens * outputs);
  for (size_t r = 0; r < shape.repeats; ++r) {
    std::vector<double> v(tokens * p, 0.0);
    for (size_t n = 0; n < tokens; ++n) std::copy(&h[n * d_in], &h[n * d_in] + d_in, &v[n * p]);
    const std::vector<double> padded = v;
    for (size_t s = 0; s < 4; ++s) {
      std::vector<double> g(tokens * p, 0.0);
      for (size_t m = 0; m < p / width; ++m) {
        const float* const blocks = &layer.weight[((r * 4 + s) * p + m * width) * shape.block];
        const std::vector<double> matrix = rounded_matrix(blocks, shape.block, width, s == 3 ? shape.decay : 1.0);
        for (size_t n = 0; n < tokens; ++n) {
          for (size_t o = 0; o < width; ++o) {
            double sum = 0;
            for (size_t i = 0; i < width; ++i) sum += matrix[o * width + i] * v[n * p + m * width + i];
            g[n * p + m * width + o] = sum;
          }
        }
      }
      for (size_t n = 0; n < tokens; ++n) {
        std::vector<double> row(&g[n * p], &g[n * p] + p);
        hadamard_across(row, width);
        std::copy(row.begin(), row.end(), &v[n * p]);
      }
    }
    const double skip = 1.0 - shape.decay;
    for (size_t n = 0; n < tokens; ++n) {
      for (size_t i = 0; i < p && r * p + i < outputs; ++i) {
        z[n * outputs + r * p + i] = v[n * p + i] + skip * padded[n * p + i] + layer.projection_bias[r * p + i];
      }
    }
  }
  return z;
}

Result forward(const Layer& layer, const std::vector<float>& x, lookupffn_type projection_type) {
  if (projection_type != LOOKUPFFN_BF16 || !layer.rules.projection) return forward(layer, x);
  return with_z(layer, bf16_projection(layer, layer_norm(layer, x)));
}

}  // namespace lookupffn::reference
