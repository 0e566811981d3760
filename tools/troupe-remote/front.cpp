#include "troupe/tools/troupe-remote/front.hpp"

#include "troupe/actors/remote/tcp.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>

namespace troupe::tools::remote {

namespace wire = troupe::remote;

namespace {

using clock = std::chrono::steady_clock;

/// How late a handshake's end or a long wait may be noticed.
constexpr int tick_ms = 1'000;

/// As long as a turn of ten requests takes at the default rate.
constexpr int turn_ms = 20;

/// Accepts in one round, so that those inside get their turn.
constexpr int max_accepts = 16;

/// Without descriptors another attempt is useless at once.
constexpr auto accept_pause = std::chrono::milliseconds{100};

constexpr uint64_t no_owner = 0;

} // namespace

front::front(parts x)
  : parts_{std::move(x)}, desk_{parts_.daemon,
                                parts_.peers,
                                {[this](asker who, const answer& y) {
                                   reply(who, y);
                                 },
                                 [posts = posts_](std::function<void()> what) {
                                   posts->post(std::move(what));
                                 },
                                 parts_.log}},
    handshakes_{parts_.strangers.handshakes_per_second,
                parts_.strangers.handshake_burst, clock::now()} {
}

void front::run(int interrupt) {
  auto is_interrupted = false;
  while (!is_interrupted) {
    auto polls = watched(interrupt);
    (void)::poll(polls.data(), polls.size(),
                 desk_.has_waiting() ? turn_ms : tick_ms);
    auto now = clock::now();
    is_interrupted = polls[0].revents != 0;
    posts_->run();
    run_ready(polls, now);
    close_overdue(now);
    desk_.tick(now);
    reap_workers();
    if (polls[2].revents != 0)
      accept_all(now);
  }
}

std::vector<pollfd> front::watched(int interrupt) {
  auto polls = std::vector<pollfd>{
    {interrupt, POLLIN, 0},
    {posts_->descriptor(), POLLIN, 0},
    {clock::now() < accept_again_ ? -1 : parts_.listener.get(), POLLIN, 0}};
  owners_.assign(polls.size(), no_owner);
  for (const auto& [number, x] : connections_) {
    x->watch(polls);
    owners_.resize(polls.size(), number);
  }
  return polls;
}

void front::run_ready(const std::vector<pollfd>& polls, steady_time now) {
  auto last = no_owner;
  for (size_t i = 0; i < polls.size(); ++i)
    if (polls[i].revents != 0 && owners_[i] != no_owner && owners_[i] != last) {
      last = owners_[i];
      run_connection(last, now);
    }
}

void front::run_connection(uint64_t number, steady_time now) {
  auto found = connections_.find(number);
  if (found == connections_.end())
    return;
  auto& x = *found->second;
  auto around = connection_surroundings{};
  around.admit = [&](const std::string& peer) {
    return desk_.enter(peer, now);
  };
  around.ask = [&](question q) {
    desk_.ask(x.peer(), {number, q.number}, std::move(q), now);
  };
  auto was_stranger = x.is_stranger();
  auto goes_on = x.run(around, now);
  if (was_stranger && !x.is_stranger())
    parts_.log(x.peer() + " connects from " + x.address());
  // An answer may have found it broken, and closed it.
  if (!goes_on)
    if (auto again = connections_.find(number); again != connections_.end())
      close(again);
}

void front::close(connections::iterator at) {
  const auto& x = *at->second;
  auto who = x.is_stranger() ? "somebody" : x.peer();
  if (!x.is_stranger())
    desk_.leave(x.peer(), at->first);
  if (!x.reason().empty())
    parts_.log(who + " at " + x.address() + " is disconnected: " + x.reason());
  else if (!x.is_stranger())
    parts_.log(who + " at " + x.address() + " disconnects");
  connections_.erase(at);
}

void front::close_overdue(steady_time now) {
  for (auto i = connections_.begin(); i != connections_.end();) {
    auto at = i++;
    if (!at->second->is_overdue(now))
      continue;
    parts_.log(at->second->is_stranger()
                 ? "somebody at " + at->second->address()
                     + " did not show a certificate in time"
                 : "the certificate of " + at->second->peer() + " expires");
    close(at);
  }
}

void front::reply(asker who, const answer& x) {
  auto found = connections_.find(who.connection);
  if (found == connections_.end() || found->second->reply(x))
    return;
  // Not here: this may be in the middle of that connection's own work.
  posts_->post([this, number = who.connection] {
    if (auto at = connections_.find(number); at != connections_.end())
      close(at);
  });
}

void front::reload(wire::tls_identity identity) {
  parts_.identity = std::move(identity);
  // Whoever the new authority does not vouch for has to go at once.
  for (auto i = connections_.begin(); i != connections_.end();) {
    auto at = i++;
    if (!at->second->is_accepted_by(parts_.identity))
      close(at);
  }
}

// -- strangers ----------------------------------------------------------------

void front::accept_all(steady_time now) {
  for (auto i = 0; i < max_accepts; ++i) {
    auto socket = netns::unique_fd{::accept4(
      parts_.listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!socket) {
      // Out of descriptors or memory the listener would stay readable.
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM
          || errno == ENOBUFS)
        accept_again_ = now + accept_pause;
      return;
    }
    welcome(std::move(socket), now);
  }
}

void front::welcome(netns::unique_fd socket, steady_time now) {
  if (!may_enter(wire::peer_address(socket.get()), now))
    return;
  wire::tune(socket.get());
  auto session = parts_.identity.open(socket.get());
  if (!session)
    return parts_.log(session.error().message);
  auto number = ++last_connection_;
  connections_.emplace(number, std::make_unique<connection>(
                                 std::move(socket), std::move(*session),
                                 now + parts_.strangers.handshake_time));
  run_connection(number, now);
}

// Not logged: whoever can fill the connections could fill the log.
bool front::may_enter(const std::string& address, steady_time now) {
  auto strangers = size_t{0};
  auto of_address = size_t{0};
  for (const auto& [number, x] : connections_) {
    strangers += x->is_stranger() ? 1 : 0;
    of_address += x->is_stranger() && x->address() == address ? 1 : 0;
  }
  const auto& limits = parts_.strangers;
  return connections_.size() < limits.connections
         && strangers < limits.handshakes
         && of_address < limits.handshakes_per_address && handshakes_.take(now);
}

} // namespace troupe::tools::remote
