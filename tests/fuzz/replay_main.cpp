// Feeds the files of a folder to one fuzz target, once each: what was found
// and what the fuzzer begins with is tried in every build, with any compiler.
// Usage: replay_NAME FOLDER

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  auto count = 0;
  for (const auto& x : std::filesystem::directory_iterator{argv[1]}) {
    auto in = std::ifstream{x.path(), std::ios::binary};
    const auto text = std::string{std::istreambuf_iterator<char>{in}, {}};
    std::printf("%s\n", x.path().filename().c_str());
    std::fflush(stdout); // The last line is the one that crashed.
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()),
                           text.size());
    ++count;
  }
  std::printf("%d inputs\n", count);
  return count > 0 ? 0 : 1;
}
