#include "machine_description.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "atomic_file.h"
#include "json_fields.h"

namespace lookupffn::what_if {
namespace {

const char* const kFormat = "lookupffn machine 1";
constexpr double kLeast = 1e-9, kMost = 1e15;

double positive(const nlohmann::json& object, const char* name) { return real_field(object, name, kLeast, kMost); }

double number_in(const std::string& option, const std::string& text, const char* wanted, std::string* rest) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || !std::isfinite(value) || value <= 0) {
    throw std::runtime_error(option + " " + text + ": it must be " + wanted);
  }
  *rest = end;
  return value;
}

// How often a footprint fits: what lies about a cache's size moves with it.
double moved(const MachineDescription& machine, const MachineChange& change, double footprint) {
  const double place =
      std::clamp(std::log(footprint / machine.l2_bytes) / std::log(machine.l3_bytes / machine.l2_bytes), 0.0, 1.0);
  return footprint * std::pow(change.l2, 1 - place) * std::pow(change.l3, place);
}

}  // namespace

MachineDescription parse_machine(const std::string& text, const std::string& name) {
  try {
    const nlohmann::json json = parse_json(text);
    if (text_field(json, "format") != kFormat) throw std::runtime_error(std::string("'format' is not \"") + kFormat + "\"");
    MachineDescription machine;
    machine.cpu = text_field(json, "cpu");
    machine.cores = positive(json, "cores");
    const nlohmann::json& caches = json_field(json, "caches");
    machine.l1_bytes = positive(caches, "l1d");
    machine.l2_bytes = positive(caches, "l2");
    machine.l3_bytes = positive(caches, "l3");
    if (!(machine.l1_bytes < machine.l2_bytes && machine.l2_bytes < machine.l3_bytes)) {
      throw std::runtime_error("'caches' must grow from l1d to l3");
    }
    const nlohmann::json& stream = json_field(json, "stream_gbps");
    machine.l1_gbps = positive(stream, "l1");
    machine.l2_gbps = positive(stream, "l2");
    machine.l3_gbps = positive(stream, "l3");
    machine.memory_gbps = positive(stream, "memory");
    const nlohmann::json& all = json_field(json, "all_cores");
    machine.all_l3_gbps = positive(all, "l3_gbps");
    machine.all_memory_gbps = positive(all, "memory_gbps");
    machine.all_compute = positive(all, "compute");
    machine.all_rows = positive(all, "rows");
    for (const nlohmann::json& row : json_field(json, "rows")) {
      machine.rows.push_back({positive(row, "footprint_bytes"), positive(row, "row_ns"), positive(row, "line_ns")});
      const size_t count = machine.rows.size();
      if (count > 1 && machine.rows[count - 2].footprint_bytes >= machine.rows[count - 1].footprint_bytes) {
        throw std::runtime_error("the footprints of 'rows' must grow");
      }
    }
    if (machine.rows.size() < 2) throw std::runtime_error("'rows' must have two footprints at least");
    const nlohmann::json& gflops = json_field(json, "gflops");
    for (const auto& [arithmetic, rate] : gflops.items()) machine.gflops[arithmetic] = positive(gflops, arithmetic.c_str());
    return machine;
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(name + " is no machine description: " + error.what() + "; lookupffn_machine writes one");
  }
}

MachineDescription load_machine(const std::string& path) { return parse_machine(read_file(path), path); }

std::string machine_text(const MachineDescription& machine) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const RowTime& row : machine.rows) {
    rows.push_back({{"footprint_bytes", row.footprint_bytes}, {"row_ns", row.row_ns}, {"line_ns", row.line_ns}});
  }
  const nlohmann::ordered_json json = {
      {"format", kFormat},
      {"cpu", machine.cpu},
      {"cores", machine.cores},
      {"caches", {{"l1d", machine.l1_bytes}, {"l2", machine.l2_bytes}, {"l3", machine.l3_bytes}}},
      {"stream_gbps",
       {{"l1", machine.l1_gbps}, {"l2", machine.l2_gbps}, {"l3", machine.l3_gbps}, {"memory", machine.memory_gbps}}},
      {"all_cores",
       {{"l3_gbps", machine.all_l3_gbps},
        {"memory_gbps", machine.all_memory_gbps},
        {"compute", machine.all_compute},
        {"rows", machine.all_rows}}},
      {"rows", rows},
      {"gflops", machine.gflops}};
  return json_text(json) + "\n";
}

MachineDescription with_threads(const MachineDescription& machine, double threads) {
  if (threads > machine.cores) {
    throw std::runtime_error(std::to_string(int(threads)) + " threads: the machine described has " +
                             std::to_string(int(machine.cores)) + " cores; change \"cores\" in its description");
  }
  MachineDescription all = machine;
  if (threads <= 1) return all;
  // Cores that share units or a clock are less than so many: as much less as all of them together are.
  const auto part = [&](double together) {
    return 1 + (std::clamp(together, 1.0, machine.cores) - 1) * (threads - 1) / (machine.cores - 1);
  };
  const double own = part(machine.all_compute), of_rows = part(machine.all_rows);
  for (auto& [arithmetic, rate] : all.gflops) rate *= own;
  all.l1_gbps *= own;
  all.l2_gbps *= own;
  all.l3_gbps *= part(machine.all_l3_gbps / machine.l3_gbps);
  all.memory_gbps *= part(machine.all_memory_gbps / machine.memory_gbps);
  for (RowTime& time : all.rows) {
    const double far = machine.far(time), by = (1 - far) * own + far * of_rows;
    time.row_ns /= by;
    time.line_ns /= by;
  }
  all.l1_bytes *= threads;
  all.l2_bytes *= threads;
  return all;
}

double MachineDescription::far(const RowTime& time) const {
  const double near = rows.front().line_ns, most = rows.back().line_ns;
  return most > near ? std::clamp((time.line_ns - near) / (most - near), 0.0, 1.0) : 0;
}

MachineDescription with_change(const MachineDescription& machine, const MachineChange& change) {
  MachineDescription changed = machine;
  changed.l1_bytes *= change.l1;
  changed.l2_bytes *= change.l2;
  changed.l3_bytes *= change.l3;
  if (!(changed.l1_bytes < changed.l2_bytes && changed.l2_bytes < changed.l3_bytes)) {
    throw std::runtime_error("--l1, --l2, --l3: each cache must be larger than the one before; change the next one too");
  }
  changed.l3_gbps *= change.l3_bandwidth;
  changed.all_l3_gbps *= change.l3_bandwidth;
  changed.memory_gbps *= change.bandwidth;
  changed.all_memory_gbps *= change.bandwidth;
  for (RowTime& time : changed.rows) {
    const double far = machine.far(time), in_l3 = time.footprint_bytes > machine.l2_bytes ? 1 - far : 0;
    time.line_ns *= far / change.bandwidth + in_l3 / change.l3_bandwidth + (1 - far - in_l3);
    time.row_ns *= 1 + far * (change.latency - 1);
    time.footprint_bytes = moved(machine, change, time.footprint_bytes);
  }
  for (auto& [arithmetic, rate] : changed.gflops) rate *= change.compute;
  return changed;
}

double change_factor(const std::string& option, const std::string& text, Unit unit, double now) {
  if (text.empty()) return 1;
  const char* const wanted =
      unit == Unit::kBytes ? "a size (512K, 4M, 1.5G or bytes) or a factor (2x)" : "a number above 0 or a factor (2x)";
  std::string rest;
  const double value = number_in(option, text, wanted, &rest);
  if (rest == "x") return value;
  if (unit == Unit::kNumber && rest.empty()) return value / now;
  if (unit == Unit::kBytes) {
    if (rest.empty() && value >= 1024) return value / now;
    if (rest == "K") return value * 1024 / now;
    if (rest == "M") return value * 1024 * 1024 / now;
    if (rest == "G") return value * 1024 * 1024 * 1024 / now;
  }
  throw std::runtime_error(option + " " + text + ": it must be " + wanted);
}

}  // namespace lookupffn::what_if
