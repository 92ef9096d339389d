#include "candidate_build.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "atomic_file.h"
#include "generator_command.h"
#include "kernel_table.h"
#include "subprocess.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLeastSpace = 16 << 20;

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return "";
  const size_t start = text.rfind('\n', end);
  return text.substr(start == std::string::npos ? 0 : start + 1,
                     std::min<size_t>(end - (start == std::string::npos ? 0 : start + 1) + 1, 300));
}

fs::path temporary_folder() {
  const char* parent = std::getenv("TMPDIR");
  return parent != nullptr && *parent != '\0' ? parent : "/tmp";
}

}  // namespace

void TuneTools::check() const {
  const auto need = [this](const std::string& path, const char* what) {
    if (path.empty() || access(path.c_str(), R_OK) != 0) {
      throw std::runtime_error(std::string("cannot tune: ") + what + " is not there (" +
                               (path.empty() ? "unknown place" : path) + "); " + missing_archive);
    }
  };
  need(generator, "the generator program");
  need(measure_archive, "the measuring program's library");
  need(runtime_archive, "the static runtime library");
  for (const std::string& program : {c_compiler, linker}) {
    if (find_program(program).empty()) {
      throw std::runtime_error("cannot tune: there is no '" + program + "'; install a C++ compiler (apt install " +
                               compiler_package + ")");
    }
  }
}

CandidateBuild::CandidateBuild(const TuneTools& tools)
    : tools_(tools),
      temporary_(fs::absolute(temporary_folder()), "lookupffn-tune-",
                 "name another folder with the environment variable TMPDIR"),
      directory_(temporary_.path().string()) {
  fs::create_directories(fs::path(directory_) / "lookupffn");
  write_file_atomically(directory_ + "/lookupffn/kernels.h", kernels_header_text());
  write_file_atomically(directory_ + "/lookupffn/lookupffn.h", lookupffn_header_text());
}

std::string CandidateBuild::next_name(const char* what) { return std::string(what) + std::to_string(next_++); }

BuiltKernel CandidateBuild::generate(const KernelSpec& spec, const Schedule& schedule, double time_limit) {
  BuiltKernel kernel;
  kernel.spec = spec;
  kernel.schedule = schedule;
  kernel.function = next_name("tune_kernel_");
  const GeneratedKernel generated =
      generate_kernel(tools_.generator, spec, schedule, kernel.function, directory_, "", time_limit);
  kernel.ok = generated.ok;
  kernel.timed_out = generated.timed_out;
  kernel.error = generated.error;
  kernel.object = generated.object;
  kernel.seconds = generated.seconds;
  return kernel;
}

BuiltPair CandidateBuild::link(const BuiltKernel& incumbent, const BuiltKernel& candidate,
                               const std::vector<BuiltKernel>& companions, double time_limit) {
  BuiltPair pair;
  const std::string name = next_name("measure_");
  pair.executable = directory_ + "/" + name;
  std::vector<std::string> sources;
  try {
    for (const auto& [library, kernel] :
         {std::pair<const char*, const BuiltKernel*>{"incumbent", &incumbent}, {"candidate", &candidate}}) {
      sources.push_back(directory_ + "/" + name + "_" + library + ".c");
      std::vector<KernelTableEntry> entries = {{kernel->spec, kernel->schedule, library, kernel->function}};
      for (const BuiltKernel& companion : companions) {
        entries.push_back({companion.spec, companion.schedule, "companion", companion.function});
      }
      write_file_atomically(sources.back(), kernel_table_source(library, entries));
    }
  } catch (const std::exception& error) {
    pair.error = error.what();
    return pair;
  }
  ProcessOptions options;
  options.time_limit_seconds = time_limit;
  options.environment = {{"TMPDIR", directory_}};  // compilers that are killed leave their files behind
  const auto step = [&](const std::vector<std::string>& argv) {
    const ProcessResult process = run_process(argv, options);
    pair.seconds += process.seconds;
    if (process.ok()) return true;
    pair.error = argv[0] + " failed (" + process.what_happened() + "): " + last_line(process.err);
    return false;
  };
  std::vector<std::string> objects;
  pair.ok = true;
  for (const std::string& source : sources) {
    objects.push_back(source + ".o");
    pair.ok = pair.ok && step({tools_.c_compiler, "-I" + directory_, "-c", source, "-o", objects.back()});
  }
  if (pair.ok) {
    std::vector<std::string> argv = {tools_.linker, "-static", "-s", "-o", pair.executable, tools_.measure_archive};
    argv.insert(argv.end(), objects.begin(), objects.end());
    argv.push_back(incumbent.object);
    if (candidate.object != incumbent.object) argv.push_back(candidate.object);
    for (const BuiltKernel& companion : companions) argv.push_back(companion.object);
    argv.insert(argv.end(), {tools_.runtime_archive, "-lpthread", "-ldl", "-lm"});
    pair.ok = step(argv);
  }
  std::error_code ignored;
  for (const auto* files : {&sources, &objects}) {
    for (const std::string& file : *files) fs::remove(file, ignored);
  }
  return pair;
}

void CandidateBuild::check_directory() const {
  if (!temporary_.is_there()) {
    throw std::runtime_error("somebody removed the tuner's folder " + directory_ +
                             ": name another place with TMPDIR, and continue with --resume");
  }
  std::error_code error;
  const fs::space_info space = fs::space(directory_, error);
  if (!error && space.available < kLeastSpace) {
    throw std::runtime_error("the disk with " + fs::path(directory_).parent_path().string() +
                             " is full: free some space or name another folder with TMPDIR, and continue with --resume");
  }
}

void CandidateBuild::check_executable() const {
  struct statvfs status;
  if (statvfs(directory_.c_str(), &status) == 0 && (status.f_flag & ST_NOEXEC) != 0) {
    throw std::runtime_error("programs may not be run from " + fs::path(directory_).parent_path().string() +
                             " (mounted noexec): name another folder with the environment variable TMPDIR");
  }
}

void CandidateBuild::discard(const BuiltKernel& kernel) const {
  std::error_code ignored;
  fs::remove(kernel.object, ignored);
}

void CandidateBuild::discard(const BuiltPair& pair) const {
  std::error_code ignored;
  fs::remove(pair.executable, ignored);
}

}  // namespace lookupffn
