#include "troupe/tools/troupe-remote/request_memory.hpp"

#include <algorithm>
#include <random>

namespace troupe::tools::remote {

namespace {

constexpr size_t name_digits = 32;

/// Requests count from 1.
constexpr uint64_t no_sequence = 0;
constexpr auto least_silence = std::chrono::minutes{1};

bool is_client_name(const std::string& text) {
  auto is_digit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  };
  return text.size() == name_digits && std::ranges::all_of(text, is_digit);
}

// Not a secret: it only must differ from every earlier one.
uint64_t new_session() {
  auto source = std::random_device{};
  return uint64_t{source()} << 32U | source() | 1U;
}

} // namespace

result<uint64_t>
request_memory::open(const std::string& name, steady_time now) {
  if (!is_client_name(name))
    return fail(ec::invalid_argument,
                "connect: a client's name has 32 hex digits");
  auto found = clients_.find(name);
  if (found == clients_.end()) {
    if (clients_.size() >= max_clients
        && !drop_most_silent(now - least_silence))
      return fail(ec::unavailable,
                  "connect: " + std::to_string(max_clients)
                    + " clients have connected with this "
                      "certificate in the last minute",
                  "try again later, or use one connection for longer");
    found = clients_.emplace(name, client{new_session(), now, {}}).first;
  }
  found->second.last_used = now;
  return found->second.session;
}

result<request_memory::verdict>
request_memory::begin(const std::string& name, uint64_t sequence,
                      uint64_t fingerprint, asker who, steady_time now) {
  auto found = clients_.find(name);
  if (found == clients_.end())
    return fail(ec::unavailable, "request: this client has no session here",
                "connect again; what was sent before has an unknown outcome");
  auto& owner = found->second;
  owner.last_used = now;
  auto [at, is_new] = owner.requests.try_emplace(sequence);
  auto& x = at->second;
  if (is_new) {
    x.fingerprint = fingerprint;
    x.waiting.push_back(who);
    make_room(owner, sequence);
    return verdict{};
  }
  if (x.fingerprint != fingerprint)
    return fail(ec::conflict, "request: number " + std::to_string(sequence)
                                + " was another request");
  if (x.known)
    return verdict{verdict::kind::answer, *x.known};
  x.waiting.push_back(who);
  return verdict{verdict::kind::wait, {}};
}

std::vector<asker>
request_memory::finish(const std::string& name, uint64_t sequence, outcome x) {
  auto found = clients_.find(name);
  if (found == clients_.end())
    return {};
  auto at = found->second.requests.find(sequence);
  if (at == found->second.requests.end())
    return {};
  bytes_ += x.body.size();
  at->second.known = std::move(x);
  auto waiting = std::exchange(at->second.waiting, {});
  make_room(found->second, sequence);
  return waiting;
}

std::vector<asker>
request_memory::forget(const std::string& name, uint64_t sequence) {
  auto found = clients_.find(name);
  if (found == clients_.end())
    return {};
  auto node = found->second.requests.extract(sequence);
  return node ? std::move(node.mapped().waiting) : std::vector<asker>{};
}

void request_memory::acknowledge(const std::string& name,
                                 const std::vector<uint64_t>& sequences) {
  auto found = clients_.find(name);
  if (found == clients_.end())
    return;
  for (auto sequence : sequences) {
    auto at = found->second.requests.find(sequence);
    if (at != found->second.requests.end() && at->second.known)
      drop(found->second.requests, at);
  }
}

bool request_memory::expire(steady_time now) {
  while (drop_most_silent(now - keep)) {
  }
  return clients_.empty();
}

// Old outcomes go; requests that are under way stay, and are few.
void request_memory::make_room(client& x, uint64_t newest) {
  while ((x.requests.size() > max_outcomes || bytes_ > max_bytes)
         && drop_oldest(x, newest)) {
  }
  // Most of it may be other clients'.
  while (bytes_ > max_bytes && drop_most_silent(steady_time::max(), &x)) {
  }
}

bool request_memory::drop_oldest(client& x, uint64_t newest) {
  auto oldest = std::ranges::find_if(x.requests, [&](const auto& y) {
    return y.first != newest && y.second.known.has_value();
  });
  if (oldest == x.requests.end())
    return false;
  drop(x.requests, oldest);
  return true;
}

void request_memory::drop(request_map& from, request_map::iterator at) {
  bytes_ -= at->second.known->body.size();
  from.erase(at);
}

// A client with requests under way is not silent.
bool request_memory::drop_most_silent(steady_time before,
                                      const client* except) {
  auto silent = clients_.end();
  for (auto i = clients_.begin(); i != clients_.end(); ++i) {
    auto is_busy = std::ranges::any_of(i->second.requests, [](const auto& y) {
      return !y.second.known;
    });
    if (!is_busy && &i->second != except && i->second.last_used < before
        && (silent == clients_.end()
            || i->second.last_used < silent->second.last_used))
      silent = i;
  }
  if (silent == clients_.end())
    return false;
  while (drop_oldest(silent->second, no_sequence)) {
  }
  clients_.erase(silent);
  return true;
}

} // namespace troupe::tools::remote
