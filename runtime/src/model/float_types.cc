#include "float_types.h"

#include <algorithm>

#include "failure.h"
#include "open_file.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "model files are little-endian and are used as they are"
#endif

namespace lookupffn {
namespace {

[[noreturn]] void fail_type(const TensorView& tensor) {
  throw Failure(LOOKUPFFN_MALFORMED_MODEL,
                "tensor '" + tensor.name + "' is " + element_type_name(tensor.type) + "; F32, F16 or BF16 is needed");
}

// Widens elements that may stand at any address.
template <class Widen>
void widen(const uint8_t* data, size_t count, float* out, Widen to_float) {
  for (size_t i = 0; i < count; ++i) {
    uint16_t value;
    std::memcpy(&value, data + 2 * i, sizeof value);
    out[i] = to_float(value);
  }
}

// visit(data, n) with each run of elements, in order, until it returns false: all at once where they are in memory, through
// a small buffer from a file.
template <class Visit>
void for_chunks(const TensorView& tensor, size_t first, size_t count, Visit visit) {
  const size_t size = element_bytes(tensor.type);
  if (size == 0) fail_type(tensor);
  if (!tensor.file) {
    visit(tensor.data + first * size, count);
    return;
  }
  uint8_t buffer[16 << 10];
  const size_t most = sizeof buffer / size;
  for (size_t done = 0; done < count;) {
    const size_t n = std::min(most, count - done);
    read_bytes(tensor, (first + done) * size, n * size, buffer);
    if (!visit(buffer, n)) return;
    done += n;
  }
}

// A value is not finite exactly where all bits of its exponent are set. One flag a chunk keeps the loop
// free of exits, so that it vectorises; the chunk that fails is searched again.
template <class Bits>
size_t first_with_exponent(const uint8_t* data, size_t count, Bits exponent) {
  constexpr size_t kChunk = 4096;
  auto is_special = [&](size_t i) {
    Bits value;
    std::memcpy(&value, data + i * sizeof value, sizeof value);
    return static_cast<Bits>(value & exponent) == exponent;
  };
  for (size_t begin = 0; begin < count; begin += kChunk) {
    const size_t end = std::min(count, begin + kChunk);
    Bits any = 0;
    for (size_t i = begin; i < end; ++i) any |= static_cast<Bits>(is_special(i));
    if (any == 0) continue;
    for (size_t i = begin; i < end; ++i) {
      if (is_special(i)) return i;
    }
  }
  return kAllFinite;
}

}  // namespace

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = float_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

uint16_t f32_to_f16(float value) {
  const uint32_t bits = float_bits(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and more round to infinity
  if (magnitude >= 0x38800000u) {                                              // 2^-14 and more: a normal half
    const uint32_t rebiased = magnitude - (112u << 23);
    return static_cast<uint16_t>(sign | ((rebiased + 0xfffu + ((rebiased >> 13) & 1u)) >> 13));
  }
  if (magnitude < 0x33000000u) return static_cast<uint16_t>(sign);  // under 2^-25
  // A subnormal half counts in 2^-24: shift the mantissa there and round what falls off.
  const uint32_t shift = 126u - (magnitude >> 23);  // 14 to 24
  const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  const uint32_t kept = mantissa >> shift;
  const uint32_t rest = mantissa & ((1u << shift) - 1u);
  const uint32_t half = 1u << (shift - 1u);
  const uint32_t up = rest > half || (rest == half && (kept & 1u) != 0) ? 1u : 0u;
  return static_cast<uint16_t>(sign | (kept + up));
}

const char* element_type_name(ElementType type) {
  switch (type) {
    case ElementType::kF32:
      return "F32";
    case ElementType::kF16:
      return "F16";
    case ElementType::kBF16:
      return "BF16";
    case ElementType::kI32:
      return "I32";
    case ElementType::kOther:
      break;
  }
  return "other";
}

size_t element_bytes(ElementType type) {
  switch (type) {
    case ElementType::kF32:
    case ElementType::kI32:
      return 4;
    case ElementType::kF16:
    case ElementType::kBF16:
      return 2;
    case ElementType::kOther:
      break;
  }
  return 0;
}

size_t TensorView::elements() const {
  size_t product = 1;
  for (size_t extent : shape) product *= extent;
  return product;
}

void read_bytes(const TensorView& tensor, size_t first, size_t count, void* out) {
  if (tensor.file) {
    tensor.file->read(tensor.at + first, count, out);
  } else if (count > 0) {
    std::memcpy(out, tensor.data + first, count);
  }
}

void read_floats(const TensorView& tensor, size_t first, size_t count, float* out) {
  const size_t size = element_bytes(tensor.type);
  if (size == 0 || tensor.type == ElementType::kI32) fail_type(tensor);
  if (count == 0) return;
  if (tensor.type == ElementType::kF32) return read_bytes(tensor, first * size, count * size, out);
  for_chunks(tensor, first, count, [&](const uint8_t* data, size_t n) {
    if (tensor.type == ElementType::kF16) {
      widen(data, n, out, f16_to_f32);
    } else {
      widen(data, n, out, bf16_to_f32);
    }
    out += n;
    return true;
  });
}

size_t first_non_finite(const TensorView& tensor) {
  const auto find = [&](const uint8_t* data, size_t count) {
    switch (tensor.type) {
      case ElementType::kF32:
        return first_with_exponent<uint32_t>(data, count, 0x7f800000u);
      case ElementType::kF16:
        return first_with_exponent<uint16_t>(data, count, 0x7c00u);
      case ElementType::kBF16:
        return first_with_exponent<uint16_t>(data, count, 0x7f80u);
      default:
        fail_type(tensor);
    }
  };
  size_t before = 0, result = kAllFinite;
  for_chunks(tensor, 0, tensor.elements(), [&](const uint8_t* data, size_t count) {
    const size_t found = find(data, count);
    if (found != kAllFinite) result = before + found;
    before += count;
    return found == kAllFinite;
  });
  return result;
}

}  // namespace lookupffn
