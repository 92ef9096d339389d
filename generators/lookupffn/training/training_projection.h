// The projection of a training step: as kernels multiply by it, forward and backward, from the weights of a model file.
#ifndef LOOKUPFFN_TRAINING_PROJECTION_H
#define LOOKUPFFN_TRAINING_PROJECTION_H

#include <cstddef>

#include "lookupffn/lookupffn.h"
#include "packed_shape.h"
#include "training_kernels.h"

namespace lookupffn {

// What it is depends on the shape alone; weights and their gradients are the caller's memory.
//
// BH4: with H_p = H_(p/b) (x) H_b, the transform within a block of b is multiplied into its matrix, and a stage is a product by
// blocks and log2(p/b) butterflies across them; decay is in the last stage's blocks (packed_shape.h). Transposed, a stage is
// the butterflies, which are symmetric, and then a product by the transposed blocks.
//
// Dense, and BH4 of d_in <= 8, which is multiplied out: one matrix.
class TrainingProjection {
 public:
  TrainingProjection(const lookupffn_shape& shape, const PackedShape& packed);

  // Floats of the packed weights, and of their gradient.
  size_t packed_floats() const;
  // Floats that pack() and unpack_gradient() work in, for one of parts().
  size_t packing_floats() const;
  // Threads share out the packing in so many parts.
  size_t parts() const { return packed_.bh4 ? packed_.repeats * 4 : 1; }

  // weight -> rows [matrix, out, in]. columns, where not NULL: the same transposed, [matrix, in, out].
  void pack(const TrainingKernels& kernels, const float* weight, size_t part, float* rows, float* columns,
            float* scratch) const;
  // The gradient by `rows` -> by weight. d_rows is lost.
  void unpack_gradient(const TrainingKernels& kernels, const float* weight, float* d_rows, size_t part, float* d_weight,
                       float* scratch) const;

  // Floats between the rows of v and z: outputs, and what kernels read or write beyond them.
  size_t z_stride() const;
  // Floats between the rows of h and of what is between products. Not a power of two, or rows would share their cache sets.
  size_t stride() const { return packed_.width + kLaneMultiple; }
  // Inputs of products that the backward needs beside h: [kept()][tokens, stride()].
  size_t kept() const { return packed_.bh4 ? packed_.repeats * 3 : 0; }
  // Floats that forward() and backward() work in, for `tokens` tokens.
  size_t forward_floats(size_t tokens) const { return 2 * tokens * stride(); }
  size_t backward_floats(size_t tokens) const { return (2 + std::max<size_t>(1, packed_.repeats)) * tokens * stride(); }

  // v = projection(h), without bias and skip. tokens: a multiple of the kernels' product_tokens; what lies between `tokens`
  // rows and that is computed, too. kept: the first of the inputs' rows, `kept_step` floats from one to the next.
  void forward(const TrainingKernels& kernels, const float* columns, const FloatRows& h, size_t tokens, const FloatRows& v,
               float* kept, size_t kept_step, float* scratch) const;
  // d_z -> d_h, which lacks nothing; d_rows += the gradient by `rows` of the first `counted` of the tokens.
  void backward(const TrainingKernels& kernels, const float* rows, const FloatRows& h, const float* kept, size_t kept_step,
                const FloatRows& d_z, float skip, size_t tokens, size_t counted, const FloatRows& d_h, float* d_rows,
                float* scratch) const;

 private:
  size_t matrix_floats() const { return packed_.panels * packed_.block * packed_.block; }  // of a BH4 stage
  ProductPanels blocks(size_t panels) const;

  const lookupffn_shape& shape_;
  const PackedShape& packed_;
  bool tiny_;  // BH4 that is multiplied out
};

}  // namespace lookupffn
#endif
