#include "hash.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "kernel_arguments.h"
#include "kernel_call.h"

namespace lookupffn {
namespace {

// Strides beyond this would overflow a kernel's 32-bit offsets within a tile.
constexpr ptrdiff_t kLargestStride = ptrdiff_t(1) << 22;
constexpr size_t kLargestTile = 64;  // tokens of a tile, of any kernel

bool needs_copy(const PackedShape& shape, const InputRows& x) {
  return shape.d_in % kInputMultiple != 0 || std::labs(long(x.stride)) > kLargestStride;
}

// The rows as the kernels read them: padded with zeros, at a stride that they can count.
InputRows kernel_rows(const PackedShape& shape, const InputRows& x, size_t first, size_t count, float* copy) {
  if (!needs_copy(shape, x)) return {x.row(first), x.stride};
  const size_t row = round_up(shape.d_in, kInputMultiple);
  for (size_t n = 0; n < count; ++n) {
    std::memcpy(copy + n * row, x.row(first + n), shape.d_in * sizeof(float));
    std::fill(copy + n * row + shape.d_in, copy + (n + 1) * row, 0.0f);
  }
  return {copy, ptrdiff_t(row)};
}

size_t copy_floats(const PackedShape& shape, size_t tokens) { return tokens * round_up(shape.d_in, kInputMultiple); }

// The weights of `panels` panels.
BufferArgument weight_argument(const PackedLayer& packed, size_t first_panel, size_t panels) {
  const size_t block = packed.shape.block, panel = packed.panel_words() * block;
  const halide_type_code_t code = packed.weight_parts() > 0 ? halide_type_uint : halide_type_float;
  return BufferArgument(halide_type_t(code, 32), static_cast<const uint32_t*>(packed.projection.data()) + first_panel * panel,
                        {{block, 1}, {packed.panel_words(), ptrdiff_t(block)}, {panels, ptrdiff_t(panel)}});
}

const float* floats(const PackedPart& part) { return static_cast<const float*>(part.data()); }

// ---- specialised ----

// x: rows for the kernel; exactly the kernel's tile of tokens.
void run_hash(const PackedLayer& packed, const HashCall& call, const HashKernel& hash, const InputRows& x, float eps,
              uint16_t* code, float* score, size_t code_stride) {
  const PackedShape& shape = packed.shape;
  BufferArgument x_argument(x.data, {{round_up(shape.d_in, kInputMultiple), 1}, {hash.token_tile, x.stride}});
  BufferArgument code_argument(code + call.first_table, {{call.tables, 1}, {hash.token_tile, ptrdiff_t(code_stride)}});
  BufferArgument score_argument(score + call.first_table, {{call.tables, 1}, {hash.token_tile, ptrdiff_t(code_stride)}});
  if (!shape.rules.projection) {
    void* arguments[] = {x_argument.pointer(), code_argument.pointer(), score_argument.pointer()};
    call_kernel(*hash.kernel, arguments);
    return;
  }
  const size_t panels = shape.bh4 ? call.repeats * 4 * shape.panels : shape.panels;
  const size_t first_panel = call.first_repeat * 4 * shape.panels;
  const size_t first_output = shape.bh4 ? call.first_repeat * shape.width : 0;
  float skip = packed.skip;
  BufferArgument gamma(floats(packed.gamma), {{shape.input(), 1}});
  BufferArgument beta(floats(packed.beta), {{shape.input(), 1}});
  BufferArgument weight = weight_argument(packed, first_panel, panels);
  BufferArgument offset(floats(packed.offset) + first_output, {{shape.outputs - first_output, 1}});
  void* arguments[] = {
      x_argument.pointer(),    gamma.pointer(),         beta.pointer(), weight.pointer(), offset.pointer(), &eps, &skip,
      code_argument.pointer(), score_argument.pointer()};
  call_kernel(*hash.kernel, arguments);
}

// One tile of tokens through every call of the class's kernels.
void hash_tile(const PackedLayer& packed, const std::vector<HashKernel>& kernels, const InputRows& x, float eps, uint16_t* code,
               float* score, size_t code_stride) {
  const std::vector<HashCall>& calls = packed.shape.calls;
  for (size_t call = 0; call < calls.size(); ++call) {
    run_hash(packed, calls[call], kernels[call], x, eps, code, score, code_stride);
  }
}

// Where a tile that is not full is hashed: codes, scores and rows of x.
struct TileCopy {
  size_t stride;
  float* x;
  float* score;
  uint16_t* code;

  TileCopy(const PackedShape& shape, char* scratch) : stride(code_stride(shape)) {
    x = reinterpret_cast<float*>(scratch);
    score = x + copy_floats(shape, kLargestTile);
    code = reinterpret_cast<uint16_t*>(score + kLargestTile * stride);
  }
  static size_t bytes(const PackedShape& shape) {
    return copy_floats(shape, kLargestTile) * sizeof(float) +
           kLargestTile * code_stride(shape) * (sizeof(float) + sizeof(uint16_t));
  }
};

void hash_specialised(const LookupffnLayer& layer, size_t batch, const InputRows& x, size_t first, size_t count,
                      const CodeRows& codes, char* scratch) {
  const PackedShape& shape = layer.packed.shape;
  const TileCopy copy(shape, scratch);
  // Whole tiles of the largest kernel that fits, then of the next smaller.
  for (size_t range = layer.choice().hash.index(batch) + 1; range-- > 0 && count > 0;) {
    const std::vector<HashKernel>& kernels = layer.choice().hash[range];
    const size_t tile = kernels.front().token_tile;
    for (; count >= tile; first += tile, count -= tile) {
      hash_tile(layer.packed, kernels, kernel_rows(shape, x, first, tile, copy.x), layer.packed.eps,
                codes.code + first * codes.stride, codes.score + first * codes.stride, codes.stride);
    }
    // A tile filled up with zeros can be cheaper than tokens one by one.
    if (range == 1 && count >= layer.choice().fill_from) {
      const size_t row = round_up(shape.d_in, kInputMultiple);
      for (size_t n = 0; n < tile; ++n) {
        float* to = copy.x + n * row;
        const size_t filled = n < count ? shape.d_in : 0;
        if (filled > 0) std::memcpy(to, x.row(first + n), filled * sizeof(float));
        std::fill(to + filled, to + row, 0.0f);
      }
      hash_tile(layer.packed, kernels, {copy.x, ptrdiff_t(row)}, layer.packed.eps, copy.code, copy.score, copy.stride);
      for (size_t n = 0; n < count; ++n) {
        std::memcpy(codes.code + (first + n) * codes.stride, copy.code + n * copy.stride, shape.tables * sizeof(uint16_t));
        std::memcpy(codes.score + (first + n) * codes.stride, copy.score + n * copy.stride, shape.tables * sizeof(float));
      }
      return;
    }
  }
}

// ---- generic ----

// Where a tile's values are, in floats from the start of the scratch.
struct GenericTile {
  size_t tokens;  // of a tile
  size_t copy, h, first, second, v, end;
  size_t v_stride;

  GenericTile(const PackedShape& shape, size_t product_tokens) {
    v_stride = std::max(shape.outputs, round_up(shape.tables, kLaneMultiple) * shape.bits);
    // A tile that stays in the second-level cache.
    const size_t per_token = 3 * shape.width + v_stride;
    tokens = std::max<size_t>(1, (size_t(1) << 16) / per_token / product_tokens) * product_tokens;
    tokens = std::min(tokens, kLargestTile / product_tokens * product_tokens);
    size_t at = 0;
    const auto take = [&](size_t size) {
      const size_t from = at;
      at += round_up(size, 16);
      return from;
    };
    copy = take(copy_floats(shape, tokens));
    h = take(tokens * shape.width);
    first = take(tokens * shape.width);
    second = take(tokens * shape.width);
    v = take(tokens * v_stride + 64);
    end = at;
  }
};

class GenericHasher {
 public:
  GenericHasher(const LookupffnLayer& layer, char* scratch)
      : packed_(layer.packed),
        shape_(layer.packed.shape),
        kernels_(layer.choice().generic_hash),
        tile_(shape_, kernels_.product_tokens),
        scratch_(reinterpret_cast<float*>(scratch)) {}

  void hash(const InputRows& x, size_t first, size_t count, const CodeRows& codes) {
    for (size_t n = 0; n < count; n += tile_.tokens) {
      const size_t tokens = std::min(tile_.tokens, count - n);
      hash_rows(kernel_rows(shape_, x, first + n, tokens, copy()), packed_.eps, tokens, first + n, codes);
    }
  }

  // x: rows for the kernels, for the codes of `tokens` tokens from `first` on.
  void hash_rows(const InputRows& x, float eps, size_t tokens, size_t first, const CodeRows& codes) {
    const FloatRows h = rows(tile_.h);
    if (shape_.rules.layer_norm) {
      kernels_.layer_norm(x, floats(packed_.gamma), floats(packed_.beta), shape_.input(), shape_.d_in, eps, tokens, h,
                          shape_.width);
    } else {
      copy_rows(x, tokens, h);
    }
    if (!shape_.rules.projection) {
      copy_rows(x, tokens, v());
    } else if (shape_.bh4) {
      for (size_t repeat = 0; repeat < shape_.repeats; ++repeat) bh4(repeat, tokens);
    } else {
      product(h, 0, shape_.d_in, 0, shape_.panels, tokens, v());
    }
    kernels_.code_and_score(v(), h, shape_.width, floats(packed_.offset), shape_.bits, packed_.skip, tokens,
                            codes.code + first * codes.stride, codes.score + first * codes.stride, codes.stride);
  }

  float* copy() const { return scratch_ + tile_.copy; }

 private:
  // With the zeros behind them, which a projection's skip reads.
  void copy_rows(const InputRows& x, size_t tokens, const FloatRows& to) {
    for (size_t n = 0; n < tokens; ++n) std::memcpy(to.row(n), x.row(n), shape_.width * sizeof(float));
  }

  // out[n, panel, :] = W[panel] in[n, panel, :] for `panels` panels from first_panel on.
  void product(const FloatRows& in, size_t in_step, size_t inputs, size_t first_panel, size_t panels, size_t tokens,
               const FloatRows& out) {
    BufferArgument weight = weight_argument(packed_, first_panel, panels);
    kernels_.product({panels, inputs, shape_.block, in_step, shape_.block}, in, weight, tokens, out);
  }

  void bh4(size_t repeat, size_t tokens) {
    const size_t width = shape_.width, block = shape_.block;
    const FloatRows result = {scratch_ + tile_.v + repeat * width, tile_.v_stride};
    const FloatRows h = rows(tile_.h);
    FloatRows from = h, to = rows(tile_.first), spare = rows(tile_.second);
    const auto advance = [&] {
      // h is needed again: by the next repeat and by the skip.
      const FloatRows used = from.data == h.data ? spare : from;
      from = to;
      to = used;
    };
    for (size_t stage = 0; stage < 4; ++stage) {
      const bool last_stage = stage == 3;
      // The first stage's blocks of nothing but padding give zeros.
      const size_t filled = stage == 0 ? (shape_.d_in + block - 1) / block : shape_.panels;
      const bool to_result = last_stage && shape_.panels == 1;
      product(from, block, block, (repeat * 4 + stage) * shape_.panels, filled, tokens, to_result ? result : to);
      if (to_result) return;
      if (filled < shape_.panels) {
        for (size_t n = 0; n < tokens; ++n) std::fill(to.row(n) + filled * block, to.row(n) + width, 0.0f);
      }
      advance();
      for (size_t step = block; step < width; step *= 2) {
        const bool last = last_stage && 2 * step == width;
        kernels_.butterfly(from, width, step, tokens, last ? result : to);
        if (!last) advance();
      }
    }
  }

  FloatRows rows(size_t at) const { return {scratch_ + at, shape_.width}; }
  FloatRows v() const { return {scratch_ + tile_.v, tile_.v_stride}; }

  const PackedLayer& packed_;
  const PackedShape& shape_;
  const GenericHash& kernels_;
  const GenericTile tile_;
  float* const scratch_;
};

// ---- rows whose variance passes the range of float ----

// (x - mean) / 2^k and eps / 4^k, k such that the largest value is between 1/2 and 1: LayerNorm gives the same of both. The
// mean is a double, so equal values give zeros. False where x is not finite, or not so large that it is to blame.
bool scale_down(const float* x, size_t d_in, size_t padded, float* scaled, float* eps) {
  constexpr float kLarge = 0x1p40f;  // no sum of squares of less passes the range of float
  float largest = 0;
  double sum = 0;
  for (size_t i = 0; i < d_in; ++i) {
    if (!std::isfinite(x[i])) return false;
    largest = std::max(largest, std::fabs(x[i]));
    sum += x[i];
  }
  if (largest < kLarge) return false;
  const double mean = sum / double(d_in);
  double widest = 0;
  for (size_t i = 0; i < d_in; ++i) widest = std::max(widest, std::fabs(x[i] - mean));
  int exponent;
  std::frexp(widest, &exponent);
  for (size_t i = 0; i < d_in; ++i) scaled[i] = float(std::ldexp(x[i] - mean, -exponent));
  std::fill(scaled + d_in, scaled + padded, 0.0f);
  // Not 0, which a row of zeros would be divided by.
  *eps = std::max(std::ldexp(*eps, -2 * exponent), std::numeric_limits<float>::min());
  return true;
}

}  // namespace

void hash_overflowed(const LookupffnLayer& layer, const InputRows& x, size_t first, size_t count, const CodeRows& codes,
                     char* scratch) {
  const PackedShape& shape = layer.packed.shape;
  if (!shape.rules.layer_norm) return;
  const size_t row = round_up(shape.d_in, kInputMultiple);
  for (size_t n = first; n < first + count; ++n) {
    if (std::isfinite(codes.score[n * codes.stride])) continue;
    float eps = layer.packed.eps;
    if (layer.choice().specialised_hash) {
      float* const scaled = TileCopy(shape, scratch).x;
      if (!scale_down(x.row(n), shape.d_in, row, scaled, &eps)) continue;
      hash_tile(layer.packed, layer.choice().hash.front(), {scaled, ptrdiff_t(row)}, eps, codes.code + n * codes.stride,
                codes.score + n * codes.stride, codes.stride);
    } else {
      GenericHasher hasher(layer, scratch);
      if (!scale_down(x.row(n), shape.d_in, row, hasher.copy(), &eps)) continue;
      hasher.hash_rows({hasher.copy(), ptrdiff_t(row)}, eps, 1, n, codes);
    }
  }
}

size_t hash_scratch_bytes(const LookupffnLayer& layer) {
  const PackedShape& shape = layer.packed.shape;
  return layer.choice().specialised_hash ? TileCopy::bytes(shape)
                                         : GenericTile(shape, layer.choice().generic_hash.product_tokens).end * sizeof(float);
}

void hash_tokens(const LookupffnLayer& layer, size_t batch, const InputRows& x, size_t first, size_t count,
                 const CodeRows& codes, char* scratch) {
  if (layer.choice().specialised_hash) {
    hash_specialised(layer, batch, x, first, count, codes, scratch);
  } else {
    GenericHasher(layer, scratch).hash(x, first, count, codes);
  }
  hash_overflowed(layer, x, first, count, codes, scratch);
}

void hash_call(const LookupffnLayer& layer, size_t call, const float* x, uint16_t* code, float* score, char* scratch) {
  const PackedShape& shape = layer.packed.shape;
  const InputRows row = kernel_rows(shape, {x, 0}, 0, 1, reinterpret_cast<float*>(scratch));
  run_hash(layer.packed, shape.shared_calls[call], layer.choice().shared_hash[call], row, layer.packed.eps, code, score,
           code_stride(shape));
}

}  // namespace lookupffn
