#include "troupe/actors/remote/call_table.hpp"

#include "troupe/actors/api/routes.hpp"

#include <algorithm>

namespace troupe::remote {

namespace {

/// Sequences told with one request; the next one tells more.
constexpr size_t max_told = 1'024;

const api::route* route_of(const request& what) {
  auto all = api::routes();
  auto found = std::ranges::find_if(all, [&](const api::route& x) {
    return x.kind == api::route_kind::request
           && x.request_index == what.index();
  });
  return found == all.end() ? nullptr : &*found;
}

error unknown_outcome(const call_table::call& x, const std::string& why) {
  return {ec::unavailable, "request " + operation_of(x.what) + ": " + why,
          "the outcome is unknown; look before repeating", 0};
}

} // namespace

bool is_mutation(const request& what) {
  const auto* where = route_of(what);
  return where == nullptr || where->mutates;
}

std::string operation_of(const request& what) {
  const auto* where = route_of(what);
  return where != nullptr ? std::string{where->operation} : "unknown";
}

uint64_t call_table::add(request what, std::chrono::milliseconds allowed,
                         reply_handler handler, time_point now) {
  if (calls_.size() >= max_open) {
    handler(fail(ec::unavailable, "request " + operation_of(what) + ": "
                                    + std::to_string(max_open)
                                    + " requests are open already"));
    return 0;
  }
  auto sequence = ++last_sequence_;
  calls_.emplace(sequence, call{std::move(what), now + allowed, allowed,
                                std::move(handler), 0, 0});
  return sequence;
}

call_table::call* call_table::find(uint64_t sequence) {
  auto found = calls_.find(sequence);
  return found == calls_.end() ? nullptr : &found->second;
}

void call_table::finish(uint64_t sequence, result<reply> outcome) {
  auto node = calls_.extract(sequence);
  if (!node)
    return;
  told_.erase(sequence);
  if (node.mapped().session != 0 && is_mutation(node.mapped().what))
    answered_.push_back(sequence);
  node.mapped().handler(std::move(outcome));
}

std::vector<uint64_t> call_table::connected(uint64_t session) {
  auto lost = std::vector<uint64_t>{};
  auto result = std::vector<uint64_t>{};
  for (auto& [sequence, x] : calls_) {
    if (x.session != 0 && x.session != session && is_mutation(x.what)) {
      lost.push_back(sequence);
      continue;
    }
    x.session = session;
    result.push_back(sequence);
  }
  for (auto sequence : lost)
    finish(sequence, fail(unknown_outcome(
                       *find(sequence), "the other side has started anew since "
                                        "it was sent")));
  return result;
}

bool call_table::disconnected(const error& why, bool was_up) {
  for (auto& [carrier, sequences] : told_)
    answered_.insert(answered_.end(), sequences.begin(), sequences.end());
  told_.clear();
  auto is_useless = why.code != ec::unavailable && why.code != ec::timeout;
  auto ended = std::vector<uint64_t>{};
  for (const auto& [sequence, x] : calls_)
    if (is_useless || (!was_up && x.session == 0))
      ended.push_back(sequence);
  for (auto sequence : ended)
    finish(sequence, fail(why));
  return !calls_.empty();
}

void call_table::expire(time_point now) {
  auto overdue = std::vector<uint64_t>{};
  for (const auto& [sequence, x] : calls_)
    if (x.deadline <= now)
      overdue.push_back(sequence);
  for (auto sequence : overdue) {
    const auto& x = *find(sequence);
    auto was_sent = x.session != 0;
    finish(sequence,
           fail(ec::timeout,
                "request " + operation_of(x.what) + ": no answer within "
                  + std::to_string(x.allowed.count()) + " ms",
                was_sent ? "the outcome is unknown; a longer --timeout may help"
                         : "it was not sent: there was no connection"));
  }
}

void call_table::abandon(const error& why) {
  while (!calls_.empty())
    finish(calls_.begin()->first, fail(why));
}

std::vector<uint64_t> call_table::take_answered(uint64_t sequence) {
  auto count = std::min(answered_.size(), max_told);
  auto rest = answered_.begin() + static_cast<std::ptrdiff_t>(count);
  auto result = std::vector<uint64_t>(answered_.begin(), rest);
  answered_.erase(answered_.begin(), rest);
  if (!result.empty())
    told_[sequence] = result;
  return result;
}

} // namespace troupe::remote
