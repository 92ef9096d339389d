// What a family of lookup layers gives the offline tools. Each family of registry/families.def defines one
// `const CompilerFamily NAME_compiler_family` in generators/NAME/compiler/.
#ifndef LOOKUPFFN_COMPILER_FAMILY_H
#define LOOKUPFFN_COMPILER_FAMILY_H

#include <string>
#include <utility>
#include <vector>

#include "kernel_description.h"
#include "kernel_spec.h"
#include "layer_shape.h"
#include "schedule_spaces.h"

namespace lookupffn {

struct CompilerFamily {
  const char* name;
  // The shape that a text means. Throws std::runtime_error.
  LayerShape (*shape)(ShapeText& text);
  // A text that `shape` reads.
  std::string (*describe)(const LayerShape& shape);
  // Specs of the specialised kernels of a layer, each once. Types are names of registry/weight_types.def.
  std::vector<KernelSpec> (*kernels)(const ScheduleSpaces& spaces, const LayerShape& shape, const std::string& isa,
                                     const std::string& table_type, const std::string& projection_type);
  // What the layer does for a token: the one place where its flops and bytes are counted.
  LayerWork (*work)(const TypedShape& layer);
  // Of its kernels, each once.
  std::vector<KernelDescription> descriptions;
  // Names and shapes of layers that are worth measuring: generators/NAME/workloads.def, in which CMake finds them too.
  std::vector<std::pair<const char*, const char*>> workloads = {};
};

const std::vector<const CompilerFamily*>& compiler_families();

// Throws std::runtime_error with the families that there are.
const CompilerFamily& compiler_family(const std::string& name);

// The specs of all specialised kernels that a layer needs.
inline std::vector<KernelSpec> layer_kernels(const ScheduleSpaces& spaces, const LayerShape& shape, const std::string& isa,
                                             const std::string& table_type, const std::string& projection_type) {
  return compiler_family(shape.family).kernels(spaces, shape, isa, table_type, projection_type);
}

inline LayerWork layer_work(const TypedShape& layer) { return compiler_family(layer.shape.family).work(layer); }

}  // namespace lookupffn
#endif
