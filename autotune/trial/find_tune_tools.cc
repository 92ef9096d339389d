#include "find_tune_tools.h"

#include <cstdlib>
#include <filesystem>
#include <initializer_list>

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

}  // namespace

TuneTools find_tune_tools(const std::string& generator) {
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
