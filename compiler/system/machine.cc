#include "machine.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cctype>
#include <fstream>

#include "default_thread_count.h"

namespace lookupffn {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool has_line(const std::string& path, const std::string& start) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind(start, 0) == 0) return true;
  }
  return false;
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line, name, family, model, implementer, part;
  while (std::getline(file, line) && !(line.empty() && !name.empty())) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string key = line.substr(0, colon);
    while (!key.empty() && std::isspace(static_cast<unsigned char>(key.back()))) key.pop_back();
    const std::string value = colon + 2 <= line.size() ? line.substr(colon + 2) : "";
    if (key == "model name") name = value;
    if (key == "cpu family") family = value;
    if (key == "model") model = value;
    if (key == "CPU implementer") implementer = value;
    if (key == "CPU part") part = value;
    if (key == "uarch") name = value;
  }
  // 64-bit Arm has numbers where x86-64 has a name.
  if (name.empty() && !implementer.empty()) return "Arm CPU (implementer " + implementer + ", part " + part + ")";
  if (name.empty()) return "";
  return family.empty() ? name : name + " (family " + family + ", model " + model + ")";
}

// What the kernel runs on is not what this program was told that it runs on. Kernels since 6.1 say it; of older ones, an x86's
// /proc/cpuinfo shows through.
bool runs_under_an_emulator() {
  utsname told{};
  if (uname(&told) != 0) return false;
  const std::string kernel = first_line("/proc/sys/kernel/arch"), machine = told.machine;
  if (!kernel.empty()) return kernel != machine;
  const bool x86 = machine == "x86_64" || (machine.size() == 4 && machine[0] == 'i');
  return !x86 && has_line("/proc/cpuinfo", "vendor_id");
}

// "2048K" and "105M" as sysfs writes them.
int64_t parse_size(const std::string& text) {
  int64_t size = std::atoll(text.c_str());
  if (!text.empty() && text.back() == 'K') size <<= 10;
  if (!text.empty() && text.back() == 'M') size <<= 20;
  return size;
}

void read_caches(Machine* machine) {
  for (int index = 0; index < 8; ++index) {
    const std::string directory = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    const std::string level = first_line(directory + "level"), type = first_line(directory + "type");
    const int64_t size = parse_size(first_line(directory + "size"));
    if (level == "1" && type == "Data") machine->l1d_bytes = size;
    if (level == "2") machine->l2_bytes = size;
    if (level == "3") machine->l3_bytes = size;
  }
  const auto add = [machine](const char* name, int64_t bytes) {
    if (bytes <= 0) return;
    if (!machine->caches.empty()) machine->caches += ", ";
    machine->caches += std::string(name) + " " + std::to_string(bytes >> 10) + " KiB";
  };
  add("L1d", machine->l1d_bytes);
  add("L2", machine->l2_bytes);
  add("L3", machine->l3_bytes);
}

}  // namespace

Machine this_machine() {
  Machine machine;
  machine.cpu = cpu_name();
  machine.emulated = runs_under_an_emulator();
  read_caches(&machine);
  machine.cores = int(sysconf(_SC_NPROCESSORS_ONLN));
  machine.threads = int(default_thread_count());
  machine.governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  double loads[1];
  if (getloadavg(loads, 1) == 1) machine.load = loads[0];
  return machine;
}

std::string cpu_key(const std::string& cpu) {
  std::string cleaned = cpu;
  for (const char* mark : {"(R)", "(TM)", "(r)", "(tm)"}) {
    for (size_t at; (at = cleaned.find(mark)) != std::string::npos;) cleaned.erase(at, std::string(mark).size());
  }
  std::string key;
  for (const unsigned char c : cleaned) {
    if (std::isalnum(c)) {
      key += char(std::tolower(c));
    } else if (!key.empty() && key.back() != '-') {
      key += '-';
    }
  }
  while (!key.empty() && key.back() == '-') key.pop_back();
  return key;
}

}  // namespace lookupffn
