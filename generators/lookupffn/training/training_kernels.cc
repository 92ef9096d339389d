#include "training_kernels.h"

#include <algorithm>
#include <array>

#include "generic_kernels.h"
#include "kernel_arguments.h"
#include "kernel_call.h"

namespace lookupffn {
namespace {

ptrdiff_t stride(size_t floats) { return ptrdiff_t(floats); }

}  // namespace

TrainingKernels::TrainingKernels(const PackedShape& shape, const char* isa)
    : choice_(choose_kernels(shape, isa, LOOKUPFFN_F32, LOOKUPFFN_F32, LOOKUPFFN_GENERIC_KERNELS)),
      z_(kernel_of_any_problem("generic_z", isa)),
      score_gradient_(kernel_of_any_problem("generic_score_gradient", isa)),
      weight_gradient_(kernel_of_any_problem("generic_weight_gradient", isa)),
      branch_sums_(kernel_of_any_problem("generic_branch_sums", isa)),
      layer_norm_gradient_(kernel_of_any_problem("generic_layer_norm_gradient", isa)),
      column_sums_(kernel_of_any_problem("generic_column_sums", isa)),
      row_dots_(kernel_of_any_problem("generic_row_dots", isa)),
      row_sums_(kernel_of_any_problem("generic_row_sums", isa)) {}

void TrainingKernels::add_skip_and_bias(const FloatRows& h, size_t width, size_t repeats, const float* offset, float skip,
                                        size_t tokens, const FloatRows& z) const {
  BufferArgument of_h(h.data, {{width, 1}, {tokens, stride(h.stride)}});
  BufferArgument of_offset(offset, {{width, 1}, {repeats, stride(width)}});
  BufferArgument to_z(z.data, {{width, 1}, {repeats, stride(width)}, {tokens, stride(z.stride)}});
  void* arguments[] = {of_h.pointer(), of_offset.pointer(), &skip, to_z.pointer()};
  call_kernel(z_, arguments);
}

void TrainingKernels::score_gradient(const FloatRows& z, size_t tables, size_t bits, const FloatRows& d_score, size_t tokens,
                                     const FloatRows& d_z) const {
  BufferArgument of_z(z.data, {{z.stride, 1}, {tokens, stride(z.stride)}});
  BufferArgument of_score(d_score.data, {{tables, 1}, {tokens, stride(d_score.stride)}});
  int32_t of_bits = int32_t(bits);
  BufferArgument to_z(d_z.data, {{bits, 1}, {tables, stride(bits)}, {tokens, stride(d_z.stride)}});
  void* arguments[] = {of_z.pointer(), of_score.pointer(), &of_bits, to_z.pointer()};
  call_kernel(score_gradient_, arguments);
}

void TrainingKernels::weight_gradient(size_t panels, size_t outputs, size_t inputs, const FloatRows& d_g, size_t d_g_step,
                                      const FloatRows& in, size_t in_step, size_t tokens, float* d_weight, size_t d_row,
                                      size_t d_step) const {
  BufferArgument of_g(d_g.data, {{outputs, 1}, {panels, stride(d_g_step)}, {tokens, stride(d_g.stride)}});
  BufferArgument of_in(in.data, {{inputs, 1}, {panels, stride(in_step)}, {tokens, stride(in.stride)}});
  BufferArgument before(d_weight, {{inputs, 1}, {outputs, stride(d_row)}, {panels, stride(d_step)}});
  BufferArgument after(d_weight, {{inputs, 1}, {outputs, stride(d_row)}, {panels, stride(d_step)}});
  void* arguments[] = {of_g.pointer(), of_in.pointer(), before.pointer(), after.pointer()};
  call_kernel(weight_gradient_, arguments);
}

void TrainingKernels::branch_sums(const float* branch, size_t branch_step, const FloatRows& rows, const FloatRows& d_z,
                                  size_t d_z_step, size_t repeats, float skip, size_t width, size_t tokens,
                                  const FloatRows& d_h) const {
  BufferArgument of_branch(branch, {{width, 1}, {tokens, stride(rows.stride)}, {repeats, stride(branch_step)}});
  BufferArgument of_z(d_z.data, {{width, 1}, {tokens, stride(d_z.stride)}, {repeats, stride(d_z_step)}});
  BufferArgument to_h(d_h.data, {{width, 1}, {tokens, stride(d_h.stride)}});
  void* arguments[] = {of_branch.pointer(), of_z.pointer(), &skip, to_h.pointer()};
  call_kernel(branch_sums_, arguments);
}

void TrainingKernels::layer_norm_gradient(const float* x, ptrdiff_t x_stride, size_t input, const float* gamma,
                                          const FloatRows& d_h, size_t d_in, float eps, size_t tokens, const FloatRows& d_x,
                                          const FloatRows& normal) const {
  int32_t inputs = int32_t(d_in);
  BufferArgument of_x(x, {{input, 1}, {tokens, x_stride}}), of_gamma(gamma, {{input, 1}});
  BufferArgument of_h(d_h.data, {{input, 1}, {tokens, stride(d_h.stride)}});
  BufferArgument to_x(d_x.data, {{input, 1}, {tokens, stride(d_x.stride)}});
  BufferArgument to_normal(normal.data, {{input, 1}, {tokens, stride(normal.stride)}});
  void* arguments[] = {of_x.pointer(), of_gamma.pointer(), of_h.pointer(), &inputs, &eps, to_x.pointer(), to_normal.pointer()};
  call_kernel(layer_norm_gradient_, arguments);
}

void TrainingKernels::column_sums(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t columns,
                                  size_t tokens, float* total) const {
  BufferArgument of_a(a, {{columns, 1}, {tokens, stride(a_stride)}}), of_b(b, {{columns, 1}, {tokens, stride(b_stride)}});
  BufferArgument to_total(total, {{columns, 1}});
  void* arguments[] = {of_a.pointer(), of_b.pointer(), to_total.pointer()};
  call_kernel(column_sums_, arguments);
}

void TrainingKernels::column_sums(const float* a, size_t a_stride, size_t columns, size_t tokens, float* total) const {
  static const std::array<float, 1024> ones = [] {
    std::array<float, 1024> values;
    values.fill(1.0f);
    return values;
  }();
  for (size_t c = 0; c < columns; c += ones.size()) {
    column_sums(a + c, a_stride, ones.data(), 0, std::min(ones.size(), columns - c), tokens, total + c);
  }
}

void TrainingKernels::row_dots(const float* table, size_t rows, size_t d_out, const float* d_y, size_t d_y_stride,
                               size_t tokens, const int32_t* row, const int32_t* token, size_t tokens_ahead, size_t pairs,
                               float* dot) const {
  BufferArgument of_table(table, {{d_out, 1}, {rows, stride(d_out)}});
  BufferArgument of_y(d_y, {{d_out, 1}, {tokens, stride(d_y_stride)}});
  BufferArgument of_row(row, {{pairs, 1}}), of_token(token, {{tokens_ahead, 1}}), to_dot(dot, {{pairs, 1}});
  void* arguments[] = {of_table.pointer(), of_y.pointer(), of_row.pointer(), of_token.pointer(), to_dot.pointer()};
  call_kernel(row_dots_, arguments);
}

void TrainingKernels::row_sums(const float* d_y, size_t d_y_stride, size_t d_out, size_t tokens, const int32_t* token,
                               const int32_t* place, const float* score, size_t pairs, float* d_rows, size_t places) const {
  BufferArgument of_y(d_y, {{d_out, 1}, {tokens, stride(d_y_stride)}});
  BufferArgument of_token(token, {{pairs, 1}}), of_place(place, {{pairs, 1}}), of_score(score, {{pairs, 1}});
  int32_t of_places = int32_t(places);
  BufferArgument to_rows(d_rows, {{d_out, 1}, {places, stride(d_out)}});
  void* arguments[] = {of_y.pointer(),     of_token.pointer(), of_place.pointer(),
                       of_score.pointer(), &of_places,         to_rows.pointer()};
  call_kernel(row_sums_, arguments);
}

}  // namespace lookupffn
