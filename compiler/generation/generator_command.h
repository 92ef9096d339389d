// Runs the Halide generator program, which turns a kernel spec and a schedule into an object file.
#ifndef LOOKUPFFN_GENERATOR_COMMAND_H
#define LOOKUPFFN_GENERATOR_COMMAND_H

#include <atomic>
#include <string>
#include <vector>

#include "kernel_spec.h"
#include "schedule.h"

namespace lookupffn {

struct GeneratedKernel {
  bool ok = false;
  bool timed_out = false;
  std::string object;  // path of FUNCTION.o, which defines int FUNCTION_argv(void**)
  std::string error;   // one line with the kernel and the generator's last words, where !ok
  double seconds = 0;
};

// The generator's problem parameters: the spec's, and one_token where the kernel's description says so.
std::map<std::string, std::string> generator_problem(const KernelSpec& spec);

// The child's arguments: GEN -g KERNEL -f FUNCTION -n FUNCTION -o DIR -e object target=... problem schedule.
std::vector<std::string> generator_arguments(const std::string& generator_exe, const KernelSpec& spec, const Schedule& schedule,
                                             const std::string& function_name, const std::string& out_dir,
                                             const std::string& sanitizer = "");

// Runs it in a process of its own. out_dir exists. time_limit_seconds 0: no limit. *cancelled (may be null)
// turning true kills the child. May be called from several threads at once with different functions.
GeneratedKernel generate_kernel(const std::string& generator_exe, const KernelSpec& spec, const Schedule& schedule,
                                const std::string& function_name, const std::string& out_dir, const std::string& sanitizer = "",
                                double time_limit_seconds = 0, const std::atomic<bool>* cancelled = nullptr);

// A C identifier for a kernel's function that differs between kernels, ISAs, classes and libraries.
std::string kernel_function_name(const std::string& library, const KernelSpec& spec);

}  // namespace lookupffn
#endif
