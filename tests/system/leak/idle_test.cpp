// What the daemon costs when nothing happens, and when all is gone again.

#include "troupe/tests/system/harness/system_test.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <unistd.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

class Idle : public system_test {
protected:
  struct cost {
    long switches = 0; ///< Of all threads, that they wanted: it woke so often.
    long cpu_ms = 0;
  };

  cost spent() {
    auto result = cost{};
    const auto process = "/proc/" + std::to_string(daemon().pid());
    for (const auto& thread :
         std::filesystem::directory_iterator{process + "/task"}) {
      auto lines = std::istringstream{read_file(thread.path() / "status")};
      for (auto line = std::string{}; std::getline(lines, line);)
        if (line.starts_with("voluntary_ctxt_switches:"))
          result.switches += std::stol(line.substr(line.find(':') + 1));
    }
    auto text = read_file(process + "/stat");
    auto words = std::istringstream{text.substr(text.rfind(')') + 2)};
    auto word = std::string{};
    for (auto i = 3; i < 14; ++i)
      words >> word;
    auto user = 0L;
    auto system = 0L;
    words >> user >> system;
    result.cpu_ms = (user + system) * 1'000 / ::sysconf(_SC_CLK_TCK);
    return result;
  }

  // It does next to nothing for as long as it waits between two comparisons.
  void wait_until_it_rests() {
    constexpr auto calm = 11;
    auto last = spent();
    for (auto quiet = 0, left = 120; quiet < calm && left > 0; --left) {
      std::this_thread::sleep_for(1s);
      auto now = spent();
      quiet = now.switches - last.switches <= 10 ? quiet + 1 : 0;
      last = now;
    }
  }

  long resident_kib() {
    auto lines = std::istringstream{
      read_file("/proc/" + std::to_string(daemon().pid()) + "/status")};
    for (auto line = std::string{}; std::getline(lines, line);)
      if (line.starts_with("VmRSS:"))
        return std::stol(line.substr(6));
    return 0;
  }

  void make(int count) {
    for (auto i = 0; i < count && !HasFailure(); ++i) {
      const auto name = "box" + std::to_string(i);
      create_sandbox(name);
      attach("net", name);
    }
  }

  void remove(int count) {
    for (auto i = 0; i < count && !HasFailure(); ++i)
      must("DELETE", "/v1/sandboxes/box" + std::to_string(i));
  }
};

} // namespace

TEST_F(Idle, NothingIsDoneWhenNothingHappens) {
  create_network("net");
  make(150);
  // What came with the attaches is compared once more, ten seconds later.
  wait_until_it_rests();
  const auto before = spent();
  // Time itself is what is tested.
  constexpr auto seconds = 15;
  std::this_thread::sleep_for(std::chrono::seconds{seconds});
  const auto after = spent();
  RecordProperty("switches", std::to_string(after.switches - before.switches));
  RecordProperty("cpu_ms", std::to_string(after.cpu_ms - before.cpu_ms));
  // Five times what was seen, as others work on this machine.
  EXPECT_LE(after.switches - before.switches, 5 * seconds);
  EXPECT_LE(after.cpu_ms - before.cpu_ms, 200);
  reconnect();
}

TEST_F(Idle, MemoryIsGivenBack) {
  create_network("net");
  make(20);
  remove(20);
  // Links die in the background.
  auto before = resident_kib();
  for (auto same = 0, left = 100; same < 10 && left > 0; --left) {
    std::this_thread::sleep_for(100ms);
    const auto now = resident_kib();
    same = now == before ? same + 1 : 0;
    before = now;
  }
  make(300);
  remove(300);
  // Freed memory goes back some seconds later.
  auto after = resident_kib();
  for (auto i = 0; i < 60 && after > before * 6 / 5; ++i) {
    std::this_thread::sleep_for(500ms);
    after = resident_kib();
  }
  RecordProperty("before_kib", std::to_string(before));
  RecordProperty("after_kib", std::to_string(after));
  EXPECT_LE(after, before * 13 / 10);
  reconnect();
}

} // namespace troupe::test
