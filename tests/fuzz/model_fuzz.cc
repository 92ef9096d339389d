// libFuzzer target: any bytes are a model or are refused, and a model's values can all be read.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "float_types.h"
#include "lookupffn/lookupffn.h"
#include "lookupffn_layer.h"
#include "model.h"

namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "model_fuzz: %s\n", what);
  std::abort();
}

void read_all(const lookupffn::TensorView& tensor) {
  std::vector<float> values(tensor.elements());
  lookupffn::read_floats(tensor, 0, values.size(), values.data());
  for (float value : values) require(value - value == 0, "a layer that opened holds a value that is not finite");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lookupffn_model* model = nullptr;
  const lookupffn_status status =
      lookupffn_model_open_memory(data == nullptr ? reinterpret_cast<const uint8_t*>("") : data, size, &model);
  if (status != LOOKUPFFN_OK) {
    require(status == LOOKUPFFN_MALFORMED_MODEL || status == LOOKUPFFN_OUT_OF_MEMORY, "a status that bytes cannot cause");
    require(model == nullptr, "a model in spite of a failure");
    require(lookupffn_last_message()[0] != '\0', "a failure without a message");
    return 0;
  }
  require(lookupffn_model_layer_count(model) > 0, "a model without layers");
  for (size_t i = 0; i < lookupffn_model_layer_count(model); ++i) {
    lookupffn_shape shape;
    require(lookupffn_model_layer(model, i, &shape) == LOOKUPFFN_OK, "a layer that is counted but not there");
    const auto* lookupffn_like =
        dynamic_cast<const lookupffn::LookupffnModelLayer*>(&lookupffn::find_layer(model, shape.prefix));
    if (lookupffn_like == nullptr) continue;
    const lookupffn::LayerWeights& layer = lookupffn_like->weights();
    for (const lookupffn::TensorView* tensor : {&layer.layer_norm_weight, &layer.layer_norm_bias, &layer.projection_weight,
                                                &layer.projection_bias, &layer.tables, &layer.bias}) {
      if (!tensor->shape.empty()) read_all(*tensor);  // else the layer has none
    }
  }
  lookupffn_model_close(model);
  return 0;
}
