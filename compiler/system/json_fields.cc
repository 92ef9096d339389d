#include "json_fields.h"

#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace lookupffn {
namespace {

using Json = nlohmann::json;

// A value for a message: short, whatever it is.
std::string shown(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  constexpr size_t kLongest = 40;
  const std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);  // ASCII: may be cut anywhere
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "...";
}

[[noreturn]] void refuse(const std::string& name, const Json& value, const std::string& what_it_must_be) {
  throw std::runtime_error("'" + name + "' is " + shown(value) + "; it must be " + what_it_must_be);
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.12g", value);
  return text;
}

double real(const std::string& name, const Json& value, double least, double most) {
  const double number = value.is_number() ? value.get<double>() : NAN;
  if (number >= least && number <= most) return number;
  refuse(name, value, "a number from " + number_text(least) + " to " + number_text(most));
}

}  // namespace

nlohmann::json parse_json(const std::string& text) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw std::runtime_error("it is not valid JSON near byte " + std::to_string(error.byte));
  } catch (const Json::out_of_range&) {
    throw std::runtime_error("it holds a number that is too large");
  }
}

const nlohmann::json& json_field(const nlohmann::json& object, const char* name) {
  if (!object.is_object()) throw std::runtime_error("it is " + shown(object) + ", not a JSON object");
  const auto found = object.find(name);
  if (found == object.end()) throw std::runtime_error(std::string("'") + name + "' is missing");
  return *found;
}

std::string text_field(const nlohmann::json& object, const char* name) {
  const Json& value = json_field(object, name);
  if (!value.is_string()) refuse(name, value, "a text");
  return value.get<std::string>();
}

bool flag_field(const nlohmann::json& object, const char* name) {
  const Json& value = json_field(object, name);
  if (!value.is_boolean()) refuse(name, value, "true or false");
  return value.get<bool>();
}

uint64_t count_field(const nlohmann::json& object, const char* name, uint64_t least, uint64_t most) {
  const Json& value = json_field(object, name);
  // What is not negative is an unsigned number where it was read, and may be a signed one where a program made it.
  const bool counts = value.is_number_unsigned() || (value.is_number_integer() && value.get<int64_t>() >= 0);
  const uint64_t count = counts ? value.get<uint64_t>() : 0;
  if (counts && count >= least && count <= most) return count;
  refuse(name, value, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
}

double real_field(const nlohmann::json& object, const char* name, double least, double most) {
  return real(name, json_field(object, name), least, most);
}

std::vector<double> reals_field(const nlohmann::json& object, const char* name, double least, double most) {
  const Json& list = json_field(object, name);
  if (!list.is_array()) refuse(name, list, "an array of numbers");
  std::vector<double> values;
  for (const Json& value : list) values.push_back(real("a value of " + std::string(name), value, least, most));
  return values;
}

std::map<std::string, std::string> pairs_field(const nlohmann::json& object, const char* name) {
  const Json& from = json_field(object, name);
  if (!from.is_object()) refuse(name, from, "an object");
  std::map<std::string, std::string> pairs;
  for (const auto& [key, value] : from.items()) {
    if (value.is_string()) {
      pairs[key] = value.get<std::string>();
    } else if (value.is_number_integer() || value.is_boolean()) {
      pairs[key] = value.dump();
    } else {
      refuse(std::string(name) + "." + key, value, "a text, a whole number or a truth value");
    }
  }
  return pairs;
}

}  // namespace lookupffn
