#include "isas_command.h"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "json_fields.h"
#include "lookupffn/lookupffn.hpp"

namespace lookupffn {
namespace {

void print_table() {
  std::printf("%-12s %-9s %-9s %-7s %s\n", "ISA", "built in", "runs here", "active", "what it is");
  for (const IsaInfo& isa : isas()) {
    std::printf("%-12s %-9s %-9s %-7s %s%s%s%s\n", isa.name, isa.built_in ? "yes" : "no", isa.runnable ? "yes" : "no",
                isa.active ? "yes" : "", isa.description, *isa.missing ? " (" : "", isa.missing, *isa.missing ? ")" : "");
  }
}

void print_json() {
  nlohmann::json list = nlohmann::json::array();
  for (const IsaInfo& isa : isas()) {
    list.push_back({{"name", isa.name},
                    {"description", isa.description},
                    {"built_in", isa.built_in != 0},
                    {"runnable", isa.runnable != 0},
                    {"missing", isa.missing},
                    {"active", isa.active != 0}});
  }
  std::printf("%s\n", json_text(list).c_str());
}

}  // namespace

void add_isas_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("isas", "List the ISAs: built in, runnable on this machine, active");
  command->footer("The active ISA is the widest that runs here, unless the environment variable LOOKUPFFN_ISA names another.");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  command->callback([json] {
    if (*json) {
      print_json();
    } else {
      print_table();
    }
    active_isa();  // LOOKUPFFN_ISA may name one that cannot be had: say so, and fail
  });
}

}  // namespace lookupffn
