// Halide's calling convention: an array of pointers, to a halide_buffer_t or to a scalar.
#ifndef LOOKUPFFN_KERNEL_ARGUMENTS_H
#define LOOKUPFFN_KERNEL_ARGUMENTS_H

#include <HalideRuntime.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "row_format.h"

namespace lookupffn {

// What a kernel reads of a table's rows.
inline halide_type_t word_type(const RowFormat& format) {
  const halide_type_code_t code = format.word == kFloat    ? halide_type_float
                                  : format.word == kSigned ? halide_type_int
                                                           : halide_type_uint;
  return halide_type_t(code, uint8_t(format.word_bits));
}

struct Dimension {
  size_t extent;
  ptrdiff_t stride;  // in elements
};

template <class T>
struct ElementOf;
template <>
struct ElementOf<float> {
  static constexpr halide_type_code_t code = halide_type_float;
};
template <>
struct ElementOf<uint16_t> {
  static constexpr halide_type_code_t code = halide_type_uint;
};
template <>
struct ElementOf<int32_t> {
  static constexpr halide_type_code_t code = halide_type_int;
};
template <>
struct ElementOf<int8_t> {
  static constexpr halide_type_code_t code = halide_type_int;
};

// A buffer that a kernel reads or writes; innermost dimension first. Nothing is owned.
class BufferArgument {
 public:
  template <class T>
  BufferArgument(const T* data, std::initializer_list<Dimension> dimensions) {
    set_type(halide_type_t(ElementOf<T>::code, 8 * sizeof(T)), data, dimensions);
  }
  // For data whose type is known at run time only.
  BufferArgument(halide_type_t type, const void* data, std::initializer_list<Dimension> dimensions) {
    set_type(type, data, dimensions);
  }
  BufferArgument(const BufferArgument&) = delete;
  BufferArgument& operator=(const BufferArgument&) = delete;

  void* pointer() { return &buffer_; }

 private:
  void set_type(halide_type_t type, const void* data, std::initializer_list<Dimension> dimensions) {
    buffer_ = halide_buffer_t();
    buffer_.host = static_cast<uint8_t*>(const_cast<void*>(data));
    buffer_.type = type;
    buffer_.dim = dimensions_;
    for (const Dimension& dimension : dimensions) {
      dimensions_[buffer_.dimensions++] = halide_dimension_t(0, int32_t(dimension.extent), int32_t(dimension.stride));
    }
  }

  halide_buffer_t buffer_;
  halide_dimension_t dimensions_[4];
};

}  // namespace lookupffn
#endif
