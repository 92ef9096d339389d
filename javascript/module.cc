// What lookupffn.js calls: the C API with names in place of numbers and JSON in place of structs, so that JavaScript knows
// nothing of how C lays them out. exports.h says how a call fails.
#include <cstdint>
#include <nlohmann/json.hpp>

#include "exports.h"
#include "lookupffn/lookupffn.hpp"

namespace lookupffn::javascript {
namespace {

using nlohmann::json;

json described(const lookupffn_shape& shape) {
  static const char* const projections[] = {"dense", "bh4", "none"};
  return {{"prefix", shape.prefix},
          {"family", shape.family},
          {"projection", projections[shape.projection]},
          {"dIn", shape.d_in},
          {"dOut", shape.d_out},
          {"tables", shape.tables},
          {"bits", shape.bits},
          {"rows", shape.rows},
          {"lookups", shape.lookups},
          {"block", shape.block},
          {"repeats", shape.repeats},
          {"decay", shape.decay},
          {"layerNormEps", shape.layer_norm_eps}};
}

}  // namespace

// {"version": ..., "isa": ..., "types": [...]}
LOOKUPFFN_EXPORTED(describe_library) const char* describe_library() {
  return guarded<const char*>(nullptr, [] {
    json names = json::array();
    for (const TypeInfo& type : types()) {
      names.push_back({{"name", type.name},
                       {"description", type.description},
                       {"bits", type.bits},
                       {"forTables", type.for_tables != 0},
                       {"forProjections", type.for_projections != 0}});
    }
    return json_text({{"version", lookupffn_version()}, {"isa", active_isa()}, {"types", names}});
  });
}

// `bytes` must stay until the model is closed.
LOOKUPFFN_EXPORTED(open_model) lookupffn_model* open_model(const void* bytes, size_t size) {
  return guarded<lookupffn_model*>(nullptr, [&] {
    lookupffn_model* model = nullptr;
    check(lookupffn_model_open_memory(bytes, size, &model));
    return model;
  });
}
LOOKUPFFN_EXPORTED(close_model) void close_model(lookupffn_model* model) { lookupffn_model_close(model); }

// The shapes of its layers.
LOOKUPFFN_EXPORTED(describe_model) const char* describe_model(const lookupffn_model* model) {
  return guarded<const char*>(nullptr, [&] {
    json layers = json::array();
    for (size_t i = 0; i < lookupffn_model_layer_count(model); ++i) {
      lookupffn_shape shape;
      check(lookupffn_model_layer(model, i, &shape));
      layers.push_back(described(shape));
    }
    return json_text(layers);
  });
}

LOOKUPFFN_EXPORTED(pack_layer)
lookupffn_layer* pack_layer(const lookupffn_model* model, const char* prefix, const char* table_type,
                            const char* projection_type) {
  return guarded<lookupffn_layer*>(nullptr, [&] {
    lookupffn_pack_options options{};
    options.table_type = type_named(table_type);
    options.projection_type = type_named(projection_type);
    lookupffn_layer* layer = nullptr;
    check(lookupffn_layer_pack(model, prefix, &options, &layer));
    return layer;
  });
}
LOOKUPFFN_EXPORTED(free_layer) void free_layer(lookupffn_layer* layer) { lookupffn_layer_free(layer); }

LOOKUPFFN_EXPORTED(describe_layer) const char* describe_layer(const lookupffn_layer* layer) {
  return guarded<const char*>(nullptr, [&] {
    lookupffn_layer_info info;
    check(lookupffn_layer_describe(layer, &info));
    return json_text({{"shape", described(info.shape)},
                      {"isa", info.isa},
                      {"tableType", lookupffn_type_name(info.table_type)},
                      {"projectionType", lookupffn_type_name(info.projection_type)},
                      {"specialised", info.specialised != 0},
                      {"kernels", info.kernels},
                      {"tableBytes", info.table_bytes},
                      {"projectionBytes", info.projection_bytes},
                      {"packedBytes", info.packed_bytes}});
  });
}

// Matrices are contiguous. 0, or -1.
LOOKUPFFN_EXPORTED(forward)
int forward(const lookupffn_layer* layer, const float* x, size_t x_width, float* y, size_t y_width, size_t tokens,
            int add_residual) {
  return guarded(-1, [&] {
    check(lookupffn_forward(layer, nullptr, x, ptrdiff_t(x_width), y, ptrdiff_t(y_width), tokens,
                            add_residual ? LOOKUPFFN_ADD_RESIDUAL : 0));
    return 0;
  });
}

LOOKUPFFN_EXPORTED(forward_ids)
int forward_ids(const lookupffn_layer* layer, const int64_t* ids, size_t count, const int64_t* offsets, size_t bags,
                const float* weights, float* y, size_t y_width, int mean) {
  return guarded(-1, [&] {
    check(lookupffn_forward_ids(layer, nullptr, ids, count, offsets, bags, weights, y, ptrdiff_t(y_width),
                                mean ? LOOKUPFFN_MEAN : 0));
    return 0;
  });
}

LOOKUPFFN_EXPORTED(hash)
int hash(const lookupffn_layer* layer, const float* x, size_t x_width, int32_t* code, float* score, size_t tokens) {
  return guarded(-1, [&] {
    check(lookupffn_hash(layer, nullptr, x, ptrdiff_t(x_width), code, score, tokens));
    return 0;
  });
}

LOOKUPFFN_EXPORTED(gather)
int gather(const lookupffn_layer* layer, const int32_t* code, const float* score, float* y, size_t y_width, size_t tokens) {
  return guarded(-1, [&] {
    check(lookupffn_gather(layer, nullptr, code, score, y, ptrdiff_t(y_width), tokens));
    return 0;
  });
}

}  // namespace lookupffn::javascript
