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

Level read_level(const nlohmann::json& levels, const char* name) {
  const nlohmann::json& object = json_field(levels, name);
  return {positive(object, "stream_gbps"), positive(object, "row_ns"), positive(object, "line_ns")};
}

nlohmann::ordered_json level_json(const Level& level) {
  return {{"stream_gbps", level.stream_gbps}, {"row_ns", level.row_ns}, {"line_ns", level.line_ns}};
}

[[noreturn]] void refuse(const std::string& option, const std::string& text, const char* wanted) {
  throw std::runtime_error(option + " " + text + ": it must be " + wanted);
}

// The number in front; *rest is what follows it.
double leading_number(const std::string& option, const std::string& text, const char* wanted, std::string* rest) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || !std::isfinite(value) || value <= 0) refuse(option, text, wanted);
  *rest = end;
  return value;
}

void divide(Level* level, double by) {
  level->stream_gbps *= by;
  level->row_ns /= by;
  level->line_ns /= by;
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
    const nlohmann::json& levels = json_field(json, "levels");
    machine.l1 = read_level(levels, "l1");
    machine.l2 = read_level(levels, "l2");
    machine.l3 = read_level(levels, "l3");
    machine.memory = read_level(levels, "memory");
    const nlohmann::json& all = json_field(json, "all_cores");
    machine.all_l3_gbps = positive(all, "l3_gbps");
    machine.all_memory_gbps = positive(all, "memory_gbps");
    const nlohmann::json& gflops = json_field(json, "gflops");
    for (const auto& [arithmetic, rate] : gflops.items()) machine.gflops[arithmetic] = positive(gflops, arithmetic.c_str());
    return machine;
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(name + " is no machine description: " + error.what() + "; lookupffn_machine writes one");
  }
}

MachineDescription load_machine(const std::string& path) { return parse_machine(read_file(path), path); }

std::string machine_text(const MachineDescription& machine) {
  const nlohmann::ordered_json json = {
      {"format", kFormat},
      {"cpu", machine.cpu},
      {"cores", machine.cores},
      {"caches", {{"l1d", machine.l1_bytes}, {"l2", machine.l2_bytes}, {"l3", machine.l3_bytes}}},
      {"levels",
       {{"l1", level_json(machine.l1)},
        {"l2", level_json(machine.l2)},
        {"l3", level_json(machine.l3)},
        {"memory", level_json(machine.memory)}}},
      {"all_cores", {{"l3_gbps", machine.all_l3_gbps}, {"memory_gbps", machine.all_memory_gbps}}},
      {"gflops", machine.gflops}};
  return json_text(json) + "\n";
}

MachineDescription with_threads(const MachineDescription& machine, double threads) {
  if (threads > machine.cores) {
    throw std::runtime_error(std::to_string(int(threads)) + " threads: the machine described has " +
                             std::to_string(int(machine.cores)) + " cores; change \"cores\" in its description");
  }
  MachineDescription all = machine;
  for (auto& [arithmetic, rate] : all.gflops) rate *= threads;
  divide(&all.l1, threads);
  divide(&all.l2, threads);
  const auto shared = [threads](double together, double alone) { return std::clamp(together / alone, 1.0, threads); };
  divide(&all.l3, shared(machine.all_l3_gbps, machine.l3.stream_gbps));
  divide(&all.memory, shared(machine.all_memory_gbps, machine.memory.stream_gbps));
  all.l1_bytes *= threads;
  all.l2_bytes *= threads;
  return all;
}

double changed_size(const std::string& option, const std::string& text, double now) {
  const char* const wanted = "a size (512K, 4M, 1.5G or bytes) or a factor (2x)";
  std::string rest;
  const double value = leading_number(option, text, wanted, &rest);
  if (rest == "x") return value * now;
  if (rest.empty() && value >= 1024) return value;
  if (rest == "K") return value * 1024;
  if (rest == "M") return value * 1024 * 1024;
  if (rest == "G") return value * 1024 * 1024 * 1024;
  refuse(option, text, wanted);
}

double changed_number(const std::string& option, const std::string& text, double now) {
  const char* const wanted = "a number above 0 or a factor (2x)";
  std::string rest;
  const double value = leading_number(option, text, wanted, &rest);
  if (rest == "x") return value * now;
  if (rest.empty()) return value;
  refuse(option, text, wanted);
}

}  // namespace lookupffn::what_if
