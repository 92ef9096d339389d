// A short fingerprint of a text, to notice that something changed; not for security.
#ifndef LOOKUPFFN_CONTENT_HASH_H
#define LOOKUPFFN_CONTENT_HASH_H

#include <string>

namespace lookupffn {

// 16 hexadecimal digits: 64-bit FNV-1a.
std::string content_hash(const std::string& text);

}  // namespace lookupffn
#endif
