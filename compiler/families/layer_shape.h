// The shape of a lookup layer, as the offline tools pass it on.
#ifndef LOOKUPFFN_LAYER_SHAPE_H
#define LOOKUPFFN_LAYER_SHAPE_H

#include <cstdint>
#include <map>
#include <string>

#include "lookupffn/lookupffn.h"

namespace lookupffn {

// The numbers are those of lookupffn_shape; a family sets those that it has, the others are 0.
struct LayerShape {
  std::string family = "lookupffn";  // registry/families.def
  std::string projection;            // "bh4", "dense" or "none"
  int64_t d_in = 0, d_out = 0;
  int64_t tables = 0, bits = 0, rows = 0, lookups = 0;
  int64_t block = 0, repeats = 0;

  LayerShape() = default;
  explicit LayerShape(const lookupffn_shape& shape);

  bool operator<(const LayerShape& other) const;
  bool operator==(const LayerShape& other) const;
};

// From "d_in=512 d_out=512 tables=128 bits=8 block=64 projection=bh4", or with family=NAME in front: the family says what is
// needed and what follows from the others. Throws std::runtime_error naming what is missing, unknown or out of range.
LayerShape parse_layer_shape(const std::string& text);

// A text that parse_layer_shape reads; the family is left out where it is lookupffn.
std::string describe(const LayerShape& shape);

// Takes the numbers of a shape's text out of pairs; what is left at the end is not known.
class ShapeText {
 public:
  explicit ShapeText(std::map<std::string, std::string> pairs) : pairs_(std::move(pairs)) {}

  bool has(const std::string& name) const { return pairs_.count(name) != 0; }
  std::string word(const std::string& name, const std::string& otherwise);
  // least to most; `otherwise` where it is not given, 0: it must be. Throws std::runtime_error.
  int64_t number(const std::string& name, int64_t otherwise, int64_t least, int64_t most);
  // Throws std::runtime_error where anything is left. known: what there is, for the message.
  void finish(const std::string& known) const;

 private:
  std::map<std::string, std::string> pairs_;
};

}  // namespace lookupffn
#endif
