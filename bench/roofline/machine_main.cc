// lookupffn_machine: measures what the what-if model needs of this machine, and writes its description.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
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

constexpr size_t kLookups = 128, kInputs = 1024;
// A row of few lines and one of many: two equations for what a row and what a line takes.
constexpr size_t kShortRow = 512, kLongRow = 2048;
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

// Rows of one size, picked at random from a footprint, and the orders to read them in, input by input.
class Rows {
 public:
  Rows(size_t footprint, size_t row_bytes, size_t threads)
      : threads_(threads),
        picked_(pick(footprint / row_bytes)),
        reads_(footprint / row_bytes, row_bytes, picked_.data(), kLookups, kInputs) {
    const size_t inputs = threads;  // of a call: threads share out its rows
    for (const ReadOrder& order : reads_.orders(inputs, threads)) {
      if (order.lookups_a_pass == 0 && !order.split_columns) plans_.push_back(reads_.plan(order, inputs, threads));
    }
    times_.resize(plans_.size());
  }

  void sample() {
    for (size_t i = 0; i < plans_.size(); ++i) {
      plans_[i].sample(kInputs / threads_);
      times_[i].push_back(plans_[i].sample(kInputs / threads_));
    }
  }

  // Nanoseconds a row in the fastest order.
  double row_ns() const {
    double fastest = median(times_[0]);
    for (const auto& samples : times_) fastest = std::min(fastest, median(samples));
    return fastest / kLookups * 1e9;
  }

 private:
  static std::vector<uint32_t> pick(size_t rows) {
    std::vector<uint32_t> picked(kInputs * kLookups);
    std::minstd_rand random(1);
    std::uniform_int_distribution<uint32_t> any(0, uint32_t(rows - 1));
    for (uint32_t& row : picked) row = any(random);
    return picked;
  }

  const size_t threads_;
  const std::vector<uint32_t> picked_;
  const RowReads reads_;
  std::vector<RowReads::Plan> plans_;
  std::vector<std::vector<double>> times_;
};

// All footprints in turn, so that each finds in the caches what a kernel finds that is not alone. Sets machine->rows and
// all_rows.
void measure_rows(what_if::MachineDescription* machine, const std::vector<double>& footprints, size_t rounds) {
  std::vector<std::unique_ptr<Rows>> rows;
  for (const double footprint : footprints) {
    for (const size_t row_bytes : {kShortRow, kLongRow})
      rows.push_back(std::make_unique<Rows>(size_t(footprint), row_bytes, 1));
  }
  rows.push_back(std::make_unique<Rows>(size_t(footprints.back()), kLongRow, size_t(machine->cores)));
  for (size_t round = 0; round < rounds; ++round) {
    for (const std::unique_ptr<Rows>& one : rows) one->sample();
  }
  // Two sizes of rows are two equations for what a row and what a line takes.
  for (size_t i = 0; i < footprints.size(); ++i) {
    const double short_row = rows[2 * i]->row_ns(), long_row = rows[2 * i + 1]->row_ns();
    constexpr double kLine = 64, kLeast = 0.01;
    what_if::RowTime time;
    time.footprint_bytes = footprints[i];
    time.line_ns = std::max(kLeast, (long_row - short_row) / (double(kLongRow - kShortRow) / kLine));
    time.row_ns = std::max(kLeast, short_row - time.line_ns * double(kShortRow) / kLine);
    machine->rows.push_back(time);
  }
  machine->all_rows = rows[2 * footprints.size() - 1]->row_ns() / rows.back()->row_ns();
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
               in_memory = 4 * machine.l3_bytes;
  say("multiply-adds");
  for (const Arithmetic arithmetic : runnable_arithmetic()) {
    // A peak is the fastest that was seen.
    double one = 0, all = 0;
    for (size_t round = 0; round < rounds; ++round) {
      one = std::max(one, sample_peak_gflops(arithmetic, 1, kMilliseconds));
      all = std::max(all, sample_peak_gflops(arithmetic, size_t(machine.cores), kMilliseconds));
    }
    machine.gflops[name_of(arithmetic)] = one;
    machine.all_compute = std::max(machine.all_compute, std::min(all / one, machine.cores));
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
  std::vector<double> footprints;
  for (double footprint = in_l2; footprint <= in_memory; footprint *= 2) footprints.push_back(footprint);
  measure_rows(&machine, footprints, rounds);
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
