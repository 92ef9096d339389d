// The command-line tool.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>

#include "build_command.h"
#include "inspect_command.h"
#include "isas_command.h"
#include "run_command.h"
#include "schedules_command.h"
#include "standard_output.h"
#include "tune_command.h"
#include "types_command.h"
#include "verify_command.h"
#include "what_if_command.h"

namespace {

// One line, as all errors are.
std::string usage_error(const CLI::App* app, const CLI::Error& error) {
  const std::string command = app->get_subcommands().empty() ? "" : " " + app->get_subcommands()[0]->get_name();
  std::string line = error.what();
  std::replace(line.begin(), line.end(), '\n', ' ');
  return "lookupffn" + command + ": " + line + " (see lookupffn" + command + " --help)\n";
}

int run(int argc, char** argv) {
  CLI::App app("LookupFFN layers on a CPU: look at models, check them, run them, and make kernels for them.", "lookupffn");
  app.set_version_flag("--version", LOOKUPFFN_VERSION);
  app.require_subcommand(1);
  app.failure_message(usage_error);
  app.get_formatter()->column_width(36);
  lookupffn::add_isas_command(app);
  lookupffn::add_types_command(app);
  lookupffn::add_inspect_command(app);
  lookupffn::add_verify_command(app);
  lookupffn::add_run_command(app);
  lookupffn::add_what_if_command(app);
#ifdef LOOKUPFFN_TOOL_MAKES_KERNELS
  lookupffn::add_build_command(app);
  lookupffn::add_schedules_command(app);
  lookupffn::add_tune_command(app);
#endif
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    if (argc < 2 || !app.get_subcommands().empty()) return app.exit(error);
    std::fprintf(stderr, "lookupffn: there is no command '%s': lookupffn --help lists those that there are\n", argv[1]);
    return 1;
  } catch (const CLI::ParseError& error) {
    // Help and version end here too; a RuntimeError has said its line already.
    return app.exit(error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lookupffn: %s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  lookupffn::hold_standard_streams();
  return lookupffn::written_out("lookupffn", run(argc, argv));
}
