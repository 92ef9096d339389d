// A machine as the what-if model sees it: a small text file that lookupffn_machine writes and people may edit.
#ifndef LOOKUPFFN_MACHINE_DESCRIPTION_H
#define LOOKUPFFN_MACHINE_DESCRIPTION_H

#include <map>
#include <string>
#include <vector>

namespace lookupffn::what_if {

// Rows picked at random from so many bytes, in the fastest order of a loop that does nothing else: what of their latency is
// hidden by others under way is.
struct RowTime {
  double footprint_bytes = 0;
  double row_ns = 0;   // to begin a row
  double line_ns = 0;  // for each cache line of it
};

// docs/what_if.md says how each number is measured.
struct MachineDescription {
  std::string cpu;
  double cores = 1;
  double l1_bytes = 0, l2_bytes = 0, l3_bytes = 0;                // of a core; L3: of all
  double l1_gbps = 0, l2_gbps = 0, l3_gbps = 0, memory_gbps = 0;  // of one core alone that reads from first to last
  double all_l3_gbps = 0, all_memory_gbps = 0;                    // of all cores together
  double all_compute = 1, all_rows = 1;  // of all cores together, over one alone: multiply-adds, and rows from memory
  std::vector<RowTime> rows;             // two at least, in the order of their footprints
  std::map<std::string, double> gflops;  // of one core, by arithmetic: "avx2 f32", "amx bf16"

  // 0 for rows that are in the second-level cache, 1 for those that come from memory.
  double far(const RowTime& time) const;
};

// What may change, as factors of what is.
struct MachineChange {
  double l1 = 1, l2 = 1, l3 = 1;           // sizes
  double l3_bandwidth = 1, bandwidth = 1;  // bandwidth: of the memory
  double latency = 1;                      // of the memory
  double compute = 1;
};
// Throws std::runtime_error where a cache would not be larger than the one before.
MachineDescription with_change(const MachineDescription& machine, const MachineChange& change);

// Throws std::runtime_error, naming what is missing or out of range. `name` is for messages.
MachineDescription parse_machine(const std::string& text, const std::string& name);
MachineDescription load_machine(const std::string& path);
std::string machine_text(const MachineDescription& machine);

// The same machine as `threads` threads see it together: what cores have of their own is multiplied, what they share only as
// far as it goes. Throws std::runtime_error where there are not so many cores.
MachineDescription with_threads(const MachineDescription& machine, double threads);

// The factor that a change of the command line means: "2x", a size ("4M", "512K", "1.5G", bytes) over the size `now`, or, where
// `unit` says that it is one, a number over the number `now`. Throws std::runtime_error naming `option`.
enum class Unit { kBytes, kNumber };
double change_factor(const std::string& option, const std::string& text, Unit unit, double now);

}  // namespace lookupffn::what_if
#endif
