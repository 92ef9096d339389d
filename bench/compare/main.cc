// lookupffn_compare: this library against what one could use instead, and against what the machine allows.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <stdexcept>

#include "atomic_file.h"
#include "bounds.h"
#include "compared_family.h"
#include "compiler_family.h"
#include "isa_target.h"
#include "meter.h"
#include "number_range.h"
#include "one_cpu_set.h"
#include "result.h"
#include "standard_output.h"
#include "verify.h"
#include "weight_types.h"
#include "workload.h"
#include "workload_kernels_of_build.h"

namespace lookupffn::bench {
namespace {

struct Options {
  std::string workload = "small512_t128", codes = "random", isa, library, json, plot;
  std::vector<size_t> tokens = {1, 8, 64, 512, 2048};
  std::vector<std::string> table_types = {"f32"}, projection_types = {"f32"}, contenders;
  size_t threads = 1, samples = 11;
};

// "avx512 f32": the arithmetic on floats of the widest of an ISA and those that it extends.
std::string f32_arithmetic_of(const std::string& isa) {
  std::string widest;
  const IsaRow* const known = find_isa(isa);  // a peer's may be "native"
  if (!known) return widest;
  for (const IsaRow* row : isa_lineage(*known)) {
    const std::string name = std::string(row->name) + " f32";
    for (const Arithmetic arithmetic : runnable_arithmetic()) {
      if (name == name_of(arithmetic)) widest = name;
    }
  }
  return widest;
}

using Computes = ContenderKind::Computes;

const char* type_name(lookupffn_type type) { return weight_type(type).name; }

// "a, b, c", of all contenders of all families, each once.
std::string contender_names(const std::vector<ContenderKind>& kinds) {
  std::string names;
  for (const ContenderKind& kind : kinds) names += (names.empty() ? "" : ", ") + kind.name;
  return names;
}

std::vector<ContenderKind> choose_contenders(const ComparedFamily& family, const LayerShape& shape,
                                             const std::vector<std::string>& names) {
  std::vector<ContenderKind> all = contender_kinds(family), chosen;
  const std::string known = contender_names(all);
  for (const std::string& name : names) {
    if (std::none_of(all.begin(), all.end(), [&](const ContenderKind& kind) { return kind.name == name; })) {
      throw std::invalid_argument("unknown contender '" + name + "'; of family " + family.name + " there are " + known);
    }
  }
  for (ContenderKind& kind : all) {
    const bool wanted = names.empty() || std::find(names.begin(), names.end(), kind.name) != names.end();
    if (!wanted || (kind.takes && !kind.takes(shape))) continue;
    if (kind.missing.empty()) {
      chosen.push_back(std::move(kind));
    } else {
      std::cerr << "skipped " << kind.name << " (" << kind.about << "): " << kind.missing << "\n";
    }
  }
  if (chosen.empty()) throw std::invalid_argument("none of the contenders asked for can run this workload here");
  return chosen;
}

// A contender that was made, with what was asked of it.
struct Entrant {
  const ContenderKind* kind;
  Types types;
  std::unique_ptr<Contender> contender;

  bool ours() const { return kind->computes == Computes::kOurs; }
  const std::vector<Part>& parts(const ComparedLayer& layer) const { return ours() ? layer.parts : kind->parts; }
};

std::vector<Entrant> make_entrants(const std::vector<ContenderKind>& kinds, const Options& options, const Setting& setting,
                                   const ComparedLayer& layer) {
  std::vector<Entrant> entrants;
  for (const ContenderKind& kind : kinds) {
    if (kind.computes != Computes::kOurs) {
      entrants.push_back({&kind, {}, kind.make(layer, setting, {})});
      continue;
    }
    for (const std::string& projection : options.projection_types) {
      for (const std::string& table : options.table_types) {
        const Types types = {weight_type_of(table, WeightRole::kTables).type,
                             weight_type_of(projection, WeightRole::kProjections).type};
        entrants.push_back({&kind, types, kind.make(layer, setting, types)});
      }
    }
  }
  return entrants;
}

Bounds::Needs needs_of(const Entrant& entrant, Part part, const ComparedLayer& layer) {
  Bounds::Needs needs;
  if (entrant.kind->computes == Computes::kDense) {
    const WeightType& type = weight_type_of(entrant.kind->weight_type);
    needs.hash_flops = layer.dense.flops();
    needs.weights = weight_bytes(type, layer.dense.weights());
    if (type.rounding > 0) {  // the fastest bf16 there is, that is the last of the list
      for (Arithmetic arithmetic : runnable_arithmetic()) needs.hash_arithmetic = name_of(arithmetic);
    }
    return needs;
  }
  const LayerWork work = layer_work({layer.shape, type_name(entrant.types.table), type_name(entrant.types.projection)});
  const auto add_rows = [&](const Work& of) {
    needs.row_bytes += of.row_bytes;
    needs.rows.push_back(whole_lines(of.row_bytes / double(layer.lookups())));
  };
  const std::string isa = entrant.contender->isa();
  if (entrant.ours()) needs.f32_arithmetic = f32_arithmetic_of(isa);
  needs.hash_arithmetic = needs.f32_arithmetic;
  if (part != Part::kGather) {
    needs.hash_flops = work.addresser.flops;
    needs.weights = work.addresser.weight_bytes;
    if (layer.addresser_reads_rows) add_rows(work.addresser);
    // vdpbf16ps is not faster than an f32 FMA on every CPU; a kernel may use either. On tiles see the AMX
    // rate.
    if (entrant.ours() && isa_has(isa, kTiles) && weight_type(entrant.types.projection).parts > 0) {
      needs.hash_arithmetic = "amx bf16";
    }
  }
  if (part != Part::kHash) {
    needs.f32_flops = work.retriever.flops;
    add_rows(work.retriever);
  }
  return needs;
}

struct Entry {
  const Entrant* entrant;
  Part part;
  Bounds::Needs needs;
  std::unique_ptr<Meter> meter;
};

std::vector<Result> compare_at(size_t tokens, const Options& options, const Setting& setting, const ComparedLayer& layer,
                               std::vector<Entrant>& entrants) {
  Bounds bounds(layer, setting, tokens);
  std::vector<Entry> entries;
  for (Entrant& entrant : entrants) {
    Contender& contender = *entrant.contender;
    contender.set_tokens(tokens);
    try {
      verify_contender(*entrant.kind, entrant.parts(layer), contender, layer, entrant.types, tokens);
    } catch (const std::exception& error) {
      throw std::runtime_error(entrant.kind->name + ", " + type_name(entrant.types.table) + " tables, " +
                               type_name(entrant.types.projection) + " projection, " + std::to_string(tokens) +
                               " a call: " + error.what());
    }
    for (Part part : entrant.parts(layer)) {
      Entry entry = {&entrant, part, needs_of(entrant, part, layer), nullptr};
      bounds.add(entry.needs);
      entry.meter =
          std::make_unique<Meter>(time_calls([&contender, part, tokens](size_t first) { contender.run(part, first, tokens); },
                                             tokens, layer.ring.tokens, setting.threads));
      entries.push_back(std::move(entry));
    }
  }
  std::vector<Meter*> meters = bounds.meters();
  for (Entry& entry : entries) meters.push_back(entry.meter.get());
  sample_in_turn(meters, options.samples, setting.threads);

  std::vector<Result> results;
  for (const Entry& entry : entries) {
    const Entrant& entrant = *entry.entrant;
    const ContenderKind& kind = *entrant.kind;
    const double us = entry.meter->median();
    const Bound bound = bounds.bound(entry.needs);
    Result result;
    result.family = layer.shape.family;
    result.workload = layer.name;
    result.codes = options.codes;
    result.unit = layer.unit;
    result.tokens = tokens;
    result.threads = setting.threads;
    result.isa = entrant.contender->isa();
    result.table_type = entrant.ours() ? type_name(entrant.types.table) : kind.weight_type;
    result.projection_type = entrant.ours() ? type_name(entrant.types.projection) : kind.weight_type;
    result.contender = kind.name;
    result.part = name_of(entry.part);
    result.ours = entrant.ours();
    result.us_per_token = us;
    result.spread = entry.meter->spread();
    result.gflops = (entry.needs.hash_flops + entry.needs.f32_flops) / us * 1e-3;
    result.gbytes_per_s = (entry.needs.row_bytes + entry.needs.weights / double(tokens)) / us * 1e-3;
    result.bound = bound.us_per_token;
    result.bound_by = bound.by;
    result.schedule = entrant.contender->schedule();
    results.push_back(std::move(result));
  }
  std::cout << table_of(results);
  for (const std::string& line : bounds.describe()) std::cout << "         " << line << "\n";
  std::cout << "\n" << std::flush;
  return results;
}

void compare(const Options& options) {
  const LayerShape shape = find_workload(options.workload);
  const ComparedFamily& family = compared_family(shape.family);
  for (const std::string& name : options.table_types) weight_type_of(name, WeightRole::kTables);
  for (const std::string& name : options.projection_types) weight_type_of(name, WeightRole::kProjections);
  if (!options.isa.empty()) isa_target(options.isa);  // whether or not a contender takes one
  const std::vector<ContenderKind> kinds = choose_contenders(family, shape, options.contenders);
  if (register_workload_kernels() != LOOKUPFFN_OK) throw std::runtime_error(lookupffn_last_message());
  if (!options.library.empty()) load_kernels(options.library);

  const size_t largest = *std::max_element(options.tokens.begin(), options.tokens.end());
  const std::unique_ptr<ComparedLayer> layer = family.layer(options.workload, shape, {options.codes, largest});
  layer->finish();
  const Setting setting = {options.threads, largest, options.isa};
  std::vector<Entrant> entrants = make_entrants(kinds, options, setting, *layer);

  const std::string threads = std::to_string(options.threads) + (options.threads == 1 ? " thread" : " threads");
  std::cout << layer->name << " (" << describe(shape) << "), " << layer->facts << ", " << threads << ", " << options.samples
            << " samples in turn, medians\n"
            << "set for all: " << environment() << "\n";
  for (Entrant& entrant : entrants) {
    Contender& contender = *entrant.contender;
    contender.set_tokens(options.tokens.front());
    std::cout << entrant.kind->name << ", ";
    if (entrant.ours()) {
      std::cout << type_name(entrant.types.table) << " tables, " << type_name(entrant.types.projection)
                << " projection: " << contender.isa() << ", " << threads << ", " << contender.variant() << ", ";
    } else {
      std::cout << entrant.kind->about << ": " << contender.isa() << ", " << threads << ", ";
    }
    std::cout << contender.schedule() << "\n";
    if (!contender.note().empty()) std::cout << "  fallback: " << contender.note() << "\n";
    if (!contender.pages().empty()) std::cout << "  its weights lie on " << contender.pages() << "\n";
  }
  std::cout << "\n";

  std::vector<Result> results;
  for (size_t tokens : options.tokens) {
    std::vector<Result> some = compare_at(tokens, options, setting, *layer, entrants);
    results.insert(results.end(), some.begin(), some.end());
  }
  if (!options.json.empty()) write_file_atomically(options.json, json_of(results));
  if (!options.plot.empty()) write_file_atomically(options.plot, plot_of(results));
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Times a layer of this library and what one could use instead in turn, in one process, each verified against\n"
      "the formulas in float64 first, and measures what the machine would allow.",
      "lookupffn_compare");
  std::string workload_names, contenders;
  for (const Workload& workload : workloads()) workload_names += " " + workload.name;
  for (const ComparedFamily* family : compared_families()) {
    contenders +=
        (contenders.empty() ? "" : "; ") + std::string(family->name) + ": " + contender_names(contender_kinds(*family));
  }
  const WholeNumber tokens{1, kMostTokens}, threads{1, 4096}, samples{1, 100'000};
  const auto not_empty = [](const std::string& text) { return std::string(text.empty() ? "its value is empty" : ""); };
  app.add_option("--workload", options.workload, "One of:" + workload_names + "; or a shape (\"family=fff d_in=64 rows=15\")")
      ->check(not_empty)
      ->capture_default_str();
  app.add_option("--tokens", options.tokens, "Tokens, or bags of ids, a call, a list (1,64)")
      ->capture_default_str()
      ->delimiter(',')
      ->check(tokens, tokens.range());
  app.add_option("--threads", options.threads, "Threads and CPUs, the same for all")
      ->capture_default_str()
      ->check(threads, threads.range());
  app.add_option("--table-type", options.table_types, "Ours: a list of " + weight_type_list(WeightRole::kTables))
      ->capture_default_str()
      ->delimiter(',');
  app.add_option("--projection-type", options.projection_types, "Ours: a list of f32, bf16x3, bf16")
      ->capture_default_str()
      ->delimiter(',');
  app.add_option("--isa", options.isa, "Ours: the ISA (lookupffn isas lists them); default: the active one")->check(not_empty);
  app.add_option("--library", options.library, "Ours: folder of a kernel library that `lookupffn build` made")
      ->check(not_empty);
  app.add_option("--contender", options.contenders, "A list, default all that are built in; " + contenders)->delimiter(',');
  app.add_option("--codes", options.codes, "random, or of LookupFFN skewed: spread like the trained byte model's")
      ->capture_default_str();
  app.add_option("--samples", options.samples, "Samples of each, taken in turn")
      ->capture_default_str()
      ->check(samples, samples.range());
  app.add_option("--json", options.json, "Write the results to this file")->check(not_empty);
  app.add_option("--plot", options.plot, "Draw them to this SVG file")->check(not_empty);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::cerr << "lookupffn_compare: " << error.what() << "\n";
    return 2;
  }
  try {
    pin_and_restart(options.threads, argv);
    compare(options);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "lookupffn_compare: " << error.what() << "\n";
    return 1;
  }
}

}  // namespace
}  // namespace lookupffn::bench

int main(int argc, char** argv) {
  lookupffn::hold_standard_streams();
  return lookupffn::written_out("lookupffn_compare", lookupffn::bench::run(argc, argv));
}
