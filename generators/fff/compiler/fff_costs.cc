#include "fff_costs.h"

#include <algorithm>
#include <cmath>

#include "cost_terms.h"

namespace lookupffn {
namespace {

constexpr double kCycle = 0.4;             // ns
constexpr double kMultiplyAddLatency = 4;  // cycles
constexpr double kPartials = 64;           // that a logit's sum is kept as: generators/fff/generator/node_logit.h
constexpr double kLine = 64;               // bytes of a cache line
constexpr double kOverlappedMisses = 8;    // ways down that a core waits for at a time

// Reading and computing overlap, mostly.
double overlapped(double a, double b) { return std::max(a, b) + 0.3 * std::min(a, b); }

// `count` multiply-adds of vectors, each with `loads` loads, on so many sums that do not wait for each other.
double multiply_adds(double count, double loads, double sums) {
  return count * std::max({0.5, loads / 2, kMultiplyAddLatency / sums}) * kCycle;
}

}  // namespace

// Level by level: where a way goes on is known when its logit is, so each level begins with a wait for memory. Other ways of
// the tile fill it, or lines that were fetched before it was known which child would be the next.
double fff_descent_cost(const KernelSpec& spec, const Schedule& schedule, double tokens, const CacheSizes& caches) {
  const Work work = kernel_work(spec);
  const double d_in = std::max(1.0, number_of(spec.problem, "d_in", 768)), lanes = vector_bytes_of(spec, schedule) / 4;
  const double logits = std::max(1.0, work.flops / 2 / d_in), sums = kPartials / lanes;
  const double token_tile = std::clamp(number_of(schedule, "token_tile", 1), 1.0, std::max(1.0, tokens));
  const double tree_tile = std::clamp(number_of(schedule, "tree_tile", 1), 1.0, number_of(spec.problem, "trees", 1));
  const double ways = token_tile * tree_tile;
  // Weights and x are loaded for every multiply-add.
  const double compute = multiply_adds(d_in / lanes, 2, sums) * spill_factor(sums + 2, spec);
  const double near = bytes_per_ns(work.footprint_bytes, caches), reads = d_in * 4 / near;
  double wait = latency_ns(work.footprint_bytes, caches) / std::min(ways, kOverlappedMisses);
  const double lines = d_in * 4 / kLine;
  const double node_lines = std::min(number_of(schedule, "node_lines", 0), lines);
  const double child_lines = std::min(number_of(schedule, "child_lines", 0), lines);
  // A fetch is an instruction; of the children's lines those of the one that is not taken are read for nothing.
  double fetches = 0.3 * (node_lines + 2 * child_lines) + child_lines * kLine / near;
  if (node_lines > 0 && ways > 1) wait *= 0.6;
  if (child_lines > 0) wait *= 0.4;
  // Adding up the sums and the GELU wait for the last of them; a tile's ways go on meanwhile.
  const double last = 30 / std::min(ways, 4.0);
  // What a tile keeps between its levels.
  const double kept = 0.2 * ways;
  return logits * (overlapped(compute, reads) + wait + fetches + last + kept) + 20 / token_tile;
}

// The rows of all levels are known, so they can be read ahead of one another.
double fff_rows_cost(const KernelSpec& spec, const Schedule& schedule, double, const CacheSizes& caches) {
  const Work work = kernel_work(spec);
  const double d_out = std::max(1.0, number_of(spec.problem, "d_out", 768));
  const double lanes = std::min(vector_bytes_of(spec, schedule) / 4, d_out);
  const double tile = std::clamp(number_of(schedule, "d_tile", 16), lanes, std::max(lanes, d_out)), sums = tile / lanes;
  const double path = work.row_bytes / (d_out * 4), tiles = std::ceil(d_out / tile);
  const double compute = multiply_adds(path * d_out / lanes, 1, sums) * spill_factor(sums + 2, spec);
  double reads = work.row_bytes / bytes_per_ns(work.footprint_bytes, caches);
  // Each visit of a row waits for its first line. Rows that are visited in short pieces get no help of the hardware's
  // prefetcher.
  double wait = path * tiles * latency_ns(work.footprint_bytes, caches) / kOverlappedMisses;
  const double ahead = number_of(schedule, "prefetch_rows", 0);
  if (ahead > 0) {
    wait *= 0.5;
    reads += path * d_out * 4 / kLine * 0.3;  // instructions
  } else if (tile * 4 < 512) {
    reads *= 1.2;
  }
  return overlapped(reads, compute) + wait + path * tiles * 0.8;
}

// A leaf's weights are its tokens' alone: each is read once a token.
double fff_leaf_product_cost(const KernelSpec& spec, const Schedule& schedule, double, const CacheSizes& caches) {
  const Work work = kernel_work(spec);
  const double inputs = std::max(1.0, number_of(spec.problem, "inputs", 1));
  const double outputs = std::max(1.0, number_of(spec.problem, "outputs", 16));
  const double lanes = std::min(vector_bytes_of(spec, schedule) / 4, outputs);
  const double tile = std::clamp(number_of(schedule, "output_tile", 16), lanes, std::max(lanes, outputs)), sums = tile / lanes;
  const double tiles = std::ceil(outputs / tile);
  const double compute = multiply_adds(inputs * outputs / lanes, 1, sums) * spill_factor(sums + 2, spec);
  // An input is spread over a vector once a tile; its weights there are a piece of their own.
  const double spreads = inputs * tiles * 0.5 * kCycle;
  double reads = work.row_bytes / bytes_per_ns(work.footprint_bytes, caches);
  if (tile < outputs && tile * 4 < 256) reads *= 1.3;
  return overlapped(reads, compute) + spreads + tiles * latency_ns(work.footprint_bytes, caches) / 2;
}

}  // namespace lookupffn
