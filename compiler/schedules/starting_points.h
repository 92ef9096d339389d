// Where a kernel's schedule starts from on an ISA, as found by the tuner or by hand: DIR/defaults/KERNEL.json of a schedules
// directory.
//
//   {"schema": 1, "kernel": "gather",
//    "starting_points": [
//      {"isa": "avx2", "class": "large", "types": {"table_type": "f32"}, "schedule": {"d_tile": 64, ...},
//       "provenance": {"by": "lookupffn tune --write-defaults", "cpu": "...", "date": "...", ...}}, ...]}
//
// A row serves the kernels of its ISA and batch class whose problem has its "types" (none named: all), of any shape. A type's
// name stands for the forms of it in registry/storages.def that no row names. It also serves ISAs that extend its own and have
// no better row, as long as vectors and registers are the same. `lookupffn tune --write-defaults` writes these files; people
// may.
#ifndef LOOKUPFFN_STARTING_POINTS_H
#define LOOKUPFFN_STARTING_POINTS_H

#include <map>
#include <string>
#include <vector>

#include "kernel_spec.h"
#include "schedule.h"

namespace lookupffn {

struct StartingPoint {
  std::string isa, batch_class;
  std::map<std::string, std::string> types;  // parameters of the problem that name weight types
  Schedule schedule;
  // Who found it, where: "by" is "hand" or names the tool; from the tool also cpu, caches, date, halide, tool, threads, and
  // "gains", a text for each kernel that it was measured on, over what was there before.
  std::map<std::string, std::string> provenance;
};

// Of one kernel.
class StartingPoints {
 public:
  // Throws std::runtime_error naming the file and what is wrong with it: no JSON, another kernel, an unknown ISA, a row that is
  // there twice. Schedules are for the space to check.
  static StartingPoints parse(const std::string& json_text, const std::string& kernel, const std::string& name);

  const std::vector<StartingPoint>& rows() const { return rows_; }

  // The row that serves a kernel: of its own ISA before those that it extends, of an ISA the one that names more
  // types, and of these the one that names the stored form. null: none.
  const StartingPoint* find(const KernelSpec& spec) const;

  // Puts a row in the place of that with the same ISA, class and types, or behind the others.
  void put(const StartingPoint& row);

  // A file's text: a line a row.
  std::string text(const std::string& kernel) const;

 private:
  std::vector<StartingPoint> rows_;
};

// DIR/defaults/KERNEL.json.
std::string starting_points_path(const std::string& schedules_dir, const std::string& kernel);

// What such a row would be called for a kernel: its ISA, its class and its types, all of them.
StartingPoint starting_point_key(const KernelSpec& spec);

}  // namespace lookupffn
#endif
