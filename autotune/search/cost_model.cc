#include "cost_model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>

#include "isa_target.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

constexpr double kMostEstimated = 1e15;  // ns a token

double number(const std::map<std::string, std::string>& pairs, const std::string& name, double otherwise) {
  const auto it = pairs.find(name);
  if (it == pairs.end()) return otherwise;
  return std::strtod(it->second.c_str(), nullptr);
}

std::string word(const std::map<std::string, std::string>& pairs, const std::string& name) {
  const auto it = pairs.find(name);
  return it == pairs.end() ? "" : it->second;
}

double type_bytes(const std::string& type) { return weight_bytes(weight_type_of(type), 1); }

double vector_bytes_of(const KernelSpec& spec, const Schedule& schedule) {
  const double widest = isa_target(spec.isa).vector_bytes;
  const double chosen = number(schedule, "vector_bytes", 0);
  return chosen > 0 ? std::min(chosen, widest) : widest;
}

// Registers beyond what there are go to the stack and back on every step.
double spill_factor(double registers, const KernelSpec& spec) {
  const double there = isa_target(spec.isa).vector_registers;
  return registers <= there ? 1 : 1 + 1.5 * (registers - there) / there;
}

// On AMX's tiles: the time of a token's products. `rows` tokens, in tiles of up to 16, by `columns` tiles of 16 outputs.
double tile_products_cost(const KernelSpec& spec, const KernelWork& work, double rows, double columns) {
  const double row_tiles = std::ceil(rows / 16), rows_of_tile = rows / row_tiles;
  // Each bf16 part of a weight is multiplied with the parts of the input that it does not lose itself in.
  const double products = weight_type_of(word(spec.problem, "projection_type")).parts > 1 ? 6 : 3;
  // A product of tiles takes 9 to 16 cycles. Loads are 8 a tile: each tile of inputs serves `columns` products, one of
  // weights row_tiles.
  const double cycles = std::max(9 + 7 * rows_of_tile / 16, 8 / columns + 8 / row_tiles);
  return work.flops / 2 * products / (rows_of_tile * 16 * 32) * cycles * 0.4;
}

double hash_cost(const KernelSpec& spec, const Schedule& schedule, double tokens, const CacheSizes& caches) {
  const KernelWork work = kernel_work(spec);
  const bool tiles = (used_capabilities(spec) & kTiles) != 0;
  const double lanes = vector_bytes_of(spec, schedule) / 4;
  const double tile = std::max(1.0, number(schedule, "token_tile", std::min(tokens, 16.0)));
  const double rows = std::clamp(number(schedule, "token_registers", 4), 1.0, tile);
  const double vectors =
      std::max(1.0, number(schedule, "output_vectors", 2)) * std::max(1.0, number(schedule, "panels", 1));
  // One step of the reduction: rows * vectors multiply-adds, `vectors` loads of weights, `rows` broadcasts.
  const double products = rows * vectors;
  const double loads = vectors + rows;
  // Two of each start a cycle; a multiply-add takes four cycles, so fewer than eight in flight leave gaps.
  const double cycles = std::max({products / 2, loads / 2, products < 8 ? 4.0 * products / 8 : 0.0});
  const double compute =
      tiles ? tile_products_cost(spec, work, rows, vectors)
            : work.flops / 2 / lanes * cycles / products * 0.4 * spill_factor(products + vectors + 1, spec);
  // A tile that is larger than the call computes tokens that nobody asked for.
  const double waste = std::ceil(tokens / tile) * tile / tokens;
  // Weights are read once a tile; the tile's activations go through the caches once a stage.
  const double weights =
      work.weight_bytes / std::min(tile, tokens) / bytes_per_ns(work.footprint_bytes, caches);
  const double width = std::max(number(spec.problem, "d_in", 512), 1.0);
  const double passes =
      word(spec.problem, "projection") == "bh4" ? 8 * number(spec.problem, "repeats", 1) : 1;
  const double activations = passes * width * 8 / bytes_per_ns(tile * width * 8, caches);
  return compute * waste + weights + activations + 200 / std::min(tile, tokens);
}

double gather_cost(const KernelSpec& spec, const Schedule& schedule, double tokens,
                   const CacheSizes& caches) {
  const KernelWork work = kernel_work(spec);
  const double d_out = std::max(number(spec.problem, "d_out", 512), 1.0);
  const double tables = std::max(number(spec.problem, "tables", 128), 1.0);
  const double element = type_bytes(word(spec.problem, "table_type"));
  const double lanes = vector_bytes_of(spec, schedule) / 4;
  const double tile = std::clamp(number(schedule, "d_tile", 128), lanes, std::max(d_out, lanes));
  double pass = number(schedule, "tables_pass", 0);
  if (pass <= 0 || pass > tables) pass = tables;
  // Rows of the tables of one pass are visited by every token: the footprint of the reads.
  const double rows = std::exp2(number(spec.problem, "bits", 8));
  const double footprint = work.table_bytes / tables * pass * rows;
  const double reuse = tokens / rows;
  // What is read for the first time in a pass comes from the level that holds all tables.
  const double fresh = std::clamp(1 / std::max(reuse, 1e-9), 0.0, 1.0);
  const double all = bytes_per_ns(work.footprint_bytes, caches);
  const double near = bytes_per_ns(footprint, caches);
  double reads = work.table_bytes * (fresh / all + (1 - fresh) / near);
  if (number(schedule, "prefetch_tables", 0) > 0 && all < 60) reads *= 0.9;
  // Sums of a pass are read and written again by the next.
  const double y_traffic = (tables / pass) * d_out * 8 / bytes_per_ns(tokens * d_out * 4, caches);
  const double registers = tile / lanes;
  const double unroll = std::max(1.0, number(schedule, "unroll_tables", 1));
  const double widening = element < 4 ? 1.6 : 1.0;
  const double compute = tables * d_out / lanes * 0.25 * widening * spill_factor(registers + 2, spec) *
                         (registers < 8 ? 8 / registers * 0.6 + 0.4 : 1.0);
  // Every row of a tile starts anew: address, code, score.
  const double starts = tables * std::ceil(d_out / tile) * (0.8 + 0.4 / unroll);
  return std::max(reads, compute) + 0.3 * std::min(reads, compute) + y_traffic + starts;
}

}  // namespace

// Of the last ten years; their ratios are what counts.
double bytes_per_ns(double footprint, const CacheSizes& caches) {
  if (footprint <= double(caches.l1d)) return 150;
  if (footprint <= double(caches.l2)) return 60;
  if (footprint <= double(caches.l3)) return 15;
  return 9;
}

KernelWork kernel_work(const KernelSpec& spec) {
  KernelWork work;
  const double tables = number(spec.problem, "tables", 1), bits = number(spec.problem, "bits", 8);
  if (spec.kernel == "gather") {
    const double d_out = number(spec.problem, "d_out", 1);
    work.flops = 2 * tables * d_out;
    work.table_bytes = tables * d_out * type_bytes(word(spec.problem, "table_type"));
    work.footprint_bytes = work.table_bytes * std::exp2(bits);
    return work;
  }
  const double d_in = number(spec.problem, "d_in", 1);
  const double element = type_bytes(word(spec.problem, "projection_type"));
  if (word(spec.problem, "projection") == "bh4") {
    double p = 1;
    while (p < d_in) p *= 2;
    const double block = std::max(number(spec.problem, "block", 1), 1.0),
                 repeats = number(spec.problem, "repeats", 1);
    // Padded inputs of the first stage and unused outputs of the last are not part of the formula.
    const double first = std::min(1.0, d_in / p);
    work.flops = 2 * p * block * repeats * (3 + first) + 4 * p * std::log2(std::max(2.0, p)) * repeats;
    work.weight_bytes = 4 * p * block * repeats * element;
  } else {
    work.flops = 2 * d_in * tables * bits;
    work.weight_bytes = d_in * tables * bits * element;
  }
  work.footprint_bytes = work.weight_bytes;
  return work;
}

const char* memory_level(double bytes, const CacheSizes& caches) {
  if (bytes <= double(caches.l1d)) return "L1";
  if (bytes <= double(caches.l2)) return "L2";
  if (bytes <= double(caches.l3)) return "L3";
  return "memory";
}

double estimated_cost(const KernelSpec& spec, const Schedule& schedule, size_t tokens,
                      const CacheSizes& caches) {
  const double n = static_cast<double>(std::max<size_t>(tokens, 1));
  const double cost =
      spec.kernel == "gather" ? gather_cost(spec, schedule, n, caches) : hash_cost(spec, schedule, n, caches);
  // A schedule of a damaged log may say anything; what it is estimated at is a number.
  if (!(cost < kMostEstimated)) return kMostEstimated;
  return std::max(cost, 1e-3);
}

}  // namespace lookupffn
