// A machine as the what-if model sees it: a small text file that lookupffn_machine writes and people may edit.
#ifndef LOOKUPFFN_MACHINE_DESCRIPTION_H
#define LOOKUPFFN_MACHINE_DESCRIPTION_H

#include <map>
#include <string>

namespace lookupffn::what_if {

// Where a core reads from; docs/what_if.md says how each number is measured.
struct Level {
  double stream_gbps = 0;  // reading from first to last
  double row_ns = 0;       // to begin a row that the last one says nothing of, with others under way
  double line_ns = 0;      // for each cache line of it
};

struct MachineDescription {
  std::string cpu;
  double cores = 1;
  double l1_bytes = 0, l2_bytes = 0, l3_bytes = 0;  // of a core; L3: what it may use
  Level l1, l2, l3, memory;                         // of one core alone
  double all_l3_gbps = 0, all_memory_gbps = 0;      // of all cores together
  std::map<std::string, double> gflops;             // of one core, by arithmetic: "avx2 f32", "amx bf16"
};

// Throws std::runtime_error, naming what is missing or out of range. `name` is for messages.
MachineDescription parse_machine(const std::string& text, const std::string& name);
MachineDescription load_machine(const std::string& path);
std::string machine_text(const MachineDescription& machine);

// The same machine as `threads` threads see it together: what cores have of their own is multiplied, what they share only as
// far as it goes. Throws std::runtime_error where there are not so many cores.
MachineDescription with_threads(const MachineDescription& machine, double threads);

// Changes as the command line writes them. "4M", "512K", "1.5G", or a number of bytes; "2x" is twice `now`. Throws
// std::runtime_error naming `option`.
double changed_size(const std::string& option, const std::string& text, double now);
// "2x", or a number in the unit of `now`.
double changed_number(const std::string& option, const std::string& text, double now);

}  // namespace lookupffn::what_if
#endif
