// lookupffn_compare: this library against what one could use instead, and against what the machine allows.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <stdexcept>

#include "atomic_file.h"
#include "bounds.h"
#include "contender.h"
#include "isa_target.h"
#include "meter.h"
#include "number_range.h"
#include "one_cpu_set.h"
#include "result.h"
#include "standard_output.h"
#include "verify.h"

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

std::vector<ContenderKind> choose_contenders(const std::vector<std::string>& names) {
  std::vector<ContenderKind> all = contender_kinds(), chosen;
  std::string known;
  for (const ContenderKind& kind : all) known += (known.empty() ? "" : ", ") + kind.name;
  for (const std::string& name : names) {
    if (std::none_of(all.begin(), all.end(), [&](const ContenderKind& kind) { return kind.name == name; })) {
      throw std::invalid_argument("unknown contender '" + name + "'; there are " + known);
    }
  }
  for (ContenderKind& kind : all) {
    if (!names.empty() && std::find(names.begin(), names.end(), kind.name) == names.end()) continue;
    if (kind.missing.empty()) {
      chosen.push_back(std::move(kind));
    } else {
      std::cerr << "skipped " << kind.name << " (" << kind.about << "): " << kind.missing << "\n";
    }
  }
  if (chosen.empty()) throw std::invalid_argument("none of the contenders asked for can run here");
  return chosen;
}

// A contender that was made, with what was asked of it.
struct Entrant {
  const ContenderKind* kind;
  Types types;
  std::unique_ptr<Contender> contender;
};

std::vector<Entrant> make_entrants(const std::vector<ContenderKind>& kinds, const Options& options, const Setting& setting) {
  std::vector<Entrant> entrants;
  for (const ContenderKind& kind : kinds) {
    if (kind.name == "libxsmm" && setting.layer.workload.projection != LOOKUPFFN_BH4) continue;
    if (!kind.takes_types) {
      entrants.push_back({&kind, {}, kind.make(setting, {})});
      continue;
    }
    for (const std::string& projection : options.projection_types) {
      for (const std::string& table : options.table_types) {
        const Types types = {weight_type_of(table, WeightRole::kTables).type,
                             weight_type_of(projection, WeightRole::kProjections).type};
        entrants.push_back({&kind, types, kind.make(setting, types)});
      }
    }
  }
  return entrants;
}

double flops_of(const ContenderKind& kind, Part part, const Workload& workload) {
  if (kind.computes == Computes::kDenseFfn) return workload.dense_ffn().flops;
  return (part != Part::kGather ? workload.hash_flops() : 0) + (part != Part::kHash ? workload.gather_flops() : 0);
}

Bounds::Needs needs_of(const Entrant& entrant, Part part, const Workload& workload) {
  Bounds::Needs needs;
  if (entrant.kind->computes == Computes::kDenseFfn) {
    const bool bf16 = entrant.kind->weight_type == "bf16";
    needs.hash_flops = workload.dense_ffn().flops;
    needs.weights = workload.dense_ffn(entrant.kind->weight_type).weight_bytes;
    if (bf16) {  // the fastest bf16 there is, that is the last of the list
      for (Arithmetic arithmetic : runnable_arithmetic()) needs.hash_arithmetic = name_of(arithmetic);
    }
    return needs;
  }
  const std::string isa = entrant.contender->isa();
  const bool ours = entrant.kind->takes_types;
  if (ours) needs.f32_arithmetic = f32_arithmetic_of(isa);
  needs.hash_arithmetic = needs.f32_arithmetic;
  if (part != Part::kGather) {
    needs.hash_flops = workload.hash_flops();
    needs.weights = workload.projection_bytes(entrant.types.projection);
    // vdpbf16ps is not faster than an f32 FMA on every CPU; a kernel may use either. On tiles see the AMX
    // rate.
    if (ours && isa_has(isa, kTiles) && weight_type(entrant.types.projection).parts > 0) needs.hash_arithmetic = "amx bf16";
  }
  if (part != Part::kHash) {
    needs.f32_flops = workload.gather_flops();
    needs.rows = true;
    needs.row_type = entrant.types.table;
  }
  return needs;
}

struct Entry {
  const Entrant* entrant;
  Part part;
  Bounds::Needs needs;
  std::unique_ptr<Meter> meter;
};

std::vector<Result> compare_at(size_t tokens, const Options& options, const Setting& setting, std::vector<Entrant>& entrants) {
  const Workload& workload = setting.layer.workload;
  Bounds bounds(setting, tokens);
  std::vector<Entry> entries;
  for (Entrant& entrant : entrants) {
    Contender& contender = *entrant.contender;
    contender.set_tokens(tokens);
    try {
      verify_contender(*entrant.kind, contender, setting, entrant.types, tokens);
    } catch (const std::exception& error) {
      throw std::runtime_error(entrant.kind->name + ", " + name_of(entrant.types.table) + " tables, " +
                               name_of(entrant.types.projection) + " projection, " + std::to_string(tokens) +
                               " tokens: " + error.what());
    }
    for (Part part : entrant.kind->parts) {
      Entry entry = {&entrant, part, needs_of(entrant, part, workload), nullptr};
      if (entry.needs.weights > 0) bounds.add_weights(entry.needs.weights);
      if (entry.needs.rows) bounds.add_rows(entry.needs.row_type);
      entry.meter = std::make_unique<Meter>(time_calls(
          [&contender, part, tokens](size_t first) { contender.run(part, first, tokens); }, tokens, setting.ring.tokens));
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
    const double rows = entry.needs.rows ? workload.row_bytes_a_token(entry.needs.row_type) : 0;
    Result result;
    result.workload = workload.name;
    result.codes = options.codes;
    result.tokens = tokens;
    result.threads = setting.threads;
    result.isa = entrant.contender->isa();
    result.table_type = kind.takes_types ? name_of(entrant.types.table) : kind.weight_type;
    result.projection_type = kind.takes_types ? name_of(entrant.types.projection) : kind.weight_type;
    result.contender = kind.name;
    result.part = name_of(entry.part);
    result.us_per_token = us;
    result.spread = entry.meter->spread();
    result.gflops = flops_of(kind, entry.part, workload) / us * 1e-3;
    result.gbytes_per_s = (rows + entry.needs.weights / tokens) / us * 1e-3;
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
  const Workload& workload = find_workload(options.workload);
  const Codes codes = codes_of_name(options.codes);
  for (const std::string& name : options.table_types) weight_type_of(name, WeightRole::kTables);
  for (const std::string& name : options.projection_types) weight_type_of(name, WeightRole::kProjections);
  if (!options.isa.empty()) isa_target(options.isa);  // whether or not a contender takes one
  const std::vector<ContenderKind> kinds = choose_contenders(options.contenders);
  if (register_workload_kernels() != LOOKUPFFN_OK) throw std::runtime_error(lookupffn_last_message());
  if (!options.library.empty() && lookupffn_load_kernels(options.library.c_str(), nullptr) != LOOKUPFFN_OK) {
    throw std::runtime_error(lookupffn_last_message());
  }

  const size_t largest = *std::max_element(options.tokens.begin(), options.tokens.end());
  const SyntheticLayer layer = make_synthetic_layer(workload, codes);
  const DenseFfn ffn = make_dense_ffn(workload.d);
  const TokenRing ring = make_token_ring(layer, largest);
  const Setting setting = {layer, ffn, ring, options.threads, largest, options.isa};
  std::vector<Entrant> entrants = make_entrants(kinds, options, setting);
  if (entrants.empty()) throw std::invalid_argument("none of the contenders asked for computes this workload");

  std::cout << workload.name << ", " << options.codes << " codes, " << options.threads
            << (options.threads == 1 ? " thread" : " threads") << ", " << options.samples
            << " samples in turn, medians; dense FFNs are timed without, the others with LayerNorm\n";
  for (const Entrant& entrant : entrants) {
    if (!entrant.kind->takes_types) continue;
    const Contender& ours = *entrant.contender;
    std::cout << entrant.kind->name << ", " << name_of(entrant.types.table) << " tables, " << name_of(entrant.types.projection)
              << " projection: " << ours.isa() << ", " << options.threads << (options.threads == 1 ? " thread, " : " threads, ")
              << ours.variant() << ", " << ours.schedule() << "\n";
    if (!ours.note().empty()) std::cout << "  fallback: " << ours.note() << "\n";
  }
  std::cout << "\n";

  std::vector<Result> results;
  for (size_t tokens : options.tokens) {
    std::vector<Result> some = compare_at(tokens, options, setting, entrants);
    results.insert(results.end(), some.begin(), some.end());
  }
  if (!options.json.empty()) write_file_atomically(options.json, json_of(results));
  if (!options.plot.empty()) write_file_atomically(options.plot, plot_of(results));
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Times this library and what one could use instead in turn, in one process, each verified against the "
      "formulas\n"
      "in float64 first, and measures what the machine would allow.",
      "lookupffn_compare");
  std::string workload_names, contender_names;
  for (const Workload& workload : workloads()) workload_names += " " + workload.name;
  for (const ContenderKind& kind : contender_kinds()) contender_names += " " + kind.name;
  const WholeNumber tokens{1, kMostTokens}, threads{1, 4096}, samples{1, 100'000};
  const auto not_empty = [](const std::string& text) { return std::string(text.empty() ? "its value is empty" : ""); };
  app.add_option("--workload", options.workload, "One of:" + workload_names)->capture_default_str();
  app.add_option("--tokens", options.tokens, "Tokens a call, a list (1,64)")
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
  app.add_option("--contender", options.contenders, "A list, default all that are built in, of:" + contender_names)
      ->delimiter(',');
  app.add_option("--codes", options.codes, "random, or skewed: spread like the trained byte model's")->capture_default_str();
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
