#include "find_tune_tools.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <stdexcept>

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

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

TuneTools cross_tools(const std::string& generator, const ArchitectureRow& row, const std::string& target) {
  if (target.empty()) {
    throw std::runtime_error(
        std::string("to tune for ") + row.name +
        ", name with --target where lookupffn was built or installed for it: " + "`scripts/target ISA` makes build/ISA");
  }
  const fs::path build = target, library = build / "lib", folder = build / "lib" / row.triple;
  TuneTools tools;
  tools.generator = generator;
  tools.measure_archive =
      first_there({build / "autotune/measure/liblookupffn_measure.a", library / "lookupffn/liblookupffn_measure.a",
                   folder / "lookupffn/liblookupffn_measure.a"});
  tools.runtime_archive = first_there({build / "runtime/liblookupffn.a", library / "liblookupffn.a", folder / "liblookupffn.a",
                                       library / "lookupffn/liblookupffn.a", folder / "lookupffn/liblookupffn.a"});
  std::string variable = row.triple;
  std::replace(variable.begin(), variable.end(), '-', '_');
  const bool native = row.architecture == kThisArchitecture;
  tools.c_compiler = variable_or(("CC_" + variable).c_str(), native ? "cc" : row.compiler);
  tools.linker = variable_or(("CXX_" + variable).c_str(), (native ? "c++" : std::string(row.triple) + "-g++").c_str());
  tools.compiler_package = std::string("g++-") + row.triple;
  return tools;
}

}  // namespace

TuneTools find_tune_tools(const std::string& generator, Architecture architecture, const std::string& target) {
  if (architecture != kThisArchitecture || !target.empty())
    return cross_tools(generator, architecture_row(architecture), target);
  std::error_code error;
  const fs::path prefix = fs::read_symlink("/proc/self/exe", error).parent_path() / "..";
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
