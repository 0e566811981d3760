#include "troupe/actors/core/caf.hpp"

#include "troupe/actors/core/interfaces.hpp"

namespace troupe {

caf::error to_caf(error why) {
  return caf::make_error(why.code, std::move(why.message), std::move(why.hint),
                         static_cast<int32_t>(why.os_error));
}

deadlines* deadlines_of(const caf::actor_system& system) {
  auto own = dynamic_cast<const system_config*>(&system.config());
  return own != nullptr ? &own->due : nullptr;
}

deadlines::ticket
watch_request(deadlines& due, caf::strong_actor_ptr self, caf::message_id id,
              std::chrono::milliseconds deadline) {
  return due.watch(deadline, [to = caf::actor_cast<caf::weak_actor_ptr>(self),
                              id] {
    if (auto who = caf::actor_cast<caf::strong_actor_ptr>(to))
      who->enqueue(
        nullptr, id,
        caf::make_message(caf::make_error(caf::sec::request_timeout)), nullptr);
  });
}

namespace {

/// CAF's own errors: what they mean for somebody who waits for a reply.
error from_system_error(const caf::error& why) {
  if (why == caf::sec::request_timeout)
    return {ec::timeout, "wait for the reply: deadline passed",
            "the outcome is unknown; inspect the object", 0};
  if (why == caf::sec::request_receiver_down)
    return {ec::unavailable, "send the request: the object is being removed",
            "", 0};
  return {ec::internal, "actor system: error " + std::to_string(why.code()), "",
          0};
}

} // namespace

bool is_ordinary_end(const caf::error& reason) {
  return !reason || reason == caf::exit_reason::normal
         || reason == caf::exit_reason::user_shutdown;
}

error from_caf(const caf::error& why) {
#if TROUPE_CAF_1
  const auto ours = why.category() == caf::type_id_v<ec>;
#else
  const auto ours = why.category() == caf::atom("troupe");
#endif
  const auto& context = why.context();
  if (!ours
      || !context.template match_elements<std::string, std::string, int32_t>())
    return from_system_error(why);
  return {static_cast<ec>(why.code()), context.get_as<std::string>(0),
          context.get_as<std::string>(1), context.get_as<int32_t>(2)};
}

} // namespace troupe
