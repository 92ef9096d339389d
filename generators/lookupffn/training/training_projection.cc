#include "training_projection.h"

#include <algorithm>
#include <cstring>

#include "kernel_arguments.h"
#include "tiny_bh4.h"

namespace lookupffn {
namespace {

// to [columns, rows] = from [rows, columns], by pieces that stay in the first-level cache.
void transpose(const float* from, size_t rows, size_t columns, float* to) {
  constexpr size_t kPiece = 16;
  for (size_t r = 0; r < rows; r += kPiece) {
    for (size_t c = 0; c < columns; c += kPiece) {
      for (size_t k = r; k < std::min(rows, r + kPiece); ++k) {
        for (size_t l = c; l < std::min(columns, c + kPiece); ++l) to[l * rows + k] = from[k * columns + l];
      }
    }
  }
}

// The Hadamard transform over the outputs of a stage's blocks [block, out, in]; result and scratch are of its size. Returns
// where the result is: in one of the two.
float* transform_outputs(const TrainingKernels& kernels, size_t panels, size_t block, float* data, float* scratch) {
  const size_t floats = block * block;
  for (size_t step = 1; step < block; step *= 2) {
    kernels.hash().butterfly({data, floats}, floats, step * block, panels, {scratch, floats});
    std::swap(data, scratch);
  }
  return data;
}

// weight: row_step floats from an input to the next, panel_step from a panel to the next.
void product(const TrainingKernels& kernels, const ProductPanels& p, const FloatRows& in, const float* weight, size_t row_step,
             size_t panel_step, size_t tokens, const FloatRows& out) {
  BufferArgument of_weight(weight, {{p.outputs, 1}, {p.inputs, ptrdiff_t(row_step)}, {p.panels, ptrdiff_t(panel_step)}});
  kernels.hash().product(p, in, of_weight, tokens, out);
}

}  // namespace

TrainingProjection::TrainingProjection(const lookupffn_shape& shape, const PackedShape& packed)
    : shape_(shape), packed_(packed), tiny_(shape.projection == LOOKUPFFN_BH4 && !packed.bh4) {}

size_t TrainingProjection::packed_floats() const {
  return packed_.bh4 ? packed_.repeats * 4 * matrix_floats() : packed_.outputs * packed_.width;
}

size_t TrainingProjection::packing_floats() const { return packed_.bh4 ? 2 * matrix_floats() : 0; }

size_t TrainingProjection::z_stride() const {
  return std::max(packed_.outputs, round_up(packed_.tables, kLaneMultiple) * packed_.bits);
}

void TrainingProjection::pack(const TrainingKernels& kernels, const float* weight, size_t part, float* rows, float* columns,
                              float* scratch) const {
  const size_t block = packed_.block;
  if (!packed_.bh4) {
    const size_t outputs = packed_.tables * packed_.bits, d_in = packed_.d_in, width = packed_.width;
    std::fill(rows, rows + packed_floats(), 0.0f);
    if (tiny_) {
      multiply_out_bh4(shape_, weight, rows, width);
    } else {
      for (size_t k = 0; k < outputs; ++k) std::memcpy(rows + k * width, weight + k * d_in, d_in * sizeof(float));
    }
    for (size_t m = 0; columns && m < packed_.panels; ++m) {
      transpose(rows + m * block * width, block, width, columns + m * block * width);
    }
    return;
  }
  const size_t floats = matrix_floats(), of_file = shape_.block;
  const float* const from = weight + part * packed_.width * of_file;
  const float factor = part % 4 == 3 ? shape_.decay : 1.0f;
  std::fill(scratch, scratch + floats, 0.0f);
  for (size_t o = 0; o < packed_.width; ++o) {
    float* const to = scratch + o * block + o % block / of_file * of_file;
    for (size_t i = 0; i < of_file; ++i) to[i] = factor * from[o * of_file + i];
  }
  const float* const made = transform_outputs(kernels, packed_.panels, block, scratch, scratch + floats);
  std::memcpy(rows + part * floats, made, floats * sizeof(float));
  for (size_t m = 0; columns && m < packed_.panels; ++m) {
    transpose(made + m * block * block, block, block, columns + part * floats + m * block * block);
  }
}

void TrainingProjection::unpack_gradient(const TrainingKernels& kernels, const float* weight, float* d_rows, size_t part,
                                         float* d_weight, float* scratch) const {
  if (!packed_.bh4) {
    const size_t outputs = packed_.tables * packed_.bits, d_in = packed_.d_in, width = packed_.width;
    if (tiny_) {
      bh4_gradient_of_dense(shape_, weight, d_rows, width, d_weight);
    } else {
      for (size_t k = 0; k < outputs; ++k) std::memcpy(d_weight + k * d_in, d_rows + k * width, d_in * sizeof(float));
    }
    return;
  }
  const size_t floats = matrix_floats(), block = packed_.block, of_file = shape_.block;
  // The transform is symmetric.
  const float* const made = transform_outputs(kernels, packed_.panels, block, d_rows + part * floats, scratch);
  float* const to = d_weight + part * packed_.width * of_file;
  const float factor = part % 4 == 3 ? shape_.decay : 1.0f;
  for (size_t o = 0; o < packed_.width; ++o) {
    const float* const from = made + o * block + o % block / of_file * of_file;
    for (size_t i = 0; i < of_file; ++i) to[o * of_file + i] = factor * from[i];
  }
}

ProductPanels TrainingProjection::blocks(size_t panels) const {
  const size_t block = packed_.block;
  return {panels, block, block, block, block};
}

void TrainingProjection::forward(const TrainingKernels& kernels, const float* columns, const FloatRows& h, size_t tokens,
                                 const FloatRows& v, float* kept, size_t kept_step, float* scratch) const {
  const size_t block = packed_.block, width = packed_.width;
  if (!packed_.bh4) {
    product(kernels, {packed_.panels, packed_.d_in, block, 0, block}, h, columns, block, block * width, tokens, v);
    return;
  }
  const size_t filled = (packed_.d_in + block - 1) / block;
  for (size_t repeat = 0; repeat < packed_.repeats; ++repeat) {
    FloatRows from = h;
    for (size_t stage = 0; stage < 4; ++stage) {
      // Where the stage's result is kept.
      const FloatRows result = stage == 3 ? FloatRows{v.data + repeat * width, v.stride}
                                          : FloatRows{kept + (repeat * 3 + stage) * kept_step, stride()};
      const size_t panels = stage == 0 ? filled : packed_.panels;  // others are of padding
      FloatRows to = packed_.panels == 1 ? result : FloatRows{scratch, stride()};
      product(kernels, blocks(panels), from, columns + (repeat * 4 + stage) * matrix_floats(), block, block * block, tokens,
              to);
      if (panels < packed_.panels) {
        for (size_t n = 0; n < tokens; ++n) std::fill(to.row(n) + panels * block, to.row(n) + width, 0.0f);
      }
      for (size_t step = block; step < width; step *= 2) {
        const FloatRows in = to;
        to = 2 * step == width ? result : FloatRows{in.data == scratch ? scratch + tokens * stride() : scratch, stride()};
        kernels.hash().butterfly(in, width, step, tokens, to);
      }
      from = result;
    }
  }
}

void TrainingProjection::backward(const TrainingKernels& kernels, const float* rows, const FloatRows& h, const float* kept,
                                  size_t kept_step, const FloatRows& d_z, float skip, size_t tokens, size_t counted,
                                  const FloatRows& d_h, float* d_rows, float* scratch) const {
  const size_t block = packed_.block, width = packed_.width;
  if (!packed_.bh4) {
    kernels.weight_gradient(packed_.panels, block, width, d_z, block, h, 0, counted, d_rows, width, block * width);
    const size_t panel = width % 64 == 0 ? 64 : kLaneMultiple;
    product(kernels, {width / panel, packed_.outputs, panel, 0, panel}, d_z, rows, width, panel, tokens, d_h);
    return;
  }
  const size_t filled = (packed_.d_in + block - 1) / block;
  float* const first = scratch;
  float* const second = scratch + tokens * stride();
  float* const branches = second + tokens * stride();
  for (size_t repeat = 0; repeat < packed_.repeats; ++repeat) {
    FloatRows d_v = {d_z.data + repeat * width, d_z.stride};
    for (size_t stage = 4; stage-- > 0;) {
      for (size_t step = block; step < width; step *= 2) {
        const FloatRows to = {d_v.data == first ? second : first, stride()};
        kernels.hash().butterfly(d_v, width, step, tokens, to);
        d_v = to;
      }
      const size_t matrix = (repeat * 4 + stage) * matrix_floats(), panels = stage == 0 ? filled : packed_.panels;
      const FloatRows in =
          stage == 0 ? h : FloatRows{const_cast<float*>(kept) + (repeat * 3 + stage - 1) * kept_step, stride()};
      kernels.weight_gradient(panels, block, block, d_v, block, in, block, counted, d_rows + matrix, block, block * block);
      const FloatRows to = {stage == 0 ? branches + repeat * tokens * stride() : d_v.data == first ? second : first, stride()};
      product(kernels, blocks(panels), d_v, rows + matrix, block, block * block, tokens, to);
      d_v = to;
    }
  }
  kernels.branch_sums(branches, tokens * stride(), {branches, stride()}, d_z, width, packed_.repeats, skip, filled * block,
                      tokens, d_h);
}

}  // namespace lookupffn
