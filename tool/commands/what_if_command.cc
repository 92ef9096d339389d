#include "what_if_command.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "json_fields.h"
#include "model_shapes.h"
#include "prediction.h"
#include "weight_types.h"
#include "workload.h"

namespace lookupffn {
namespace {

using namespace what_if;

struct Options {
  std::string model, machine, on, check;
  std::vector<std::string> runs;
  std::string l1, l2, l3, bandwidth, l3_bandwidth, latency, compute;
  std::string isa, table_type, projection_type;
  std::vector<size_t> tokens;
  size_t threads = 0;
  bool json = false;
};

// A model file's layers, or the layer that a workload or a shape means.
std::vector<LayerShape> shapes_of(const std::string& model) {
  if (std::filesystem::exists(model)) return model_shapes(model);
  return {find_workload(model)};
}

MachineDescription changed(const MachineDescription& machine, const Options& options) {
  MachineChange change;
  change.l1 = change_factor("--l1", options.l1, Unit::kBytes, machine.l1_bytes);
  change.l2 = change_factor("--l2", options.l2, Unit::kBytes, machine.l2_bytes);
  change.l3 = change_factor("--l3", options.l3, Unit::kBytes, machine.l3_bytes);
  change.bandwidth = change_factor("--bandwidth", options.bandwidth, Unit::kNumber, machine.memory_gbps);
  change.l3_bandwidth = change_factor("--l3-bandwidth", options.l3_bandwidth, Unit::kNumber, machine.l3_gbps);
  change.latency = change_factor("--latency", options.latency, Unit::kNumber, machine.rows.back().row_ns);
  change.compute = change_factor("--compute", options.compute, Unit::kNumber, 1);
  return with_change(machine, change);
}

// The settings that are asked for, each of the run's where an option does not say.
std::vector<Setting> settings_of(const Options& options, const LayerShape& shape, const std::vector<Recorded>& run) {
  std::set<double> tokens(options.tokens.begin(), options.tokens.end());
  if (tokens.empty()) {
    for (const Recorded& recorded : run) tokens.insert(recorded.setting.tokens);
  }
  std::vector<Setting> settings;
  for (const double count : tokens) {
    Setting setting = run.front().setting;
    setting.shape = shape;
    setting.tokens = count;
    if (!options.isa.empty()) setting.isa = isa_row(options.isa).name;
    if (!options.table_type.empty()) setting.table_type = weight_type_of(options.table_type, WeightRole::kTables).name;
    if (!options.projection_type.empty()) {
      setting.projection_type = weight_type_of(options.projection_type, WeightRole::kProjections).name;
    }
    if (options.threads > 0) setting.threads = double(options.threads);
    settings.push_back(setting);
  }
  return settings;
}

nlohmann::json accuracy_json(const Accuracy& found) {
  return {{"points", found.points},
          {"errors", found.errors},
          {"median_error", found.median},
          {"worst_error", found.worst},
          {"worst_at", found.worst_at}};
}

void run_what_if(const Options& options) {
  const MachineDescription machine = load_machine(options.machine);
  std::vector<Recorded> run;
  for (const std::string& path : options.runs) {
    const std::vector<Recorded> some = load_run(path);
    run.insert(run.end(), some.begin(), some.end());
  }
  const Predictor predictor(run, machine);
  const MachineDescription other = changed(options.on.empty() ? machine : load_machine(options.on), options);
  if (!options.check.empty()) {
    const Accuracy found = accuracy(predictor, load_run(options.check), other);
    if (options.json) {
      std::printf("%s\n", json_text(accuracy_json(found)).c_str());
    } else {
      std::printf("%zu times of %s: median error %.1f %%, worst %.1f %% (%s)\n", found.points, options.check.c_str(),
                  100 * found.median, 100 * found.worst, found.worst_at.c_str());
    }
    return;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const LayerShape& shape : shapes_of(options.model)) {
    const std::vector<Setting> settings = settings_of(options, shape, run);
    if (!options.json) {
      const Setting& first = settings.front();
      std::printf("%s, %s, %s tables, %s projection, %.0f thread%s\n%7s  %-6s  %10s  %10s  %7s  bound by\n",
                  describe(shape).c_str(), first.isa.c_str(), first.table_type.c_str(), first.projection_type.c_str(),
                  first.threads, first.threads == 1 ? "" : "s", "tokens", "part", "as it is", "what if", "ratio");
    }
    for (const Setting& setting : settings) {
      for (const char* part : {"hash", "gather", "all"}) {
        if (std::none_of(run.begin(), run.end(), [&](const Recorded& recorded) { return recorded.part == part; })) continue;
        const Prediction now = predictor.predict(part, setting, machine), then = predictor.predict(part, setting, other);
        list.push_back({{"shape", describe(shape)},
                        {"isa", setting.isa},
                        {"table_type", setting.table_type},
                        {"projection_type", setting.projection_type},
                        {"threads", setting.threads},
                        {"tokens", setting.tokens},
                        {"part", part},
                        {"us_per_token", now.us},
                        {"what_if_us_per_token", then.us},
                        {"bound_by", then.bound_by},
                        {"factor", then.factor}});
        if (!options.json) {
          std::printf("%7.0f  %-6s  %7.2f us  %7.2f us  %6.2fx  %s\n", setting.tokens, part, now.us, then.us, then.us / now.us,
                      then.bound_by.c_str());
        }
      }
    }
  }
  if (options.json) std::printf("%s\n", json_text(list).c_str());
}

}  // namespace

void add_what_if_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("what-if",
                         "Predict the times of a model's kernels on a machine with other caches or rates, from a recorded run\n"
                         "(lookupffn_compare --json) and the machine's description (lookupffn_machine). See docs/what_if.md.");
  auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "Model file, a workload's name, or a shape (\"d_in=512 tables=128 ...\")");
  command->add_option("--run", options->runs, "Times that lookupffn_compare --json wrote; may be repeated")->required();
  command->add_option("--machine", options->machine, "Description of the machine of that run")->required();
  command->add_option("--on", options->on, "Description of another machine, to predict for; default: --machine's");
  command->add_option("--l1", options->l1, "First-level data cache of a core: a size (64K) or a factor (2x)");
  command->add_option("--l2", options->l2, "Second-level cache of a core: a size (4M) or a factor (2x)");
  command->add_option("--l3", options->l3, "Third-level cache: a size or a factor");
  command->add_option("--bandwidth", options->bandwidth, "Of the memory, for one core: GB/s or a factor (2x)");
  command->add_option("--l3-bandwidth", options->l3_bandwidth, "Of the third-level cache, for one core: likewise");
  command->add_option("--latency", options->latency, "To begin a row in memory: nanoseconds or a factor (0.5x)");
  command->add_option("--compute", options->compute, "Multiply-adds: a factor (2x) for more ports or a faster clock");
  command->add_option("--isa", options->isa, "ISA; default: the run's");
  command->add_option("--table-type", options->table_type, "Type of the tables; default: the run's");
  command->add_option("--projection-type", options->projection_type, "Type of the projection; default: the run's");
  command->add_option("--tokens", options->tokens, "Tokens a call, a list (1,64); default: the run's")
      ->delimiter(',')
      ->check(CLI::Range(uint64_t(1), uint64_t(1) << 40));
  command->add_option("--threads", options->threads, "Threads; default: the run's")->check(CLI::Range(size_t(1), size_t(4096)));
  command->add_option("--check", options->check,
                      "Instead of a model: predict all times of this other run, and say how far off the predictions are");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options] {
    if (options->model.empty() && options->check.empty()) throw CLI::RequiredError("model");
    run_what_if(*options);
  });
}

}  // namespace lookupffn
