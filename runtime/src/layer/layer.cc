// Packing layers and telling what they run on.
#include "layer.h"

#include <chrono>
#include <cstring>
#include <memory>

#include "failure.h"
#include "isa.h"
#include "model.h"
#include "status.h"
#include "weight_types.h"

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
                                                (row ? row->name : std::to_string(type)) + "; it is one of " +
                                                weight_type_list(role));
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

lookupffn_layer::lookupffn_layer(const ModelLayer& source, const PackRequest& request)
    : prefix(source.prefix()),
      shape(source.shape()),
      isa(request.isa),
      table_type(request.table_type),
      projection_type(request.projection_type) {
  shape.prefix = prefix.c_str();
}

void lookupffn_layer::refuse(const char* function, const char* instead) const {
  throw Failure(LOOKUPFFN_INVALID_ARGUMENT, std::string(function) + ": a layer of family " + shape.family + instead);
}

void lookupffn_layer::forward(lookupffn_threads&, const InputRows&, const OutputRows&, size_t) const {
  refuse("lookupffn_forward", " takes ids: call lookupffn_forward_ids");
}

void lookupffn_layer::forward_ids(lookupffn_threads&, const IdBags&, const OutputRows&) const {
  refuse("lookupffn_forward_ids", " takes vectors: call lookupffn_forward");
}

void lookupffn_layer::hash(lookupffn_threads&, const InputRows&, int32_t*, float*, size_t) const {
  refuse("lookupffn_hash", " has no hash");
}

void lookupffn_layer::gather(lookupffn_threads&, const int32_t*, const float*, const OutputRows&, size_t) const {
  refuse("lookupffn_gather", " has no gather of codes");
}

extern "C" {

lookupffn_status lookupffn_layer_pack(const lookupffn_model* model, const char* prefix, const lookupffn_pack_options* options,
                                      lookupffn_layer** layer) {
  return guard([&] {
    if (!model) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_layer_pack: model is NULL");
    if (!layer) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_layer_pack: layer is NULL");
    *layer = nullptr;
    const lookupffn_pack_options chosen = options ? *options : lookupffn_pack_options{};
    check_types(chosen);
    const char* isa = kIsas[require_isa(chosen.isa)].name;
    const ModelLayer& source = find_layer(model, prefix);
    const auto start = std::chrono::steady_clock::now();
    std::unique_ptr<lookupffn_layer> result = source.pack({isa, chosen.table_type, chosen.projection_type, chosen.kernels});
    result->pack_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    *layer = result.release();
  });
}

void lookupffn_layer_free(lookupffn_layer* layer) { delete layer; }

lookupffn_status lookupffn_layer_describe(const lookupffn_layer* layer, lookupffn_layer_info* info) {
  return guard([&] {
    if (!layer) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_layer_describe: layer is NULL");
    if (!info) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_layer_describe: info is NULL");
    const PackedSizes sizes = layer->sizes();
    *info = lookupffn_layer_info{};
    info->shape = layer->shape;
    info->isa = layer->isa;
    info->table_type = layer->table_type;
    info->projection_type = layer->projection_type;
    info->specialised = layer->kernels->specialised;
    info->fallback = layer->kernels->fallback.c_str();
    info->kernels = layer->kernels->description.c_str();
    info->table_bytes = sizes.tables;
    info->projection_bytes = sizes.projection;
    info->packed_bytes = sizes.all;
    info->huge_page_bytes = sizes.huge_pages;
    info->pack_seconds = layer->pack_seconds;
  });
}

}  // extern "C"
