// Packing layers and telling what they run on.
#include "layer.h"

#include <chrono>
#include <cstring>
#include <memory>

#include "failure.h"
#include "isa.h"
#include "layer_weights.h"
#include "status.h"

using namespace lookupffn;

namespace {

// C may pass any number for an enumeration; C++ must not even look at one that it does not have.
template <class Enumeration>
int number_of(const Enumeration& value) {
  static_assert(sizeof(Enumeration) == sizeof(int), "C's enumerations are ints");
  int number;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

void check_type(const char* option, int type, WeightRole role) {
  const WeightType* row = find_weight_type(type);
  if (row && serves(*row, role)) return;
  throw Failure(LOOKUPFFN_INVALID_ARGUMENT, std::string("lookupffn_layer_pack: ") + option + " is " +
                                                (row ? row->name : std::to_string(type)) + "; it is one of " + weight_type_list(role));
}

void check_types(const lookupffn_pack_options& options) {
  const int table_type = number_of(options.table_type), projection_type = number_of(options.projection_type);
  const int kernels = number_of(options.kernels);
  check_type("table_type", table_type, WeightRole::kTables);
  check_type("projection_type", projection_type, WeightRole::kProjections);
  if (kernels < LOOKUPFFN_ANY_KERNELS || kernels > LOOKUPFFN_SPECIALISED_KERNELS) {
    throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_layer_pack: kernels is " + std::to_string(kernels) +
                                                  "; it is LOOKUPFFN_ANY_KERNELS, LOOKUPFFN_GENERIC_KERNELS or "
                                                  "LOOKUPFFN_SPECIALISED_KERNELS");
  }
}

}  // namespace

extern "C" {

lookupffn_status lookupffn_layer_pack(const lookupffn_model* model, const char* prefix,
                                      const lookupffn_pack_options* options, lookupffn_layer** layer) {
  return guard([&] {
    if (!model) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_layer_pack: model is NULL");
    if (!layer) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_layer_pack: layer is NULL");
    *layer = nullptr;
    const lookupffn_pack_options chosen = options ? *options : lookupffn_pack_options{};
    check_types(chosen);
    const char* isa = kIsas[require_isa(chosen.isa)].name;
    const LayerWeights& weights = find_layer(model, prefix);

    const auto start = std::chrono::steady_clock::now();
    const PackedShape shape(layer_extents(weights.shape));
    KernelChoice kernels = choose_kernels(shape, isa, chosen.table_type, chosen.projection_type, chosen.kernels);
    std::unique_ptr<lookupffn_layer> result(new lookupffn_layer{
        weights.shape.prefix, weights.shape, isa, pack_layer(weights, isa, chosen.table_type, chosen.projection_type),
        std::move(kernels), 0, {}});
    result->shape.prefix = result->prefix.c_str();
    result->pack_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    *layer = result.release();
  });
}

void lookupffn_layer_free(lookupffn_layer* layer) { delete layer; }

lookupffn_status lookupffn_layer_describe(const lookupffn_layer* layer, lookupffn_layer_info* info) {
  return guard([&] {
    if (!layer) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_layer_describe: layer is NULL");
    if (!info) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_layer_describe: info is NULL");
    const PackedLayer& packed = layer->packed;
    *info = lookupffn_layer_info{};
    info->shape = layer->shape;
    info->isa = layer->isa;
    info->table_type = packed.table_type;
    info->projection_type = packed.projection_type;
    info->specialised = layer->kernels.specialised_hash && layer->kernels.specialised_gather;
    info->fallback = layer->kernels.fallback.c_str();
    info->kernels = layer->kernels.description.c_str();
    info->table_bytes = packed.tables.bytes() + packed.scales.bytes();
    info->projection_bytes = packed.projection.bytes();
    info->packed_bytes = packed.memory.bytes();
    info->huge_page_bytes = packed.memory.huge_page_bytes();
    info->pack_seconds = layer->pack_seconds;
  });
}

}  // extern "C"
