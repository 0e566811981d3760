#include "troupe/netns/firewall/firewalld.hpp"

#include "troupe/netns/firewall/messages.hpp"
#include "troupe/netns/firewall/nft.hpp"
#include "troupe/netns/real/socket.hpp"

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

namespace troupe::netns {

namespace {

using names = std::set<std::string>;

/// firewalld makes its table before it answers.
constexpr auto attempts = 20;
constexpr auto pause = std::chrono::milliseconds{500};

names without(const names& xs, const names& ys) {
  auto result = names{};
  std::ranges::set_difference(xs, ys, std::inserter(result, result.end()));
  return result;
}

result<void> run_command(const char* option, const names& bridges) {
  if (bridges.empty())
    return {};
  auto words = std::vector<std::string>{
    "firewall-cmd", "--quiet", std::string{"--zone="} + firewalld_zone};
  for (const auto& x : bridges)
    words.push_back(option + x);
  auto said = firewall::run_program(std::move(words));
  if (!said)
    return fail(std::move(said.error()));
  return {};
}

class real_firewalld final : public firewalld {
public:
  explicit real_firewalld(netlink_socket socket) : socket_(std::move(socket)) {
  }

  ~real_firewalld() override {
    {
      auto lock = std::lock_guard{mutex_};
      stop_ = true;
    }
    changed_.notify_all();
    if (worker_.joinable())
      worker_.join();
  }

  void trust(const names& bridges) override {
    auto table = find_table();
    auto lock = std::lock_guard{mutex_};
    // It forgets what it was told when it loads itself anew.
    if (table != table_)
      told_.clear();
    table_ = table;
    wanted_ = bridges;
    if (table == 0)
      problem_.clear();
    if (table == 0 || wanted_ == told_ || working_)
      return;
    working_ = true;
    if (worker_.joinable())
      worker_.join(); // It has said that it is done.
    worker_ = std::thread{[this] {
      work();
    }};
  }

  std::string problem() const override {
    auto lock = std::lock_guard{mutex_};
    return problem_;
  }

private:
  // The number of firewalld's table, another one whenever it was made anew; 0:
  // there is none.
  uint64_t find_table() {
    auto result = uint64_t{0};
    auto question
      = firewall::ask_table(firewall::table_family::inet, "firewalld");
    auto answer = socket_.query(question, [&](const nlmsghdr& message) {
      result = netlink_attributes<NFTA_TABLE_MAX>::of(message, nfgenmsg{})
                 .value<uint64_t>(NFTA_TABLE_HANDLE);
    });
    return answer.ok() ? result : 0;
  }

  void work() {
    auto lock = std::unique_lock{mutex_};
    for (auto left = attempts; left > 0 && !stop_ && wanted_ != told_;) {
      auto table = table_;
      auto wanted = wanted_;
      auto gone = without(told_, wanted);
      auto fresh = without(wanted, told_);
      lock.unlock();
      // What is not there any more may be unknown to it: that is as wanted.
      (void)run_command("--remove-interface=", gone);
      auto done = run_command("--change-interface=", fresh);
      lock.lock();
      if (done && table == table_)
        told_ = std::move(wanted);
      problem_ = done ? std::string{} : explain(done.error(), *fresh.begin());
      if (done)
        continue;
      --left;
      changed_.wait_for(lock, pause, [this] {
        return stop_;
      });
    }
    working_ = false;
  }

  static std::string explain(const error& why, const std::string& bridge) {
    return "firewalld drops what containers send out: " + why.message
           + " (install its zone, tools/firewalld/" + firewalld_zone
           + ".xml, and reload it: firewall-cmd --reload; the daemon then puts "
           + bridge + " into it)";
  }

  netlink_socket socket_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::thread worker_;
  bool working_ = false; ///< `worker_` looks at the members.
  bool stop_ = false;
  uint64_t table_ = 0; ///< The last one seen.
  names wanted_;
  names told_; ///< To the one with that table.
  std::string problem_;
};

} // namespace

result<std::unique_ptr<firewalld>> open_firewalld() {
  auto fd = netlink_socket::open_descriptor(NETLINK_NETFILTER);
  if (!fd)
    return fail(os_failure(errno, "open firewall socket"));
  auto socket = netlink_socket::adopt(std::move(fd));
  if (!socket)
    return fail(std::move(socket.error()));
  return std::make_unique<real_firewalld>(std::move(*socket));
}

} // namespace troupe::netns
