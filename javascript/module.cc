// What lookupffn.mjs calls: the C API with names in place of numbers and JSON in place of structs, so that JavaScript knows
// nothing of how C lays them out. A pointer or text that is NULL, or a count that is -1, is a failure: failure_status() and
// failure_message() tell which.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "lookupffn/lookupffn.hpp"

#define EXPORTED(name) extern "C" __attribute__((export_name(#name)))

namespace {

using nlohmann::json;

lookupffn_status failed = LOOKUPFFN_OK;
std::string message, text;

// Runs body(); whatever it throws is kept for failure_status(), and the result is `otherwise`.
template <class Result, class Body>
Result guarded(Result otherwise, Body body) {
  try {
    return body();
  } catch (const lookupffn::Error& error) {
    failed = error.status();
    message = error.what();
  } catch (const std::bad_alloc&) {
    failed = LOOKUPFFN_OUT_OF_MEMORY;
    message = "out of memory";
  } catch (const std::exception& error) {
    failed = LOOKUPFFN_INTERNAL;
    message = error.what();
  }
  return otherwise;
}

const char* kept(const json& value) {
  text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  return text.c_str();
}

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

// The type of a name; NULL or "" is the default.
lookupffn_type type_named(const char* name) {
  if (!name || !*name) return LOOKUPFFN_F32;
  std::string names;
  for (const lookupffn::TypeInfo& type : lookupffn::types()) {
    if (std::string(type.name) == name) return type.type;
    names += (names.empty() ? "" : ", ") + std::string(type.name);
  }
  throw lookupffn::Error(LOOKUPFFN_INVALID_ARGUMENT, "there is no weight type '" + std::string(name) + "'; there are " + names);
}

}  // namespace

EXPORTED(failure_status) const char* failure_status() { return lookupffn_status_name(failed); }
EXPORTED(failure_message) const char* failure_message() { return message.c_str(); }

EXPORTED(allocate) void* allocate(size_t bytes) {
  // Vectors are read and written at any address, a little faster at these.
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, bytes ? bytes : 1) == 0) return memory;
  failed = LOOKUPFFN_OUT_OF_MEMORY;
  message = "no memory for " + std::to_string(bytes) + " bytes";
  return nullptr;
}
EXPORTED(release) void release(void* memory) { std::free(memory); }

// {"version": ..., "isa": ..., "types": [...]}
EXPORTED(describe_library) const char* describe_library() {
  return guarded<const char*>(nullptr, [] {
    json types = json::array();
    for (const lookupffn::TypeInfo& type : lookupffn::types()) {
      types.push_back({{"name", type.name},
                       {"description", type.description},
                       {"bits", type.bits},
                       {"forTables", type.for_tables != 0},
                       {"forProjections", type.for_projections != 0}});
    }
    return kept({{"version", lookupffn_version()}, {"isa", lookupffn::active_isa()}, {"types", types}});
  });
}

// `bytes` must stay until the model is closed.
EXPORTED(open_model) lookupffn_model* open_model(const void* bytes, size_t size) {
  return guarded<lookupffn_model*>(nullptr, [&] {
    lookupffn_model* model = nullptr;
    lookupffn::check(lookupffn_model_open_memory(bytes, size, &model));
    return model;
  });
}
EXPORTED(close_model) void close_model(lookupffn_model* model) { lookupffn_model_close(model); }

// The shapes of its layers.
EXPORTED(describe_model) const char* describe_model(const lookupffn_model* model) {
  return guarded<const char*>(nullptr, [&] {
    json layers = json::array();
    for (size_t i = 0; i < lookupffn_model_layer_count(model); ++i) {
      lookupffn_shape shape;
      lookupffn::check(lookupffn_model_layer(model, i, &shape));
      layers.push_back(described(shape));
    }
    return kept(layers);
  });
}

EXPORTED(pack_layer)
lookupffn_layer* pack_layer(const lookupffn_model* model, const char* prefix, const char* table_type,
                            const char* projection_type) {
  return guarded<lookupffn_layer*>(nullptr, [&] {
    lookupffn_pack_options options{};
    options.table_type = type_named(table_type);
    options.projection_type = type_named(projection_type);
    lookupffn_layer* layer = nullptr;
    lookupffn::check(lookupffn_layer_pack(model, prefix, &options, &layer));
    return layer;
  });
}
EXPORTED(free_layer) void free_layer(lookupffn_layer* layer) { lookupffn_layer_free(layer); }

EXPORTED(describe_layer) const char* describe_layer(const lookupffn_layer* layer) {
  return guarded<const char*>(nullptr, [&] {
    lookupffn_layer_info info;
    lookupffn::check(lookupffn_layer_describe(layer, &info));
    return kept({{"shape", described(info.shape)},
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
EXPORTED(forward)
int forward(const lookupffn_layer* layer, const float* x, size_t x_width, float* y, size_t y_width, size_t tokens,
            int add_residual) {
  return guarded(-1, [&] {
    lookupffn::check(lookupffn_forward(layer, nullptr, x, ptrdiff_t(x_width), y, ptrdiff_t(y_width), tokens,
                                       add_residual ? LOOKUPFFN_ADD_RESIDUAL : 0));
    return 0;
  });
}

EXPORTED(forward_ids)
int forward_ids(const lookupffn_layer* layer, const int64_t* ids, size_t count, const int64_t* offsets, size_t bags,
                const float* weights, float* y, size_t y_width, int mean) {
  return guarded(-1, [&] {
    lookupffn::check(lookupffn_forward_ids(layer, nullptr, ids, count, offsets, bags, weights, y, ptrdiff_t(y_width),
                                           mean ? LOOKUPFFN_MEAN : 0));
    return 0;
  });
}

EXPORTED(hash)
int hash(const lookupffn_layer* layer, const float* x, size_t x_width, int32_t* code, float* score, size_t tokens) {
  return guarded(-1, [&] {
    lookupffn::check(lookupffn_hash(layer, nullptr, x, ptrdiff_t(x_width), code, score, tokens));
    return 0;
  });
}

EXPORTED(gather)
int gather(const lookupffn_layer* layer, const int32_t* code, const float* score, float* y, size_t y_width, size_t tokens) {
  return guarded(-1, [&] {
    lookupffn::check(lookupffn_gather(layer, nullptr, code, score, y, ptrdiff_t(y_width), tokens));
    return 0;
  });
}
