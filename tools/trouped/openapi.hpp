#pragma once

#include <string>

namespace troupe::tools {

/// The API as an OpenAPI 3.0 document, from the route table and the field
/// tables; indented, with a line end.
const std::string& openapi_text();

} // namespace troupe::tools
