// Makes a directory with a kernel library: every kernel generated, archived, linked and described.
#ifndef LOOKUPFFN_KERNEL_LIBRARY_H
#define LOOKUPFFN_KERNEL_LIBRARY_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "kernel_spec.h"
#include "measured_code.h"
#include "objectives.h"
#include "schedule_record.h"

namespace lookupffn {

struct KernelLibraryRequest {
  std::string name;               // a C identifier
  std::string directory;          // of the result; made, or put in the place of an earlier result
  std::vector<KernelSpec> specs;  // no two alike
  std::string origin;             // what they are for, a line for the manifest: the model's path, or shapes
  std::vector<std::string> schedules_dirs;
  std::string objective = default_objective();   // whose schedule records come first: a name of objectives.h
  std::string generator;                         // the generator program
  std::string sanitizer;                         // "", "address", "thread" or "undefined"
  int jobs = 1;                                  // generators that run at a time
  double time_limit_seconds = 600;               // for one kernel
  const std::atomic<bool>* cancelled = nullptr;  // turning true ends the build with BuildCancelled
  // Called after each kernel, and with done == 0 before the first; never by two threads at once. May be
  // empty.
  std::function<void(size_t done, size_t total, const std::string& what)> progress;
};

struct KernelLibraryResult {
  size_t kernels = 0;
  size_t tuned = 0;                // of those, how many have a schedule record's schedule
  std::vector<std::string> notes;  // from choose_schedule and about code that was not measured, each once
  uint64_t archive_bytes = 0, module_bytes = 0;
};

class BuildCancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled; nothing was changed"; }
};

// The directory then holds, and nothing else: libNAME.a, libNAME.so (a module for lookupffn_load_kernels),
// include/NAME.h, lib/cmake/NAME/NAMEConfig.cmake and manifest.json. Where kernels are for several architectures, each has a
// libNAME.a and a libNAME.so in a folder that is called as its triple (registry/architectures.def). It is made under another
// name and renamed when whole: after a failure an earlier result is as it was. A directory that holds other files is refused; a
// symbolic link to a directory stays, and its target is replaced. Uses the compilers and archivers of target_tools(). Throws
// std::runtime_error in one line.
KernelLibraryResult build_kernel_library(const KernelLibraryRequest& request);

// Is a kernel's object the code that the record of its schedule, which was tuned, was measured with?
CodeComparison compare_code(const ChosenSchedule& chosen, const KernelSpec& spec, const std::string& object,
                            const std::string& sanitizer);

}  // namespace lookupffn
#endif
