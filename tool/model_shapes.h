// Layer shapes and ISA names as the commands that generate kernels take them.
#ifndef LOOKUPFFN_MODEL_SHAPES_H
#define LOOKUPFFN_MODEL_SHAPES_H

#include <string>
#include <vector>

#include "compiler_family.h"

namespace lookupffn {

// The different shapes of a model's layers, in the order of the layers. Throws std::runtime_error.
std::vector<LayerShape> model_shapes(const std::string& path, std::vector<size_t>* layers = nullptr);

// ISA names without duplicates; "native" stands for the widest that this library holds and this machine runs,
// "all" for every one that this library holds. Another name may be that of any architecture. Throws std::runtime_error for one
// that there is not.
std::vector<std::string> resolve_isas(const std::vector<std::string>& names);

}  // namespace lookupffn
#endif
