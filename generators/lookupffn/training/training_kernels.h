// The kernels of training steps on an ISA, and their calls. Of the backward, registered ones come before the library's own.
#ifndef LOOKUPFFN_TRAINING_KERNELS_H
#define LOOKUPFFN_TRAINING_KERNELS_H

#include <cstddef>
#include <cstdint>

#include "generic_hash.h"
#include "kernel_choice.h"

namespace lookupffn {

class TrainingKernels {
 public:
  // Throws Failure.
  TrainingKernels(const PackedShape& shape, const char* isa);

  // What gathers rows of y.
  const TokenRanges<GatherKernels>& gather() const { return choice_.gather; }
  // What makes up a hash.
  const GenericHash& hash() const { return choice_.generic_hash; }

  // ---- of the backward: see the generators ----

  // z holds v.
  void add_skip_and_bias(const FloatRows& h, size_t width, size_t repeats, const float* offset, float skip, size_t tokens,
                         const FloatRows& z) const;
  void score_gradient(const FloatRows& z, size_t tables, size_t bits, const FloatRows& d_score, size_t tokens,
                      const FloatRows& d_z) const;
  // d_weight[m, o, i] = before + sum_n d_g[n, m, o] in[n, m, i]; steps from panel to panel, rows of d_weight of d_row floats.
  void weight_gradient(size_t panels, size_t outputs, size_t inputs, const FloatRows& d_g, size_t d_g_step, const FloatRows& in,
                       size_t in_step, size_t tokens, float* d_weight, size_t d_row, size_t d_step) const;
  void branch_sums(const float* branch, size_t branch_step, const FloatRows& rows, const FloatRows& d_z, size_t d_z_step,
                   size_t repeats, float skip, size_t width, size_t tokens, const FloatRows& d_h) const;
  void layer_norm_gradient(const float* x, ptrdiff_t x_stride, size_t input, const float* gamma, const FloatRows& d_h,
                           size_t d_in, float eps, size_t tokens, const FloatRows& d_x, const FloatRows& normal) const;
  // total[c] += sum_n a[n, c] b[n, c]
  void column_sums(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t columns, size_t tokens,
                   float* total) const;
  // The same with all b 1.
  void column_sums(const float* a, size_t a_stride, size_t columns, size_t tokens, float* total) const;
  void row_dots(const float* table, size_t rows, size_t d_out, const float* d_y, size_t d_y_stride, size_t tokens,
                const int32_t* row, const int32_t* token, size_t tokens_ahead, size_t pairs, float* dot) const;
  void row_sums(const float* d_y, size_t d_y_stride, size_t d_out, size_t tokens, const int32_t* token, const int32_t* place,
                const float* score, size_t pairs, float* d_rows, size_t places) const;

 private:
  KernelChoice choice_;
  const lookupffn_kernel &z_, &score_gradient_, &weight_gradient_, &branch_sums_, &layer_norm_gradient_, &column_sums_,
      &row_dots_, &row_sums_;
};

}  // namespace lookupffn
#endif
