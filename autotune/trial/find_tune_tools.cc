#include "find_tune_tools.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <stdexcept>
#include <vector>

#include "isas.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

// The first that is a file; else the first, to be named in a message.
std::string first_there(std::initializer_list<fs::path> paths) {
  std::error_code error;
  for (const fs::path& path : paths) {
    if (fs::is_regular_file(path, error)) return path.lexically_normal().string();
  }
  return paths.begin()->lexically_normal().string();
}

std::string variable_or(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

fs::path program_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

// Where a build tree or an installation below `target` may have them.
void find_archives(const fs::path& target, const ArchitectureRow& row, TuneTools* tools) {
  const fs::path folder = target / "lib" / row.triple;
  tools->measure_archive =
      first_there({target / "autotune/measure/liblookupffn_measure.a", target / "lookupffn/liblookupffn_measure.a",
                   target / "lib/lookupffn/liblookupffn_measure.a", folder / "lookupffn/liblookupffn_measure.a"});
  tools->runtime_archive =
      first_there({target / "runtime/liblookupffn.a", target / "liblookupffn.a", target / "lookupffn/liblookupffn.a",
                   target / "lib/liblookupffn.a", target / "lib/lookupffn/liblookupffn.a", folder / "liblookupffn.a",
                   folder / "lookupffn/liblookupffn.a"});
}

bool has_archives(const fs::path& target, const ArchitectureRow& row) {
  TuneTools tools;
  find_archives(target, row, &tools);
  std::error_code error;
  return fs::is_regular_file(tools.measure_archive, error) && fs::is_regular_file(tools.runtime_archive, error);
}

fs::path find_target(const std::string& isa, const ArchitectureRow& row) {
  std::vector<std::string> names = {isa};
  for (const IsaRow& other : kIsas) {
    if (other.architecture == row.architecture && other.name != isa) names.push_back(other.name);
  }
  const fs::path tree = (program_folder() / "..").lexically_normal();
  std::vector<fs::path> places;
  for (const std::string& name : names) places.insert(places.end(), {fs::path("build") / name, tree / ".." / name});
  if (program_folder().parent_path().filename() == "host_tools") places.push_back(tree / "..");  // of a cross build
  places.push_back(tree / "lib" / row.triple);
  for (const fs::path& place : places) {
    if (has_archives(place, row)) return place;
  }
  throw std::runtime_error("to tune for " + std::string(row.name) +
                           ", LookupFFN must have been built for it: `scripts/target " + isa + "` makes build/" + isa +
                           " (looked there and beside this program), or name with --target where it "
                           "was built or installed");
}

TuneTools cross_tools(const std::string& generator, const std::string& isa, const ArchitectureRow& row,
                      const std::string& target) {
  if (!row.modules) {
    throw std::runtime_error(std::string("cannot tune for ") + isa +
                             ": the measuring program is for systems that start programs, " + row.name + " is not one");
  }
  TuneTools tools;
  tools.generator = generator;
  find_archives(target.empty() ? find_target(isa, row) : fs::path(target), row, &tools);
  tools.missing_archive = std::string("name with --target where LookupFFN was built for ") + row.name + " (`scripts/target " +
                          isa + "` makes build/" + isa + ")";
  std::string variable = row.triple;
  std::replace(variable.begin(), variable.end(), '-', '_');
  const bool native = row.architecture == kThisArchitecture;
  tools.c_compiler = variable_or(("CC_" + variable).c_str(), native ? "cc" : row.compiler);
  tools.linker = variable_or(("CXX_" + variable).c_str(), (native ? "c++" : std::string(row.triple) + "-g++").c_str());
  tools.compiler_package = std::string("g++-") + row.triple;
  return tools;
}

}  // namespace

TuneTools find_tune_tools(const std::string& generator, const std::string& isa, const std::string& target) {
  const Architecture architecture = isa_row(isa).architecture;
  if (architecture != kThisArchitecture || !target.empty()) {
    return cross_tools(generator, isa, architecture_row(architecture), target);
  }
  const fs::path prefix = program_folder() / "..";
  const fs::path libraries = prefix / LOOKUPFFN_LIBRARY_FOLDER;
  TuneTools tools;
  tools.generator = generator;
  tools.measure_archive = first_there({libraries / "lookupffn/liblookupffn_measure.a", LOOKUPFFN_BUILD_MEASURE});
  tools.runtime_archive =
      first_there({libraries / "liblookupffn.a", libraries / "lookupffn/liblookupffn.a", LOOKUPFFN_BUILD_RUNTIME});
  tools.c_compiler = variable_or("CC", "cc");
  tools.linker = variable_or("CXX", "c++");
  return tools;
}

}  // namespace lookupffn
