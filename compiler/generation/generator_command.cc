#include "generator_command.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>

#include "isa_target.h"
#include "kernel_cache.h"
#include "kernel_description.h"
#include "subprocess.h"

namespace lookupffn {
namespace {

// The last line that says something, which is where a generator names its error.
std::string last_words(const std::string& text) {
  size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return "";
  const size_t line = text.rfind('\n', end);
  const size_t begin = line == std::string::npos ? 0 : line + 1;
  return text.substr(begin, std::min(end + 1 - begin, size_t{400}));
}

// The package of the tool comes without Halide, which the generator program is linked with. What the loader says of that.
std::string missing_library(const std::string& words) {
  const std::string loader = "error while loading shared libraries: ";
  const size_t at = words.find(loader);
  return at == std::string::npos ? "" : words.substr(at + loader.size());
}

}  // namespace

std::map<std::string, std::string> generator_problem(const KernelSpec& spec) {
  std::map<std::string, std::string> problem = spec.problem;
  const KernelDescription* kernel = find_kernel_description(spec);
  if (kernel && kernel->one_token) {
    problem["one_token"] = spec.max_tokens == 1 ? "true" : "false";
  }
  return problem;
}

std::vector<std::string> generator_arguments(const std::string& generator_exe, const KernelSpec& spec, const Schedule& schedule,
                                             const std::string& function_name, const std::string& out_dir,
                                             const std::string& sanitizer) {
  std::vector<std::string> arguments = {generator_exe, "-g", spec.kernel,   "-f",
                                        function_name, "-n", function_name, "-o",
                                        out_dir,       "-e", "object",      "target=" + halide_target(spec, sanitizer)};
  for (const auto& [name, value] : generator_problem(spec)) arguments.push_back(name + "=" + value);
  for (const auto& [name, value] : schedule) arguments.push_back(name + "=" + value);
  return arguments;
}

GeneratedKernel generate_kernel(const std::string& generator_exe, const KernelSpec& spec, const Schedule& schedule,
                                const std::string& function_name, const std::string& out_dir, const std::string& sanitizer,
                                double time_limit_seconds, const std::atomic<bool>* cancelled) {
  const KernelCache cache(generator_arguments(generator_exe, spec, schedule, function_name, "", sanitizer));
  if (const std::string object = out_dir + "/" + function_name + ".o"; cache.fetch(object)) {
    GeneratedKernel kernel;
    kernel.ok = true;
    kernel.object = object;
    return kernel;
  }
  ProcessOptions options;
  options.time_limit_seconds = time_limit_seconds;
  options.cancelled = cancelled;
  options.environment = {{"TMPDIR", out_dir}};  // what it leaves when it is killed goes with the directory
  const ProcessResult process =
      run_process(generator_arguments(generator_exe, spec, schedule, function_name, out_dir, sanitizer), options);
  GeneratedKernel kernel;
  kernel.seconds = process.seconds;
  kernel.timed_out = process.end == ProcessResult::End::kTimedOut;
  kernel.object = out_dir + "/" + function_name + ".o";
  struct stat status;
  const bool there = stat(kernel.object.c_str(), &status) == 0 && status.st_size > 0;
  kernel.ok = process.ok() && there;
  if (kernel.ok) cache.store(kernel.object);
  if (!kernel.ok) {
    const std::string words = last_words(process.err.empty() ? process.out : process.err);
    if (const std::string library = missing_library(words); !process.ok() && !library.empty()) {
      kernel.error = "the generator program '" + generator_exe + "' cannot start: " + library +
                     "; install the Halide library that it was built with (docs/packages.md says which packages have it)";
    } else {
      kernel.error = "cannot generate " + describe(spec) + " with schedule " + canonical_text(schedule) + ": " +
                     (process.ok() ? "the generator wrote no object file" : process.what_happened()) +
                     (words.empty() ? "" : ": " + words);
    }
  }
  return kernel;
}

std::string kernel_function_name(const std::string& library, const KernelSpec& spec) {
  std::string name = library + "_" + spec.kernel + "_" + problem_key(spec) + "_" + spec.isa + "_" + spec.batch_class;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
}

}  // namespace lookupffn
