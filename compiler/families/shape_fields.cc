#include "shape_fields.h"

#include <cstdlib>
#include <stdexcept>

namespace lookupffn {
namespace {

constexpr lookupffn_projection kProjections[] = {LOOKUPFFN_DENSE, LOOKUPFFN_BH4, LOOKUPFFN_NO_PROJECTION};

}  // namespace

const char* projection_name(lookupffn_projection projection) {
  return projection == LOOKUPFFN_BH4 ? "bh4" : projection == LOOKUPFFN_DENSE ? "dense" : "none";
}

std::map<std::string, std::string> shape_pairs(const LayerShape& shape) {
  std::map<std::string, std::string> pairs = {{"family", shape.family}, {"projection", shape.projection}};
  for (const ShapeField& field : kShapeFields) {
    if (shape.*field.value != 0) pairs[field.name] = std::to_string(shape.*field.value);
  }
  return pairs;
}

lookupffn_shape take_shape(std::map<std::string, std::string>* pairs) {
  lookupffn_shape shape{};
  shape.prefix = "";
  shape.projection = LOOKUPFFN_NO_PROJECTION;
  if (const auto found = pairs->find("projection"); found != pairs->end()) {
    for (const lookupffn_projection projection : kProjections) {
      if (found->second == projection_name(projection)) shape.projection = projection;
    }
    if (found->second != projection_name(shape.projection))
      throw std::runtime_error("projection=" + found->second + " is unknown");
    pairs->erase(found);
  }
  for (const ShapeField& field : kShapeFields) {
    const auto found = pairs->find(field.name);
    if (found == pairs->end()) continue;
    shape.*field.c_value = size_t(std::strtoull(found->second.c_str(), nullptr, 10));
    pairs->erase(found);
  }
  return shape;
}

}  // namespace lookupffn
