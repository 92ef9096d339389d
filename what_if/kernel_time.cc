#include "kernel_time.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "compiler_family.h"
#include "isas.h"
#include "weight_types.h"

namespace lookupffn::what_if {
namespace {

// Tokens that a hash kernel carries through all weights at a time, at most.
constexpr double kTileTokens = 16;
// From so many tokens on all of them visit a few tables at a time, and y is read and written once a pass.
constexpr double kPassTokens = 128, kTablesOfPass = 4;
// Of the shorter of computing and reading, what the longer does not hide.
constexpr double kNotHidden = 0.3;
constexpr double kLine = 64;

// The share of what is read from first to last again and again that a cache still holds: all of it where it fits, nothing where
// it is twice the cache, as the oldest lines are driven out before they are read again.
double kept(double cache, double footprint) { return std::clamp(2 - footprint / cache, 0.0, 1.0); }

// Nanoseconds to read `bytes` of a footprint that is read from first to last.
double stream_ns(const MachineDescription& machine, double bytes, double footprint) {
  const double in_l1 = kept(machine.l1_bytes, footprint), in_l2 = std::max(in_l1, kept(machine.l2_bytes, footprint)),
               in_l3 = std::max(in_l2, kept(machine.l3_bytes, footprint));
  return bytes * (in_l1 / machine.l1_gbps + (in_l2 - in_l1) / machine.l2_gbps + (in_l3 - in_l2) / machine.l3_gbps +
                  (1 - in_l3) / machine.memory_gbps);
}

// Nanoseconds to read a row that may be any of a footprint: between the footprints that were measured.
double row_ns(const MachineDescription& machine, double row_bytes, double footprint) {
  const double lines = std::max(1.0, row_bytes / kLine);
  const auto of = [lines](const RowTime& time) { return time.row_ns + lines * time.line_ns; };
  const std::vector<RowTime>& rows = machine.rows;
  if (footprint <= rows.front().footprint_bytes) return of(rows.front());
  for (size_t i = 1; i < rows.size(); ++i) {
    if (footprint > rows[i].footprint_bytes) continue;
    const double place =
        std::log(footprint / rows[i - 1].footprint_bytes) / std::log(rows[i].footprint_bytes / rows[i - 1].footprint_bytes);
    return of(rows[i - 1]) + place * (of(rows[i]) - of(rows[i - 1]));
  }
  return of(rows.back());
}

// GFLOP/s of an ISA: of the widest arithmetic of its lineage that the machine has.
double rate(const MachineDescription& machine, const std::string& isa, bool tiles) {
  double found = 0;
  for (const IsaRow* row : isa_lineage(isa_row(isa))) {
    const auto it = machine.gflops.find(std::string(row->name) + " f32");
    if (it != machine.gflops.end()) found = it->second;
  }
  if (tiles) {
    const auto it = machine.gflops.find("amx bf16");
    if (it != machine.gflops.end()) found = it->second;
  }
  if (found == 0) throw std::runtime_error("the machine description has no rate of multiply-adds for " + isa);
  return found;
}

// Vector instructions that add a vector of a table's elements to y: loading, widening, converting, multiplying.
double instructions_a_vector(const WeightType& type) {
  if (type.bits == 32) return 1;
  if (!type.row_scales) return 2;
  return type.bits == 8 ? 3 : 4;
}

}  // namespace

double KernelTime::total() const {
  const double reading = weights + rows;
  return std::max(compute, reading) + kNotHidden * std::min(compute, reading) + y;
}

const char* KernelTime::bound_by() const {
  const double largest = std::max({compute, weights, rows, y});
  return largest == compute ? "arithmetic" : largest == weights ? "weights" : largest == rows ? "rows" : "y";
}

KernelTime hash_time(const MachineDescription& one, const Setting& setting) {
  const MachineDescription machine = with_threads(one, setting.threads);
  const Work work = layer_work({setting.shape, setting.table_type, setting.projection_type}).addresser;
  const bool tiles = isa_has(setting.isa, kTiles) && weight_type_of(setting.projection_type).parts > 0;
  KernelTime time;
  time.compute = work.flops / rate(machine, setting.isa, tiles) * 1e-3;
  if (work.weight_bytes > 0) {
    const double tile = std::clamp(setting.tokens / setting.threads, 1.0, kTileTokens);
    time.weights = stream_ns(machine, work.weight_bytes, work.footprint_bytes) / tile * 1e-3;
  }
  if (work.row_bytes > 0) {
    const double rows = double(setting.shape.lookups);
    time.rows = rows * row_ns(machine, work.row_bytes / rows, work.footprint_bytes) * 1e-3;
  }
  return time;
}

KernelTime gather_time(const MachineDescription& one, const Setting& setting) {
  const MachineDescription machine = with_threads(one, setting.threads);
  const LayerWork layer = layer_work({setting.shape, setting.table_type, setting.projection_type});
  const Work& work = layer.retriever;
  const WeightType& type = weight_type_of(setting.table_type);
  const IsaRow& isa = isa_row(setting.isa);
  const double rows = layer.ids > 0 ? layer.ids : double(std::max(setting.shape.lookups, setting.shape.tables));
  const double d_out = double(setting.shape.d_out);
  const double lanes = isa.vector_bytes / 4.0;
  const double vectors_ns = rate(machine, setting.isa, false) / (2 * lanes);  // multiply-adds of vectors in a nanosecond
  KernelTime time;
  const bool byte_dots =
      find_storage(stored_type(setting.table_type, WeightRole::kTables, isa, size_t(setting.shape.d_out))) != nullptr;
  // A byte dot product adds four rows' elements of a vector; shuffles bring them side by side.
  const double instructions = byte_dots ? rows * d_out / isa.vector_bytes * (type.bits == 8 ? 4 : 6)
                                        : rows * d_out / lanes * instructions_a_vector(type);
  time.compute = instructions / vectors_ns * 1e-3;
  const double row_bytes = work.row_bytes / rows;
  // Of so many tokens a table's rows are picked again: the first time they come from where the tables are, then from the
  // second-level cache.
  const double of_table = std::max(1.0, double(setting.shape.rows));
  const double fresh = std::min(1.0, of_table * (1 - std::pow(1 - 1 / of_table, setting.tokens)) / setting.tokens);
  time.rows = rows *
              (fresh * row_ns(machine, row_bytes, work.footprint_bytes) +
               (1 - fresh) * row_ns(machine, row_bytes, machine.l2_bytes / 2)) *
              1e-3;
  if (setting.tokens >= kPassTokens) {
    time.y = rows / kTablesOfPass * stream_ns(machine, d_out * 8, setting.tokens * d_out * 4) * 1e-3;
  }
  return time;
}

}  // namespace lookupffn::what_if
