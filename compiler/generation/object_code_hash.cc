#include "object_code_hash.h"

#include <elf.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "atomic_file.h"
#include "content_hash.h"

namespace lookupffn {
namespace {

constexpr char kEntrySuffix[] = "_argv";

// How much less than its target a reference's addend may say: instructions count from their end.
constexpr int64_t kLargestBias = 8;

[[noreturn]] void damaged(const std::string& what) { throw std::runtime_error("damaged ELF object: " + what); }

// Numbers of a file of either class and byte order. Nothing outside of the file is read.
class ElfBytes {
 public:
  explicit ElfBytes(const std::string& bytes) : bytes_(bytes) {
    if (bytes.compare(0, SELFMAG, ELFMAG) != 0) throw std::runtime_error("unknown object format: not ELF");
    if (bytes.size() < EI_NIDENT) damaged("it ends in its first header");
    const char of_class = bytes[EI_CLASS], order = bytes[EI_DATA];
    if (of_class != ELFCLASS32 && of_class != ELFCLASS64) damaged("neither of 32 nor of 64 bits");
    if (order != ELFDATA2LSB && order != ELFDATA2MSB) damaged("of an unknown byte order");
    wide_ = of_class == ELFCLASS64;
    big_endian_ = order == ELFDATA2MSB;
  }

  bool wide() const { return wide_; }
  std::string part(uint64_t offset, uint64_t size, const char* what) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) damaged(std::string(what) + " lies outside of the file");
    return bytes_.substr(size_t(offset), size_t(size));
  }
  uint64_t number(uint64_t offset, size_t size) const {
    const std::string text = part(offset, size, "a number");
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | uint8_t(text[big_endian_ ? i : size - 1 - i]);
    return value;
  }
  // An address, offset or size.
  uint64_t word(uint64_t offset) const { return number(offset, wide_ ? 8 : 4); }
  int64_t signed_word(uint64_t offset) const { return wide_ ? int64_t(word(offset)) : int32_t(word(offset)); }
  std::string name(uint64_t offset, uint64_t end) const {
    if (end > bytes_.size()) damaged("a name lies outside of the file");
    const size_t stop = offset < end ? bytes_.find('\0', size_t(offset)) : std::string::npos;
    if (stop == std::string::npos || stop >= end) damaged("a name does not end");
    return bytes_.substr(size_t(offset), stop - size_t(offset));
  }

 private:
  const std::string& bytes_;
  bool wide_ = true, big_endian_ = false;
};

struct Symbol {
  std::string name;
  size_t section = 0;  // SHN_UNDEF: another file's
  uint64_t value = 0;
};

struct Relocation {
  uint64_t offset = 0, type = 0;
  int64_t addend = 0;
  size_t symbol = 0;
};

struct Section {
  uint64_t type = 0, flags = 0, offset = 0, size = 0, link = 0, info = 0, align = 0, entry_size = 0;
  std::vector<Relocation> relocations;
  bool reached = false;  // by what runs
  bool allocated() const { return (flags & SHF_ALLOC) != 0; }
};

struct Object {
  uint64_t machine = 0, flags = 0;
  std::vector<Section> sections;
  std::vector<Symbol> symbols;

  // The section that a relocation's target lies in; null: another file's, or a fixed address.
  const Section* target(const Relocation& relocation) const {
    const size_t section = symbols[relocation.symbol].section;
    return section == SHN_UNDEF || section >= sections.size() ? nullptr : &sections[section];
  }
  int64_t target_offset(const Relocation& relocation) const {
    return int64_t(symbols[relocation.symbol].value + uint64_t(relocation.addend));
  }
};

uint64_t entries(const Section& table, uint64_t least_entry, const char* what) {
  if (table.entry_size < least_entry || table.size % table.entry_size != 0) {
    damaged(std::string(what) + " has entries of a wrong size");
  }
  return table.size / table.entry_size;
}

void read_sections(const ElfBytes& elf, Object* object) {
  const bool wide = elf.wide();
  if (elf.number(16, 2) != ET_REL) throw std::runtime_error("unknown object format: ELF, but no object file");
  object->machine = elf.number(18, 2);
  object->flags = elf.number(wide ? 48 : 36, 4);
  const uint64_t table = elf.word(wide ? 40 : 32), entry = elf.number(wide ? 58 : 46, 2);
  const uint64_t count = elf.number(wide ? 60 : 48, 2);
  if (count == 0 || entry < (wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr))) damaged("it has no table of sections");
  elf.part(table, count * entry, "the table of sections");
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t at = table + i * entry;
    Section section;
    section.type = elf.number(at + 4, 4);
    section.flags = elf.word(at + 8);
    section.offset = elf.word(at + (wide ? 24 : 16));
    section.size = elf.word(at + (wide ? 32 : 20));
    section.link = elf.number(at + (wide ? 40 : 24), 4);
    section.info = elf.number(at + (wide ? 44 : 28), 4);
    section.align = elf.word(at + (wide ? 48 : 32));
    section.entry_size = elf.word(at + (wide ? 56 : 36));
    if (section.type != SHT_NOBITS && section.type != SHT_NULL) elf.part(section.offset, section.size, "a section");
    object->sections.push_back(section);
  }
}

void read_symbols(const ElfBytes& elf, Object* object) {
  const bool wide = elf.wide();
  for (const Section& section : object->sections) {
    if (section.type != SHT_SYMTAB) continue;
    if (!object->symbols.empty()) damaged("it has two tables of symbols");
    if (section.link >= object->sections.size()) damaged("its symbols have no names");
    const Section& names = object->sections[size_t(section.link)];
    if (names.type != SHT_STRTAB) damaged("its symbols have no names");
    const uint64_t count = entries(section, wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym), "the table of symbols");
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t at = section.offset + i * section.entry_size;
      Symbol symbol;
      symbol.section = size_t(elf.number(at + (wide ? 6 : 14), 2));
      symbol.value = elf.word(at + (wide ? 8 : 4));
      if (symbol.section == SHN_XINDEX) throw std::runtime_error("unknown object format: ELF with too many sections");
      if (symbol.section >= object->sections.size() && symbol.section < SHN_LORESERVE)
        damaged("a symbol's section is not there");
      symbol.name = elf.name(names.offset + elf.number(at, 4), names.offset + names.size);
      object->symbols.push_back(symbol);
    }
  }
}

void read_relocations(const ElfBytes& elf, Object* object) {
  const bool wide = elf.wide();
  for (const Section& section : object->sections) {
    const bool addends = section.type == SHT_RELA;
    if (!addends && section.type != SHT_REL) continue;
    if (section.info >= object->sections.size()) damaged("relocations of a section that is not there");
    Section& of = object->sections[size_t(section.info)];
    const uint64_t word = wide ? 8 : 4, count = entries(section, word * (addends ? 3 : 2), "a table of relocations");
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t at = section.offset + i * section.entry_size, info = elf.word(at + word);
      Relocation relocation;
      relocation.offset = elf.word(at);
      relocation.type = wide ? ELF64_R_TYPE(info) : ELF32_R_TYPE(info);
      relocation.symbol = size_t(wide ? ELF64_R_SYM(info) : ELF32_R_SYM(info));
      if (addends) relocation.addend = elf.signed_word(at + 2 * word);
      if (relocation.symbol >= object->symbols.size()) damaged("a relocation's symbol is not there");
      if (relocation.offset >= of.size) damaged("a relocation lies outside of its section");
      of.relocations.push_back(relocation);
    }
  }
}

const Symbol& entry_of(const Object& object) {
  const std::string suffix = kEntrySuffix;
  const Symbol* entry = nullptr;
  for (const Symbol& symbol : object.symbols) {
    const bool ends = symbol.name.size() > suffix.size() &&
                      symbol.name.compare(symbol.name.size() - suffix.size(), suffix.size(), suffix) == 0;
    if (!ends || symbol.section == SHN_UNDEF || symbol.section >= object.sections.size()) continue;
    if (entry != nullptr) throw std::runtime_error("no kernel: it defines both " + entry->name + " and " + symbol.name);
    entry = &symbol;
  }
  if (entry == nullptr) throw std::runtime_error("no kernel: it defines no function FUNCTION_argv");
  return *entry;
}

void reach(Object* object, size_t from) {
  std::vector<size_t> left = {from};
  while (!left.empty()) {
    Section& section = object->sections[left.back()];
    left.pop_back();
    if (section.reached || !section.allocated()) continue;
    section.reached = true;
    for (const Relocation& relocation : section.relocations) {
      if (const Section* target = object->target(relocation)) left.push_back(size_t(target - object->sections.data()));
    }
  }
}

// Constants of the code and texts of Halide's metadata, among them the function's name, may share a section. The texts are
// behind: they begin where what does not run refers to, if what runs refers only to what is before.
uint64_t size_that_counts(const Object& object, const Section& section) {
  if ((section.flags & SHF_EXECINSTR) != 0) return section.size;
  int64_t last_used = std::numeric_limits<int64_t>::min(), first_other = std::numeric_limits<int64_t>::max();
  for (const Section& from : object.sections) {
    if (!from.allocated()) continue;
    for (const Relocation& relocation : from.relocations) {
      if (object.target(relocation) != &section) continue;
      const int64_t at = object.target_offset(relocation);
      if (from.reached) last_used = std::max(last_used, at);
      if (!from.reached) first_other = std::min(first_other, at);
    }
  }
  const bool behind = first_other > 0 && uint64_t(first_other) < section.size && last_used < first_other - kLargestBias;
  return behind ? uint64_t(first_other) : section.size;
}

}  // namespace

std::string object_code_hash_of_bytes(const std::string& bytes) {
  const ElfBytes elf(bytes);
  Object object;
  read_sections(elf, &object);
  read_symbols(elf, &object);
  read_relocations(elf, &object);
  const Symbol& entry = entry_of(object);
  reach(&object, entry.section);

  std::vector<uint64_t> order(object.sections.size());  // sections that count, numbered; names and the others do not
  uint64_t next = 0;
  for (size_t i = 0; i < order.size(); ++i) order[i] = object.sections[i].reached ? ++next : 0;
  std::string text = std::string("ELF") + (elf.wide() ? "64" : "32");
  const auto add = [&text](uint64_t number) { text += " " + std::to_string(number); };
  for (const uint64_t number : {object.machine, object.flags, order[entry.section], entry.value}) add(number);
  for (const Section& section : object.sections) {
    if (!section.reached) continue;
    const uint64_t size = size_that_counts(object, section);
    for (const uint64_t number : {section.type, section.flags, section.align, size}) add(number);
    if (section.type != SHT_NOBITS) text += elf.part(section.offset, size, "a section");
    for (const Relocation& relocation : section.relocations) {
      if (relocation.offset >= size) continue;
      const Symbol& symbol = object.symbols[relocation.symbol];
      add(relocation.offset);
      add(relocation.type);
      const Section* target = object.target(relocation);
      if (target != nullptr) {
        add(order[symbol.section]);
        add(uint64_t(object.target_offset(relocation)));
      } else {
        add(uint64_t(relocation.addend));
        text += " " + symbol.name;
      }
    }
  }
  return content_hash(text);
}

std::string object_code_hash(const std::string& path) {
  const std::string bytes = read_file(path);
  try {
    return object_code_hash_of_bytes(bytes);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("'" + path + "': " + error.what());
  }
}

}  // namespace lookupffn
