// The registry of ISAs: one row each in isas.def. Header only, plain data: the runtime, the compiler, the tuner, benchmarks,
// tests and documents read it.
#ifndef LOOKUPFFN_REGISTRY_ISAS_H
#define LOOKUPFFN_REGISTRY_ISAS_H

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "architectures.h"

namespace lookupffn {

namespace registry {
enum CapabilityIndex {
#define LOOKUPFFN_CAPABILITY(id, name, description) id##Index,
#include "capabilities.def"
#undef LOOKUPFFN_CAPABILITY
  kCapabilityCount
};
}  // namespace registry

enum Capability : unsigned {
#define LOOKUPFFN_CAPABILITY(id, name, description) id = 1u << registry::id##Index,
#include "capabilities.def"
#undef LOOKUPFFN_CAPABILITY
};

struct CapabilityRow {
  Capability capability;
  const char* name;
  const char* description;
};

inline constexpr CapabilityRow kCapabilities[] = {
#define LOOKUPFFN_CAPABILITY(id, name, description) {id, #name, description},
#include "capabilities.def"
#undef LOOKUPFFN_CAPABILITY
};

struct IsaRow {
  const char* name;
  const char* extends;  // the ISA whose instructions, and whose rows below, it has too; "": none
  Architecture architecture;
  int vector_bytes;  // of its widest vector; the least, where it has vectors of several lengths
  int vector_registers;
  int oldest_halide;            // the first major version of Halide that its kernels can be made with
  const char* halide_features;  // of a Halide target, that it adds; joined by '-'
  const char* cpu_features;     // that it adds, in the words of runtime/src/kernels/cpu_features_NAME.cc; joined by ' '
  unsigned capabilities;        // that it adds
  const char* description;
};

inline constexpr IsaRow kIsas[] = {
#define LOOKUPFFN_ISA(name, extends, architecture, vector_bytes, registers, oldest_halide, halide, cpu, capabilities, \
                      description)                                                                                    \
  {#name, extends, architecture, vector_bytes, registers, oldest_halide, halide, cpu, capabilities, description},
#include "isas.def"
#undef LOOKUPFFN_ISA
};

inline constexpr size_t kIsaCount = sizeof kIsas / sizeof kIsas[0];

// The row of a name; NULL where there is none.
inline const IsaRow* find_isa(const std::string& name) {
  for (const IsaRow& isa : kIsas) {
    if (name == isa.name) return &isa;
  }
  return nullptr;
}

// "sse41, avx2, ...", for messages.
inline std::string isa_names_text() {
  std::string names;
  for (const IsaRow& isa : kIsas) names += (names.empty() ? "" : ", ") + std::string(isa.name);
  return names;
}

// The row of a name. Throws std::runtime_error with the names that there are.
inline const IsaRow& isa_row(const std::string& name) {
  if (const IsaRow* isa = find_isa(name)) return *isa;
  throw std::runtime_error("there is no ISA '" + name + "'; there are " + isa_names_text());
}

// The ISA that it extends; NULL: none.
inline const IsaRow* extended_isa(const IsaRow& isa) { return *isa.extends ? &isa_row(isa.extends) : nullptr; }

// From the plainest that it extends to itself.
inline std::vector<const IsaRow*> isa_lineage(const IsaRow& isa) {
  std::vector<const IsaRow*> lineage;
  for (const IsaRow* at = &isa; at; at = extended_isa(*at)) lineage.insert(lineage.begin(), at);
  return lineage;
}

// With those of the ISAs that it extends.
inline unsigned isa_capabilities(const IsaRow& isa) {
  unsigned capabilities = 0;
  for (const IsaRow* row : isa_lineage(isa)) capabilities |= row->capabilities;
  return capabilities;
}

inline bool isa_has(const IsaRow& isa, Capability capability) { return (isa_capabilities(isa) & capability) != 0; }
inline bool isa_has(const std::string& isa, Capability capability) { return isa_has(isa_row(isa), capability); }

}  // namespace lookupffn
#endif
