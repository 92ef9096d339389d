// The C calls that run a layer: what they are given is checked here, for every family.
#include <cstdint>
#include <limits>
#include <string>

#include "failure.h"
#include "layer.h"
#include "lookupffn/lookupffn.h"
#include "row_overlap.h"
#include "status.h"
#include "threads.h"

namespace lookupffn {
namespace {

[[noreturn]] void invalid(const char* function, const std::string& what) {
  throw Failure(LOOKUPFFN_INVALID_ARGUMENT, std::string(function) + ": " + what);
}

// The stride of one row or none means nothing: it is set to `row`.
void check_stride(const char* function, const char* name, ptrdiff_t& stride, size_t tokens, size_t row, bool output) {
  if (tokens <= 1) {
    stride = ptrdiff_t(row);
    return;
  }
  const size_t size = stride < 0 ? size_t(0) - size_t(stride) : size_t(stride);
  if (output && size < row) {
    invalid(function,
            std::string(name) + " is " + std::to_string(stride) + ": rows of " + std::to_string(row) + " floats overlap");
  }
  if (size != 0 && tokens > size_t(std::numeric_limits<ptrdiff_t>::max()) / sizeof(float) / size) {
    invalid(function, std::string(name) + " times tokens passes the address space");
  }
}

}  // namespace
}  // namespace lookupffn

using namespace lookupffn;

extern "C" {

lookupffn_status lookupffn_forward(const lookupffn_layer* layer, lookupffn_threads* threads, const float* x, ptrdiff_t x_stride,
                                   float* y, ptrdiff_t y_stride, size_t tokens, unsigned flags) {
  return guard([&] {
    const char* function = "lookupffn_forward";
    if (!layer) invalid(function, "layer is NULL");
    if (flags & ~unsigned(LOOKUPFFN_ADD_RESIDUAL)) invalid(function, "flags has unknown bits: " + std::to_string(flags));
    if ((flags & LOOKUPFFN_ADD_RESIDUAL) && layer->shape.d_in != layer->shape.d_out) {
      invalid(function, "LOOKUPFFN_ADD_RESIDUAL needs d_in = d_out; they are " + std::to_string(layer->shape.d_in) + " and " +
                            std::to_string(layer->shape.d_out));
    }
    if (tokens == 0) return;
    if (!x) invalid(function, "x is NULL");
    if (!y) invalid(function, "y is NULL");
    check_stride(function, "x_stride", x_stride, tokens, layer->shape.d_in, false);
    check_stride(function, "y_stride", y_stride, tokens, layer->shape.d_out, true);
    // A thread's rows are hashed before the first of them is written, so y may be x itself.
    const bool in_place = x == y && x_stride == y_stride && layer->shape.d_in == layer->shape.d_out;
    if (!in_place && rows_overlap({x, x_stride, layer->shape.d_in}, {y, y_stride, layer->shape.d_out}, tokens)) {
      invalid(function, "rows of y overlap rows of x: give y memory of its own, or exactly x's with the same stride");
    }
    const float* residual = (flags & LOOKUPFFN_ADD_RESIDUAL) ? x : nullptr;
    lookupffn_threads& pool = threads ? *threads : *default_threads();
    layer->forward(pool, {x, x_stride}, {y, y_stride, residual, x_stride}, tokens);
  });
}

lookupffn_status lookupffn_hash(const lookupffn_layer* layer, lookupffn_threads* threads, const float* x, ptrdiff_t x_stride,
                                int32_t* code, float* score, size_t tokens) {
  return guard([&] {
    const char* function = "lookupffn_hash";
    if (!layer) invalid(function, "layer is NULL");
    if (tokens == 0) return;
    if (!x) invalid(function, "x is NULL");
    check_stride(function, "x_stride", x_stride, tokens, layer->shape.d_in, false);
    lookupffn_threads& pool = threads ? *threads : *default_threads();
    layer->hash(pool, {x, x_stride}, code, score, tokens);
  });
}

lookupffn_status lookupffn_gather(const lookupffn_layer* layer, lookupffn_threads* threads, const int32_t* code,
                                  const float* score, float* y, ptrdiff_t y_stride, size_t tokens) {
  return guard([&] {
    const char* function = "lookupffn_gather";
    if (!layer) invalid(function, "layer is NULL");
    if (tokens == 0) return;
    if (!code) invalid(function, "code is NULL");
    if (!score) invalid(function, "score is NULL");
    if (!y) invalid(function, "y is NULL");
    check_stride(function, "y_stride", y_stride, tokens, layer->shape.d_out, true);
    lookupffn_threads& pool = threads ? *threads : *default_threads();
    const size_t lookups = layer->shape.lookups;
    for (size_t i = 0; i < tokens * lookups; ++i) {
      if (code[i] >= 0 && size_t(code[i]) < layer->shape.rows) continue;
      invalid(function, "code[" + std::to_string(i / lookups) + ", " + std::to_string(i % lookups) + "] is " +
                            std::to_string(code[i]) + "; rows are 0 to " + std::to_string(layer->shape.rows - 1));
    }
    layer->gather(pool, code, score, {y, y_stride, nullptr, 0}, tokens);
  });
}

lookupffn_status lookupffn_forward_ids(const lookupffn_layer* layer, lookupffn_threads* threads, const int64_t* ids,
                                       size_t count, const int64_t* offsets, size_t bags, const float* weights, float* y,
                                       ptrdiff_t y_stride, unsigned flags) {
  return guard([&] {
    const char* function = "lookupffn_forward_ids";
    if (!layer) invalid(function, "layer is NULL");
    if (flags & ~unsigned(LOOKUPFFN_MEAN)) invalid(function, "flags has unknown bits: " + std::to_string(flags));
    if (bags == 0) return;
    if (!ids && count > 0) invalid(function, "ids is NULL");
    if (!offsets) invalid(function, "offsets is NULL");
    if (!y) invalid(function, "y is NULL");
    if ((flags & LOOKUPFFN_MEAN) && weights) invalid(function, "LOOKUPFFN_MEAN takes no weights");
    check_stride(function, "y_stride", y_stride, bags, layer->shape.d_out, true);
    for (size_t b = 0; b < bags; ++b) {
      const int64_t least = b == 0 ? 0 : offsets[b - 1];
      if (offsets[b] >= least && uint64_t(offsets[b]) <= count) continue;
      invalid(function, "offsets[" + std::to_string(b) + "] is " + std::to_string(offsets[b]) + "; offsets ascend from 0 to " +
                            std::to_string(count));
    }
    lookupffn_threads& pool = threads ? *threads : *default_threads();
    layer->forward_ids(pool, {ids, count, offsets, bags, weights, (flags & LOOKUPFFN_MEAN) != 0}, {y, y_stride, nullptr, 0});
  });
}

}  // extern "C"
