#include "kernel_manifest.h"

#include <stdexcept>

#include "json_fields.h"

namespace lookupffn {

std::set<std::string> result_files(const std::string& name) {
  return {"lib" + name + ".a", "lib" + name + ".so", "include/" + name + ".h",
          "lib/cmake/" + name + "/" + name + "Config.cmake", "manifest.json"};
}

std::set<std::string> files_of_manifest(const std::string& json_text) {
  const nlohmann::json manifest = parse_json(json_text);
  if (!json_field(manifest, kManifestMark).is_number()) throw std::runtime_error("it is no kernel library's manifest");
  return result_files(text_field(manifest, "name"));
}

}  // namespace lookupffn
