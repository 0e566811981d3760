// The process that holds the published ports dies or is stopped.

#include "troupe/tests/system/doctor/town.hpp"

#include <chrono>
#include <filesystem>
#include <thread>

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::test {

namespace {

class DoctorOfTheProxy : public DoctorTown {
protected:
  // Of this program's process namespace, so nobody else's.
  static pid_t proxy() {
    for (const auto& x : std::filesystem::directory_iterator{"/proc"}) {
      auto problem = std::error_code{};
      auto program = std::filesystem::read_symlink(x.path() / "exe", problem);
      if (!problem && program.filename() == "troupe-proxy")
        return std::stoi(x.path().filename());
    }
    return -1;
  }

  // Through the proxy: a loopback address.
  static bool answers() {
    return connect_from(place{}, "127.0.0.1", 8080).is_open();
  }

  // Waits until the doctor has nothing to say. @returns what it says.
  std::string doctor_after_all() {
    auto said = doctor();
    for (auto i = 0; i < 100 && !said.empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
      said = doctor();
    }
    return said;
  }

  static bool comes_back() {
    for (auto i = 0; i < 100 && !answers(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
    return answers();
  }
};

} // namespace

TEST_F(DoctorOfTheProxy, OneThatDiesIsStartedAgain) {
  ASSERT_TRUE(comes_back());
  const auto first = proxy();
  ASSERT_GT(first, 0);
  ASSERT_EQ(kill(first, SIGKILL), 0);
  for (auto i = 0; i < 100 && (proxy() == first || proxy() < 0); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  EXPECT_GT(proxy(), 0);
  EXPECT_NE(proxy(), first);
  EXPECT_EQ(doctor_after_all(), "");
  EXPECT_TRUE(comes_back());
}

TEST_F(DoctorOfTheProxy, OneThatIsStoppedGoesOn) {
  ASSERT_TRUE(comes_back());
  const auto first = proxy();
  ASSERT_EQ(kill(first, SIGSTOP), 0);
  auto is_stopped = [&] {
    return read_file("/proc/" + std::to_string(first) + "/status")
             .find("(stopped)")
           != std::string::npos;
  };
  for (auto i = 0; i < 100 && !is_stopped(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  for (auto i = 0; i < 100 && is_stopped(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  EXPECT_FALSE(is_stopped());
  EXPECT_EQ(doctor_after_all(), "");
  EXPECT_TRUE(comes_back());
  EXPECT_EQ(proxy(), first) << "its ports were never free";
}

// Doctor and status say so, and the port comes back with the end of the thief.
TEST_F(DoctorOfTheProxy, APortThatSomebodyTakesMeanwhileIsTold) {
  ASSERT_TRUE(comes_back());
  ASSERT_EQ(kill(daemon().pid(), SIGSTOP), 0);
  ASSERT_EQ(kill(proxy(), SIGKILL), 0);
  auto thief = -1;
  for (auto i = 0; i < 100 && thief < 0; ++i) {
    auto fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto where = sockaddr_in{};
    where.sin_family = AF_INET;
    where.sin_port = htons(8080);
    if (bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0
        && listen(fd, 1) == 0)
      thief = fd;
    else
      close(fd);
    if (thief < 0)
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  ASSERT_EQ(kill(daemon().pid(), SIGCONT), 0);
  ASSERT_GE(thief, 0);
  EXPECT_NE(doctor().find("8080"), std::string::npos);
  EXPECT_EQ(ask_doctor().code, 1);
  auto status = must("GET", "/v1/status").at("warnings").dump();
  EXPECT_NE(status.find("8080"), std::string::npos) << status;
  auto repaired = ask_doctor({"--repair"});
  EXPECT_EQ(repaired.code, 1);
  EXPECT_NE(repaired.out.find("8080"), std::string::npos);
  close(thief);
  EXPECT_TRUE(comes_back()) << daemon().log();
  EXPECT_EQ(doctor_after_all(), "");
}

} // namespace troupe::test
