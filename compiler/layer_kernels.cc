#include "layer_kernels.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <stdexcept>
#include <tuple>

#include "condition.h"
#include "packed_shape.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

constexpr int64_t kLargestSize = 8192, kMostTables = 4096, kMostBits = 16;

auto key(const LayerShape& shape) {
  return std::tie(shape.projection, shape.d_in, shape.d_out, shape.tables, shape.bits, shape.block,
                  shape.repeats);
}

void check_range(const char* name, int64_t value, int64_t most) {
  if (value < 1 || value > most) {
    throw std::runtime_error(std::string(name) + "=" + std::to_string(value) + " is not in 1.." +
                             std::to_string(most));
  }
}

}  // namespace

bool LayerShape::operator<(const LayerShape& other) const { return key(*this) < key(other); }
bool LayerShape::operator==(const LayerShape& other) const { return key(*this) == key(other); }

int64_t padded_size(int64_t d_in) {
  int64_t p = 1;
  while (p < d_in) p *= 2;
  return p;
}

LayerShape parse_layer_shape(const std::string& text) {
  try {
    auto pairs = parse_pairs(text);
    const auto take = [&pairs](const char* name, int64_t otherwise) {
      const auto found = pairs.find(name);
      if (found == pairs.end()) {
        if (otherwise == 0) throw std::runtime_error(std::string(name) + "=... is missing");
        return otherwise;
      }
      const Value value = Value::from_text(found->second);
      if (!value.is_number)
        throw std::runtime_error(std::string(name) + "=" + found->second + " is not a number");
      pairs.erase(found);
      return value.number;
    };
    LayerShape shape;
    if (pairs.count("projection")) shape.projection = pairs.at("projection");
    pairs.erase("projection");
    if (shape.projection != "bh4" && shape.projection != "dense") {
      throw std::runtime_error("projection=" + shape.projection + " is neither bh4 nor dense");
    }
    shape.d_in = take("d_in", 0);
    shape.d_out = take("d_out", shape.d_in);
    shape.tables = take("tables", 0);
    shape.bits = take("bits", 8);
    check_range("d_in", shape.d_in, kLargestSize);
    check_range("d_out", shape.d_out, kLargestSize);
    check_range("tables", shape.tables, kMostTables);
    check_range("bits", shape.bits, kMostBits);
    if (shape.projection == "bh4") {
      const int64_t p = padded_size(shape.d_in);
      shape.block = take("block", std::min<int64_t>(64, p));
      check_range("block", shape.block, p);
      if (p % shape.block != 0) {
        throw std::runtime_error("block=" + std::to_string(shape.block) + " is not a power of two");
      }
      shape.repeats = std::max<int64_t>(1, (shape.tables * shape.bits + p - 1) / p);
    }
    if (!pairs.empty()) {
      throw std::runtime_error(
          "'" + pairs.begin()->first +
          "' is no part of a shape; there are d_in, d_out, tables, bits, projection and, for "
          "bh4, block");
    }
    return shape;
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("shape \"" + text + "\": " + error.what());
  }
}

std::string describe(const LayerShape& shape) {
  std::string text = "d_in=" + std::to_string(shape.d_in) + " d_out=" + std::to_string(shape.d_out) +
                     " tables=" + std::to_string(shape.tables) + " bits=" + std::to_string(shape.bits) +
                     " projection=" + shape.projection;
  if (shape.projection == "bh4") text += " block=" + std::to_string(shape.block);
  return text;
}

const std::vector<std::string>& table_types() {
  static const std::vector<std::string> names = weight_type_names(WeightRole::kTables);
  return names;
}

const std::vector<std::string>& projection_types() {
  static const std::vector<std::string> names = weight_type_names(WeightRole::kProjections);
  return names;
}

std::vector<KernelSpec> layer_kernels(const ScheduleSpaces& spaces, const LayerShape& shape, const std::string& isa,
                                      const std::string& table_type, const std::string& projection_type) {
  LayerExtents extents;
  extents.bh4 = shape.projection == "bh4";
  extents.d_in = size_t(shape.d_in);
  extents.d_out = size_t(shape.d_out);
  extents.tables = size_t(shape.tables);
  extents.bits = size_t(shape.bits);
  extents.block = size_t(shape.block);
  extents.repeats = size_t(shape.repeats);
  const PackedShape packed(extents);
  const std::string stored_projection = packed.stored_projection_type(projection_type, isa_row(isa));

  std::vector<KernelSpec> specs;
  for (const ScheduleSpace::BatchClass& batch : spaces.of("hash").batch_classes()) {
    std::set<std::string> problems;  // calls of one size share their kernels
    for (const HashCall& call : packed.calls) problems.insert(packed.hash_problem(call, stored_projection));
    if (batch.max_tokens == 1) {  // threads may share a single token
      for (const HashCall& call : packed.shared_calls) problems.insert(packed.hash_problem(call, stored_projection));
    }
    for (const std::string& problem : problems) specs.push_back({"hash", isa, batch.name, parse_pairs(problem), batch.min_tokens, batch.max_tokens});
  }
  for (const ScheduleSpace::BatchClass& batch : spaces.of("gather").batch_classes()) {
    specs.push_back({"gather", isa, batch.name, parse_pairs(packed.gather_problem(stored_type(table_type, isa_row(isa), packed.row))),
                     batch.min_tokens, batch.max_tokens});
  }
  return specs;
}

}  // namespace lookupffn
