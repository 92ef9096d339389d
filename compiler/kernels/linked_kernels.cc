#include "linked_kernels.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "atomic_file.h"
#include "kernel_library.h"
#include "lookupffn/kernels.h"
#include "subprocess.h"
#include "target_tools.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

// `temporary`: for what a compiler that is killed leaves behind.
void run_tool(std::vector<std::string> command, const std::vector<std::string>& arguments, const std::string& purpose,
              const std::string& temporary, const std::atomic<bool>* cancelled) {
  command.insert(command.end(), arguments.begin(), arguments.end());
  ProcessOptions options;
  options.cancelled = cancelled;
  options.environment = {{"TMPDIR", temporary}};
  const ProcessResult result = run_process(command, options);
  if (result.end == ProcessResult::End::kCancelled) throw BuildCancelled();
  if (result.ok()) return;
  std::string words = result.err.substr(0, 400);
  std::replace(words.begin(), words.end(), '\n', ' ');
  throw std::runtime_error("cannot " + purpose + ": " + command[0] + ": " + result.what_happened() +
                           (words.empty() ? "" : ": " + words));
}

}  // namespace

LinkedKernels link_kernels(const KernelsToLink& kernels, const std::string& work, const std::string& folder,
                           const std::atomic<bool>* cancelled) {
  const std::string& name = kernels.library;
  const TargetTools tools = target_tools(kernels.architecture);
  const auto in_work = [&work](const std::string& file) { return work + "/" + file; };
  fs::create_directories(in_work("lookupffn"));
  write_file_atomically(in_work("lookupffn/kernels.h"), kernels_header_text());
  write_file_atomically(in_work("lookupffn/lookupffn.h"), lookupffn_header_text());
  write_file_atomically(in_work(name + "_table.c"), kernel_table_source(name, kernels.entries));
  write_file_atomically(in_work(name + "_register.c"), registration_source(name));
  const auto compile = [&](const std::string& source, const std::string& to, std::vector<std::string> options) {
    options.insert(options.end(), {"-std=c11", "-O2", "-fPIC", "-I", work, "-c", in_work(source), "-o", in_work(to)});
    run_tool(tools.compiler, options, "compile the kernel library's " + source, work, cancelled);
  };
  compile(name + "_table.c", name + "_table.o", {});
  compile(name + "_register.c", name + "_register.o", {});

  LinkedKernels made;
  const std::string archive = folder + "/lib" + name + ".a";
  std::vector<std::string> arguments = {"rcs", archive, in_work(name + "_register.o"), in_work(name + "_table.o")};
  arguments.insert(arguments.end(), kernels.objects.begin(), kernels.objects.end());
  run_tool(tools.archiver, arguments, "make '" + fs::path(archive).filename().string() + "'", work, cancelled);
  made.archive_bytes = fs::file_size(archive);
  if (!architecture_row(kernels.architecture).modules) return made;

  compile(name + "_table.c", name + "_module.o", {"-DLOOKUPFFN_KERNEL_MODULE"});
  const std::string module = folder + "/lib" + name + ".so";
  write_file_atomically(in_work("exports.map"), "{ global: " LOOKUPFFN_KERNEL_LIBRARY_SYMBOL "; local: *; };\n");
  arguments = {"-shared", "-o", module, in_work(name + "_module.o")};
  arguments.insert(arguments.end(), kernels.objects.begin(), kernels.objects.end());
  arguments.insert(arguments.end(), {"-Wl,--version-script=" + in_work("exports.map"), "-Wl,-z,now", "-lm"});
  // A kernel that needs a function which no module can count on must not get as far as a user. (A sanitizer's
  // functions come with the program.)
  if (kernels.sanitizer.empty()) arguments.push_back("-Wl,-z,defs");
  run_tool(tools.compiler, arguments, "link '" + fs::path(module).filename().string() + "'", work, cancelled);
  made.module_bytes = fs::file_size(module);
  return made;
}

}  // namespace lookupffn
