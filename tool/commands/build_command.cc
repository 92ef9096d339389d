#include "build_command.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "compiler_family.h"
#include "generation_progress.h"
#include "installation.h"
#include "kernel_library.h"
#include "kernel_table.h"
#include "machine.h"
#include "model_shapes.h"
#include "option_checks.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

std::atomic<bool> interrupted{false};

void interrupt(int) { interrupted = true; }

struct BuildOptions {
  std::string model, directory, name, generator, sanitizer;
  std::vector<std::string> shapes, isas, schedules;
  std::vector<std::string> table_types = {"f32"}, projection_types = {"f32"};
  std::string objective = default_objective();
  int jobs = 0;
};

// "models/byte-lm.safetensors" gives "byte_lm".
std::string name_from(const std::string& model) {
  std::string name = model.empty() ? "lookupffn_kernels" : std::filesystem::path(model).stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return is_c_identifier(name) ? name : "kernels_" + name;
}

void build(const BuildOptions& options) {
  if (options.model.empty() == options.shapes.empty()) {
    throw std::runtime_error("say what to build kernels for: a model file, or --shape (one of the two)");
  }
  std::vector<LayerShape> shapes;
  if (!options.model.empty()) shapes = model_shapes(options.model);
  for (const std::string& text : options.shapes) shapes.push_back(parse_layer_shape(text));

  KernelLibraryRequest request;
  request.schedules_dirs = find_schedules(options.schedules);
  const ScheduleSpaces spaces(request.schedules_dirs);
  std::set<KernelSpec> seen;  // layers share kernels, and types share the kernels that do not depend on them
  for (const std::string& isa : resolve_isas(options.isas)) {
    for (const LayerShape& shape : shapes) {
      for (const std::string& table_type : options.table_types) {
        for (const std::string& projection_type : options.projection_types) {
          for (const KernelSpec& spec : layer_kernels(spaces, shape, isa, table_type, projection_type)) {
            if (seen.insert(spec).second) request.specs.push_back(spec);
          }
        }
      }
    }
  }
  request.name = options.name.empty() ? name_from(options.model) : options.name;
  request.directory = options.directory;
  request.origin = options.model;
  for (const std::string& shape : options.shapes) {
    request.origin += (request.origin.empty() ? "" : "; ") + describe(parse_layer_shape(shape));
  }
  request.objective = options.objective;
  request.generator = find_generator(options.generator);
  request.sanitizer = options.sanitizer;
  request.jobs = options.jobs > 0 ? options.jobs : this_machine().threads;
  request.cancelled = &interrupted;
  const auto progress = std::make_shared<GenerationProgress>(stdout);
  request.progress = [progress](size_t done, size_t total, const std::string& what) { (*progress)(done, total, what); };

  struct sigaction action = {};
  action.sa_handler = interrupt;
  action.sa_flags = SA_RESETHAND;  // a second one ends the program at once
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  KernelLibraryResult result;
  try {
    result = build_kernel_library(request);
  } catch (const BuildCancelled& cancelled) {
    std::fprintf(stderr, "\n%s\n", cancelled.what());
    throw CLI::RuntimeError(130);
  }
  for (const std::string& note : result.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  std::printf("%s: kernel library '%s', %zu kernels (%zu tuned, %zu with default schedules), %.1f MiB\n",
              options.directory.c_str(), request.name.c_str(), result.kernels, result.tuned, result.kernels - result.tuned,
              double(result.archive_bytes) / (1 << 20));
}

}  // namespace

void add_build_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("build", "Make a specialised kernel library for a model or for shapes");
  command->description(
      "Generates Halide kernels for all layers of a model, or for given shapes, and makes a directory with "
      "a\n"
      "static library, a loadable module (for --library), a header with the call that registers the kernels, "
      "a\n"
      "CMake package and a manifest. Schedules come from matching records, else they are the defaults.\n"
      "Needs the generator program (built where Halide is installed) and a C compiler.");
  const auto options = std::make_shared<BuildOptions>();
  command->add_option("MODEL", options->model, "safetensors file: kernels for all of its layers");
  command
      ->add_option("--shape", options->shapes,
                   "a layer's shape instead of a model, as \"d_in=512 d_out=512 tables=128 bits=8 projection=bh4 "
                   "block=64\"; may be repeated")
      ->allow_extra_args(false);
  command
      ->add_option("--isa", options->isas,
                   "ISAs, separated by commas; also native (this machine's widest) and all (those of this machine's "
                   "architecture). With ISAs of several architectures the result has a folder for each, such as "
                   "aarch64-linux-gnu, and --library and find_package pick theirs")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->required();
  command->add_option("--out", options->directory, "directory for the result; an earlier result is replaced")->required();
  command->add_option("--name", options->name, "the library's name, a C identifier; default: from the model's")
      ->check(not_empty());
  command->add_option("--table-type", options->table_types, "table types, separated by commas; default f32")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(weight_type_names(WeightRole::kTables)));
  command->add_option("--projection-type", options->projection_types, "projection types, likewise; default f32")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(weight_type_names(WeightRole::kProjections)));
  command
      ->add_option("--schedules", options->schedules,
                   "directory with tuned schedules, looked at before lookupffn's own; may be repeated")
      ->allow_extra_args(false);
  std::vector<std::string> objectives;
  for (const ObjectiveRow& row : kObjectives) objectives.push_back(row.name);
  command
      ->add_option("--objective", options->objective,
                   "which records come first: those tuned for calls in hot caches, with cold tables, or beside a busy "
                   "neighbour (hot, cold, busy)")
      ->check(CLI::IsMember(objectives))
      ->capture_default_str();
  command->add_option("--generator", options->generator, "the generator program, where it is not found by itself")
      ->check(not_empty());
  command->add_option("--jobs", options->jobs, "kernels generated at a time; default: the CPUs that may be used")
      ->check(whole_number(1, 1024));
  command->add_option("--sanitizer", options->sanitizer, "instrument the kernels: address, undefined or thread")
      ->check(CLI::IsMember({"address", "undefined", "thread"}));
  command->callback([options] { build(*options); });
}

}  // namespace lookupffn
