// lookupffn_machine: measures what the what-if model needs of this machine, and writes its description.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "atomic_file.h"
#include "machine.h"
#include "machine_description.h"
#include "peak_rate.h"
#include "row_reads.h"
#include "standard_output.h"

namespace lookupffn::bench {
namespace {

constexpr size_t kLookups = 128, kInputs = 512;
// A row of few lines and one of many: two equations for what a row and what a line takes.
constexpr size_t kShortRow = 256, kLongRow = 2048;
constexpr double kMilliseconds = 3;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + ptrdiff_t(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// GB/s of reading `bytes` from first to last, again and again.
double stream_gbps(size_t bytes, size_t threads, size_t rounds) {
  const StreamRead stream(bytes);
  const size_t times = std::max<size_t>(1, size_t(kMilliseconds * 1e-3 * 30e9 / double(bytes)));
  std::vector<double> seconds;
  stream.sample(threads, times);
  for (size_t round = 0; round < rounds; ++round) seconds.push_back(stream.sample(threads, times));
  return double(bytes) / median(seconds) * 1e-9;
}

// Nanoseconds a row of those picked at random from a footprint, in the fastest of the orders that read input by input.
double row_ns(size_t footprint, size_t row_bytes, size_t rounds) {
  std::vector<uint32_t> picked(kInputs * kLookups);
  std::minstd_rand random(1);
  std::uniform_int_distribution<uint32_t> any(0, uint32_t(footprint / row_bytes - 1));
  for (uint32_t& row : picked) row = any(random);
  const RowReads reads(footprint / row_bytes, row_bytes, picked.data(), kLookups, kInputs);
  std::vector<RowReads::Plan> plans;
  for (const ReadOrder& order : reads.orders(1, 1)) {
    if (order.lookups_a_pass == 0) plans.push_back(reads.plan(order, 1, 1));
  }
  std::vector<std::vector<double>> seconds(plans.size());
  for (size_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < plans.size(); ++i) {
      plans[i].sample(kInputs);
      seconds[i].push_back(plans[i].sample(kInputs));
    }
  }
  double fastest = median(seconds[0]);
  for (const auto& samples : seconds) fastest = std::min(fastest, median(samples));
  return fastest / kLookups * 1e9;
}

// What of the rows of a footprint a cache of so many bytes holds.
double share(double cache, double footprint) { return std::min(1.0, cache / footprint); }

struct RowTimes {
  double short_row = 0, long_row = 0;
};

RowTimes row_times(double footprint, size_t rounds) {
  return {row_ns(size_t(footprint), kShortRow, rounds), row_ns(size_t(footprint), kLongRow, rounds)};
}

// The times of a level, of whose rows nearer levels hold `nearer` and are read in `near`.
void fit(what_if::Level* level, RowTimes measured, double nearer, RowTimes near) {
  const double short_row = (measured.short_row - nearer * near.short_row) / (1 - nearer);
  const double long_row = (measured.long_row - nearer * near.long_row) / (1 - nearer);
  constexpr double kLine = 64, kLeast = 0.01;
  level->line_ns = std::max(kLeast, (long_row - short_row) / (double(kLongRow - kShortRow) / kLine));
  level->row_ns = std::max(kLeast, short_row - level->line_ns * double(kShortRow) / kLine);
}

RowTimes of(const what_if::Level& level) {
  const auto time = [&](size_t bytes) { return level.row_ns + double(bytes) / 64 * level.line_ns; };
  return {time(kShortRow), time(kLongRow)};
}

what_if::MachineDescription measure(size_t rounds) {
  const Machine here = this_machine();
  what_if::MachineDescription machine;
  machine.cpu = here.cpu.empty() ? "unknown" : here.cpu;
  machine.cores = here.threads;
  if (here.l1d_bytes <= 0 || here.l2_bytes <= 0 || here.l3_bytes <= 0) {
    throw std::runtime_error(
        "the system does not say how large its caches are (/sys/devices/system/cpu/cpu0/cache): write the description by hand, "
        "docs/what_if.md says how");
  }
  machine.l1_bytes = double(here.l1d_bytes);
  machine.l2_bytes = double(here.l2_bytes);
  machine.l3_bytes = double(here.l3_bytes);
  const auto say = [](const char* what) { std::cerr << "lookupffn_machine: " << what << "\n"; };
  const double in_l1 = machine.l1_bytes / 2, in_l2 = machine.l2_bytes / 2, in_l3 = machine.l3_bytes / 4,
               in_memory = 8 * machine.l3_bytes;
  say("multiply-adds");
  for (const Arithmetic arithmetic : runnable_arithmetic()) {
    std::vector<double> rates;
    for (size_t round = 0; round < rounds; ++round) rates.push_back(sample_peak_gflops(arithmetic, 1, kMilliseconds));
    machine.gflops[name_of(arithmetic)] = median(rates);
  }
  say("reading from first to last");
  machine.l1.stream_gbps = stream_gbps(size_t(in_l1), 1, rounds);
  machine.l2.stream_gbps = stream_gbps(size_t(in_l2), 1, rounds);
  machine.l3.stream_gbps = stream_gbps(size_t(in_l3), 1, rounds);
  machine.memory.stream_gbps = stream_gbps(size_t(in_memory), 1, rounds);
  const size_t cores = size_t(machine.cores);
  machine.all_l3_gbps = stream_gbps(size_t(in_l3), cores, rounds);
  machine.all_memory_gbps = stream_gbps(size_t(in_memory), cores, rounds);
  say("reading rows here and there");
  fit(&machine.l1, row_times(in_l1, rounds), 0, {});
  fit(&machine.l2, row_times(in_l2, rounds), 0, {});
  fit(&machine.l3, row_times(in_l3, rounds), share(machine.l2_bytes, in_l3), of(machine.l2));
  fit(&machine.memory, row_times(in_memory, rounds), share(machine.l3_bytes, in_memory), of(machine.l3));
  return machine;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Measures the caches, bandwidths and rates of this machine that `lookupffn what-if` reckons with. It takes some seconds.",
      "lookupffn_machine");
  std::string output;
  size_t rounds = 11;
  app.add_option("output", output, "File to write; without it the description is printed");
  app.add_option("--rounds", rounds, "Samples of each, whose median counts")->capture_default_str()->check(CLI::Range(1, 1000));
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::cerr << "lookupffn_machine: " << error.what() << "\n";
    return 2;
  }
  try {
    const std::string text = what_if::machine_text(measure(rounds));
    if (output.empty()) {
      std::cout << text;
    } else {
      write_file_atomically(output, text);
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "lookupffn_machine: " << error.what() << "\n";
    return 1;
  }
}

}  // namespace
}  // namespace lookupffn::bench

int main(int argc, char** argv) {
  lookupffn::hold_standard_streams();
  return lookupffn::written_out("lookupffn_machine", lookupffn::bench::run(argc, argv));
}
