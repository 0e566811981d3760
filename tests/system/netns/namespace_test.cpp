#include "troupe/netns/real/namespace.hpp"
#include "troupe/tests/system/netns/netlink_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace troupe;
using namespace troupe::netns;

namespace {

class Namespaces : public test::netlink_test {};

uint64_t inode_at(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

using pins = std::vector<std::pair<std::string, namespace_ref>>;

bool lists(kernel& kernel, const pins& wanted) {
  auto same = [](const auto& x, const auto& y) {
    return x.first == y.first && troupe::operator==(x.second, y.second);
  };
  auto present = kernel.namespaces();
  return present && std::ranges::equal(*present, wanted, same);
}

uint64_t own_inode() {
  return inode_at("/proc/thread-self/ns/net");
}

TEST_F(Namespaces, ANewOneIsPinnedAndQuietAndNobodyIsInIt) {
  auto before = own_inode();
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  EXPECT_EQ(own_inode(), before);
  EXPECT_EQ(ns->path, pin_dir() + "/a");
  EXPECT_EQ(inode_at(ns->path), ns->inode);
  EXPECT_NE(ns->inode, before);
  auto inside = kernel->enter(*ns);
  ASSERT_OK(inside);
  auto links = (*inside)->links();
  ASSERT_OK(links);
  ASSERT_EQ(links->size(), 1u);
  EXPECT_EQ(links->front().name, "lo");
  EXPECT_TRUE(links->front().up);
  for (auto* name : {"all", "default", "lo"})
    EXPECT_EQ((*inside)->read_sysctl(sysctl::ipv6_disable, name).value_or(-1),
              1);
}

TEST_F(Namespaces, TheDirectoryIsForRootOnly) {
  struct stat status {};
  ASSERT_EQ(::stat(pin_dir().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0711u);
}

TEST_F(Namespaces, ATakenNameIsAConflict) {
  auto first = kernel->create_namespace("a");
  ASSERT_OK(first);
  EXPECT_ERRNO(kernel->create_namespace("a"), EEXIST);
  EXPECT_EQ(inode_at(first->path), first->inode);
  EXPECT_ERRNO(kernel->adopt_namespace("a", first->path), EEXIST);
}

TEST_F(Namespaces, NamesCannotLeaveTheDirectory) {
  for (auto* name :
       {"", ".", "..", "../x", "a/b", "a b", "a\n", "\"", "\xc3\xa4"}) {
    SCOPED_TRACE(name);
    for (auto& done : {kernel->create_namespace(name),
                       kernel->adopt_namespace(name, "/proc/self/ns/net")})
      EXPECT_FALSE(done);
    EXPECT_EQ(kernel->create_namespace(name).error().code,
              ec::invalid_argument);
    EXPECT_FALSE(kernel->remove_namespace(name));
  }
  EXPECT_TRUE(kernel->create_namespace(std::string(255, 'x')));
  EXPECT_FALSE(kernel->create_namespace(std::string(256, 'x')));
}

TEST_F(Namespaces, ALinkInThePlaceOfAPinIsNotFollowed) {
  auto target = run_dir() + "/elsewhere";
  std::filesystem::create_symlink(target, pin_dir() + "/a");
  EXPECT_FALSE(kernel->create_namespace("a"));
  EXPECT_FALSE(std::filesystem::exists(target));
  EXPECT_TRUE(kernel->namespaces()->empty());
}

TEST_F(Namespaces, AreListedInOrderAlsoWhenDead) {
  auto b = kernel->create_namespace("b");
  auto a = kernel->create_namespace("a");
  ASSERT_OK(a);
  ASSERT_OK(b);
  std::filesystem::create_directory(pin_dir() + "/directory");
  ASSERT_EQ(::umount2(b->path.c_str(), MNT_DETACH), 0);
  auto dead = namespace_ref{b->path, 0};
  EXPECT_TRUE(lists(*kernel, {{"a", *a}, {"b", dead}}));
  auto entered = kernel->enter(*b);
  ASSERT_FALSE(entered);
  EXPECT_EQ(entered.error().code, ec::not_found);
  EXPECT_OK(kernel->remove_namespace("b"));
  EXPECT_TRUE(lists(*kernel, {{"a", *a}}));
}

TEST_F(Namespaces, RemovalIsCompleteAndTakesTheLinks) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  ASSERT_OK(kernel->add_veth(veth("h0", 0, *ns)));
  ASSERT_OK(kernel->remove_namespace("a"));
  EXPECT_FALSE(std::filesystem::exists(ns->path));
  auto again = kernel->remove_namespace("a");
  EXPECT_ERRNO(again, ENOENT);
  EXPECT_EQ(again.error().code, ec::not_found);
  for (int i = 0; i < 200 && kernel->link_index("h0"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  EXPECT_ERRNO(kernel->link_index("h0"), ENODEV);
}

TEST_F(Namespaces, ADoubleMountIsRemovedAsWell) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  ASSERT_EQ(
    ::mount("/proc/self/ns/net", ns->path.c_str(), nullptr, MS_BIND, nullptr),
    0);
  EXPECT_OK(kernel->remove_namespace("a"));
  EXPECT_FALSE(std::filesystem::exists(ns->path));
}

// A container engine's mount namespaces hold copies of all mounts.
TEST_F(Namespaces, RemovalReachesCopiesInOtherMountNamespaces) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  ASSERT_OK(kernel->add_veth(veth("h0", 0, *ns)));
  int ready[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  auto child = ::fork();
  if (child == 0) {
    auto moved = ::unshare(CLONE_NEWNS) == 0;
    // Another program would not have what keeps the namespace open, either.
    ::dup2(ready[1], 3);
    ::close_range(4, ~0U, 0);
    if (::write(3, moved ? "1" : "0", 1) != 1)
      ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  auto answer = char{};
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, '1');
  EXPECT_OK(kernel->remove_namespace("a"));
  for (int i = 0; i < 200 && kernel->link_index("h0"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  EXPECT_ERRNO(kernel->link_index("h0"), ENODEV);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(Namespaces, AnotherOneUnderTheSamePathIsNotEntered) {
  auto old = kernel->create_namespace("a");
  ASSERT_OK(old);
  auto keep = unique_fd{::open(old->path.c_str(), O_RDONLY | O_CLOEXEC)};
  ASSERT_OK(kernel->remove_namespace("a"));
  ASSERT_OK(kernel->create_namespace("a"));
  auto entered = kernel->enter(*old);
  ASSERT_FALSE(entered);
  EXPECT_EQ(entered.error().code, ec::not_found);
}

// -- adopting -----------------------------------------------------------------

TEST_F(Namespaces, ARunningProcessesNamespaceCanBeAdopted) {
  int gate[2] = {-1, -1};
  ASSERT_EQ(::pipe2(gate, O_CLOEXEC), 0);
  auto child = ::fork();
  if (child == 0) {
    auto moved = ::unshare(CLONE_NEWNET) == 0;
    if (::write(gate[1], moved ? "1" : "0", 1) != 1)
      ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  auto answer = char{};
  ASSERT_EQ(::read(gate[0], &answer, 1), 1);
  auto path = "/proc/" + std::to_string(child) + "/ns/net";
  auto inode = inode_at(path);
  auto ns = kernel->adopt_namespace("a", path);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(gate[0]);
  ::close(gate[1]);
  ASSERT_OK(ns);
  EXPECT_EQ(ns->inode, inode);
  EXPECT_EQ(ns->path, pin_dir() + "/a");
  EXPECT_OK(kernel->enter(*ns));
}

TEST_F(Namespaces, TheHostsOwnIsNotAdopted) {
  auto ns = kernel->adopt_namespace("a", "/proc/thread-self/ns/net");
  ASSERT_FALSE(ns);
  EXPECT_EQ(ns.error().code, ec::forbidden);
  // Nor when asked from inside another one.
  auto other = kernel->create_namespace("b");
  ASSERT_OK(other);
  auto inside = kernel->enter(*other);
  ASSERT_OK(inside);
  ns = (*inside)->adopt_namespace("a", "/proc/thread-self/ns/net");
  ASSERT_FALSE(ns);
  EXPECT_EQ(ns.error().code, ec::forbidden);
}

TEST_F(Namespaces, OnlyNetworkNamespacesAreAdopted) {
  auto file = run_dir() + "/file";
  std::ofstream{file} << "no namespace";
  auto fifo = run_dir() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (auto& path :
       {file, fifo, run_dir(), std::string{"/proc/self/ns/user"},
        std::string{"/proc/self/ns/mnt"}, std::string{"/dev/null"}}) {
    SCOPED_TRACE(path);
    auto ns = kernel->adopt_namespace("a", path);
    ASSERT_FALSE(ns);
    EXPECT_EQ(ns.error().code, ec::invalid_argument) << ns.error().message;
    EXPECT_NE(ns.error().message.find("no network namespace"),
              std::string::npos);
  }
  auto missing = kernel->adopt_namespace("a", run_dir() + "/missing");
  EXPECT_ERRNO(missing, ENOENT);
  EXPECT_EQ(missing.error().code, ec::not_found);
  EXPECT_TRUE(kernel->namespaces()->empty());
}

// -- entering -----------------------------------------------------------------

TEST_F(Namespaces, EnteringMovesNobody) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto before = own_inode();
  auto inside = kernel->enter(*ns);
  ASSERT_OK(inside);
  EXPECT_EQ(own_inode(), before);
  make_bridge("host");
  EXPECT_ERRNO((*inside)->link_index("host"), ENODEV);
}

TEST_F(Namespaces, AnObjectKeepsItsNamespaceInEveryThread) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto inside = kernel->enter(*ns);
  ASSERT_OK(inside);
  make_bridge("host");
  std::thread{[&] {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    auto here = own_inode();
    EXPECT_OK(kernel->link_index("host"));
    EXPECT_ERRNO((*inside)->link_index("host"), ENODEV);
    EXPECT_OK(kernel->read_sysctl(sysctl::ipv6_disable, "host"));
    EXPECT_ERRNO((*inside)->read_sysctl(sysctl::ipv6_disable, "host"), ENOENT);
    EXPECT_EQ(own_inode(), here);
  }}.join();
}

TEST_F(Namespaces, AFailedOpeningInsideLeavesTheThreadWhereItWas) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto fd = open_namespace(*ns);
  ASSERT_OK(fd);
  auto before = own_inode();
  auto opened = open_in(
    fd->get(),
    [&] {
      EXPECT_EQ(own_inode(), ns->inode);
      errno = EMFILE;
      return unique_fd{};
    },
    "open nothing");
  EXPECT_ERRNO(opened, EMFILE);
  EXPECT_EQ(opened.error().message.rfind("open nothing: ", 0), 0u);
  EXPECT_EQ(own_inode(), before);
}

TEST_F(Namespaces, AThreadThatCannotReturnEndsTheProcess) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto fd = open_namespace(*ns);
  ASSERT_OK(fd);
  auto lose_the_way = [&] {
    auto opened = open_in(
      fd->get(),
      [] {
        ::close_range(3, ~0u, 0); // Takes the way back along.
        return unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
      },
      "lose the way");
  };
  EXPECT_DEATH(lose_the_way(), "cannot return to the own namespace");
}

TEST_F(Namespaces, OpeningIsRefusedForBadDirectories) {
  auto file = run_dir() + "/file";
  std::ofstream{file} << "no directory";
  EXPECT_FALSE(open_netlink_kernel(file));
  EXPECT_FALSE(open_netlink_kernel("relative"));
  EXPECT_FALSE(open_netlink_kernel(file + "/below"));
  EXPECT_TRUE(open_netlink_kernel(run_dir() + "/deep/er/netns"));
}

} // namespace
