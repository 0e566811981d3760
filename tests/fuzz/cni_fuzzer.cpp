// Whatever a runtime says gives a request or an error with a code, and a result
// of another plugin, whatever it is, does not stop ours from answering.

#include "troupe/tools/cni/config.hpp"
#include "troupe/tools/cni/inspection.hpp"
#include "troupe/tools/cni/result.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace troupe;
using namespace troupe::cni;

template <class T>
void expect_reason(const outcome<T>& x) {
  if (!x
      && (static_cast<int>(x.error().what) == 0 || x.error().message.empty()))
    std::abort();
}

addition sample() {
  auto result = addition{};
  result.interfaces = {{"eth0", "02:42:0a:01:00:05", 1500, "/run/netns/c1"}};
  result.addresses = {{ip_address{}, 16}};
  result.gateway = ip_address{};
  result.gives_default_v4 = true;
  return result;
}

void read_all(std::string_view text, const char* command) {
  auto base = read_base(text, command);
  expect_reason(base);
  if (!base)
    return;
  auto env = environment{command, "c1", "/run/netns/c1", "eth0", {}, {}};
  auto config = read_add(*base, env);
  expect_reason(config);
  expect_reason(read_valid_attachments(*base));
  expect_reason(read_promise(base->document, env));
  if (!config)
    return;
  auto result = result_of(sample(), base->version, config->previous);
  if (!parse_json(dump(result), {64U << 20U, 128, false}))
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto text = std::string{reinterpret_cast<const char*>(data), size};
  read_all(text, "ADD");
  read_all(text, "GC");
  expect_reason(read_args(text));
  expect_reason(check_environment({"ADD", text, text, text, text, text}));
  return 0;
}
