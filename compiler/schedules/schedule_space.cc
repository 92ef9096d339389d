#include "schedule_space.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

#include "atomic_file.h"
#include "content_hash.h"
#include "isa_target.h"
#include "isas.h"
#include "json_fields.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

using Json = nlohmann::json;

constexpr int kSpaceSchema = 1;

std::string value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer() || value.is_boolean()) return value.dump();
  throw std::runtime_error("a value is neither a whole number, a text nor a truth value: " + json_line(value));
}

const Json& member(const Json& object, const char* name, Json::value_t type) {
  const auto found = object.find(name);
  if (found == object.end()) throw std::runtime_error(std::string("'") + name + "' is missing");
  if (found->type() != type) throw std::runtime_error(std::string("'") + name + "' has the wrong type");
  return *found;
}

std::string text_member(const Json& object, const char* name) {
  return member(object, name, Json::value_t::string).get<std::string>();
}

Value parameter_value(const std::string& text) {
  if (text == "true") return Value::from_number(1);
  if (text == "false") return Value::from_number(0);
  return Value::from_text(text);
}

std::string listed(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
  return text;
}

// Refuses an expression that mentions a name which has no value yet where it is evaluated.
void check_names(const Condition& condition, const std::set<std::string>& unknown_yet, const std::string& where) {
  for (const std::string& name : condition.variables()) {
    if (unknown_yet.count(name)) {
      throw std::runtime_error(where + " \"" + condition.expression() + "\" uses '" + name + "', which is not known there");
    }
  }
}

std::vector<ScheduleSpace::BatchClass> batch_classes_from(const Json& json) {
  std::vector<ScheduleSpace::BatchClass> classes;
  if (!json.contains("classes")) return {{"any", 0, std::numeric_limits<uint32_t>::max()}};
  uint64_t next = 1;
  for (const Json& entry : member(json, "classes", Json::value_t::array)) {
    ScheduleSpace::BatchClass batch;
    batch.name = text_member(entry, "name");
    const auto number = [&entry](const char* name, uint32_t otherwise) {
      if (!entry.contains(name)) return otherwise;
      const uint64_t value = member(entry, name, Json::value_t::number_unsigned).get<uint64_t>();
      if (value > std::numeric_limits<uint32_t>::max()) throw std::runtime_error(std::string(name) + " is too large");
      return uint32_t(value);
    };
    batch.min_tokens = number("min_tokens", 1);
    batch.max_tokens = number("max_tokens", std::numeric_limits<uint32_t>::max());
    if (batch.min_tokens != next || batch.max_tokens < batch.min_tokens) {
      throw std::runtime_error("batch class '" + batch.name + "' does not begin where the one before ends");
    }
    next = uint64_t(batch.max_tokens) + 1;
    classes.push_back(batch);
  }
  if (classes.empty() || next <= std::numeric_limits<uint32_t>::max()) {
    throw std::runtime_error("its batch classes do not cover all numbers of tokens");
  }
  return classes;
}

}  // namespace

const ScheduleSpace::BatchClass& ScheduleSpace::batch_class_of(uint64_t tokens) const {
  for (const BatchClass& batch : batch_classes_) {
    if (tokens <= batch.max_tokens) return batch;
  }
  return batch_classes_.back();
}

const ScheduleSpace::BatchClass& ScheduleSpace::batch_class(const std::string& name) const {
  std::string names;
  for (const BatchClass& batch : batch_classes_) {
    if (batch.name == name) return batch;
    names += (names.empty() ? "" : ", ") + batch.name;
  }
  throw std::runtime_error("kernel '" + kernel_ + "' has no batch class '" + name + "'; there are " + names);
}

ScheduleSpace ScheduleSpace::load(const std::string& schedules_dir, const std::string& kernel) {
  const std::string path = schedules_dir + "/" + kernel + ".space.json";
  ScheduleSpace space = parse(read_file(path), path);
  if (space.kernel() != kernel) {
    throw std::runtime_error("'" + path + "': it is the space of kernel '" + space.kernel() + "', not '" + kernel + "'");
  }
  return space;
}

ScheduleSpace ScheduleSpace::parse(const std::string& json_text, const std::string& name) {
  try {
    const Json json = Json::parse(json_text, nullptr, true, true);
    if (!json.is_object()) throw std::runtime_error("it is not a JSON object");
    const int64_t schema = member(json, "schema", Json::value_t::number_unsigned).get<int64_t>();
    if (schema != kSpaceSchema) {
      throw std::runtime_error("it has schema " + std::to_string(schema) + "; this program reads " +
                               std::to_string(kSpaceSchema));
    }
    ScheduleSpace space;
    space.name_ = name;
    space.kernel_ = text_member(json, "kernel");
    Json essence = {{"schema", kSpaceSchema}, {"kernel", space.kernel_}};  // what content_hash covers

    space.batch_classes_ = batch_classes_from(json);
    std::set<std::string> parameter_names;
    for (const Json& entry : member(json, "parameters", Json::value_t::array)) {
      Parameter parameter;
      parameter.name = text_member(entry, "name");
      parameter.doc = text_member(entry, "doc");
      if (entry.contains("needs_threads")) {
        parameter.needs_threads = member(entry, "needs_threads", Json::value_t::boolean).get<bool>();
      }
      if (entry.contains("step")) parameter.step = member(entry, "step", Json::value_t::number_unsigned).get<uint64_t>();
      for (const Json& value : member(entry, "values", Json::value_t::array)) {
        parameter.values.push_back(value_text(value));
      }
      if (parameter.values.empty()) throw std::runtime_error("parameter '" + parameter.name + "' has no values");
      if (entry.contains("neutral")) {
        parameter.neutral = value_text(entry.at("neutral"));
        if (std::find(parameter.values.begin(), parameter.values.end(), parameter.neutral) == parameter.values.end()) {
          throw std::runtime_error("parameter '" + parameter.name + "' has a neutral value that is none of its values");
        }
      }
      const std::set<std::string> distinct(parameter.values.begin(), parameter.values.end());
      if (distinct.size() != parameter.values.size()) {
        throw std::runtime_error("parameter '" + parameter.name + "' has a value twice");
      }
      if (!parameter_names.insert(parameter.name).second) {
        throw std::runtime_error("parameter '" + parameter.name + "' is there twice");
      }
      Json& described = essence["parameters"].emplace_back(Json{parameter.name, parameter.values});
      if (!parameter.neutral.empty()) described.push_back(parameter.neutral);
      space.parameters_.push_back(std::move(parameter));
    }
    if (json.contains("definitions")) {
      const Json& definitions = member(json, "definitions", Json::value_t::array);
      std::set<std::string> later;
      for (const Json& entry : definitions) later.insert(text_member(entry, "name"));
      if (later.size() != definitions.size()) throw std::runtime_error("a definition is there twice");
      for (const Json& entry : definitions) {
        Definition definition{text_member(entry, "name"), Condition(text_member(entry, "expr"))};
        if (parameter_names.count(definition.name)) {
          throw std::runtime_error("'" + definition.name + "' is a parameter and a definition");
        }
        check_names(definition.expression, later, "definition");
        later.erase(definition.name);
        essence["definitions"].push_back({definition.name, definition.expression.expression()});
        space.definitions_.push_back(std::move(definition));
      }
    }
    for (const Json& entry : member(json, "conditions", Json::value_t::array)) {
      space.rules_.push_back({Condition(text_member(entry, "expr")), text_member(entry, "if_not_message")});
      essence["conditions"].push_back(space.rules_.back().condition.expression());
    }
    for (const Json& entry : member(json, "defaults", Json::value_t::array)) {
      Default choice{Condition(text_member(entry, "when")), {}, {}};
      for (const auto& [name, value] : member(entry, "schedule", Json::value_t::object).items()) {
        if (!value.is_object()) {
          choice.schedule[name] = value_text(value);
          continue;
        }
        const Condition& expression = choice.computed.emplace(name, Condition(text_member(value, "expr"))).first->second;
        check_names(expression, parameter_names, "a default's value");
        const auto computed = std::find_if(space.parameters_.begin(), space.parameters_.end(),
                                           [&n = name](const Parameter& parameter) { return parameter.name == n; });
        choice.schedule[name] = computed == space.parameters_.end() ? "" : computed->values[0];
      }
      choice.schedule = space.completed(choice.schedule);
      check_names(choice.when, parameter_names, "a default's condition");
      std::string why;
      if (!space.complete(choice.schedule, &why)) throw std::runtime_error("a default is no schedule: " + why);
      space.defaults_.push_back(std::move(choice));
    }
    if (space.defaults_.empty() || space.defaults_.back().when.expression() != "true") {
      throw std::runtime_error("the last of the defaults must have \"when\": \"true\"");
    }
    space.content_hash_ = lookupffn::content_hash(essence.dump());
    return space;
  } catch (const std::exception& error) {
    throw std::runtime_error("'" + name + "' is no schedule space: " + error.what());
  }
}

Schedule ScheduleSpace::completed(Schedule schedule) const {
  for (const Parameter& parameter : parameters_) {
    if (!parameter.neutral.empty()) schedule.emplace(parameter.name, parameter.neutral);
  }
  return schedule;
}

bool ScheduleSpace::complete(const Schedule& schedule, std::string* why) const {
  const auto refuse = [why](const std::string& reason) {
    if (why != nullptr) *why = reason;
    return false;
  };
  for (const Parameter& parameter : parameters_) {
    const auto found = schedule.find(parameter.name);
    if (found == schedule.end()) return refuse("parameter '" + parameter.name + "' is missing");
    if (std::find(parameter.values.begin(), parameter.values.end(), found->second) == parameter.values.end()) {
      return refuse("'" + parameter.name + "' cannot be " + found->second + "; its values are " + listed(parameter.values));
    }
  }
  for (const auto& pair : schedule) {
    if (std::none_of(parameters_.begin(), parameters_.end(),
                     [&](const Parameter& parameter) { return parameter.name == pair.first; })) {
      return refuse("there is no parameter '" + pair.first + "'");
    }
  }
  return true;
}

Variables ScheduleSpace::fixed_variables(const KernelSpec& spec) const {
  const IsaTarget target = isa_target(spec.isa);
  Variables variables;
  for (const auto& [name, value] : spec.problem) variables[name] = Value::from_text(value);
  const auto text = [](const std::string& value) {
    Value result;
    result.is_number = false;
    result.text = value;
    return result;
  };
  variables["kernel"] = text(spec.kernel);
  variables["isa"] = text(spec.isa);
  variables["class"] = text(spec.batch_class);
  variables["isa_vector_bytes"] = Value::from_number(target.vector_bytes);
  variables["isa_vector_registers"] = Value::from_number(target.vector_registers);
  const IsaRow& isa = isa_row(spec.isa);
  const unsigned used = used_capabilities(spec);
  for (const CapabilityRow& row : kCapabilities) {
    variables[std::string("isa_has_") + row.name] = Value::from_number(isa_has(isa, row.capability));
    variables[std::string("uses_") + row.name] = Value::from_number((used & row.capability) != 0);
  }
  // A space that asks how small a type is serves types yet to come.
  for (const auto& [name, value] : spec.problem) {
    const bool is_type = find_storage(value) || find_weight_type(value);
    if (is_type) variables[name + "_bits"] = Value::from_number(weight_type_of(value).bits);
  }
  variables["true"] = Value::from_number(1);
  variables["false"] = Value::from_number(0);
  return variables;
}

bool ScheduleSpace::legal(const KernelSpec& spec, const Schedule& given, std::string* why) const {
  const Schedule schedule = completed(given);
  if (!complete(schedule, why)) return false;
  Variables variables = fixed_variables(spec);
  for (const auto& [name, value] : schedule) variables[name] = parameter_value(value);
  try {
    for (const Definition& definition : definitions_) {
      variables[definition.name] = definition.expression.evaluate(variables);
    }
    for (const Rule& rule : rules_) {
      if (!rule.condition.holds(variables)) {
        if (why != nullptr) *why = rule.message;
        return false;
      }
    }
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("'" + name_ + "' for " + describe(spec) + ": " + error.what());
  }
  return true;
}

void ScheduleSpace::search(const KernelSpec& spec, const std::function<uint64_t(size_t, size_t)>& cost, const uint64_t* bound,
                           const std::function<bool(const Schedule&, uint64_t)>& visit) const {
  // Each definition and rule is evaluated at the first parameter after which all that it needs is known.
  const size_t depth = parameters_.size();
  std::map<std::string, size_t> known;  // name -> number of parameters that must be set; absent: none
  for (size_t i = 0; i < depth; ++i) known[parameters_[i].name] = i + 1;
  const auto ready = [&known](const Condition& condition) {
    size_t level = 0;
    for (const std::string& name : condition.variables()) {
      const auto found = known.find(name);
      if (found != known.end()) level = std::max(level, found->second);
    }
    return level;
  };
  Variables variables = fixed_variables(spec);
  std::set<std::string> changing;
  for (const Parameter& parameter : parameters_) changing.insert(parameter.name);
  for (const std::string& name : changing) variables[name];
  struct Computed {
    Value* variable;
    Condition expression;
  };
  std::vector<std::vector<Computed>> definitions(depth + 1);
  std::vector<std::vector<Condition>> rules(depth + 1);
  Schedule schedule;
  // References into maps stay valid.
  std::vector<Value*> variable_of;
  std::vector<std::string*> text_of;
  std::vector<std::vector<Value>> values_of(depth);
  for (size_t i = 0; i < depth; ++i) {
    variable_of.push_back(&variables[parameters_[i].name]);
    text_of.push_back(&schedule[parameters_[i].name]);
    for (const std::string& value : parameters_[i].values) values_of[i].push_back(parameter_value(value));
  }
  const auto holds = [&](size_t level) {
    for (const Computed& definition : definitions[level]) *definition.variable = definition.expression.evaluate(variables);
    return std::all_of(rules[level].begin(), rules[level].end(), [&](const Condition& rule) { return rule.holds(variables); });
  };
  const std::function<bool(size_t, uint64_t)> descend = [&](size_t level, uint64_t spent) {
    if (!holds(level)) return true;
    if (level == depth) return visit(schedule, spent);
    for (size_t i = 0; i < values_of[level].size(); ++i) {
      const uint64_t total = spent + (cost ? cost(level, i) : 0);
      if (bound != nullptr && total >= *bound) continue;
      *text_of[level] = parameters_[level].values[i];
      *variable_of[level] = values_of[level][i];
      if (!descend(level + 1, total)) return false;
    }
    return true;
  };
  try {
    for (const Definition& definition : definitions_) {
      const size_t level = ready(definition.expression);
      known[definition.name] = level;
      const Condition expression = definition.expression.bound(variables, changing);
      if (level > 0) changing.insert(definition.name);
      Value& variable = variables[definition.name];
      if (level == 0) variable = expression.evaluate(variables);
      definitions[level].push_back({&variable, expression});
    }
    for (const Rule& rule : rules_) rules[ready(rule.condition)].push_back(rule.condition.bound(variables, changing));
    descend(0, 0);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("'" + name_ + "' for " + describe(spec) + ": " + error.what());
  }
}

void ScheduleSpace::add_starting_points(const std::string& json_text, const std::string& name) {
  StartingPoints points = StartingPoints::parse(json_text, kernel_, name);
  for (const StartingPoint& row : points.rows()) {
    std::string why;
    if (!complete(completed(row.schedule), &why)) {
      throw std::runtime_error("'" + name + "': the starting point of " + row.isa + ", " + row.batch_class + ", " +
                               canonical_text(row.types) + " is no schedule: " + why);
    }
    batch_class(row.batch_class);
  }
  starting_points_ = std::move(points);
}

Schedule ScheduleSpace::neutral_default(const KernelSpec& spec) const {
  Variables variables = fixed_variables(spec);
  // Definitions that do not depend on the schedule may be used by "when".
  std::set<std::string> unknown;
  for (const Parameter& parameter : parameters_) unknown.insert(parameter.name);
  for (const Definition& definition : definitions_) {
    const auto& names = definition.expression.variables();
    if (std::any_of(names.begin(), names.end(), [&](const std::string& name) { return unknown.count(name); })) {
      unknown.insert(definition.name);
    } else {
      variables[definition.name] = definition.expression.evaluate(variables);
    }
  }
  const auto chosen =
      std::find_if(defaults_.begin(), defaults_.end(), [&](const Default& choice) { return choice.when.holds(variables); });
  Schedule schedule = chosen->schedule;
  for (const auto& [name, expression] : chosen->computed) {
    const Value value = expression.evaluate(variables);
    schedule[name] = value.is_number ? std::to_string(value.number) : value.text;
  }
  std::string why;
  if (!complete(schedule, &why)) throw std::runtime_error("'" + name_ + "': a default for " + describe(spec) + ": " + why);
  return schedule;
}

Schedule ScheduleSpace::default_schedule(const KernelSpec& spec) const {
  const StartingPoint* start = starting_point(spec);
  return nearest_legal(spec, start != nullptr ? start->schedule : neutral_default(spec));
}

Schedule ScheduleSpace::nearest_legal(const KernelSpec& spec, const Schedule& given) const {
  const Schedule chosen = completed(given);
  if (legal(spec, chosen)) return chosen;

  std::vector<size_t> wanted;
  for (const Parameter& parameter : parameters_) {
    wanted.push_back(size_t(std::find(parameter.values.begin(), parameter.values.end(), chosen.at(parameter.name)) -
                            parameter.values.begin()));
  }
  const auto steps = [&](size_t parameter, size_t value) {
    const size_t values_away = std::max(wanted[parameter], value) - std::min(wanted[parameter], value);
    return values_away * parameters_[parameter].step;
  };
  Schedule nearest;
  uint64_t distance = std::numeric_limits<uint64_t>::max();
  search(spec, steps, &distance, [&](const Schedule& schedule, uint64_t away) {
    nearest = schedule;
    distance = away;
    return true;
  });
  if (nearest.empty() && !parameters_.empty()) {
    std::string why;
    legal(spec, chosen, &why);
    throw std::runtime_error("'" + name_ + "' holds no legal schedule for " + describe(spec) +
                             "; the default fails because: " + why);
  }
  return nearest;
}

uint64_t ScheduleSpace::combinations() const {
  uint64_t product = 1;
  for (const Parameter& parameter : parameters_) product *= parameter.values.size();
  return product;
}

void ScheduleSpace::for_each_legal(const KernelSpec& spec, const std::function<bool(const Schedule&)>& visit) const {
  search(spec, nullptr, nullptr, [&](const Schedule& schedule, uint64_t) { return visit(schedule); });
}

std::vector<Schedule> ScheduleSpace::enumerate(const KernelSpec& spec, size_t limit) const {
  std::vector<Schedule> list;
  if (limit == 0) return list;
  for_each_legal(spec, [&](const Schedule& schedule) {
    list.push_back(schedule);
    return list.size() < limit;
  });
  return list;
}

std::vector<Schedule> ScheduleSpace::sample(const KernelSpec& spec, size_t count, uint64_t seed) const {
  std::vector<Schedule> kept;
  std::mt19937_64 random(seed);
  size_t seen = 0;
  for_each_legal(spec, [&](const Schedule& schedule) {
    ++seen;
    if (kept.size() < count) {
      kept.push_back(schedule);
    } else if (const uint64_t at = random() % seen; at < count) {
      kept[at] = schedule;
    }
    return true;
  });
  return kept;
}

std::vector<Schedule> ScheduleSpace::near(const KernelSpec& spec, const Schedule& schedule, size_t changes) const {
  std::vector<const std::string*> here;
  for (const Parameter& parameter : parameters_) here.push_back(&schedule.at(parameter.name));
  const uint64_t too_far = changes + 1;
  std::vector<Schedule> found;
  search(
      spec, [&](size_t parameter, size_t value) { return parameters_[parameter].values[value] == *here[parameter] ? 0 : 1; },
      &too_far,
      [&](const Schedule& other, uint64_t away) {
        if (away > 0) found.push_back(other);
        return true;
      });
  return found;
}

size_t ScheduleSpace::legal_count(const KernelSpec& spec, size_t limit) const {
  size_t count = 0;
  if (limit == 0) return 0;
  for_each_legal(spec, [&](const Schedule&) { return ++count < limit; });
  return count;
}

}  // namespace lookupffn
