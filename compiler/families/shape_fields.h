// The numbers of a layer's shape by name: one list for all who read, write or compare every one of them.
#ifndef LOOKUPFFN_SHAPE_FIELDS_H
#define LOOKUPFFN_SHAPE_FIELDS_H

#include <map>
#include <string>

#include "layer_shape.h"
#include "lookupffn/lookupffn.h"

namespace lookupffn {

struct ShapeField {
  const char* name;
  int64_t LayerShape::*value;
  size_t lookupffn_shape::*c_value;
};

inline constexpr ShapeField kShapeFields[] = {
    {"d_in", &LayerShape::d_in, &lookupffn_shape::d_in},       {"d_out", &LayerShape::d_out, &lookupffn_shape::d_out},
    {"tables", &LayerShape::tables, &lookupffn_shape::tables}, {"bits", &LayerShape::bits, &lookupffn_shape::bits},
    {"rows", &LayerShape::rows, &lookupffn_shape::rows},       {"lookups", &LayerShape::lookups, &lookupffn_shape::lookups},
    {"block", &LayerShape::block, &lookupffn_shape::block},    {"repeats", &LayerShape::repeats, &lookupffn_shape::repeats},
};

// The names of the projections of lookupffn_projection: "bh4", "dense" and "none".
const char* projection_name(lookupffn_projection projection);

// family, projection and the numbers that are not 0, for a program that knows no more of families than their names.
std::map<std::string, std::string> shape_pairs(const LayerShape& shape);

// The inverse: takes them out of `pairs`. The family's name stays where it is; prefix "", decay 0 and layer_norm_eps 0 (what
// they are is the family's to say). Throws std::runtime_error.
lookupffn_shape take_shape(std::map<std::string, std::string>* pairs);

}  // namespace lookupffn
#endif
