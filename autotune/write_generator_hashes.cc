// Build-time program: the source file that defines generator_hash() for the generators of a folder.
//   write_generator_hashes GENERATORS_DIR OUT
#include <cstdio>
#include <exception>
#include <filesystem>
#include <set>
#include <string>

#include "atomic_file.h"
#include "generator_sources.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s GENERATORS_DIR OUT\n", argv[0]);
    return 2;
  }
  try {
    const std::string suffix = "_generator.cc";
    std::set<std::string> kernels;
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
      const std::string name = entry.path().filename().string();
      if (name.size() <= suffix.size() || name.substr(name.size() - suffix.size()) != suffix) continue;
      kernels.insert(name.substr(0, name.size() - suffix.size()));
    }
    std::string text =
        "// Written by write_generator_hashes.\n"
        "#include \"generator_hash.h\"\n\n"
        "namespace lookupffn {\n\n"
        "std::string generator_hash(const std::string& kernel) {\n";
    for (const std::string& kernel : kernels) {
      text += "  if (kernel == \"" + kernel + "\") return \"" +
              lookupffn::generator_sources_hash(argv[1], kernel) + "\";\n";
    }
    lookupffn::write_file_atomically(argv[2], text + "  return \"\";\n}\n\n}  // namespace lookupffn\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "write_generator_hashes: %s\n", error.what());
    return 1;
  }
  return 0;
}
