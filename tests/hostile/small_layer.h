// A layer that the tests of hostile callers run: small, and with what it gives on one thread.
#ifndef LOOKUPFFN_TESTS_HOSTILE_SMALL_LAYER_H
#define LOOKUPFFN_TESTS_HOSTILE_SMALL_LAYER_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "lookupffn/lookupffn.hpp"
#include "plain_layer.h"
#include "reference/random_numbers.h"

namespace lookupffn::hostile {

struct SmallLayer {
  explicit SmallLayer(const lookupffn_shape& shape = reference::bh4_shape(100, 272, 24, 6, 16), size_t token_count = 40)
      : made_up(reference::random_layer(shape, 7)),
        bytes(reference::model_bytes(made_up, "", ElementType::kF32)),
        model(bytes.data(), bytes.size()),
        layer(model),
        tokens(token_count),
        x(reference::random_tokens(tokens, shape.d_in, 8)),
        expected(tokens * shape.d_out) {
    layer.forward(Threads(1), x.data(), expected.data(), tokens);
  }

  // The status of a forward of all tokens on `threads`; LOOKUPFFN_INTERNAL where its result is not the expected one.
  lookupffn_status forward(lookupffn_threads* threads) const {
    std::vector<float> y(expected.size());
    return forward(threads, y.data());
  }
  // The same with room for y that the caller has.
  lookupffn_status forward(lookupffn_threads* threads, float* y) const {
    const lookupffn_shape& shape = made_up.shape;
    const lookupffn_status status =
        lookupffn_forward(layer.get(), threads, x.data(), ptrdiff_t(shape.d_in), y, ptrdiff_t(shape.d_out), tokens, 0);
    if (status != LOOKUPFFN_OK) return status;
    return std::memcmp(y, expected.data(), expected.size() * sizeof(float)) == 0 ? LOOKUPFFN_OK : LOOKUPFFN_INTERNAL;
  }

  reference::Layer made_up;
  std::vector<uint8_t> bytes;
  Model model;
  Layer layer;
  size_t tokens;
  std::vector<float> x, expected;
};

}  // namespace lookupffn::hostile
#endif
