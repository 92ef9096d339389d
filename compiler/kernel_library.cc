#include "kernel_library.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "atomic_file.h"
#include "content_hash.h"
#include "generator_command.h"
#include "isa_target.h"
#include "kernel_manifest.h"
#include "kernel_table.h"
#include "lookupffn/kernels.h"
#include "machine.h"
#include "subprocess.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;


// Words of $VARIABLE, or the program that it stands for.
std::vector<std::string> program_words(const char* variable, const char* otherwise) {
  const char* value = std::getenv(variable);
  std::istringstream text(value != nullptr ? value : "");
  std::vector<std::string> words;
  std::string word;
  while (text >> word) words.push_back(word);
  if (words.empty()) words.push_back(otherwise);
  if (find_program(words[0]).empty()) {
    throw std::runtime_error("there is no '" + words[0] +
                             "' to make the kernel library with: `apt install gcc`" +
                             (value != nullptr ? ", or mend $" + std::string(variable) : ""));
  }
  return words;
}

void run_tool(std::vector<std::string> command, const std::vector<std::string>& arguments,
              const std::string& purpose, const std::atomic<bool>* cancelled) {
  command.insert(command.end(), arguments.begin(), arguments.end());
  ProcessOptions options;
  options.cancelled = cancelled;
  const ProcessResult result = run_process(command, options);
  if (result.end == ProcessResult::End::kCancelled) throw BuildCancelled();
  if (result.ok()) return;
  std::string words = result.err.substr(0, 400);
  std::replace(words.begin(), words.end(), '\n', ' ');
  throw std::runtime_error("cannot " + purpose + ": " + command[0] + ": " + result.what_happened() +
                           (words.empty() ? "" : ": " + words));
}

// Refuses to replace what is no earlier result: renaming over it would delete somebody's files.
void check_replaceable(const std::string& directory) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(directory, error);
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status)) throw std::runtime_error("'" + directory + "' is there and is no directory");
  std::set<std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_directory()) files.insert(entry.path().lexically_relative(directory).generic_string());
  }
  if (files.empty()) return;
  std::set<std::string> ours;
  try {
    ours = files_of_manifest(read_file(directory + "/manifest.json"));
  } catch (const std::exception&) {
    throw std::runtime_error("'" + directory +
                             "' holds files and is no kernel library: choose another --out");
  }
  for (const std::string& file : files) {
    if (ours.count(file)) continue;
    throw std::runtime_error("'" + directory + "' holds '" + file +
                             "' beside a kernel library: move it away or choose another --out");
  }
}

// A directory next to the result, so that renaming works. Removed with this object, and by the next build
// where this process is killed.
class WorkDirectory {
 public:
  explicit WorkDirectory(const fs::path& result) {
    const fs::path parent = result.parent_path();
    const std::string prefix = "." + result.filename().string() + ".building-";
    std::error_code error;
    fs::create_directories(parent, error);
    if (error)
      throw std::runtime_error("cannot make directory '" + parent.string() + "': " + error.message());
    for (const fs::directory_entry& entry : fs::directory_iterator(parent, error)) {
      const std::string name = entry.path().filename().string();
      if (name.compare(0, prefix.size(), prefix) != 0) continue;
      const int owner = std::atoi(name.c_str() + prefix.size());
      if (owner > 0 && (owner == getpid() || (kill(owner, 0) != 0 && errno == ESRCH)))
        fs::remove_all(entry.path(), error);
    }
    path_ = parent / (prefix + std::to_string(getpid()));
    fs::create_directory(path_, error);
    if (error) {
      throw std::runtime_error("cannot make directory '" + path_.string() + "': " + error.message() +
                               ": choose another --out");
    }
  }
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  ~WorkDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Puts `finished` in the place of `result`; what was there is then under the name `finished`, or gone.
void put_in_place(const fs::path& finished, const fs::path& result) {
  if (rename(finished.c_str(), result.c_str()) == 0) return;  // nothing there, or an empty directory
  if (renameat2(AT_FDCWD, finished.c_str(), AT_FDCWD, result.c_str(), RENAME_EXCHANGE) == 0) return;
  // Some file systems cannot exchange.
  const fs::path aside = finished.string() + "-old";
  std::error_code error;
  fs::rename(result, aside, error);
  if (!error) {
    fs::rename(finished, result, error);
    if (error) {
      std::error_code ignored;
      fs::rename(aside, result, ignored);
    }
  }
  if (error)
    throw std::runtime_error("cannot put the result at '" + result.string() + "': " + error.message());
}

std::string cmake_config(const std::string& name) {
  std::string text = R"(# Written by lookupffn: the kernel library @, target @::@.
include(CMakeFindDependencyMacro)
find_dependency(lookupffn)
if(NOT TARGET @::@)
  get_filename_component(_@_directory "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
  add_library(@::@ STATIC IMPORTED)
  set_target_properties(@::@ PROPERTIES
    IMPORTED_LOCATION "${_@_directory}/lib@.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_@_directory}/include"
    INTERFACE_LINK_LIBRARIES lookupffn::lookupffn)
  unset(_@_directory)
endif()
)";
  for (size_t at = 0; (at = text.find('@', at)) != std::string::npos; at += name.size())
    text.replace(at, 1, name);
  return text;
}

std::string date() {
  // Builds that must not differ by their time set SOURCE_DATE_EPOCH.
  const char* fixed = std::getenv("SOURCE_DATE_EPOCH");
  const std::time_t now = fixed != nullptr ? std::time_t(std::atoll(fixed)) : std::time(nullptr);
  char text[32];
  std::tm parts;
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
  return text;
}

struct Kernel {
  KernelTableEntry entry;
  std::string object;
};

// Generates all kernels, `jobs` at a time. The first failure ends it.
void generate_all(const KernelLibraryRequest& request, const std::string& directory,
                  std::vector<Kernel>* kernels) {
  std::mutex mutex;
  size_t next = 0, done = 0;
  std::string failure;
  std::atomic<bool> stop{false};
  if (request.progress) request.progress(0, kernels->size(), "");
  const auto work = [&] {
    for (;;) {
      Kernel* kernel;
      {
        const std::lock_guard<std::mutex> lock(mutex);
        if (stop || next == kernels->size()) return;
        kernel = &(*kernels)[next++];
      }
      const GeneratedKernel made = generate_kernel(
          request.generator, kernel->entry.spec, kernel->entry.schedule, kernel->entry.function_name,
          directory, request.sanitizer, request.time_limit_seconds, &stop);
      const std::lock_guard<std::mutex> lock(mutex);
      kernel->object = made.object;
      if (made.ok) {
        ++done;
        if (request.progress && !stop) {
          request.progress(done, kernels->size(),
                           describe(kernel->entry.spec) + ", " + kernel->entry.provenance);
        }
      } else if (!stop.exchange(true)) {
        failure = made.error;
      }
    }
  };
  std::vector<std::thread> threads;
  const size_t count = std::min(size_t(std::max(1, request.jobs)), kernels->size());
  std::atomic<size_t> running{count};
  for (size_t i = 0; i < count; ++i) {
    threads.emplace_back([&] {
      work();
      --running;
    });
  }
  while (running > 0) {
    if (request.cancelled != nullptr && *request.cancelled) stop = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  for (std::thread& thread : threads) thread.join();
  if (request.cancelled != nullptr && *request.cancelled) throw BuildCancelled();
  if (!failure.empty()) throw std::runtime_error(failure);
}

nlohmann::json manifest(const KernelLibraryRequest& request, const std::vector<Kernel>& kernels,
                        const KernelLibraryResult& result) {
  nlohmann::json list = nlohmann::json::array();
  std::set<std::string> isas;
  for (const Kernel& kernel : kernels) {
    const KernelSpec& spec = kernel.entry.spec;
    isas.insert(spec.isa);
    list.push_back({{"kernel", spec.kernel},
                    {"isa", spec.isa},
                    {"problem", spec.problem},
                    {"batch_class", spec.batch_class},
                    {"schedule", kernel.entry.schedule},
                    {"provenance", kernel.entry.provenance},
                    {"function", kernel.entry.function_name},
                    {"halide_target", halide_target(spec, request.sanitizer)},
                    {"object_bytes", fs::file_size(kernel.object)}});
  }
  return {{kManifestMark, 1},
          {"name", request.name},
          {"made_for", request.origin},
          {"date", date()},
          {"tool", LOOKUPFFN_TOOL_VERSION},
          {"generator_hash", content_hash(read_file(request.generator))},
          {"abi_version", LOOKUPFFN_KERNEL_ABI_VERSION},
          {"sanitizer", request.sanitizer},
          {"isas", isas},
          {"archive_bytes", result.archive_bytes},
          {"module_bytes", result.module_bytes},
          {"notes", result.notes},
          {"kernels", list}};
}

}  // namespace

KernelLibraryResult build_kernel_library(const KernelLibraryRequest& request) {
  const std::string& name = request.name;
  kernel_table_source(name, {});  // refuses a bad name before any work
  if (request.specs.empty()) throw std::runtime_error("there are no kernels to build");
  fs::path directory = fs::absolute(request.directory).lexically_normal();
  if (!directory.has_filename()) directory = directory.parent_path();
  check_replaceable(directory.string());
  const std::vector<std::string> compiler = program_words("CC", "cc"), archiver = program_words("AR", "ar");

  KernelLibraryResult result;
  const Machine machine = this_machine();
  std::vector<Kernel> kernels;
  std::set<std::string> noted, functions;
  for (const KernelSpec& spec : request.specs) {
    ChosenSchedule chosen = choose_schedule(request.schedules_dirs, spec, machine);
    for (const std::string& note : chosen.notes) {
      if (noted.insert(note).second) result.notes.push_back(note);
    }
    if (!chosen.record_path.empty()) ++result.tuned;
    Kernel kernel;
    kernel.entry = {spec, std::move(chosen.schedule), chosen.provenance, kernel_function_name(name, spec)};
    if (!functions.insert(kernel.entry.function_name).second) {
      throw std::runtime_error("two kernels are called '" + kernel.entry.function_name + "'");
    }
    kernels.push_back(std::move(kernel));
  }
  result.kernels = kernels.size();

  const WorkDirectory work(directory);
  const fs::path objects = work.path() / "objects", finished = work.path() / "result";
  fs::create_directories(objects / "lookupffn");
  fs::create_directories(finished / "include");
  fs::create_directories(finished / "lib" / "cmake" / name);
  generate_all(request, objects.string(), &kernels);

  const auto object = [&objects](const std::string& file) { return (objects / file).string(); };
  std::vector<KernelTableEntry> entries;
  std::vector<std::string> kernel_objects;
  for (const Kernel& kernel : kernels) {
    entries.push_back(kernel.entry);
    kernel_objects.push_back(kernel.object);
  }
  write_file_atomically(object("lookupffn/kernels.h"), kernels_header_text());
  write_file_atomically(object("lookupffn/lookupffn.h"), lookupffn_header_text());
  write_file_atomically(object(name + "_table.c"), kernel_table_source(name, entries));
  write_file_atomically(object(name + "_register.c"), registration_source(name));
  const auto compile = [&](const std::string& source, const std::string& to,
                           std::vector<std::string> options) {
    options.insert(options.end(), {"-std=c11", "-O2", "-fPIC", "-I", objects.string(), "-c", object(source),
                                   "-o", object(to)});
    run_tool(compiler, options, "compile the kernel library's " + source, request.cancelled);
  };
  compile(name + "_table.c", name + "_table.o", {});
  compile(name + "_table.c", name + "_module.o", {"-DLOOKUPFFN_KERNEL_MODULE"});
  compile(name + "_register.c", name + "_register.o", {});

  const std::string archive = (finished / ("lib" + name + ".a")).string();
  std::vector<std::string> arguments = {"rcs", archive, object(name + "_register.o"),
                                        object(name + "_table.o")};
  arguments.insert(arguments.end(), kernel_objects.begin(), kernel_objects.end());
  run_tool(archiver, arguments, "make '" + fs::path(archive).filename().string() + "'", request.cancelled);

  const std::string module = (finished / ("lib" + name + ".so")).string();
  write_file_atomically(object("exports.map"),
                        "{ global: " LOOKUPFFN_KERNEL_LIBRARY_SYMBOL "; local: *; };\n");
  arguments = {"-shared", "-o", module, object(name + "_module.o")};
  arguments.insert(arguments.end(), kernel_objects.begin(), kernel_objects.end());
  arguments.insert(arguments.end(), {"-Wl,--version-script=" + object("exports.map"), "-Wl,-z,now", "-lm"});
  // A kernel that needs a function which no module can count on must not get as far as a user. (A sanitizer's
  // functions come with the program.)
  if (request.sanitizer.empty()) arguments.push_back("-Wl,-z,defs");
  run_tool(compiler, arguments, "link '" + fs::path(module).filename().string() + "'", request.cancelled);

  result.archive_bytes = fs::file_size(archive);
  result.module_bytes = fs::file_size(module);
  write_file_atomically((finished / "include" / (name + ".h")).string(), registration_header(name));
  write_file_atomically((finished / "lib" / "cmake" / name / (name + "Config.cmake")).string(),
                        cmake_config(name));
  write_file_atomically((finished / "manifest.json").string(),
                        manifest(request, kernels, result).dump(2) + "\n");
  if (request.cancelled != nullptr && *request.cancelled) throw BuildCancelled();
  check_replaceable(directory.string());  // once more: the build took its time
  put_in_place(finished, directory);
  return result;
}

}  // namespace lookupffn
