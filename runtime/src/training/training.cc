// The C calls of training steps: what they are given is checked here, for every family.
#include "training.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "failure.h"
#include "isa.h"
#include "row_adam.h"
#include "runtime_family.h"
#include "status.h"
#include "threads.h"

namespace lookupffn {
namespace {

[[noreturn]] void invalid(const char* function, const std::string& what) {
  throw Failure(LOOKUPFFN_INVALID_ARGUMENT, std::string(function) + ": " + what);
}

const RuntimeFamily& trained_family(const char* function, const char* name) {
  std::string names;
  for (const RuntimeFamily* family : runtime_families()) {
    if (!family->train) continue;
    if (std::strcmp(family->name, name ? name : "lookupffn") == 0) return *family;
    names += (names.empty() ? "" : ", ") + std::string(family->name);
  }
  invalid(function, std::string("layers of family ") + name + " are not trained here; those of " + names + " are");
}

// Kernels count in 32 bits.
bool few_enough(const lookupffn_training& training, size_t tokens) {
  const lookupffn_shape& shape = training.shape;
  const size_t widest = std::max({shape.d_in, shape.d_out, shape.tables * shape.bits});
  return tokens < (size_t(1) << 31) / (2 * widest);
}

void check_weights(const char* function, const lookupffn_weights* weights) {
  if (!weights) invalid(function, "weights is NULL");
  if (!weights->norm_weight || !weights->norm_bias || !weights->projection_weight || !weights->projection_bias ||
      !weights->tables || !weights->bias) {
    invalid(function, "one of the weights is NULL");
  }
}

void check_step(const char* function, const lookupffn_training* training, size_t tokens, const void* saved) {
  if (!training) invalid(function, "training is NULL");
  if (tokens > 0 && !saved) invalid(function, "saved is NULL");
  if (!few_enough(*training, tokens)) invalid(function, std::to_string(tokens) + " tokens are too many for one step");
}

void check_rows(const char* function, const char* name, const void* data, ptrdiff_t& stride, size_t tokens, size_t width) {
  if (!data) invalid(function, std::string(name) + " is NULL");
  if (tokens == 1) stride = ptrdiff_t(width);
  if (stride < ptrdiff_t(width) || size_t(stride) > (size_t(1) << 31) / tokens) {
    invalid(function, std::string("the stride of ") + name + " is " + std::to_string(stride) + "; it is from " +
                          std::to_string(width) + " to 2^31 / tokens");
  }
}

}  // namespace
}  // namespace lookupffn

using namespace lookupffn;

extern "C" {

lookupffn_status lookupffn_training_create(const lookupffn_shape* shape, const char* isa, lookupffn_training** training) {
  return guard([&] {
    const char* function = "lookupffn_training_create";
    if (!training) invalid(function, "training is NULL");
    *training = nullptr;
    if (!shape) invalid(function, "shape is NULL");
    *training = trained_family(function, shape->family).train(*shape, kIsas[require_isa(isa)].name).release();
  });
}

void lookupffn_training_free(lookupffn_training* training) { delete training; }

size_t lookupffn_training_saved_floats(const lookupffn_training* training, size_t tokens) {
  return training && few_enough(*training, tokens) ? training->saved_floats(tokens) : 0;
}

lookupffn_status lookupffn_training_hash(const lookupffn_training* training, lookupffn_threads* threads,
                                         const lookupffn_weights* weights, const float* x, ptrdiff_t x_stride, size_t tokens,
                                         float* saved) {
  return guard([&] {
    const char* function = "lookupffn_training_hash";
    check_step(function, training, tokens, saved);
    check_weights(function, weights);
    if (tokens == 0) return;
    check_rows(function, "x", x, x_stride, tokens, training->shape.d_in);
    training->hash(threads ? *threads : *default_threads(), *weights, {x, x_stride}, tokens, saved);
  });
}

lookupffn_status lookupffn_training_rows(const lookupffn_training* training, size_t tokens, const float* saved, int64_t* rows,
                                         size_t* count) {
  return guard([&] {
    const char* function = "lookupffn_training_rows";
    check_step(function, training, tokens, saved);
    if (!count) invalid(function, "count is NULL");
    *count = tokens == 0 ? 0 : training->picked_rows(tokens, saved, rows);
  });
}

lookupffn_status lookupffn_training_gather(const lookupffn_training* training, lookupffn_threads* threads,
                                           const lookupffn_weights* weights, size_t tokens, const float* saved, float* y,
                                           ptrdiff_t y_stride) {
  return guard([&] {
    const char* function = "lookupffn_training_gather";
    check_step(function, training, tokens, saved);
    check_weights(function, weights);
    if (tokens == 0) return;
    check_rows(function, "y", y, y_stride, tokens, training->shape.d_out);
    training->gather(threads ? *threads : *default_threads(), *weights, tokens, saved, {y, y_stride, nullptr, 0});
  });
}

lookupffn_status lookupffn_training_backward(const lookupffn_training* training, lookupffn_threads* threads,
                                             const lookupffn_weights* weights, const float* x, ptrdiff_t x_stride,
                                             const float* d_y, ptrdiff_t d_y_stride, size_t tokens, const float* saved,
                                             const lookupffn_gradients* gradients) {
  return guard([&] {
    const char* function = "lookupffn_training_backward";
    check_step(function, training, tokens, saved);
    check_weights(function, weights);
    if (!gradients) invalid(function, "gradients is NULL");
    const lookupffn_gradients& to = *gradients;
    if (!to.norm_weight || !to.norm_bias || !to.projection_weight || !to.projection_bias || !to.bias || (tokens > 0 && !to.x)) {
      invalid(function, "one of the gradients is NULL");
    }
    if ((to.tables != nullptr) + (to.rows != nullptr) + (to.adam != nullptr) > 1) {
      invalid(function, "more than one of the gradients tables, rows and adam is not NULL");
    }
    const lookupffn_shape& shape = training->shape;
    if (to.adam) {
      check_row_adam(function, *to.adam);
      if (to.adam->parameter != weights->tables || to.adam->width != shape.d_out ||
          to.adam->rows != shape.tables * shape.rows) {
        invalid(function, "adam is not of weights->tables");
      }
    }
    if (tokens > 0) {
      check_rows(function, "x", x, x_stride, tokens, shape.d_in);
      check_rows(function, "d_y", d_y, d_y_stride, tokens, shape.d_out);
    }
    training->backward(threads ? *threads : *default_threads(), *weights, {x, x_stride}, {d_y, d_y_stride}, tokens, saved,
                       to);
  });
}

}  // extern "C"
