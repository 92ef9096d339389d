// lookupffn_machine: measures what the what-if model needs of this machine, and writes its description.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
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
constexpr size_t kNeighbourBytes = size_t(256) << 20;  // more than caches hold

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

// Two sizes of rows are two equations for what a row and what a line takes.
what_if::RowTime row_time(double footprint, size_t rounds) {
  const double short_row = row_ns(size_t(footprint), kShortRow, rounds), long_row = row_ns(size_t(footprint), kLongRow, rounds);
  constexpr double kLine = 64, kLeast = 0.01;
  what_if::RowTime time;
  time.footprint_bytes = footprint;
  time.line_ns = std::max(kLeast, (long_row - short_row) / (double(kLongRow - kShortRow) / kLine));
  time.row_ns = std::max(kLeast, short_row - time.line_ns * double(kShortRow) / kLine);
  return time;
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
  const double in_l1 = machine.l1_bytes / 2, in_l2 = machine.l2_bytes / 2, in_l3 = 4 * machine.l2_bytes,
               in_memory = 8 * machine.l3_bytes;
  say("multiply-adds");
  for (const Arithmetic arithmetic : runnable_arithmetic()) {
    std::vector<double> rates;
    for (size_t round = 0; round < rounds; ++round) rates.push_back(sample_peak_gflops(arithmetic, 1, kMilliseconds));
    machine.gflops[name_of(arithmetic)] = median(rates);
  }
  say("reading from first to last");
  machine.l1_gbps = stream_gbps(size_t(in_l1), 1, rounds);
  machine.l2_gbps = stream_gbps(size_t(in_l2), 1, rounds);
  machine.l3_gbps = stream_gbps(size_t(in_l3), 1, rounds);
  machine.memory_gbps = stream_gbps(size_t(in_memory), 1, rounds);
  const size_t cores = size_t(machine.cores);
  machine.all_l3_gbps = stream_gbps(size_t(in_l3), cores, rounds);
  machine.all_memory_gbps = stream_gbps(size_t(in_memory), cores, rounds);
  say("reading rows here and there");
  // Twice as much each time: a cache that others use too holds less than it is large, and how much shows.
  for (double footprint = in_l2; footprint <= in_memory; footprint *= 2) machine.rows.push_back(row_time(footprint, rounds));
  return machine;
}

void occupy_memory(double seconds) {
  const StreamRead stream(kNeighbourBytes);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) stream.sample(1, 1);
}

int run(int argc, char** argv) {
  CLI::App app(
      "Measures the caches, bandwidths and rates of this machine that `lookupffn what-if` reckons with. It takes some seconds.",
      "lookupffn_machine");
  std::string output;
  size_t rounds = 11;
  double occupy = 0;
  app.add_option("output", output, "File to write; without it the description is printed");
  app.add_option("--rounds", rounds, "Samples of each, whose median counts")->capture_default_str()->check(CLI::Range(1, 1000));
  app.add_option("--occupy", occupy, "Instead: read memory for so many seconds, as a neighbour that others are measured beside")
      ->check(CLI::Range(0.1, 1e6));
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::cerr << "lookupffn_machine: " << error.what() << "\n";
    return 2;
  }
  try {
    if (occupy > 0) {
      occupy_memory(occupy);
      return 0;
    }
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
