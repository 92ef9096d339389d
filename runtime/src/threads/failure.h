// How the inside of the library reports a failure: by throwing a Failure, which the C API turns into a
// status and a message (guard in status.h). Nothing is thrown across the C API.
#ifndef LOOKUPFFN_FAILURE_H
#define LOOKUPFFN_FAILURE_H

#include <stdexcept>
#include <string>

#include "lookupffn/lookupffn.h"

namespace lookupffn {

class Failure : public std::runtime_error {
 public:
  Failure(lookupffn_status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  lookupffn_status status() const { return status_; }

 private:
  lookupffn_status status_;
};

}  // namespace lookupffn
#endif
