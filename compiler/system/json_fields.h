// JSON that people and machines may have damaged, read so that each mistake is one clear line, and JSON that may hold
// any bytes, written.
#ifndef LOOKUPFFN_JSON_FIELDS_H
#define LOOKUPFFN_JSON_FIELDS_H

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lookupffn {

// Throws std::runtime_error "it is not valid JSON near byte 17" and the like.
nlohmann::json parse_json(const std::string& text);

// Members of an object. All throw std::runtime_error: "'gain' is missing", "'gain' is null; it must be a number from 0 to
// 1000". Numbers are within the range, which ends are part of.
const nlohmann::json& json_field(const nlohmann::json& object, const char* name);
std::string text_field(const nlohmann::json& object, const char* name);
bool flag_field(const nlohmann::json& object, const char* name);
uint64_t count_field(const nlohmann::json& object, const char* name, uint64_t least, uint64_t most);
double real_field(const nlohmann::json& object, const char* name, double least, double most);
std::vector<double> reals_field(const nlohmann::json& object, const char* name, double least, double most);
// An object of texts, whole numbers and truth values, as texts.
std::map<std::string, std::string> pairs_field(const nlohmann::json& object, const char* name);

// Indented by two, or in one line. Bytes that are not UTF-8 (a path may have any) become U+FFFD: dump() would throw.
template <class Json>
std::string json_text(const Json& json, int indent = 2) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}
template <class Json>
std::string json_line(const Json& json) {
  return json_text(json, -1);
}

}  // namespace lookupffn
#endif
