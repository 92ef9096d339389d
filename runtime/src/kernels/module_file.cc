#include "module_file.h"

#include <elf.h>
#include <link.h>

#include <cstdint>
#include <cstring>

#include "architectures.h"
#include "failure.h"
#include "open_file.h"

// This library's own header, as linkers name it; nowhere where it is not loaded.
extern "C" __attribute__((weak, visibility("hidden"))) const ElfW(Ehdr) __ehdr_start;

namespace lookupffn {
namespace {

constexpr unsigned char kClass = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw Failure(LOOKUPFFN_IO_ERROR, "kernel library '" + path + "' " + reason + ": build or copy it again");
}

// Bytes `at` to `at` + `count` * `each` are to be in the file.
void expect_within(const OpenFile& file, const char* what, uint64_t at, uint64_t count, uint64_t each) {
  uint64_t bytes = 0, end = 0;
  if (__builtin_mul_overflow(count, each, &bytes) || __builtin_add_overflow(at, bytes, &end) || end > file.size()) {
    refuse(file.path(), "is cut off or damaged: its " + std::string(what) + " would end beyond its " +
                            std::to_string(file.size()) + " bytes");
  }
}

}  // namespace

void check_module_file(const std::string& path) {
  const OpenFile file(path);
  ElfW(Ehdr) header;
  if (file.size() < sizeof header) refuse(path, "is no shared library: it has " + std::to_string(file.size()) + " bytes");
  file.read(0, sizeof header, &header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != kClass) {
    refuse(path, "is no shared library of this machine");
  }
  if (&__ehdr_start != nullptr && header.e_machine != __ehdr_start.e_machine) {
    throw Failure(LOOKUPFFN_IO_ERROR, "kernel library '" + path + "' is for another architecture: load the one in the folder " +
                                          architecture_row(kThisArchitecture).triple +
                                          ", or build it for an ISA of this machine (lookupffn isas)");
  }
  // The table of sections is the last thing in a file that a linker wrote.
  if (header.e_shoff != 0) expect_within(file, "table of sections", header.e_shoff, header.e_shnum, header.e_shentsize);
  if (header.e_phentsize != sizeof(ElfW(Phdr))) refuse(path, "is damaged: its header is not one of a shared library");
  expect_within(file, "table of segments", header.e_phoff, header.e_phnum, header.e_phentsize);
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) segment;
    file.read(header.e_phoff + i * sizeof segment, sizeof segment, &segment);
    if (segment.p_type != PT_NULL) expect_within(file, "segments", segment.p_offset, 1, segment.p_filesz);
  }
}

}  // namespace lookupffn
