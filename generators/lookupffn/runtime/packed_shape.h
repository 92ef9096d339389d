// How a layer's weights are laid out for the kernels, and which hash calls cover its tables. One layout for an ISA and
// types serves every batch class and both kinds of kernel. Header only: the kernel compiler uses it too.
#ifndef LOOKUPFFN_PACKED_SHAPE_H
#define LOOKUPFFN_PACKED_SHAPE_H

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "tensor_limits.h"
#include "weight_types.h"

namespace lookupffn {

// x rows, gamma and beta are padded with zeros to a multiple of this many floats.
constexpr size_t kInputMultiple = 64;
// Rows of tables, panels of weights and tables of codes are padded to multiples of this many elements.
constexpr size_t kLaneMultiple = 16;

constexpr size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// Where a part of the weight of a panel's input is, for weights that are sums of so many bf16: in one of two halves of a
// word, the low one first. Of every group of 32 inputs, 32 g + j and 32 g + 16 + j share the word j of 16; t inputs left over
// at the end are paired at a distance of (t + 1) / 2. Words of a group's first parts come before those of its second
// parts. So two vectors of 16 inputs become a vector of words without shuffles, and a group is a tile of AMX.
struct Bf16Place {
  size_t word, half;
};

constexpr Bf16Place bf16_place(size_t input, size_t inputs, size_t part, size_t parts) {
  const size_t group = input / 32, distance = group < inputs / 32 ? 16 : (inputs % 32 + 1) / 2;
  return {group * 16 * parts + part * distance + input % 32 % distance, input % 32 / distance};
}

// What a hash does, where it is not LookupFFN's.
struct HashRules {
  bool layer_norm = true;    // else h = x; of dense projections only
  bool projection = true;    // else z = x, with no LayerNorm either
  bool zero_is_one = false;  // the bit of a z that is 0, or -0
};

// What decides the layout. repeats and block as in the model file, 0 for a dense projection.
struct LayerExtents {
  bool bh4 = false;
  size_t d_in = 0, d_out = 0, tables = 0, bits = 0, block = 0, repeats = 0;
  HashRules rules{};
};

// A hash kernel covers a run of tables. A BH4 layer whose codes do not straddle repeats is hashed by runs of
// repeats, which share a LayerNorm: as many as fit a kernel's stack, or one at a time where threads share a
// single token's hash.
struct HashCall {
  size_t first_table, tables;
  size_t first_repeat, repeats;  // BH4; dense: 0
};

struct PackedShape {
  bool bh4;  // false also for a BH4 layer of d_in <= 8, which is packed as the dense matrix it amounts to
  size_t d_in, d_out, tables, bits;
  size_t width;    // floats of h that are used: p (BH4) or d_in rounded up (dense)
  size_t block;    // outputs of a panel: BH4 blocks are widened to at least 16, dense outputs cut into up to 64
  size_t panels;   // BH4: p / block, of a stage; dense: of the whole projection
  size_t repeats;  // BH4; dense: 0
  size_t outputs;  // floats of z: repeats * p or panels * block
  size_t row;      // floats of a packed table row: d_out rounded up
  HashRules rules;
  std::vector<HashCall> calls;         // that hash a tile of tokens
  std::vector<HashCall> shared_calls;  // that threads share out to hash one token

  explicit PackedShape(const LayerExtents& layer)
      : d_in(layer.d_in), d_out(layer.d_out), tables(layer.tables), bits(layer.bits), rules(layer.rules) {
    const size_t p = power_of_two_from(d_in);
    bh4 = layer.bh4 && p >= kLaneMultiple;
    row = round_up(d_out, kLaneMultiple);
    if (bh4) {
      width = p;
      // Widening a block is exact (H_p = H_(p/b) (x) H_b for any b); at most 256 blocks keep the transform
      // across them two digits of 16.
      block = std::max({layer.block, kLaneMultiple, p / 256});
      panels = p / block;
      repeats = layer.repeats;
      outputs = repeats * p;
    } else {
      width = round_up(d_in, kLaneMultiple);
      block = std::min<size_t>(64, round_up(tables * bits, kLaneMultiple));
      panels = round_up(tables * bits, block) / block;
      repeats = 0;
      outputs = panels * block;
    }
    calls = hash_calls(std::max<size_t>(1, kCallOutputs / width));
    shared_calls = hash_calls(1);
  }

  // Panels of the whole projection, and the inputs that one reads.
  size_t all_panels() const { return !rules.projection ? 0 : bh4 ? repeats * 4 * panels : panels; }
  size_t panel_inputs() const { return bh4 ? block : d_in; }

  // Rows of x, gamma and beta in floats.
  size_t input() const { return round_up(std::max(d_in, width), kInputMultiple); }

  // The specialised kernel that hashes.
  const char* hash_kernel() const { return rules.projection ? "hash" : "code_and_score"; }

  // Canonical texts of the kernels' problems: see lookupffn/kernels.h.
  std::string hash_problem(const HashCall& call, const std::string& projection_type) const {
    const std::string zero = rules.zero_is_one ? " zero=one" : "";
    if (!rules.projection) return "bits=" + std::to_string(bits) + " tables=" + std::to_string(call.tables) + zero;
    return "bits=" + std::to_string(bits) + " block=" + std::to_string(block) + " d_in=" + std::to_string(d_in) +
           (rules.layer_norm ? "" : " norm=none") + " projection=" + (bh4 ? "bh4" : "dense") +
           " projection_type=" + projection_type + " repeats=" + std::to_string(call.repeats) +
           " tables=" + std::to_string(call.tables) + zero;
  }
  // What gather kernels call a table type on an ISA.
  std::string stored_table_type(const std::string& type, const IsaRow& isa) const {
    return stored_type(type, WeightRole::kTables, isa, row);
  }
  // What specialised hash kernels call a projection type on an ISA. Parts that go to tiles must fit a kernel's stack.
  std::string stored_projection_type(const std::string& type, const IsaRow& isa) const {
    return panel_inputs() <= 1024 && width <= 2048 ? stored_type(type, WeightRole::kProjections, isa, panel_inputs()) : type;
  }

  std::string gather_problem(const std::string& table_type) const {
    return "bits=" + std::to_string(bits) + " d_out=" + std::to_string(row) + " table_type=" + table_type +
           " tables=" + std::to_string(tables);
  }

 private:
  // z of a call's repeats stays on the kernel's stack, for a tile of tokens.
  static constexpr size_t kCallOutputs = 2048;

  std::vector<HashCall> hash_calls(size_t repeats_per_call) const {
    if (!bh4 || width % bits != 0) return {{0, tables, 0, repeats}};
    std::vector<HashCall> result;
    const size_t tables_per_repeat = width / bits;
    for (size_t repeat = 0; repeat < repeats; repeat += repeats_per_call) {
      const size_t count = std::min(repeats_per_call, repeats - repeat), first = repeat * tables_per_repeat;
      result.push_back({first, std::min(count * tables_per_repeat, tables - first), repeat, count});
    }
    return result;
  }
};

}  // namespace lookupffn
#endif
