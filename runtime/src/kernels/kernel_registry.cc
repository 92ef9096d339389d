#include "kernel_registry.h"

#include <dirent.h>
#include <dlfcn.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "architectures.h"
#include "failure.h"
#include "lookupffn/lookupffn.h"
#include "module_file.h"
#include "status.h"

namespace lookupffn {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<const lookupffn_kernel_library*> libraries;
};

Registry& registry() {
  // Never destroyed: layers may be packed while other statics go.
  static Registry* instance = new Registry;
  return *instance;
}

void register_library(const lookupffn_kernel_library* library) {
  if (!library) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_register_kernels: library is NULL");
  if (library->abi_version != LOOKUPFFN_KERNEL_ABI_VERSION) {
    // Nothing but the version can be trusted to stand where this ABI has it.
    throw Failure(LOOKUPFFN_INCOMPATIBLE_KERNELS, "a kernel library has ABI version " + std::to_string(library->abi_version) +
                                                      ", this library needs " + std::to_string(LOOKUPFFN_KERNEL_ABI_VERSION) +
                                                      ": build it again with this version's lookupffn build");
  }
  std::lock_guard<std::mutex> lock(registry().mutex);
  auto& libraries = registry().libraries;
  libraries.erase(std::remove(libraries.begin(), libraries.end(), library), libraries.end());
  libraries.push_back(library);
}

std::string reason_of_dlerror() {
  const char* reason = dlerror();
  return reason ? reason : "the loader gives no reason";
}

std::vector<std::string> modules_of(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(directory.c_str()), closedir);
  if (!dir) {
    throw Failure(LOOKUPFFN_IO_ERROR, "cannot read kernel library directory '" + directory + "': " + std::strerror(errno));
  }
  std::vector<std::string> modules;
  while (const dirent* entry = readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name.size() > 6 && name.compare(0, 3, "lib") == 0 && name.compare(name.size() - 3, 3, ".so") == 0) {
      modules.push_back(directory + "/" + name);
    }
    // A library for several architectures has a folder for each.
    if (name == architecture_row(kThisArchitecture).triple) {
      for (const std::string& module : modules_of(directory + "/" + name)) modules.push_back(module);
    }
  }
  std::sort(modules.begin(), modules.end());
  return modules;
}

}  // namespace

std::vector<RegisteredKernel> registered_kernels(const char* kernel, const char* isa, const std::string& problem) {
  std::lock_guard<std::mutex> lock(registry().mutex);
  const auto& libraries = registry().libraries;
  std::vector<RegisteredKernel> found;
  for (auto library = libraries.rbegin(); library != libraries.rend(); ++library) {
    for (uint32_t i = 0; i < (*library)->kernel_count; ++i) {
      const lookupffn_kernel& candidate = (*library)->kernels[i];
      if (std::strcmp(candidate.kernel, kernel) == 0 && std::strcmp(candidate.isa, isa) == 0 && problem == candidate.problem) {
        found.push_back({&candidate, *library});
      }
    }
  }
  return found;
}

std::string registered_library_names() {
  std::lock_guard<std::mutex> lock(registry().mutex);
  std::string names;
  for (const auto* library : registry().libraries) names += (names.empty() ? "" : ", ") + std::string(library->name);
  return names;
}

}  // namespace lookupffn

using namespace lookupffn;

extern "C" {

lookupffn_status lookupffn_register_kernels(const lookupffn_kernel_library* library) {
  return guard([&] { register_library(library); });
}

lookupffn_status lookupffn_load_kernels(const char* directory, size_t* loaded) {
  return guard([&] {
    if (loaded) *loaded = 0;
    if (!directory) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_load_kernels: directory is NULL");
    size_t count = 0;
    for (const std::string& path : modules_of(directory)) {
      check_module_file(path);
      // The module stays loaded for the rest of the process: layers point into it.
      void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (!module) throw Failure(LOOKUPFFN_IO_ERROR, "cannot load kernel library '" + path + "': " + reason_of_dlerror());
      const void* symbol = dlsym(module, LOOKUPFFN_KERNEL_LIBRARY_SYMBOL);
      if (!symbol) continue;  // some other library
      try {
        register_library(static_cast<const lookupffn_kernel_library*>(symbol));
      } catch (const Failure& failure) {
        throw Failure(failure.status(), path + ": " + failure.what());
      }
      ++count;
    }
    if (count == 0) {
      throw Failure(LOOKUPFFN_NOT_FOUND,
                    std::string("no kernel library module (lib*.so) in '") + directory + "': make one with lookupffn build");
    }
    if (loaded) *loaded = count;
  });
}

}  // extern "C"
