#include "kernel_library.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
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
#include "isas.h"
#include "json_fields.h"
#include "kernel_manifest.h"
#include "kernel_table.h"
#include "linked_kernels.h"
#include "lookupffn/kernels.h"
#include "machine.h"
#include "measured_code.h"
#include "owned_directory.h"
#include "target_tools.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

bool is_mount_point(const fs::path& directory) {
  struct statx status;
  if (statx(AT_FDCWD, directory.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) == 0 &&
      (status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0) {
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  }
  struct stat inside, outside;  // an old system: bind mounts are not seen
  return stat(directory.c_str(), &inside) == 0 && stat(directory.parent_path().c_str(), &outside) == 0 &&
         inside.st_dev != outside.st_dev;
}

// Where the result will stand: a directory that can be replaced by renaming, with no symbolic link in its path. Throws where
// there can be none, before any work.
fs::path place_of_result(const std::string& named) {
  if (named.empty()) throw std::runtime_error("--out is empty: name a directory for the result");
  std::error_code error;
  fs::path path = fs::absolute(named, error);
  struct stat there, parent;
  const std::string link = path.has_filename() ? path.string() : path.parent_path().string();
  if (!error && lstat(link.c_str(), &there) == 0 && S_ISLNK(there.st_mode) && there.st_uid != geteuid() && there.st_uid != 0) {
    throw std::runtime_error("'" + named + "' is another user's symbolic link: choose another --out");
  }
  if (!error) path = fs::weakly_canonical(path, error);
  if (error) throw std::runtime_error("--out '" + named + "': " + error.message());
  if (!path.has_filename()) path = path.parent_path();
  const fs::path here = fs::current_path(error);
  const auto mismatch = std::mismatch(path.begin(), path.end(), here.begin(), here.end());
  if (mismatch.first == path.end() || path == path.root_path()) {
    throw std::runtime_error("--out '" + named +
                             "' is the current directory or above it, and is replaced as a whole: name a directory in it");
  }
  if (is_mount_point(path)) {
    throw std::runtime_error("'" + named + "' is a mount point, which cannot be replaced: name a directory in it");
  }
  // In a sticky folder (/tmp) what another user put there cannot be replaced, and may be a trap.
  if (lstat(path.c_str(), &there) == 0 && stat(path.parent_path().c_str(), &parent) == 0 && (parent.st_mode & S_ISVTX) != 0 &&
      there.st_uid != geteuid() && (parent.st_uid != geteuid() || geteuid() == 0)) {
    throw std::runtime_error("'" + named + "' belongs to another user: choose another --out");
  }
  return path;
}

// Refuses to replace what is no earlier result: renaming over it would delete somebody's files.
void check_replaceable(const std::string& directory) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(directory, error);
  if (!fs::exists(status)) return;
  if (fs::is_symlink(status)) throw std::runtime_error("'" + directory + "' is a symbolic link to nothing: remove it");
  if (!fs::is_directory(status)) throw std::runtime_error("'" + directory + "' is there and is no directory");
  std::set<std::string> files;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (!fs::is_directory(at->symlink_status())) files.insert(at->path().lexically_relative(directory).generic_string());
  }
  if (error) throw std::runtime_error("cannot look into '" + directory + "': " + error.message() + ": choose another --out");
  if (files.empty()) return;
  std::set<std::string> ours;
  try {
    ours = files_of_manifest(read_file(directory + "/manifest.json"));
  } catch (const std::exception&) {
    throw std::runtime_error("'" + directory + "' holds files and is no kernel library: choose another --out");
  }
  for (const std::string& file : files) {
    if (ours.count(file)) continue;
    throw std::runtime_error("'" + directory + "' holds '" + file +
                             "' beside a kernel library: move it away or choose another --out");
  }
}

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
  if (error) throw std::runtime_error("cannot put the result at '" + result.string() + "': " + error.message());
}

// Where there are several architectures' archives, CMAKE_SYSTEM_PROCESSOR of the build that asks picks one.
std::string cmake_config(const std::string& name, const std::set<Architecture>& architectures) {
  std::string text = R"(# Written by lookupffn: the kernel library @, target @::@.
include(CMakeFindDependencyMacro)
find_dependency(lookupffn)
if(NOT TARGET @::@)
  get_filename_component(_@_directory "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
  set(_@_archive "${_@_directory}/lib@.a")
)";
  for (const Architecture architecture : architectures) {
    if (architectures.size() == 1) break;
    const ArchitectureRow& row = architecture_row(architecture);
    std::string processors = row.processors;
    std::replace(processors.begin(), processors.end(), ' ', '|');
    text += "  if(CMAKE_SYSTEM_PROCESSOR MATCHES \"^(" + processors + ")$\")\n    set(_@_archive \"${_@_directory}/" +
            row.triple + "/lib@.a\")\n  endif()\n";
  }
  if (architectures.size() > 1) {
    text += R"(  if(NOT EXISTS "${_@_archive}")
    set(@_FOUND FALSE)
    set(@_NOT_FOUND_MESSAGE "@ was not built for ${CMAKE_SYSTEM_PROCESSOR}: lookupffn build --isa takes ISAs of several architectures")
    return()
  endif()
)";
  }
  text += R"(  add_library(@::@ STATIC IMPORTED)
  set_target_properties(@::@ PROPERTIES
    IMPORTED_LOCATION "${_@_archive}"
    INTERFACE_INCLUDE_DIRECTORIES "${_@_directory}/include"
    INTERFACE_LINK_LIBRARIES lookupffn::lookupffn)
  unset(_@_archive)
  unset(_@_directory)
endif()
)";
  for (size_t at = 0; (at = text.find('@', at)) != std::string::npos; at += name.size()) text.replace(at, 1, name);
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
  ChosenSchedule chosen;
  std::string object;
  CodeComparison code;  // of a tuned kernel
};

bool is_tuned(const Kernel& kernel) { return !kernel.chosen.record_path.empty(); }

void add_comparison(const KernelLibraryRequest& request, Kernel* kernel) {
  if (!is_tuned(*kernel)) return;
  kernel->code = compare_code(kernel->chosen, kernel->entry.spec, kernel->object, request.sanitizer);
  kernel->entry.provenance += code_remark(kernel->code);
}

// Generates all kernels, `jobs` at a time. The first failure ends it.
void generate_all(const KernelLibraryRequest& request, const std::string& directory, std::vector<Kernel>* kernels) {
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
      const GeneratedKernel made =
          generate_kernel(request.generator, kernel->entry.spec, kernel->entry.schedule, kernel->entry.function_name, directory,
                          request.sanitizer, request.time_limit_seconds, &stop);
      kernel->object = made.object;
      if (made.ok) add_comparison(request, kernel);
      const std::lock_guard<std::mutex> lock(mutex);
      if (made.ok) {
        ++done;
        if (request.progress && !stop) {
          request.progress(done, kernels->size(), describe(kernel->entry.spec) + ", " + kernel->entry.provenance);
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
                        const std::vector<std::string>& triples, const KernelLibraryResult& result) {
  nlohmann::json list = nlohmann::json::array();
  std::set<std::string> isas;
  for (const Kernel& kernel : kernels) {
    const KernelSpec& spec = kernel.entry.spec;
    isas.insert(spec.isa);
    nlohmann::json object = {{"kernel", spec.kernel},
                             {"isa", spec.isa},
                             {"problem", spec.problem},
                             {"batch_class", spec.batch_class},
                             {"schedule", kernel.entry.schedule},
                             {"provenance", kernel.entry.provenance},
                             {"function", kernel.entry.function_name},
                             {"halide_target", halide_target(spec, request.sanitizer)},
                             {"object_bytes", fs::file_size(kernel.object)}};
    if (is_tuned(kernel)) object["measured_code"] = code_text(kernel.code);
    list.push_back(std::move(object));
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
          {"triples", triples},
          {"archive_bytes", result.archive_bytes},
          {"module_bytes", result.module_bytes},
          {"notes", result.notes},
          {"kernels", list}};
}

}  // namespace

CodeComparison compare_code(const ChosenSchedule& chosen, const KernelSpec& spec, const std::string& object,
                            const std::string& sanitizer) {
  CodeComparison code;
  if (!sanitizer.empty()) {
    code.reason = "the kernel is instrumented for a sanitizer";
  } else if (chosen.record_isa != spec.isa) {
    code.reason = "the record is for ISA " + chosen.record_isa;
  } else {
    code = compare_measured_code(chosen.object_hash, object);
  }
  return code;
}

KernelLibraryResult build_kernel_library(const KernelLibraryRequest& request) {
  const std::string& name = request.name;
  kernel_table_source(name, {});  // refuses a bad name before any work
  if (request.specs.empty()) throw std::runtime_error("there are no kernels to build");
  const fs::path directory = place_of_result(request.directory);
  check_replaceable(directory.string());
  std::set<Architecture> architectures;
  for (const KernelSpec& spec : request.specs) architectures.insert(isa_row(spec.isa).architecture);
  for (const Architecture architecture : architectures) target_tools(architecture);  // refuses before any work

  KernelLibraryResult result;
  const Machine machine = this_machine();
  std::vector<Kernel> kernels;
  std::set<std::string> noted, functions;
  for (const KernelSpec& spec : request.specs) {
    ChosenSchedule chosen = choose_schedule(request.schedules_dirs, spec, machine, request.objective);
    for (const std::string& note : chosen.notes) {
      if (noted.insert(note).second) result.notes.push_back(note);
    }
    if (!chosen.record_path.empty()) ++result.tuned;
    Kernel kernel;
    kernel.entry = {spec, chosen.schedule, chosen.provenance, kernel_function_name(name, spec)};
    kernel.chosen = std::move(chosen);
    if (!functions.insert(kernel.entry.function_name).second) {
      throw std::runtime_error("two kernels are called '" + kernel.entry.function_name + "'");
    }
    kernels.push_back(std::move(kernel));
  }
  result.kernels = kernels.size();

  // Next to the result, so that renaming works.
  std::error_code error;
  fs::create_directories(directory.parent_path(), error);
  if (error) throw std::runtime_error("cannot make directory '" + directory.parent_path().string() + "': " + error.message());
  const OwnedDirectory work(directory.parent_path(), "." + directory.filename().string() + ".building-",
                            "choose another --out");
  const fs::path objects = work.path() / "objects", finished = work.path() / "result";
  fs::create_directories(objects);
  fs::create_directories(finished / "include");
  fs::create_directories(finished / "lib" / "cmake" / name);
  generate_all(request, objects.string(), &kernels);

  for (const Kernel& kernel : kernels) {
    if (!is_tuned(kernel) || kernel.code.match != CodeMatch::kOther) continue;
    const std::string note = kernel.chosen.record_name + " " + code_sentence(kernel.code);
    if (noted.insert(note).second) result.notes.push_back(note);
  }
  std::vector<std::string> triples;
  for (const Architecture architecture : architectures) {
    const ArchitectureRow& row = architecture_row(architecture);
    KernelsToLink linked{name, architecture, {}, {}, request.sanitizer};
    for (const Kernel& kernel : kernels) {
      if (isa_row(kernel.entry.spec.isa).architecture != architecture) continue;
      linked.entries.push_back(kernel.entry);
      linked.objects.push_back(kernel.object);
    }
    const fs::path folder = architectures.size() == 1 ? finished : finished / row.triple, linking = work.path() / row.triple;
    if (architectures.size() > 1) triples.push_back(row.triple);
    fs::create_directories(folder);
    fs::create_directories(linking);
    const LinkedKernels made = link_kernels(linked, linking.string(), folder.string(), request.cancelled);
    result.archive_bytes += made.archive_bytes;
    result.module_bytes += made.module_bytes;
  }
  write_file_atomically((finished / "include" / (name + ".h")).string(), registration_header(name));
  write_file_atomically((finished / "lib" / "cmake" / name / (name + "Config.cmake")).string(),
                        cmake_config(name, architectures));
  write_file_atomically((finished / "manifest.json").string(), json_text(manifest(request, kernels, triples, result)) + "\n");
  if (request.cancelled != nullptr && *request.cancelled) throw BuildCancelled();
  check_replaceable(directory.string());  // once more: the build took its time
  struct stat earlier;                    // its permissions stay
  if (stat(directory.c_str(), &earlier) == 0) chmod(finished.c_str(), earlier.st_mode & 07777);
  put_in_place(finished, directory);
  return result;
}

}  // namespace lookupffn
