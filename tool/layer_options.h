// The options that commands which run a layer share, and packing a layer by them.
#ifndef LOOKUPFFN_LAYER_OPTIONS_H
#define LOOKUPFFN_LAYER_OPTIONS_H

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "lookupffn/lookupffn.hpp"

namespace lookupffn {

struct LayerOptions {
  std::string prefix;                   // "": the file's only layer
  std::string isa;                      // "": the active one
  std::string kernels = "any";          // any, generic, specialised
  std::string library;                  // directory of a kernel library; "": none
  std::string table_type = "f32";       // registry/weight_types.def
  std::string projection_type = "f32";  // likewise
  size_t threads = 0;                   // 0: the default

  void add_to(CLI::App& command);

  // Loads the kernel library if there is one, then packs. Throws Error.
  Layer pack(const Model& model, const std::string& layer_prefix) const;
};

// "avx512, specialised kernels, f32 tables, f32 projection, 2 threads" and what its kernels are.
std::string ran_on(const Layer& layer, size_t threads);

}  // namespace lookupffn
#endif
