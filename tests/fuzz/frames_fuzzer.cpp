// What a peer of troupe-remote, or a worker that one has taken over, may send:
// greetings, and frames in any pieces.

#include "troupe/actors/remote/basp.hpp"
#include "troupe/tools/troupe-remote/frames.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace troupe;
using namespace troupe::tools::remote;

/// What can be read can be written and read again.
void read(const std::string& text) {
  if (auto x = decode_question(text);
      x && !decode_question(encode(*x).substr(4)))
    std::abort();
  if (auto x = decode_answer(text); x && !decode_answer(encode(*x).substr(4)))
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr auto small = size_t{4'096};
  const auto all = std::string_view{reinterpret_cast<const char*>(data), size};
  if (size >= troupe::remote::basp_header_bytes)
    (void)troupe::remote::check_greeting(
      all.substr(0, troupe::remote::basp_header_bytes));
  read(std::string{all});
  // The first byte says in which pieces the stream comes.
  const auto piece = size > 0 ? data[0] % 64U + 1U : 1U;
  auto reader = frame_reader{small};
  for (size_t at = 0; at < size; at += piece) {
    reader.feed(all.substr(at, piece));
    for (;;) {
      auto frame = reader.next();
      if (!frame)
        return 0; // Too long: the stream has ended.
      if (!*frame)
        break;
      if ((*frame)->size() > small)
        std::abort();
      read(**frame);
    }
  }
  return 0;
}
