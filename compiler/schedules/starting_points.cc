#include "starting_points.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "isas.h"
#include "json_fields.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

constexpr uint64_t kSchema = 1;

bool same_key(const StartingPoint& a, const StartingPoint& b) {
  return a.isa == b.isa && a.batch_class == b.batch_class && a.types == b.types;
}

// How many of the row's types the problem has under their very names; nothing where one is not the problem's at all. The name
// of a type stands for the forms that it is stored in, too.
std::optional<size_t> exact_types(const StartingPoint& row, const KernelSpec& spec) {
  size_t exact = 0;
  for (const auto& [name, type] : row.types) {
    const auto found = spec.problem.find(name);
    if (found == spec.problem.end()) return std::nullopt;
    if (found->second == type) {
      ++exact;
    } else if (!find_storage(found->second) || weight_type_of(found->second).name != type) {
      return std::nullopt;
    }
  }
  return exact;
}

// Whole numbers as such: people read these files.
nlohmann::ordered_json readable(const std::map<std::string, std::string>& pairs) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [name, value] : pairs) {
    const bool number = !value.empty() && value.size() < 10 && value.find_first_not_of("0123456789") == std::string::npos;
    if (number) {
      object[name] = std::stoi(value);
    } else {
      object[name] = value;
    }
  }
  return object;
}

// One line for people: a blank behind each comma and colon.
std::string spaced_line(const nlohmann::ordered_json& object) {
  std::string line;
  std::istringstream parts(object.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  for (std::string part; std::getline(parts, part);) {
    if (!line.empty() && line.back() == ',') line += ' ';
    line += part.substr(part.find_first_not_of(' '));
  }
  return line;
}

}  // namespace

StartingPoints StartingPoints::parse(const std::string& json_text, const std::string& kernel, const std::string& name) {
  try {
    const nlohmann::json json = parse_json(json_text);
    count_field(json, "schema", kSchema, kSchema);
    if (text_field(json, "kernel") != kernel) throw std::runtime_error("it is for kernel '" + text_field(json, "kernel") + "'");
    const nlohmann::json& rows = json_field(json, "starting_points");
    if (!rows.is_array()) throw std::runtime_error("'starting_points' is no list");
    StartingPoints points;
    for (const nlohmann::json& row : rows) {
      StartingPoint point;
      point.isa = text_field(row, "isa");
      if (!find_isa(point.isa)) throw std::runtime_error("there is no ISA '" + point.isa + "'");
      point.batch_class = text_field(row, "class");
      if (row.contains("types")) point.types = pairs_field(row, "types");
      point.schedule = pairs_field(row, "schedule");
      point.provenance = pairs_field(row, "provenance");
      if (std::any_of(points.rows_.begin(), points.rows_.end(), [&](const auto& other) { return same_key(other, point); })) {
        throw std::runtime_error("the row of " + point.isa + ", " + point.batch_class + ", " + canonical_text(point.types) +
                                 " is there twice");
      }
      points.rows_.push_back(std::move(point));
    }
    return points;
  } catch (const std::exception& error) {
    throw std::runtime_error("'" + name + "' holds no starting points: " + error.what());
  }
}

const StartingPoint* StartingPoints::find(const KernelSpec& spec) const {
  for (const IsaRow* isa = &isa_row(spec.isa); isa != nullptr;) {
    const StartingPoint* best = nullptr;
    std::pair<size_t, size_t> closest;
    for (const StartingPoint& row : rows_) {
      if (row.isa != isa->name || row.batch_class != spec.batch_class) continue;
      const auto exact = exact_types(row, spec);
      const std::pair<size_t, size_t> close = {row.types.size(), exact.value_or(0)};
      if (exact && (best == nullptr || close > closest)) {
        best = &row;
        closest = close;
      }
    }
    if (best != nullptr) return best;
    const IsaRow* plainer = extended_isa(*isa);
    const bool alike =
        plainer != nullptr && plainer->vector_bytes == isa->vector_bytes && plainer->vector_registers == isa->vector_registers;
    isa = alike ? plainer : nullptr;
  }
  return nullptr;
}

void StartingPoints::put(const StartingPoint& row) {
  const auto there = std::find_if(rows_.begin(), rows_.end(), [&row](const auto& other) { return same_key(other, row); });
  if (there != rows_.end()) {
    *there = row;
  } else {
    rows_.push_back(row);
  }
}

std::string StartingPoints::text(const std::string& kernel) const {
  std::string lines;
  for (const StartingPoint& row : rows_) {
    nlohmann::ordered_json object = {{"isa", row.isa}, {"class", row.batch_class}};
    if (!row.types.empty()) object["types"] = readable(row.types);
    object["schedule"] = readable(row.schedule);
    object["provenance"] = readable(row.provenance);
    lines += (lines.empty() ? "\n    " : ",\n    ") + spaced_line(object);
  }
  return "{\n  \"schema\": " + std::to_string(kSchema) + ",\n  \"kernel\": \"" + kernel + "\",\n  \"starting_points\": [" +
         lines + "\n  ]\n}\n";
}

std::string starting_points_path(const std::string& schedules_dir, const std::string& kernel) {
  return schedules_dir + "/defaults/" + kernel + ".json";
}

StartingPoint starting_point_key(const KernelSpec& spec) {
  StartingPoint key;
  key.isa = spec.isa;
  key.batch_class = spec.batch_class;
  for (const auto& [name, value] : spec.problem) {
    if (find_storage(value) || find_weight_type(value)) key.types[name] = value;
  }
  return key;
}

}  // namespace lookupffn
