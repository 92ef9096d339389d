#include "reference/stage.h"

#include <stdexcept>

#include "runtime/src/layer/layer.h"  // not reference/layer.h

namespace lookupffn::reference {
namespace {

template <class Value>
void keep(std::vector<Value>& values, size_t size) {
  if (values.size() > size) values.resize(size);
}

}  // namespace

Input first_of(const Input& input, const lookupffn_shape& shape, size_t tokens) {
  Input first = input;
  if (tokens >= input.tokens) return first;
  first.tokens = tokens;
  keep(first.x, tokens * shape.d_in);
  keep(first.code, tokens * shape.lookups);
  keep(first.score, tokens * shape.lookups);
  if (!input.offsets.empty()) {
    const size_t end = size_t(input.offsets[tokens]);
    keep(first.ids, end);
    keep(first.weights, end);
    keep(first.offsets, tokens);
  }
  return first;
}

Results room_for(Stage stage, const lookupffn_shape& shape, size_t tokens) {
  Results room;
  const size_t codes = stage == Stage::kHash ? tokens * shape.lookups : 0;
  room.code.resize(codes);
  room.score.resize(codes);
  room.y.resize(stage == Stage::kHash ? 0 : tokens * shape.d_out);
  return room;
}

lookupffn_status run_stage(Stage stage, const lookupffn_layer* layer, lookupffn_threads* threads, const Input& input,
                           size_t first, size_t tokens, int32_t* code, float* score, float* y) {
  const lookupffn_shape& shape = layer->shape;
  const ptrdiff_t d_in = ptrdiff_t(shape.d_in), d_out = ptrdiff_t(shape.d_out);
  switch (stage) {
    case Stage::kHash:
      return lookupffn_hash(layer, threads, input.x.data() + first * shape.d_in, d_in, code, score, tokens);
    case Stage::kGather:
      return lookupffn_gather(layer, threads, input.code.data() + first * shape.lookups,
                              input.score.data() + first * shape.lookups, y, d_out, tokens);
    case Stage::kForwardIds: {
      const size_t count = first + tokens < input.tokens ? size_t(input.offsets[first + tokens]) : input.ids.size();
      return lookupffn_forward_ids(layer, threads, input.ids.data(), count, input.offsets.data() + first, tokens,
                                   input.weights.empty() ? nullptr : input.weights.data(), y, d_out,
                                   input.mean ? LOOKUPFFN_MEAN : 0);
    }
    default:
      return lookupffn_forward(layer, threads, input.x.data() + first * shape.d_in, d_in, y, d_out, tokens, 0);
  }
}

Results run_stage(Stage stage, const lookupffn_layer& layer, lookupffn_threads& threads, const Input& input) {
  Results results = room_for(stage, layer.shape, input.tokens);
  if (run_stage(stage, &layer, &threads, input, 0, input.tokens, results.code.data(), results.score.data(), results.y.data()) !=
      LOOKUPFFN_OK) {
    throw std::runtime_error(lookupffn_last_message());
  }
  return results;
}

}  // namespace lookupffn::reference
