// Any request body is refused with a reason or read; what was read is written
// and read again unchanged.

#include "troupe/actors/api/messages.hpp"
#include "troupe/config/model/json.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

template <class T>
void read(const troupe::json& document) {
  auto value = troupe::from_json<T>(document);
  if (!value && value.error().message.empty())
    std::abort();
  if (value && troupe::from_json<T>(troupe::to_json(*value)) != *value)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto text = std::string_view{reinterpret_cast<const char*>(data), size};
  auto document = troupe::parse_json(text);
  if (!document) {
    if (document.error().message.empty())
      std::abort();
    return 0;
  }
  read<troupe::create_network>(*document);
  read<troupe::attach_sandbox>(*document);
  read<troupe::create_sandbox>(*document);
  return 0;
}
