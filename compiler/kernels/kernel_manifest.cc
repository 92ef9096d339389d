#include "kernel_manifest.h"

#include <stdexcept>

#include "json_fields.h"

namespace lookupffn {

std::set<std::string> result_files(const std::string& name, const std::vector<std::string>& triples) {
  std::set<std::string> files = {"include/" + name + ".h", "lib/cmake/" + name + "/" + name + "Config.cmake", "manifest.json"};
  std::vector<std::string> folders;
  for (const std::string& triple : triples) folders.push_back(triple + "/");
  if (triples.empty()) folders = {""};
  for (const std::string& folder : folders) files.insert({folder + "lib" + name + ".a", folder + "lib" + name + ".so"});
  return files;
}

std::set<std::string> files_of_manifest(const std::string& json_text) {
  const nlohmann::json manifest = parse_json(json_text);
  if (!json_field(manifest, kManifestMark).is_number()) throw std::runtime_error("it is no kernel library's manifest");
  std::vector<std::string> triples;
  if (manifest.contains("triples")) {  // of an earlier version: none
    for (const nlohmann::json& triple : manifest.at("triples")) triples.push_back(triple.get<std::string>());
  }
  return result_files(text_field(manifest, "name"), triples);
}

}  // namespace lookupffn
