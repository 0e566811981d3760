// Any file, variable and flag gives settings or a clear error; settings that
// were accepted are accepted again, unchanged.

#include "troupe/config/settings.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace troupe;
  auto text = std::string_view{reinterpret_cast<const char*>(data), size};
  auto value = std::string{text};
  auto from_file = load_settings("fuzz.json", text, {}, {});
  auto from_variable
    = load_settings("", "", {{"TROUPE_DEFAULT_ADDRESS_POOLS", value}}, {});
  auto from_flag = load_settings("", "", {}, {{"run-dir", value}});
  for (const auto* loaded : {&from_file, &from_variable, &from_flag}) {
    if (!*loaded && loaded->error().message.empty())
      std::abort();
    if (*loaded && validated(**loaded) != **loaded)
      std::abort();
  }
  return 0;
}
