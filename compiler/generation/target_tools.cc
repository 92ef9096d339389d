#include "target_tools.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "subprocess.h"

namespace lookupffn {
namespace {

bool is_set(const std::string& variable) {
  const char* value = std::getenv(variable.c_str());
  return value != nullptr && std::string(value).find_first_not_of(" \t") != std::string::npos;
}

// Words of the first of the variables that is set, or the program that they stand for.
std::vector<std::string> program_words(const std::vector<std::string>& variables, const std::string& otherwise,
                                       const std::string& package) {
  const auto variable = std::find_if(variables.begin(), variables.end(), is_set);
  std::istringstream text(variable == variables.end() ? otherwise : std::getenv(variable->c_str()));
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  if (find_program(words[0]).empty()) {
    throw std::runtime_error("there is no '" + words[0] + "' to make the kernel library with: `apt install " + package + "`" +
                             (variable == variables.end() ? "" : ", or mend $" + *variable));
  }
  return words;
}

}  // namespace

TargetTools target_tools(Architecture architecture) {
  const ArchitectureRow& row = architecture_row(architecture);
  std::string triple = row.triple;
  std::replace(triple.begin(), triple.end(), '-', '_');
  if (architecture == kThisArchitecture) {
    return {program_words({"CC_" + triple, "CC"}, "cc", "gcc"), program_words({"AR_" + triple, "AR"}, "ar", "gcc")};
  }
  return {program_words({"CC_" + triple}, row.compiler, row.compiler_package),
          program_words({"AR_" + triple}, row.archiver, row.compiler_package)};
}

}  // namespace lookupffn
