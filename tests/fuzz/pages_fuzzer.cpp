// A store's file that somebody has written into: it is refused with a reason or
// accepted, before LMDB sees it. The input is a list of changes to a good file.

#include "troupe/persistence/lmdb_store.hpp"
#include "troupe/persistence/page_check.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <unistd.h>

namespace {

using namespace troupe;

network_spec some_network(int n) {
  auto result = network_spec{};
  auto digits = std::to_string(n);
  result.id.value = std::string(64 - digits.size(), 'a') + digits;
  result.name = "network" + digits;
  result.labels["text"] = std::string(n % 8 == 1 ? 5'000 : n, 'x');
  return result;
}

std::string good_file() {
  auto root = std::string{"/tmp/troupe-fuzz-XXXXXX"};
  if (::mkdtemp(root.data()) == nullptr)
    std::abort();
  auto how = persistence::store_options{};
  how.durable_dir = root + "/durable";
  how.runtime_dir = root + "/runtime";
  auto file = std::string{};
  {
    auto store = persistence::open_lmdb_with(how);
    for (auto n = 0; store && n < 40; ++n)
      if (auto changes = std::vector<persistence::change>{some_network(n)};
          !(*store)->commit(changes))
        std::abort();
    auto in = std::ifstream{how.durable_dir + "/data.mdb", std::ios::binary};
    file.assign(std::istreambuf_iterator<char>{in}, {});
  }
  std::filesystem::remove_all(root);
  if (file.empty())
    std::abort();
  file.resize(file.find_last_not_of('\0') / 4'096 * 4'096 + 4'096);
  return file;
}

/// Goes away with the program.
struct scratch_file {
  scratch_file() {
    if (std::filesystem::exists("/dev/shm"))
      path = "/dev/shm/troupe-fuzz-";
    path += std::to_string(::getpid());
  }
  ~scratch_file() {
    ::unlink(path.c_str());
  }
  std::string path = "/tmp/troupe-fuzz-";
};

/// Each change: four bytes of offset, one of length, the bytes.
std::string changed(std::string file, std::string_view how) {
  while (how.size() > 5) {
    auto offset = uint32_t{0};
    std::memcpy(&offset, how.data(), sizeof offset);
    const auto length = static_cast<uint8_t>(how[4]) % 32U + 1U;
    how.remove_prefix(5);
    const auto bytes = how.substr(0, length);
    const auto at = offset % file.size();
    file.replace(at, std::min(bytes.size(), file.size() - at), bytes, 0,
                 std::min(bytes.size(), file.size() - at));
    how.remove_prefix(bytes.size());
  }
  return file;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto good = good_file();
  static const auto place = scratch_file{};
  const auto file = changed(good, {reinterpret_cast<const char*>(data), size});
  std::ofstream{place.path, std::ios::binary | std::ios::trunc} << file;
  auto wrong = persistence::check_pages(place.path);
  if (!wrong ? wrong.error().message.empty() : *wrong && (*wrong)->empty())
    std::abort();
  if (file == good && (!wrong || *wrong))
    std::abort();
  return 0;
}
