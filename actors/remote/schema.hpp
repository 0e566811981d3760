#pragma once

#include <string>
#include <string_view>

namespace troupe::remote {

/// The shapes of all messages of the API as text: names and kinds of fields, in
/// order. Two programs of the same text understand each other's bytes.
std::string schema_text();

/// Sixteen hex digits that differ where the texts do.
std::string digest(std::string_view text);

/// `digest` of `schema_text`. Declared in remote.hpp as well, for those who
/// include CAF anyway.
std::string schema();

} // namespace troupe::remote
