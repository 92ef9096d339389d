#include "lookupffn_costs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "cost_terms.h"
#include "tensor_limits.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

std::string word(const std::map<std::string, std::string>& pairs, const std::string& name) {
  const auto it = pairs.find(name);
  return it == pairs.end() ? "" : it->second;
}

// On AMX's tiles: the time of a token's products. `rows` tokens, in tiles of up to 16, by `columns` tiles of 16 outputs.
double tile_products_cost(const KernelSpec& spec, const Work& work, double rows, double columns) {
  const double row_tiles = std::ceil(rows / 16), rows_of_tile = rows / row_tiles;
  // Each bf16 part of a weight is multiplied with the parts of the input that it does not lose itself in.
  const double products = weight_type_of(word(spec.problem, "projection_type")).parts > 1 ? 6 : 3;
  // A product of tiles takes 9 to 16 cycles. Loads are 8 a tile: each tile of inputs serves `columns` products, one of
  // weights row_tiles.
  const double cycles = std::max(9 + 7 * rows_of_tile / 16, 8 / columns + 8 / row_tiles);
  return work.flops / 2 * products / (rows_of_tile * 16 * 32) * cycles * 0.4;
}

}  // namespace

LayerWork lookupffn_work(const TypedShape& layer) {
  const LayerShape& shape = layer.shape;
  const double d_in = double(shape.d_in), outputs = double(shape.tables) * double(shape.bits);
  const WeightType &projection = weight_type_of(layer.projection_type), &table = weight_type_of(layer.table_type);
  double products = d_in * outputs, weights = products;
  if (shape.projection == "bh4") {
    // Four stages; the first one's products with the zeros that pad its input are left out.
    const double p = double(power_of_two_from(size_t(shape.d_in))), of_an_input = double(shape.repeats) * double(shape.block);
    products = of_an_input * (d_in + 3 * p);
    weights = of_an_input * 4 * p;
  }
  LayerWork work;
  work.addresser.flops = 2 * products;
  work.addresser.weight_bytes = weight_bytes(projection, products);  // each weight is in one product a token
  work.addresser.footprint_bytes = weight_bytes(projection, weights);
  const double row = weight_bytes(table, double(shape.d_out)) + (table.row_scales ? sizeof(float) : 0);
  work.retriever.flops = 2 * double(shape.tables) * double(shape.d_out);
  work.retriever.row_bytes = double(shape.tables) * row;
  work.retriever.footprint_bytes = work.retriever.row_bytes * double(shape.rows);
  return work;
}

double hash_cost(const KernelSpec& spec, const Schedule& schedule, double tokens, const CacheSizes& caches) {
  const Work work = kernel_work(spec);
  const bool tiles = (used_capabilities(spec) & kTiles) != 0;
  const double lanes = vector_bytes_of(spec, schedule) / 4;
  const double tile = std::max(1.0, number_of(schedule, "token_tile", std::min(tokens, 16.0)));
  const double rows = std::clamp(number_of(schedule, "token_registers", 4), 1.0, tile);
  const double vectors =
      std::max(1.0, number_of(schedule, "output_vectors", 2)) * std::max(1.0, number_of(schedule, "panels", 1));
  // One step of the reduction: rows * vectors multiply-adds, `vectors` loads of weights, `rows` broadcasts.
  const double products = rows * vectors;
  const double loads = vectors + rows;
  // Two of each start a cycle; a multiply-add takes four cycles, so fewer than eight in flight leave gaps.
  const double cycles = std::max({products / 2, loads / 2, products < 8 ? 4.0 * products / 8 : 0.0});
  const double compute = tiles ? tile_products_cost(spec, work, rows, vectors)
                               : work.flops / 2 / lanes * cycles / products * 0.4 * spill_factor(products + vectors + 1, spec);
  // A tile that is larger than the call computes tokens that nobody asked for.
  const double waste = std::ceil(tokens / tile) * tile / tokens;
  // Weights are read once a tile; the tile's activations go through the caches once a stage.
  const double weights = work.weight_bytes / std::min(tile, tokens) / bytes_per_ns(work.footprint_bytes, caches);
  const double width = std::max(number_of(spec.problem, "d_in", 512), 1.0);
  const double passes = word(spec.problem, "projection") == "bh4" ? 8 * number_of(spec.problem, "repeats", 1) : 1;
  const double activations = passes * width * 8 / bytes_per_ns(tile * width * 8, caches);
  return compute * waste + weights + activations + 200 / std::min(tile, tokens);
}

double gather_cost(const KernelSpec& spec, const Schedule& schedule, double tokens, const CacheSizes& caches) {
  const Work work = kernel_work(spec);
  const double d_out = std::max(number_of(spec.problem, "d_out", 512), 1.0);
  const double tables = std::max(number_of(spec.problem, "tables", 128), 1.0);
  const double element = weight_bytes(weight_type_of(word(spec.problem, "table_type")), 1);
  const double lanes = vector_bytes_of(spec, schedule) / 4;
  const double tile = std::clamp(number_of(schedule, "d_tile", 128), lanes, std::max(d_out, lanes));
  double pass = number_of(schedule, "tables_pass", 0);
  if (pass <= 0 || pass > tables) pass = tables;
  // Rows of the tables of one pass are visited by every token: the footprint of the reads.
  const double rows = std::exp2(number_of(spec.problem, "bits", 8));
  const double footprint = work.row_bytes / tables * pass * rows;
  const double reuse = tokens / rows;
  // What is read for the first time in a pass comes from the level that holds all tables.
  const double fresh = std::clamp(1 / std::max(reuse, 1e-9), 0.0, 1.0);
  const double all = bytes_per_ns(work.footprint_bytes, caches);
  const double near = bytes_per_ns(footprint, caches);
  double reads = work.row_bytes * (fresh / all + (1 - fresh) / near);
  if (number_of(schedule, "prefetch_tables", 0) > 0 && all < 60) reads *= 0.9;
  // Sums of a pass are read and written again by the next.
  const double y_traffic = (tables / pass) * d_out * 8 / bytes_per_ns(tokens * d_out * 4, caches);
  const double registers = tile / lanes;
  const double unroll = std::max(1.0, number_of(schedule, "unroll_tables", 1));
  const double widening = element < 4 ? 1.6 : 1.0;
  const double compute = tables * d_out / lanes * 0.25 * widening * spill_factor(registers + 2, spec) *
                         (registers < 8 ? 8 / registers * 0.6 + 0.4 : 1.0);
  // Every row of a tile starts anew: address, code, score.
  const double starts = tables * std::ceil(d_out / tile) * (0.8 + 0.4 / unroll);
  return std::max(reads, compute) + 0.3 * std::min(reads, compute) + y_traffic + starts;
}

LoopNest hash_loop_nest(const KernelSpec& spec, const Schedule& schedule, double tokens) {
  const Work work = kernel_work(spec);
  const double lanes = vector_bytes_of(spec, schedule) / 4;
  const double width = std::max(number_of(spec.problem, "d_in", 512), 1.0);
  const double tile = std::max(1.0, number_of(schedule, "token_tile", 1));
  const double rows = std::clamp(number_of(schedule, "token_registers", 1), 1.0, tile);
  const double vectors = std::max(1.0, number_of(schedule, "output_vectors", 1));
  const double panels = std::max(1.0, number_of(schedule, "panels", 1));
  const bool bh4 = word(spec.problem, "projection") == "bh4";
  const double block = bh4 ? std::max(number_of(spec.problem, "block", 64), 1.0) : width;
  LoopNest nest;
  // A tile that is larger than the call computes tokens that nobody asked for.
  nest.multiply_adds = work.flops / 2 / lanes * std::ceil(tokens / tile) * tile / tokens;
  nest.sums_in_flight = rows * vectors * panels;
  nest.live_registers = nest.sums_in_flight + vectors + 1;
  // Of BH4 each panel has inputs of its own, which are spread over vectors; its weights are loaded for all tokens of the tile.
  const double spread = bh4 ? rows * panels : rows;
  nest.loads = nest.multiply_adds * (vectors * panels + spread) / nest.sums_in_flight;
  nest.starts = nest.multiply_adds / nest.sums_in_flight / block;
  nest.bytes = work.weight_bytes / std::min(tile, tokens);
  const double stages = bh4 ? 4 * number_of(spec.problem, "repeats", 1) : 1;
  const bool at_butterfly = word(schedule, "products_at") == "butterfly";
  nest.kept_bytes = 8 * width * stages * (1 + (at_butterfly ? 0 : 1) + number_of(schedule, "butterflies", 0));
  nest.fetches = number_of(schedule, "prefetch_inputs", 0) > 0 ? nest.bytes / 64 : 0;
  nest.fetched_bytes = number_of(schedule, "prefetch_inputs", 0) * vectors * panels * lanes * 4;
  // What is read again for each register tile: its weights for the tile's tokens, or the other way round.
  const double weights = block * vectors * panels * lanes * 4, activations = tile * (bh4 ? block * panels : width) * 4;
  const std::string order = word(schedule, "product_order");
  nest.inner_footprint = order == "tokens"    ? work.footprint_bytes / stages + rows * width * 4
                         : order == "outputs" ? weights + activations * vectors
                                              : weights + activations;
  nest.turn_footprint = tile * width * 4 * (bh4 ? 4 : 2);
  nest.footprint = work.footprint_bytes;
  return nest;
}

LoopNest gather_loop_nest(const KernelSpec& spec, const Schedule& schedule, double tokens) {
  const Work work = kernel_work(spec);
  const double d_out = std::max(number_of(spec.problem, "d_out", 512), 1.0);
  const double tables = std::max(number_of(spec.problem, "tables", 128), 1.0);
  const double rows = std::exp2(number_of(spec.problem, "bits", 8));
  const double element = weight_bytes(weight_type_of(word(spec.problem, "table_type")), 1);
  const double lanes = vector_bytes_of(spec, schedule) / 4;
  const bool dots = (used_capabilities(spec) & kByteDots) != 0, whole_rows = word(schedule, "whole_rows") == "true";
  const auto part = [](double given, double all) { return given <= 0 || given > all ? all : given; };
  const double tile = part(number_of(schedule, "d_tile", 0), d_out), slice = part(number_of(schedule, "d_slice", 0), d_out);
  const double pass = part(number_of(schedule, "tables_pass", 0), tables);
  const double block = part(number_of(schedule, "token_block", 0), tokens);
  const double at_once = std::max(1.0, number_of(schedule, "token_registers", 1));
  const double ahead = number_of(schedule, "prefetch_tables", 0);
  const double products_tile = part(number_of(schedule, "dots_tile", 0), tile);
  LoopNest nest;
  nest.multiply_adds = tables * d_out / lanes / (dots ? 4 : 1);
  nest.sums_in_flight = at_once * (dots ? products_tile : tile) / lanes;
  nest.live_registers = nest.sums_in_flight + at_once + 1;
  const double passes = std::ceil(tables / pass);
  const double y_visits = whole_rows ? tables / std::max(1.0, number_of(schedule, "unroll_tables", 1)) : passes;
  nest.loads = nest.multiply_adds + y_visits * d_out / lanes;
  nest.starts = tables * std::ceil(d_out / tile) / at_once;
  // A copied row is read and written once a pass, by all tokens together.
  const double copied = word(schedule, "copy_rows") == "true" ? work.footprint_bytes / std::max(tokens, 1.0) : 0;
  nest.bytes = work.row_bytes + copied;
  nest.kept_bytes = y_visits * d_out * 8;
  nest.fetches = ahead > 0 ? work.row_bytes / 64 / std::max(1.0, number_of(schedule, "prefetch_lines", 1)) : 0;
  nest.fetched_bytes = ahead * element * (whole_rows ? slice : tile);
  // Tokens of a block come back to the rows of a pass; passes come back to the block's y.
  nest.inner_footprint = pass * rows * (whole_rows ? slice : std::min(slice, d_out)) * element;
  nest.turn_footprint = block * slice * 4;
  nest.footprint = work.footprint_bytes;
  return nest;
}

}  // namespace lookupffn
