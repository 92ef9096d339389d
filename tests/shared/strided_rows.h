// A matrix of floats whose rows lie at any stride, in memory of its own that ends where a page begins that
// must not be touched: an access past the last row ends the test with SIGSEGV, in any build. Floats around
// each row hold a fill value: NaN shows up in the results of a kernel that reads them, and any value tells
// whether a kernel wrote them.
#ifndef LOOKUPFFN_TESTS_STRIDED_ROWS_H
#define LOOKUPFFN_TESTS_STRIDED_ROWS_H

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

// Memory that ends where a page begins that must not be touched. That of many GiB is kept for the next who asks: qemu remembers
// every page that was ever mapped, and forgets none.
class GuardedMemory {
 public:
  explicit GuardedMemory(size_t bytes) {
    const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    mapping_.bytes = (bytes + page - 1) / page * page + page;
    std::vector<Mapping>& spare = spares();
    const auto there =
        std::find_if(spare.begin(), spare.end(), [&](const Mapping& other) { return other.bytes >= mapping_.bytes; });
    if (mapping_.bytes > kKept && there != spare.end()) {
      mapping_ = *there;
      spare.erase(there);
    } else {
      mapping_.base =
          ::mmap(nullptr, mapping_.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (mapping_.base == MAP_FAILED) throw std::bad_alloc();
    }
    end_ = static_cast<char*>(mapping_.base) + mapping_.bytes - page;
    if (::mprotect(end_, page, PROT_NONE) != 0) throw std::bad_alloc();
  }
  ~GuardedMemory() {
    if (mapping_.bytes > kKept && ::madvise(mapping_.base, mapping_.bytes, MADV_DONTNEED) == 0) {
      spares().push_back(mapping_);
    } else {
      ::munmap(mapping_.base, mapping_.bytes);
    }
  }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  void* end() const { return end_; }

 private:
  struct Mapping {
    void* base;
    size_t bytes;
  };
  static constexpr size_t kKept = size_t(1) << 30;
  static std::vector<Mapping>& spares() {
    static std::vector<Mapping> all;
    return all;
  }

  Mapping mapping_{nullptr, 0};
  char* end_ = nullptr;
};

class StridedRows {
 public:
  // `stride` floats from one row to the next: any sign, also 0 (all rows are one), |stride| >= width
  // otherwise. Memory that is not touched costs nothing, so strides may be huge.
  StridedRows(size_t rows, size_t width, ptrdiff_t stride, float fill)
      : rows_(rows),
        width_(width),
        stride_(stride),
        fill_(fill),
        memory_((kMargin + extent(rows, width, stride)) * sizeof(float)),
        end_(static_cast<float*>(memory_.end())),
        lowest_(end_ - extent(rows, width, stride)),
        first_(stride < 0 ? end_ - width : lowest_) {
    for (size_t n = 0; n < rows; ++n) for_each_around(n, [&](float* at) { *at = fill_; });
    for (size_t n = 0; n < rows; ++n) std::fill(row(n), row(n) + width, fill_);
  }
  StridedRows(const StridedRows&) = delete;
  StridedRows& operator=(const StridedRows&) = delete;

  float* row(size_t n) { return first_ + ptrdiff_t(n) * stride_; }
  const float* row(size_t n) const { return first_ + ptrdiff_t(n) * stride_; }
  ptrdiff_t stride() const { return stride_; }

  void set_row(size_t n, const float* values) { std::memcpy(row(n), values, width_ * sizeof(float)); }

  // All rows, contiguous.
  std::vector<float> values() const {
    std::vector<float> all;
    all.reserve(rows_ * width_);
    for (size_t n = 0; n < rows_; ++n) all.insert(all.end(), row(n), row(n) + width_);
    return all;
  }

  // Floats around the rows that are not the fill value any more.
  size_t touched_around() const {
    size_t touched = 0;
    for (size_t n = 0; n < rows_; ++n) {
      for_each_around(n, [&](float* at) { touched += std::memcmp(at, &fill_, sizeof fill_) != 0; });
    }
    return touched;
  }

 private:
  static constexpr size_t kMargin = 64;  // floats looked at on either side of a row

  // Floats from the lowest row's begin to the highest one's end.
  static size_t extent(size_t rows, size_t width, ptrdiff_t stride) {
    const size_t apart = stride < 0 ? size_t(-stride) : size_t(stride);
    return (rows ? (rows - 1) * apart : 0) + width;
  }

  // The floats beside row n that belong to no row: the gap to the next row up, or what there is of it.
  template <class Visit>
  void for_each_around(size_t n, Visit visit) const {
    float* const begin = const_cast<float*>(row(n));
    float* const after = begin + width_;
    const size_t apart = stride_ < 0 ? size_t(-stride_) : size_t(stride_);
    const bool lowest = begin == lowest_, highest = after == end_;
    const size_t gap = apart > width_ ? apart - width_ : 0;
    const size_t below = lowest ? kMargin : std::min(kMargin, gap);
    const size_t above = highest ? 0 : std::min(kMargin, gap);
    for (size_t k = 1; k <= below; ++k) visit(begin - k);
    for (size_t k = 0; k < above; ++k) visit(after + k);
  }

  size_t rows_, width_;
  ptrdiff_t stride_;
  float fill_;
  GuardedMemory memory_;
  float *end_, *lowest_, *first_;
};

#endif
