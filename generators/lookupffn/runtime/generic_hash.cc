#include "generic_hash.h"

#include "kernel_arguments.h"
#include "kernel_call.h"
#include "packed_shape.h"

namespace lookupffn {
namespace {

ptrdiff_t stride(size_t floats) { return ptrdiff_t(floats); }

}  // namespace

void GenericHash::layer_norm(const InputRows& x, const float* gamma, const float* beta, size_t input, size_t d_in, float eps,
                             size_t tokens, const FloatRows& h, size_t width) const {
  const size_t x_floats = round_up(d_in, kInputMultiple);
  int32_t inputs = int32_t(d_in);
  BufferArgument of_x(x.data, {{x_floats, 1}, {tokens, x.stride}}), of_gamma(gamma, {{input, 1}}), of_beta(beta, {{input, 1}});
  BufferArgument to_h(h.data, {{width, 1}, {tokens, stride(h.stride)}});
  void* arguments[] = {of_x.pointer(), of_gamma.pointer(), of_beta.pointer(), &inputs, &eps, to_h.pointer()};
  call_kernel(*layer_norm_kernel, arguments);
}

void GenericHash::product(const ProductPanels& p, const FloatRows& in, BufferArgument& weight, size_t tokens,
                          const FloatRows& out) const {
  const bool one = tokens == 1;
  // Rows beyond the tokens hold what was there before: computed, never looked at.
  const size_t rows = one ? 1 : round_up(tokens, product_tokens);
  BufferArgument of_in(in.data, {{p.inputs, 1}, {p.panels, stride(p.in_step)}, {rows, stride(in.stride)}});
  BufferArgument to_out(out.data, {{p.outputs, 1}, {p.panels, stride(p.out_step)}, {rows, stride(out.stride)}});
  void* arguments[] = {of_in.pointer(), weight.pointer(), to_out.pointer()};
  call_kernel(one ? *product_one_kernel : *product_kernel, arguments);
}

void GenericHash::butterfly(const FloatRows& in, size_t width, size_t step, size_t tokens, const FloatRows& out) const {
  const size_t pairs = width / (2 * step);
  BufferArgument of_in(in.data, {{step, 1}, {2, stride(step)}, {pairs, stride(2 * step)}, {tokens, stride(in.stride)}});
  BufferArgument to_out(out.data, {{step, 1}, {2, stride(step)}, {pairs, stride(2 * step)}, {tokens, stride(out.stride)}});
  void* arguments[] = {of_in.pointer(), to_out.pointer()};
  call_kernel(*butterfly_kernel, arguments);
}

void GenericHash::code_and_score(const FloatRows& v, const FloatRows& h, size_t width, const float* offset, size_t bits,
                                 float skip, size_t tokens, uint16_t* code, float* score, size_t code_stride) const {
  int32_t of_bits = int32_t(bits);
  BufferArgument of_v(v.data, {{v.stride, 1}, {tokens, stride(v.stride)}});
  BufferArgument of_h(h.data, {{width, 1}, {tokens, stride(h.stride)}});
  BufferArgument of_offset(offset, {{v.stride, 1}});
  BufferArgument to_code(code, {{code_stride, 1}, {tokens, stride(code_stride)}});
  BufferArgument to_score(score, {{code_stride, 1}, {tokens, stride(code_stride)}});
  void* arguments[] = {of_v.pointer(), of_h.pointer(),    of_offset.pointer(), &skip,
                       &of_bits,       to_code.pointer(), to_score.pointer()};
  call_kernel(*code_and_score_kernel, arguments);
}

}  // namespace lookupffn
