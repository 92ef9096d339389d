// Programs whose output must have arrived when they say that all went well.
#ifndef LOOKUPFFN_STANDARD_OUTPUT_H
#define LOOKUPFFN_STANDARD_OUTPUT_H

#include <string>

namespace lookupffn {

// Call first of all. A standard stream that the caller closed is taken up, so that no file which is opened later gets its
// number and what is printed; what is printed then fails, as it should.
void hold_standard_streams();

// Call last of all, with the exit status: writes out what was printed. Where something of it could not be written, says so in
// a line on standard error and returns 1 in the place of 0.
int written_out(const std::string& program, int status);

}  // namespace lookupffn
#endif
