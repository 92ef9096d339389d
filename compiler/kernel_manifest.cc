#include "kernel_manifest.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace lookupffn {

std::set<std::string> result_files(const std::string& name) {
  return {"lib" + name + ".a", "lib" + name + ".so", "include/" + name + ".h",
          "lib/cmake/" + name + "/" + name + "Config.cmake", "manifest.json"};
}

std::set<std::string> files_of_manifest(const std::string& json_text) {
  const auto manifest = nlohmann::json::parse(json_text);
  if (!manifest.at(kManifestMark).is_number()) throw std::runtime_error("it is no kernel library's manifest");
  return result_files(manifest.at("name").get<std::string>());
}

}  // namespace lookupffn
