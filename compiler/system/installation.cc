#include "installation.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "subprocess.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

fs::path executable_directory() {
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  return executable.parent_path();
}

}  // namespace

std::string find_generator(const std::string& named) {
  const char* variable = std::getenv("LOOKUPFFN_GENERATOR");
  const bool by_variable = named.empty() && variable != nullptr && variable[0] != '\0';
  if (!named.empty() || by_variable) {
    const std::string found = find_program(by_variable ? variable : named);
    if (!found.empty()) return found;
    throw std::runtime_error(std::string(by_variable ? "$LOOKUPFFN_GENERATOR" : "--generator") + " names '" +
                             (by_variable ? variable : named) + "', which is no program that can be run");
  }
  const fs::path here = executable_directory();
  for (const fs::path& path : {here / "lookupffn_generators", here / "../libexec/lookupffn/lookupffn_generators",
                               fs::path(LOOKUPFFN_BUILD_GENERATOR)}) {
    if (!find_program(path.string()).empty()) return path.lexically_normal().string();
  }
  throw std::runtime_error(
      std::string(
          "the generator program lookupffn_generators is not here, so no kernels can be generated: build lookupffn where "
          "Halide is installed (") +
      kInstallHalide + "), or name the program with --generator");
}

std::vector<std::string> find_schedules(const std::vector<std::string>& named) {
  std::error_code error;
  std::vector<std::string> directories;
  for (const std::string& directory : named) {
    if (!fs::is_directory(directory, error)) {
      throw std::runtime_error("--schedules names '" + directory + "', which is no directory");
    }
    directories.push_back(directory);
  }
  for (const fs::path& path : {executable_directory() / "../share/lookupffn/schedules", fs::path(LOOKUPFFN_SOURCE_SCHEDULES)}) {
    if (!fs::is_directory(path, error)) continue;
    directories.push_back(path.lexically_normal().string());
    break;
  }
  if (directories.empty()) {
    throw std::runtime_error("there is no schedules directory: name lookupffn's with --schedules");
  }
  return directories;
}

}  // namespace lookupffn
