#include "safetensors.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "failure.h"
#include "open_file.h"

namespace lookupffn {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr size_t kMaxRank = 64;                    // what the frameworks that write such files can hold
constexpr size_t kLengthBytes = 8;

struct Type {
  const char* name;
  size_t bits;  // of an element
  ElementType type;
};

// Every type of the format. Tensors that are not a LookupFFN layer's may have any of them.
constexpr Type kTypes[] = {
    {"F32", 32, ElementType::kF32},          {"F16", 16, ElementType::kF16},      {"BF16", 16, ElementType::kBF16},
    {"I32", 32, ElementType::kI32},          {"BOOL", 8, ElementType::kOther},    {"U8", 8, ElementType::kOther},
    {"I8", 8, ElementType::kOther},          {"U16", 16, ElementType::kOther},    {"I16", 16, ElementType::kOther},
    {"U32", 32, ElementType::kOther},        {"U64", 64, ElementType::kOther},    {"I64", 64, ElementType::kOther},
    {"F64", 64, ElementType::kOther},        {"C64", 64, ElementType::kOther},    {"F8_E4M3", 8, ElementType::kOther},
    {"F8_E5M2", 8, ElementType::kOther},     {"F8_E8M0", 8, ElementType::kOther}, {"F8_E4M3FNUZ", 8, ElementType::kOther},
    {"F8_E5M2FNUZ", 8, ElementType::kOther}, {"F6_E2M3", 6, ElementType::kOther}, {"F6_E3M2", 6, ElementType::kOther},
    {"F4", 4, ElementType::kOther},
};

[[noreturn]] void malformed(const std::string& file, const std::string& reason) {
  throw Failure(LOOKUPFFN_MALFORMED_MODEL, file + ": " + reason);
}

// One tensor as the header describes it.
struct Entry {
  std::string name;
  const Type* type = nullptr;
  std::vector<size_t> shape;
  std::vector<uint64_t> offsets;  // begin and end, from the end of the header
  bool has_type = false, has_shape = false, has_offsets = false;
};

// Reads the header as a stream of JSON events rather than into a tree: a tree keeps only the last of two
// equal keys and grows as deep as its input. What the format does not allow is refused where it appears.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& file) : file_(file) {}

  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kStart:
        place_ = Place::kTop;
        return true;
      case Place::kTopValue:
        place_ = in_metadata_ ? Place::kMetadata : Place::kTensor;
        return true;
      default:
        unexpected("an object");
    }
  }

  bool end_object() override {
    if (place_ == Place::kTensor) {
      const Entry& entry = entries.back();
      if (!entry.has_type) refuse("has no 'dtype'");
      if (!entry.has_shape) refuse("has no 'shape'");
      if (!entry.has_offsets) refuse("has no 'data_offsets'");
      if (entry.offsets.size() != 2) refuse("has 'data_offsets' that are not two numbers");
    }
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  bool key(std::string& text) override {
    if (text.find('\0') != std::string::npos) {
      malformed(file_, "the header's key " + quote_name(text) + " holds a NUL");
    }
    switch (place_) {
      case Place::kTop:
        in_metadata_ = text == "__metadata__";
        if (in_metadata_) {
          if (has_metadata_) malformed(file_, "__metadata__ appears twice");
          has_metadata_ = true;
        } else {
          if (!names_.insert(text).second) {
            malformed(file_, "tensor " + quote_name(text) + " is a duplicate: the name appears twice");
          }
          entries.emplace_back();
          entries.back().name = text;
        }
        place_ = Place::kTopValue;
        return true;
      case Place::kMetadata:
        if (metadata.count(text) != 0) malformed(file_, "__metadata__ has the key " + quote_name(text) + " twice");
        metadata_key_ = text;
        place_ = Place::kMetadataValue;
        return true;
      default:
        return tensor_key(text);
    }
  }

  bool string(std::string& text) override {
    if (place_ == Place::kMetadataValue) {
      metadata.emplace(metadata_key_, text);
      place_ = Place::kMetadata;
      return true;
    }
    if (place_ != Place::kType) unexpected("a string");
    for (const Type& type : kTypes) {
      if (text == type.name) entries.back().type = &type;
    }
    if (entries.back().type == nullptr) refuse("has the unknown dtype " + quote_name(text));
    place_ = Place::kTensor;
    return true;
  }

  bool start_array(std::size_t) override {
    switch (place_) {
      case Place::kShape:
        place_ = Place::kShapeNumbers;
        return true;
      case Place::kOffsets:
        place_ = Place::kOffsetNumbers;
        return true;
      default:
        unexpected("an array");
    }
  }

  bool end_array() override {
    place_ = Place::kTensor;  // arrays are accepted nowhere else
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::kShapeNumbers) {
      if (entries.back().shape.size() == kMaxRank) refuse("has more than " + std::to_string(kMaxRank) + " dimensions");
      if (value > std::numeric_limits<size_t>::max()) refuse("has a size that overflows");
      entries.back().shape.push_back(static_cast<size_t>(value));
      return true;
    }
    if (place_ != Place::kOffsetNumbers) unexpected("a number");
    if (entries.back().offsets.size() == 2) refuse("has 'data_offsets' that are not two numbers");
    entries.back().offsets.push_back(value);
    return true;
  }

  bool number_integer(number_integer_t) override { unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { unexpected("a number that is not an integer of 64 bits"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool null() override { unexpected("null"); }
  bool binary(binary_t&) override { unexpected("binary data"); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    malformed(file_, "the header is not valid JSON (at its byte " + std::to_string(position) + ")");
  }

 private:
  enum class Place {
    kStart,
    kTop,
    kTopValue,
    kMetadata,
    kMetadataValue,
    kTensor,
    kType,
    kShape,
    kShapeNumbers,
    kOffsets,
    kOffsetNumbers,
    kEnd
  };

  bool tensor_key(const std::string& text) {
    Entry& entry = entries.back();
    bool* seen = nullptr;
    if (text == "dtype") {
      seen = &entry.has_type;
      place_ = Place::kType;
    } else if (text == "shape") {
      seen = &entry.has_shape;
      place_ = Place::kShape;
    } else if (text == "data_offsets") {
      seen = &entry.has_offsets;
      place_ = Place::kOffsets;
    } else {
      refuse("has the unknown key " + quote_name(text));
    }
    if (*seen) refuse("has the key " + quote_name(text) + " twice");
    *seen = true;
    return true;
  }

  [[noreturn]] void refuse(const std::string& reason) const {
    malformed(file_, "tensor " + quote_name(entries.back().name) + " " + reason);
  }

  [[noreturn]] void unexpected(const std::string& what) const {
    switch (place_) {
      case Place::kStart:
        malformed(file_, "the header is " + what + ", not an object");
      case Place::kTopValue:
        if (in_metadata_) malformed(file_, "__metadata__ is " + what + ", not an object");
        refuse("is " + what + ", not an object");
      case Place::kMetadataValue:
        malformed(file_, "__metadata__ " + quote_name(metadata_key_) + " is " + what + ", not a string");
      case Place::kType:
        refuse("has " + what + " for its 'dtype'");
      case Place::kShape:
      case Place::kShapeNumbers:
        refuse("has " + what + " in its 'shape'");
      case Place::kOffsets:
      case Place::kOffsetNumbers:
        refuse("has " + what + " in its 'data_offsets'");
      default:
        malformed(file_, "the header holds " + what + " where none belongs");
    }
  }

  const std::string& file_;
  Place place_ = Place::kStart;
  bool in_metadata_ = false, has_metadata_ = false;
  std::string metadata_key_;
  std::unordered_set<std::string> names_;
};

// From the file's first bytes.
uint64_t header_length(const std::string& file, const uint8_t* bytes, uint64_t size) {
  if (size == 0) malformed(file, "the file is empty");
  if (size < kLengthBytes) malformed(file, "the file is shorter than a header's length (8 bytes)");
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length |= uint64_t{bytes[i]} << (8 * i);
  if (length > kMaxHeaderBytes) {
    malformed(file, "not a safetensors file: its header would be " + std::to_string(length) + " bytes, the limit is " +
                        std::to_string(kMaxHeaderBytes));
  }
  if (length > size - kLengthBytes) {
    malformed(file, "the header of " + std::to_string(length) + " bytes is cut off: the file has only " + std::to_string(size) +
                        " bytes");
  }
  if (length == 0) malformed(file, "the header is empty");
  if (bytes[kLengthBytes] != '{') malformed(file, "not a safetensors file: the header does not begin with '{'");
  return length;
}

// Bytes of the tensor by its shape and type.
uint64_t expected_bytes(const std::string& file, const Entry& entry) {
  uint64_t elements = 1, bits = 0;
  for (size_t extent : entry.shape) {
    if (__builtin_mul_overflow(elements, uint64_t{extent}, &elements)) {
      malformed(file, "tensor " + quote_name(entry.name) + " has a shape whose number of elements overflows");
    }
  }
  if (__builtin_mul_overflow(elements, uint64_t{entry.type->bits}, &bits)) {
    malformed(file, "tensor " + quote_name(entry.name) + " has a shape whose number of bytes overflows");
  }
  if (bits % 8 != 0) {
    malformed(file, "tensor " + quote_name(entry.name) + " does not fill whole bytes (" + entry.type->name + ")");
  }
  return bits / 8;
}

// Each tensor within the `available` bytes of data and of the size that its shape says; all of them together
// cover the data once. Sorts the entries by place.
void check_places(const std::string& file, uint64_t available, std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    const uint64_t begin = entry.offsets[0], end = entry.offsets[1];
    const std::string tensor = "tensor " + quote_name(entry.name);
    if (begin > end) {
      malformed(file, tensor + " ends at byte " + std::to_string(end) + " before it begins at byte " + std::to_string(begin));
    }
    if (end > available) {
      malformed(file, tensor + " is cut off: it ends at byte " + std::to_string(end) + " of the data, which has " +
                          std::to_string(available));
    }
    const uint64_t expected = expected_bytes(file, entry);
    if (end - begin != expected) {
      malformed(file, tensor + " has " + std::to_string(end - begin) + " bytes, its shape and dtype " + entry.type->name +
                          " need " + std::to_string(expected));
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
  uint64_t covered = 0;
  const Entry* before = nullptr;
  for (const Entry& entry : entries) {
    const uint64_t begin = entry.offsets[0];
    if (begin < covered) {
      malformed(file, "tensor " + quote_name(entry.name) + " overlaps tensor " + quote_name(before->name));
    }
    if (begin > covered) {
      malformed(file, "bytes " + std::to_string(covered) + " to " + std::to_string(begin) + " of the data, before tensor " +
                          quote_name(entry.name) + ", belong to no tensor");
    }
    covered = entry.offsets[1];
    before = &entry;
  }
  if (covered != available) {
    malformed(file, std::to_string(available - covered) + " bytes follow the last tensor and belong to none");
  }
}

}  // namespace

bool has_suffix(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string quote_name(const std::string& name) {
  constexpr size_t kLongest = 120;
  std::string text = "'";
  for (char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    // Cut between characters: bytes 10xxxxxx continue one in UTF-8.
    if (text.size() > kLongest && (byte & 0xc0u) != 0x80u) return text + "...'";
    if (byte < 0x20 || byte == 0x7f) {
      char escaped[5];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned>(byte));
      text += escaped;
    } else {
      text += c;
    }
  }
  return text + "'";
}

SafetensorsFile::SafetensorsFile(const std::string& path) : name_(path), file_(new OpenFile(path)) {
  parse(nullptr, file_->size());
}

SafetensorsFile::SafetensorsFile(const void* bytes, size_t size, const std::string& name) : name_(name) {
  parse(static_cast<const uint8_t*>(bytes), size);
}

SafetensorsFile::~SafetensorsFile() = default;

void SafetensorsFile::parse(const uint8_t* bytes, uint64_t size) {
  if (size > std::numeric_limits<size_t>::max()) malformed(name_, "the file passes the address space");
  uint8_t start[kLengthBytes + 1] = {};
  const size_t start_bytes = static_cast<size_t>(std::min<uint64_t>(size, sizeof start));
  if (file_) {
    file_->read(0, start_bytes, start);
  } else {
    std::copy(bytes, bytes + start_bytes, start);
  }
  const size_t length = static_cast<size_t>(header_length(name_, start, size));
  std::vector<char> read_header;
  if (file_) {
    read_header.resize(length);
    file_->read(kLengthBytes, length, read_header.data());
  }
  const char* header = file_ ? read_header.data() : reinterpret_cast<const char*>(bytes + kLengthBytes);
  // The JSON parser takes a NUL for the end of its input and would let anything stand behind one.
  if (const void* nul = std::memchr(header, '\0', length)) {
    malformed(name_, "the header is not valid JSON (a NUL at its byte " +
                         std::to_string(static_cast<const char*>(nul) - header + 1) + ")");
  }
  HeaderReader reader(name_);
  nlohmann::json::sax_parse(header, header + length, &reader);  // every error throws Failure
  const uint64_t data = kLengthBytes + length;
  check_places(name_, size - data, reader.entries);

  tensors_.reserve(reader.entries.size());
  type_names_.reserve(reader.entries.size());
  for (Entry& entry : reader.entries) {
    by_name_.emplace(entry.name, tensors_.size());
    TensorView view;
    view.name = std::move(entry.name);
    view.type = entry.type->type;
    view.shape = std::move(entry.shape);
    view.at = data + entry.offsets[0];
    view.file = file_.get();
    if (!file_) view.data = bytes + view.at;
    view.bytes = static_cast<size_t>(entry.offsets[1] - entry.offsets[0]);
    tensors_.push_back(std::move(view));
    type_names_.push_back(entry.type->name);
  }
  metadata_ = std::move(reader.metadata);
}

const TensorView* SafetensorsFile::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

const char* SafetensorsFile::type_name(const TensorView& tensor) const {
  return type_names_[static_cast<size_t>(&tensor - tensors_.data())];
}

}  // namespace lookupffn
