// The registry of weight types: one row each in weight_types.def, other stored forms in storages.def. Header only.
#ifndef LOOKUPFFN_REGISTRY_WEIGHT_TYPES_H
#define LOOKUPFFN_REGISTRY_WEIGHT_TYPES_H

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "isas.h"
#include "lookupffn/lookupffn.h"

namespace lookupffn {

enum WordKind { kFloat, kUnsigned, kSigned };

struct WeightType {
  lookupffn_type type;
  const char* name;
  int bits;  // of an element, all its parts together
  bool for_tables, for_projections;
  bool row_scales;  // tables: each row has a float that its elements are multiplied with
  double rounding;  // tables: the most that an element may be off, as a share of its row's largest
  int parts;        // how many bf16 an element is the sum of; 0: it is none
  WordKind word;    // tables: what a kernel reads at a time
  int word_bits;
  size_t group;  // tables: columns that are stored together
  const char* description;
};

inline constexpr WeightType kWeightTypes[] = {
#define LOOKUPFFN_WEIGHT_TYPE(c_name, name, bits, tables, projections, scales, rounding, parts, word, word_bits, group, \
                              description)                                                                              \
  {LOOKUPFFN_##c_name, #name, bits, tables, projections, scales, rounding, parts, word, word_bits, group, description},
#include "weight_types.def"
#undef LOOKUPFFN_WEIGHT_TYPE
};

enum class WeightRole { kTables, kProjections };

struct Storage {
  const char* name;  // what kernels call it
  const char* type;  // the weight type that it holds
  WeightRole role;   // weights of another role are stored as their type says
  Capability needs;
  size_t multiple;  // of columns or inputs
};

inline constexpr Storage kStorages[] = {
#define LOOKUPFFN_STORAGE(name, type, role, capability, multiple) {#name, #type, WeightRole::role, capability, multiple},
#include "storages.def"
#undef LOOKUPFFN_STORAGE
};

// The row of a C value, which may be any number; NULL where there is none.
inline const WeightType* find_weight_type(int type) {
  for (const WeightType& row : kWeightTypes) {
    if (int(row.type) == type) return &row;
  }
  return nullptr;
}

// The row of a name; NULL where there is none.
inline const WeightType* find_weight_type(const std::string& name) {
  for (const WeightType& row : kWeightTypes) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

// The row of a value that was checked.
inline const WeightType& weight_type(lookupffn_type type) {
  if (const WeightType* row = find_weight_type(int(type))) return *row;
  throw std::runtime_error("there is no weight type " + std::to_string(int(type)));
}

inline bool serves(const WeightType& type, WeightRole role) {
  return role == WeightRole::kTables ? type.for_tables : type.for_projections;
}

// The names of the types for tables, or for projections.
inline std::vector<std::string> weight_type_names(WeightRole role) {
  std::vector<std::string> names;
  for (const WeightType& row : kWeightTypes) {
    if (serves(row, role)) names.push_back(row.name);
  }
  return names;
}

// "f32, bf16, i8"
inline std::string weight_type_list(WeightRole role) {
  std::string list;
  for (const std::string& name : weight_type_names(role)) list += (list.empty() ? "" : ", ") + name;
  return list;
}

// The storage of a name; NULL where the name is a type's, or nobody's.
inline const Storage* find_storage(const std::string& name) {
  for (const Storage& storage : kStorages) {
    if (name == storage.name) return &storage;
  }
  return nullptr;
}

// The row of a name that may be a storage's ("i8_dot4" is i8). Throws std::runtime_error.
inline const WeightType& weight_type_of(const std::string& name) {
  const Storage* storage = find_storage(name);
  if (const WeightType* row = find_weight_type(storage ? storage->type : name)) return *row;
  throw std::runtime_error("there is no weight type '" + name + "'");
}

// The same for a role; the message names the types that serve it.
inline const WeightType& weight_type_of(const std::string& name, WeightRole role) {
  for (const WeightType& row : kWeightTypes) {
    if (name == row.name && serves(row, role)) return row;
  }
  throw std::runtime_error(std::string("there is no ") + (role == WeightRole::kTables ? "table" : "projection") + " type '" +
                           name + "'; there are " + weight_type_list(role));
}

// Bytes of `elements` elements.
inline double weight_bytes(const WeightType& type, double elements) { return elements * type.bits / 8; }

// How tables or projections of a type are stored for an ISA, `inner` being their columns or inputs: what kernels call their
// type.
inline std::string stored_type(const std::string& type, WeightRole role, const IsaRow& isa, size_t inner) {
  for (const Storage& storage : kStorages) {
    if (type == storage.type && role == storage.role && isa_has(isa, storage.needs) && inner % storage.multiple == 0)
      return storage.name;
  }
  return type;
}

}  // namespace lookupffn
#endif
