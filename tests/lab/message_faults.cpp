#include "troupe/tests/lab/message_faults.hpp"

#include <algorithm>

namespace troupe::testing {

namespace {

using effect = message_rule::effect;
using element_ptr = caf::mailbox_element_ptr;

auto& queue_of(caf::scheduled_actor& x) {
  x.mailbox().fetch_more();
  return x.get_normal_queue();
}

bool is_request_of_another(const caf::scheduled_actor& receiver,
                           const caf::mailbox_element& x) {
  return x.mid.is_request() && x.sender != nullptr
         && x.sender->id() != receiver.id();
}

/// Null for what a clock or nobody has sent.
const caf::scheduled_actor* actor_of(const caf::strong_actor_ptr& x) {
  if (!x)
    return nullptr;
  return dynamic_cast<const caf::scheduled_actor*>(
    caf::actor_cast<caf::abstract_actor*>(x));
}

/// Takes the first message out; the rest stays in its order.
element_ptr take_first(caf::scheduled_actor& from) {
  return queue_of(from).take_front();
}

/// Puts the first message behind those of other senders. Two messages of one
/// sender keep their order: CAF promises that.
void postpone_first(caf::scheduled_actor& receiver) {
  auto& queue = queue_of(receiver);
  auto waiting = std::vector<element_ptr>{};
  while (!queue.empty())
    waiting.push_back(queue.take_front());
  const auto next = std::find_if(waiting.begin() + 1, waiting.end(),
                                 [&](const element_ptr& x) {
                                   return x->sender == waiting.front()->sender;
                                 });
  std::rotate(waiting.begin(), waiting.begin() + 1, next);
  for (auto& x : waiting)
    queue.push_back(x.release());
}

/// Urgent, so that no waiting message is handled first.
void end_at_once(caf::scheduled_actor& x) {
  x.enqueue(
    nullptr, caf::make_message_id(caf::message_priority::high),
    caf::make_message(caf::exit_msg{x.address(), caf::exit_reason::kill}),
    nullptr);
}

} // namespace

void message_faults::add(message_rule rule) {
  rules_.push_back({std::move(rule), 0});
}

void message_faults::clear() {
  rules_.clear();
  held_until_.clear();
}

bool message_faults::hits(counted_rule& x, caf::scheduled_actor& receiver,
                          const caf::mailbox_element& message) {
  const auto is_reply = x.rule.what == effect::lose_reply;
  if (is_reply ? !message.mid.is_response()
               : !is_request_of_another(receiver, message))
    return false;
  const auto* asked = is_reply ? actor_of(message.sender) : &receiver;
  const auto is_wanted
    = x.rule.receiver.empty()
      || (asked != nullptr && x.rule.receiver == asked->name());
  return is_wanted && x.matches++ == x.rule.nth;
}

bool message_faults::apply(const message_rule& rule,
                           caf::scheduled_actor& receiver,
                           std::chrono::milliseconds now) {
  switch (rule.what) {
  case effect::drop:
  case effect::lose_reply:
    take_first(receiver);
    return true;
  case effect::delay:
    held_until_[receiver.id()] = now + rule.delay;
    return false;
  case effect::reorder:
    postpone_first(receiver);
    return true;
  case effect::kill:
    end_at_once(receiver);
    return true;
  }
  return true;
}

bool message_faults::strike(caf::resumable& job,
                            std::chrono::milliseconds now) {
  auto* receiver = dynamic_cast<caf::scheduled_actor*>(&job);
  if (receiver == nullptr)
    return true;
  if (!seen_.contains(receiver->id()))
    seen_.emplace(receiver->id(), receiver->ctrl());
  if (rules_.empty())
    return true;
  const auto* message = queue_of(*receiver).peek();
  // Urgent ones, an actor's end, are handled first.
  if (message == nullptr || !receiver->get_urgent_queue().empty())
    return true;
  for (auto i = rules_.begin(); i != rules_.end(); ++i) {
    if (!hits(*i, *receiver, *message))
      continue;
    const auto rule = i->rule;
    rules_.erase(i);
    if (rule.on_hit)
      rule.on_hit();
    return apply(rule, *receiver, now);
  }
  return true;
}

bool message_faults::is_held(caf::resumable& job,
                             std::chrono::milliseconds now) const {
  if (held_until_.empty())
    return false;
  const auto* actor = dynamic_cast<caf::scheduled_actor*>(&job);
  if (actor == nullptr)
    return false;
  const auto found = held_until_.find(actor->id());
  return found != held_until_.end() && now < found->second;
}

void message_faults::kill_all() {
  for (const auto& [id, weak] : seen_)
    if (auto actor = caf::actor_cast<caf::strong_actor_ptr>(weak))
      caf::anon_send_exit(actor, caf::exit_reason::kill);
  seen_.clear();
}

} // namespace troupe::testing
