#include "layer_shape.h"

#include <stdexcept>

#include "compiler_family.h"
#include "condition.h"
#include "kernel_spec.h"
#include "shape_fields.h"

namespace lookupffn {

LayerShape::LayerShape(const lookupffn_shape& shape) : family(shape.family), projection(projection_name(shape.projection)) {
  for (const ShapeField& field : kShapeFields) this->*field.value = int64_t(shape.*field.c_value);
}

bool LayerShape::operator<(const LayerShape& other) const {
  if (family != other.family) return family < other.family;
  if (projection != other.projection) return projection < other.projection;
  for (const ShapeField& field : kShapeFields) {
    if (this->*field.value != other.*field.value) return this->*field.value < other.*field.value;
  }
  return false;
}

bool LayerShape::operator==(const LayerShape& other) const { return !(*this < other) && !(other < *this); }

std::string ShapeText::word(const std::string& name, const std::string& otherwise) {
  const auto found = pairs_.find(name);
  if (found == pairs_.end()) return otherwise;
  const std::string value = found->second;
  pairs_.erase(found);
  return value;
}

int64_t ShapeText::number(const std::string& name, int64_t otherwise, int64_t least, int64_t most) {
  const auto found = pairs_.find(name);
  if (found == pairs_.end()) {
    if (otherwise == 0) throw std::runtime_error(name + "=... is missing");
    return otherwise;
  }
  const Value value = Value::from_text(found->second);
  if (!value.is_number) throw std::runtime_error(name + "=" + found->second + " is not a number");
  if (value.number < least || value.number > most) {
    throw std::runtime_error(name + "=" + std::to_string(value.number) + " is not in " + std::to_string(least) + ".." +
                             std::to_string(most));
  }
  pairs_.erase(found);
  return value.number;
}

void ShapeText::finish(const std::string& known) const {
  if (pairs_.empty()) return;
  throw std::runtime_error("'" + pairs_.begin()->first + "' is no part of a shape; there are " + known);
}

LayerShape parse_layer_shape(const std::string& text) {
  try {
    ShapeText pairs(parse_pairs(text));
    const std::string family = pairs.word("family", LayerShape().family);
    LayerShape shape = compiler_family(family).shape(pairs);
    shape.family = family;
    return shape;
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("shape \"" + text + "\": " + error.what());
  }
}

std::string describe(const LayerShape& shape) {
  const std::string text = compiler_family(shape.family).describe(shape);
  return shape.family == LayerShape().family ? text : "family=" + shape.family + " " + text;
}

}  // namespace lookupffn
