#include "fixture.hpp"
#include <set>
#include <sstream>

#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace troupe {
namespace {

using namespace test;

class ProxyLife : public ports_test {
protected:
  /// Options behind those that it is started with.
  void add_options(const std::string& options) {
    const auto script = run_dir() + "/with-options";
    std::ofstream{script} << "#!/bin/sh\nexec " << settings.program
                          << " \"$@\" " << options << "\n";
    ASSERT_EQ(::chmod(script.c_str(), 0755), 0);
    settings.program = script;
  }
};

// Where root of a user namespace has no other user to become, it stays root.
bool has_user_nobody() {
  constexpr auto nobody = 65'534UL;
  auto map = std::ifstream{"/proc/self/uid_map"};
  auto inside = 0UL;
  auto outside = 0UL;
  auto count = 0UL;
  while (map >> inside >> outside >> count)
    if (inside <= nobody && nobody - inside < count)
      return true;
  return false;
}

// With sanitizers the proxy makes calls that it must not make otherwise.
constexpr bool is_sanitized() {
#if defined(__has_feature)
  return __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
  return false;
#endif
}

TEST_F(ProxyLife, HasNoPrivileges) {
  auto proxy = netns::make_proxy_client(settings);
  auto started = proxy->remove({});
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_TRUE(proxy->list()->empty());
  auto pid = proxy_pid();
  ASSERT_GT(pid, 0);
  ASSERT_EQ(geteuid(), 0U) << "nothing to give up";
  if (has_user_nobody()) {
    for (auto ids : {"Uid", "Gid"})
      EXPECT_EQ(status_of(pid, ids), "65534\t65534\t65534\t65534") << ids;
    EXPECT_EQ(status_of(pid, "Groups"), "");
  }
  for (auto set : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    EXPECT_EQ(status_of(pid, set), "0000000000000000") << set;
  EXPECT_EQ(status_of(pid, "NoNewPrivs"), "1");
  constexpr auto filtered = "2";
  EXPECT_EQ(status_of(pid, "Seccomp"), is_sanitized() ? "0" : filtered);
  EXPECT_NE(status_of(pid, "PPid"), std::to_string(getpid()));
  EXPECT_NE(::getsid(pid), ::getsid(0));
  EXPECT_EQ(status_of(pid, "Threads"), "1");
}

TEST_F(ProxyLife, IsOneForEachRunDirectory) {
  auto first = netns::make_proxy_client(settings);
  auto second = netns::make_proxy_client(settings);
  EXPECT_TRUE(first->remove({}).has_value());
  auto pid = proxy_pid();
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(second->list().has_value());
  EXPECT_EQ(proxy_pid(), pid);
  auto command = settings.program + " --run-dir " + run_dir() + " 2>/dev/null";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
  EXPECT_EQ(proxy_pid(), pid);
}

TEST_F(ProxyLife, EndsWhenNobodyNeedsIt) {
  auto pid = pid_t{0};
  {
    auto proxy = netns::make_proxy_client(settings);
    ASSERT_TRUE(
      publish(*proxy, protocol::tcp, "127.0.0.1", 8080, "172.19.0.2", 80)
        .has_value());
    pid = proxy_pid();
  }
  // Longer than it stays without ports: what is tested is that it does not end.
  std::this_thread::sleep_for(std::chrono::milliseconds{2'500});
  ASSERT_FALSE(is_gone(pid)) << "it holds a port";
  {
    auto proxy = netns::make_proxy_client(settings);
    auto ports = proxy->list();
    ASSERT_EQ(ports->size(), 1U);
    ASSERT_TRUE(proxy->remove(*ports).has_value());
  }
  EXPECT_TRUE(eventually([&] {
    return is_gone(pid);
  }));
}

TEST_F(ProxyLife, SurvivesTheDeathOfTheDaemonWithItsConnections) {
  auto server = tcp_server{"172.19.0.2", 80, echo};
  auto child = ::fork();
  if (child == 0) {
    auto proxy = netns::make_proxy_client(settings);
    auto ok
      = publish(*proxy, protocol::tcp, "127.0.0.1", 8080, "172.19.0.2", 80);
    ::_exit(ok && ::raise(SIGKILL) == 0 ? 0 : 1);
  }
  auto status = 0;
  auto established = unique_fd{};
  EXPECT_TRUE(eventually([&] {
    established = dial("127.0.0.1", 8080);
    return static_cast<bool>(established);
  }));
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto proxy = netns::make_proxy_client(settings);
  auto ports = proxy->list();
  ASSERT_TRUE(ports.has_value());
  ASSERT_EQ(ports->size(), 1U);
  EXPECT_EQ(ports->front().target, ip("172.19.0.2"));
  send_all(established.get(), "still here");
  EXPECT_EQ(read_some(established.get()), "still here");
}

// It may have asked for the contrary over another connection.
TEST_F(ProxyLife, DoesNotDoWhatWasAskedByWhoIsGone) {
  auto proxy = netns::make_proxy_client(settings);
  ASSERT_TRUE(proxy->remove({}));
  auto pid = proxy_pid();
  ASSERT_GT(pid, 0);
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  {
    auto hasty = settings;
    hasty.patience_ms = 100;
    auto done = publish(*netns::make_proxy_client(hasty), protocol::tcp,
                        "127.0.0.1", 8080, "172.19.0.2", 80);
    EXPECT_FALSE(done);
  }
  ASSERT_EQ(::kill(pid, SIGCONT), 0);
  EXPECT_TRUE(eventually([&] {
    return sockets->hold(protocol::tcp, ip("127.0.0.1"), 8080).has_value();
  }));
  EXPECT_TRUE(proxy->list()->empty());
}

TEST_F(ProxyLife, TakesParcelsWhileOthersArePacked) {
  auto proxy = netns::make_proxy_client(settings);
  auto send = [&](uint16_t port, protocol said) {
    auto socket = sockets->hold(protocol::tcp, ip("127.0.0.1"), port).value();
    auto what
      = netns::proxy_port{said, ip("127.0.0.1"), port, ip("172.19.0.2"), 80};
    return proxy->begin_add({&what, 1}, {&socket, 1});
  };
  EXPECT_FALSE(send(8080, protocol::tcp)) << "it would have to be started";
  EXPECT_TRUE(proxy->finish_add());
  ASSERT_TRUE(proxy->remove({}));
  for (uint16_t port = 8080; port < 8100; ++port)
    EXPECT_TRUE(send(port, protocol::tcp));
  EXPECT_TRUE(proxy->finish_add());
  EXPECT_EQ(proxy->list()->size(), 20U);
  // One that is refused does not keep the others back.
  EXPECT_TRUE(send(8100, protocol::tcp));
  EXPECT_TRUE(send(8101, protocol::udp));
  EXPECT_TRUE(send(8102, protocol::tcp));
  auto refused = proxy->finish_add();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().os_error, EINVAL);
  EXPECT_TRUE(proxy->finish_add());
  EXPECT_EQ(proxy->list()->size(), 22U);
  // It dies with a parcel that it has not opened.
  auto pid = proxy_pid();
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  EXPECT_TRUE(send(8110, protocol::tcp));
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  EXPECT_FALSE(proxy->finish_add());
  EXPECT_TRUE(proxy->list()->empty());
}

TEST_F(ProxyLife, HoldsAThousandPorts) {
  auto server = tcp_server{"172.19.0.2", 80, echo};
  auto proxy = netns::make_proxy_client(settings);
  auto ports = std::vector<netns::proxy_port>{};
  auto held = std::vector<std::shared_ptr<netns::held_port>>{};
  for (auto i = 0; i < 1'000; ++i) {
    auto port = static_cast<uint16_t>(20'000 + i);
    auto where = ip(i % 2 == 0 ? "0.0.0.0" : "::");
    held.push_back(*sockets->hold(protocol::tcp, where, port));
    ports.push_back({protocol::tcp, where, port, ip("172.19.0.2"), 80});
  }
  ASSERT_TRUE(proxy->add(ports, held).has_value());
  held.clear();
  EXPECT_EQ(proxy->list()->size(), 1'000U);
  for (auto port : {20'000, 20'500, 20'999}) {
    auto fd
      = dial(port % 2 == 0 ? "127.0.0.1" : "::1", static_cast<uint16_t>(port));
    ASSERT_TRUE(fd) << port;
    send_all(fd.get(), "x");
    EXPECT_EQ(read_some(fd.get()), "x");
  }
  EXPECT_FALSE(sockets->hold(protocol::tcp, ip("0.0.0.0"), 20'000).has_value());
  ASSERT_TRUE(proxy->remove(ports).has_value());
  EXPECT_TRUE(proxy->list()->empty());
  EXPECT_TRUE(sockets->hold(protocol::tcp, ip("0.0.0.0"), 20'000).has_value());
}

TEST_F(ProxyLife, RemovesConnectionsWithTheirPort) {
  auto server = tcp_server{"172.19.0.2", 80, echo};
  auto proxy = netns::make_proxy_client(settings);
  ASSERT_TRUE(
    publish(*proxy, protocol::tcp, "127.0.0.1", 8080, "172.19.0.2", 80)
      .has_value());
  auto fd = dial("127.0.0.1", 8080);
  send_all(fd.get(), "x");
  EXPECT_EQ(read_some(fd.get()), "x");
  ASSERT_TRUE(proxy->remove(*proxy->list()).has_value());
  EXPECT_TRUE(read_some(fd.get()).empty());
}

TEST_F(ProxyLife, AddsAllOrNothing) {
  auto proxy = netns::make_proxy_client(settings);
  auto held = std::vector<std::shared_ptr<netns::held_port>>{
    *sockets->hold(protocol::tcp, ip("127.0.0.1"), 8080), nullptr};
  auto ports = std::vector<netns::proxy_port>{
    {protocol::tcp, ip("127.0.0.1"), 8080, ip("172.19.0.2"), 80},
    {protocol::tcp, ip("127.0.0.1"), 8081, ip("172.19.0.2"), 80}};
  auto done = proxy->add(ports, held);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ec::not_found);
  EXPECT_TRUE(proxy->list()->empty());
  // A socket that is not what it is said to be.
  held.pop_back();
  ports.pop_back();
  ports[0].host_port = 8082;
  EXPECT_EQ(proxy->add(ports, held).error().code, ec::invalid_argument);
  EXPECT_TRUE(proxy->list()->empty());
}

TEST_F(ProxyLife, ComesThroughWithoutDescriptors) {
  auto server = tcp_server{"172.19.0.2", 80, echo};
  add_options("--descriptors 40");
  auto proxy = netns::make_proxy_client(settings);
  ASSERT_TRUE(
    publish(*proxy, protocol::tcp, "127.0.0.1", 8080, "172.19.0.2", 80)
      .has_value());
  auto pid = proxy_pid();
  {
    auto clients = std::vector<unique_fd>{};
    for (auto i = 0; i < 60; ++i)
      clients.push_back(dial("127.0.0.1", 8080));
    // Those that got through work.
    send_all(clients.front().get(), "first");
    EXPECT_EQ(read_some(clients.front().get()), "first");
    // More ports do not fit, and what is there stays.
    auto held = std::vector<std::shared_ptr<netns::held_port>>{};
    auto ports = std::vector<netns::proxy_port>{};
    for (auto port = uint16_t{9'000}; port < 9'060; ++port) {
      held.push_back(*sockets->hold(protocol::tcp, ip("127.0.0.1"), port));
      ports.push_back(
        {protocol::tcp, ip("127.0.0.1"), port, ip("172.19.0.2"), 80});
    }
    EXPECT_FALSE(proxy->add(ports, held).has_value());
    EXPECT_EQ(proxy->list()->size(), 1U);
  }
  EXPECT_TRUE(eventually([] {
    auto fd = dial("127.0.0.1", 8080);
    return fd && send_all(fd.get(), "again") && read_some(fd.get()) == "again";
  }));
  EXPECT_EQ(proxy_pid(), pid);
}

// What it is started with, and what its other tests give it, is all there is.
TEST_F(ProxyLife, OptionsAreAllTried) {
  const auto usage = run_dir() + "/usage";
  const auto command = settings.program + " 2>" + usage;
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 2);
  auto file = std::ifstream{usage};
  auto found = std::set<std::string>{};
  for (auto word = std::string{}; file >> word;)
    if (auto at = word.find("--"); at != std::string::npos)
      found.insert(word.substr(at));
  // Directory, descriptor and time to idle: each test, EndsWhenNobodyNeedsIt.
  EXPECT_EQ(found,
            (std::set<std::string>{"--connections", "--descriptors", "--idle",
                                   "--ready-fd", "--run-dir", "--user"}));
}

TEST_F(ProxyLife, BecomesTheUserThatIsNamed) {
  const auto* user = ::getpwnam("daemon");
  if (user == nullptr || !has_user_nobody())
    GTEST_SKIP() << "there is no other user to become";
  add_options("--user daemon");
  auto proxy = netns::make_proxy_client(settings);
  ASSERT_TRUE(proxy->remove({}).has_value());
  const auto id = std::to_string(user->pw_uid);
  EXPECT_EQ(status_of(proxy_pid(), "Uid"),
            id + "\t" + id + "\t" + id + "\t" + id);
}

TEST_F(ProxyLife, ServesSoManyConnectionsAndNoMore) {
  auto server = tcp_server{"172.19.0.2", 80, echo};
  add_options("--connections 3");
  auto proxy = netns::make_proxy_client(settings);
  ASSERT_TRUE(
    publish(*proxy, protocol::tcp, "127.0.0.1", 8080, "172.19.0.2", 80)
      .has_value());
  auto clients = std::vector<unique_fd>{};
  for (auto i = 0; i < 3; ++i) {
    clients.push_back(dial("127.0.0.1", 8080));
    send_all(clients.back().get(), "x");
    EXPECT_EQ(read_some(clients.back().get()), "x") << i;
  }
  auto fourth = dial("127.0.0.1", 8080);
  send_all(fourth.get(), "x");
  EXPECT_EQ(read_some(fourth.get()), "");
  clients.clear();
  EXPECT_TRUE(eventually([] {
    auto fd = dial("127.0.0.1", 8080);
    return fd && send_all(fd.get(), "again") && read_some(fd.get()) == "again";
  }));
}

TEST_F(ProxyLife, ListensToNoStrangerAndToNoNonsense) {
  auto proxy = netns::make_proxy_client(settings);
  ASSERT_TRUE(proxy->remove({}).has_value());
  auto path = run_dir() + "/proxy.sock";
  auto info = (struct stat){};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0077U, 0U);
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  auto child = ::fork();
  if (child == 0) {
    if (::setresgid(1'000, 1'000, 1'000) != 0
        || ::setresuid(1'000, 1'000, 1'000) != 0)
      ::_exit(2);
    auto fd = connect_control();
    auto byte = char{};
    ::_exit(fd && ::recv(fd.get(), &byte, 1, 0) == 0 ? 0 : 1);
  }
  auto status = 0;
  ::waitpid(child, &status, 0);
  if (WEXITSTATUS(status) != 2) {
    EXPECT_EQ(WEXITSTATUS(status), 0) << "it was let in";
  }
  for (auto text :
       {std::string(1, 'x'), std::string(16, '\0'), std::string(16'000, 'x')}) {
    auto fd = connect_control();
    ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
    auto byte = char{};
    EXPECT_EQ(::recv(fd.get(), &byte, 1, 0), 0);
  }
  EXPECT_TRUE(proxy->list().has_value());
}

TEST_F(ProxyLife, IsStartedAnewAndGivenBackItsPortsByTheBook) {
  auto server = tcp_server{"172.19.0.2", 80, echo};
  auto book = drivers::port_book{netns::make_port_sockets(),
                                 netns::make_proxy_client(settings)};
  ASSERT_TRUE(book.start().has_value());
  auto owner = drivers::publisher{
    endpoint_id{std::string(64, 'a')}, "web", ip("172.19.0.2"), {}};
  auto wishes = std::vector{*parse_port_spec("8080:80")};
  auto bindings = book.publish(owner, wishes, {});
  ASSERT_TRUE(bindings.has_value()) << bindings.error().message;
  ASSERT_EQ(bindings->size(), 2U);
  auto pid = proxy_pid();
  ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] {
    return is_gone(pid);
  }));
  EXPECT_FALSE(dial("127.0.0.1", 8080));
  auto done = book.repair();
  ASSERT_TRUE(done.has_value()) << done.error().message;
  for (auto address : {"127.0.0.1", "::1"}) {
    auto fd = dial(address, 8080);
    ASSERT_TRUE(fd) << address;
    send_all(fd.get(), "x");
    EXPECT_EQ(read_some(fd.get()), "x");
  }
  EXPECT_TRUE(book.release(owner.id).has_value());
  EXPECT_FALSE(dial("127.0.0.1", 8080));
}

TEST_F(ProxyLife, IsNotStartedToSayThatItHasNothing) {
  auto ports = netns::make_proxy_client(settings)->list();
  ASSERT_TRUE(ports.has_value());
  EXPECT_TRUE(ports->empty());
  EXPECT_EQ(proxy_pid(), 0);
}

TEST_F(ProxyLife, SaysWhyItCannotStart) {
  settings.program = "/nowhere/troupe-proxy";
  auto done = netns::make_proxy_client(settings)->remove({});
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ec::unavailable);
  EXPECT_NE(done.error().message.find("No such file"), std::string::npos)
    << done.error().message;
  settings.program = TROUPE_PROXY;
  settings.run_dir = "/nowhere";
  done = netns::make_proxy_client(settings)->remove({});
  ASSERT_FALSE(done.has_value());
  EXPECT_NE(done.error().message.find("proxy.lock"), std::string::npos)
    << done.error().message;
}

} // namespace
} // namespace troupe
