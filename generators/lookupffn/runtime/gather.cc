#include "gather.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "kernel_arguments.h"
#include "kernel_call.h"

namespace lookupffn {
namespace {

// Strides beyond this would overflow a kernel's 32-bit offsets within kGatherTokens.
constexpr ptrdiff_t kLargestStride = ptrdiff_t(1) << 18;
// Tokens gathered at a time where they go through the scratch.
constexpr size_t kCopiedTokens = 64;

bool needs_copy(const PackedShape& shape, const OutputRows& y) {
  // Where y is x, the residual is lost once a row is written.
  return shape.d_out != shape.row || std::labs(long(y.stride)) > kLargestStride || y.residual == y.data;
}

// Floats from..to-1 of `count` rows, y pointing at the first of them. A group of columns begins at `from`.
void run_gather(const PackedLayer& packed, const GatherKernel& gather, const CodeRows& codes, size_t first, size_t count,
                size_t from, size_t to, float* y, ptrdiff_t y_stride) {
  if (from == to) return;
  const PackedShape& shape = packed.shape;
  const size_t rows = size_t(1) << shape.bits, row = shape.row;
  const RowFormat& format = packed.rows;
  const ptrdiff_t row_words = ptrdiff_t(format.words(row));
  const size_t codes_at = first * codes.stride;
  BufferArgument code(codes.code + codes_at, {{shape.tables, 1}, {count, ptrdiff_t(codes.stride)}});
  BufferArgument score(codes.score + codes_at, {{shape.tables, 1}, {count, ptrdiff_t(codes.stride)}});
  // The strides of the table's tables can pass 32 bits; kernels take rows * row where they need it.
  BufferArgument table(word_type(format), static_cast<const char*>(packed.tables.data()) + format.bytes(from),
                       {{format.words(to - from), 1}, {rows, row_words}, {shape.tables, ptrdiff_t(rows) * row_words}});
  BufferArgument scale(static_cast<const float*>(packed.scales.data()), {{rows, 1}, {shape.tables, ptrdiff_t(rows)}});
  const auto call = [&](BufferArgument&& bias, BufferArgument&& to_y) {
    void* arguments[] = {code.pointer(), score.pointer(), table.pointer(), scale.pointer(), bias.pointer(), to_y.pointer()};
    call_kernel(*gather.kernel, arguments);
  };
  const float* bias = static_cast<const float*>(packed.bias.data()) + from;
  if (format.byte_dots) {
    const size_t chunks = (to - from) / kDotBytes;
    call(BufferArgument(bias, {{16, 1}, {4, 16}, {chunks, kDotBytes}}),
         BufferArgument(y, {{16, 1}, {4, 16}, {chunks, kDotBytes}, {count, y_stride}}));
  } else {
    call(BufferArgument(bias, {{to - from, 1}}), BufferArgument(y, {{to - from, 1}, {count, y_stride}}));
  }
}

// The same on the kernels of a class: generic kernels leave the end of a row to a narrower one.
void gather_rows(const Gathered& of, size_t batch, const CodeRows& codes, size_t first, size_t count, size_t from,
                 size_t to, float* y, ptrdiff_t y_stride) {
  const GatherKernels& kernels = of.kernels[of.kernels.index(batch)];
  const GatherKernel& wide = kernels.wide;
  const size_t whole = (to - from) / wide.d_tile * wide.d_tile;
  run_gather(of.packed, wide, codes, first, count, from, from + whole, y, y_stride);
  if (from + whole < to) {
    run_gather(of.packed, kernels.rest, codes, first, count, from + whole, to, y + whole, y_stride);
  }
}

void add_residual(const OutputRows& y, size_t first, size_t count, size_t from, size_t to) {
  if (!y.residual) return;
  for (size_t n = first; n < first + count; ++n) {
    float* out = y.row(n);
    const float* in = y.residual + ptrdiff_t(n) * y.residual_stride;
    for (size_t d = from; d < to; ++d) out[d] += in[d];
  }
}

}  // namespace

size_t gather_scratch_bytes(const Gathered& of, const OutputRows& y, size_t tokens) {
  const PackedShape& shape = of.packed.shape;
  return needs_copy(shape, y) ? std::min(tokens, kCopiedTokens) * shape.row * sizeof(float) : 0;
}

size_t gather_grain(const Gathered& of, size_t batch) {
  return std::lcm(of.kernels[of.kernels.index(batch)].wide.d_tile, of.packed.rows.group);
}

void gather_tokens(const Gathered& of, size_t batch, const CodeRows& codes, size_t first, size_t count, size_t from,
                   size_t to, const OutputRows& y, char* scratch) {
  const PackedShape& shape = of.packed.shape;
  const size_t end = std::min(to, shape.d_out);
  if (!needs_copy(shape, y)) {
    gather_rows(of, batch, codes, first, count, from, to, y.row(first) + from, y.stride);
    add_residual(y, first, count, from, end);
    return;
  }
  float* copy = reinterpret_cast<float*>(scratch);
  const size_t width = to - from;
  for (size_t n = 0; n < count; n += kCopiedTokens) {
    const size_t tokens = std::min(kCopiedTokens, count - n);
    gather_rows(of, batch, codes, first + n, tokens, from, to, copy, ptrdiff_t(width));
    for (size_t k = 0; k < tokens; ++k) {
      float* const out = y.row(first + n + k) + from;
      const float* const row = copy + k * width;
      if (y.residual) {
        const float* const in = y.residual + ptrdiff_t(first + n + k) * y.residual_stride + from;
        for (size_t d = 0; d < end - from; ++d) out[d] = row[d] + in[d];
      } else {
        std::memcpy(out, row, (end - from) * sizeof(float));
      }
    }
  }
}

}  // namespace lookupffn
