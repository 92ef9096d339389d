#include "types_command.h"

#include <cstdio>
#include <memory>

#include "json_fields.h"
#include "lookupffn/lookupffn.hpp"

namespace lookupffn {
namespace {

void print_table() {
  std::printf("%-7s %5s %-7s %-11s %s\n", "type", "bits", "tables", "projections", "what it is");
  for (const TypeInfo& type : types()) {
    std::printf("%-7s %5d %-7s %-11s %s\n", type.name, type.bits, type.for_tables ? "yes" : "no",
                type.for_projections ? "yes" : "no", type.description);
  }
}

void print_json() {
  nlohmann::json list = nlohmann::json::array();
  for (const TypeInfo& type : types()) {
    list.push_back({{"name", type.name},
                    {"description", type.description},
                    {"bits", type.bits},
                    {"for_tables", type.for_tables != 0},
                    {"for_projections", type.for_projections != 0}});
  }
  std::printf("%s\n", json_text(list).c_str());
}

}  // namespace

void add_types_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("types", "List the types that weights can be packed as");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  command->callback([json] { *json ? print_json() : print_table(); });
}

}  // namespace lookupffn
