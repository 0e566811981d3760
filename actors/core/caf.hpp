#pragma once

// The only place that knows CAF's version. Written for 0.17.6 and 1.x: no other
// file uses a CAF macro or a type that one of the two lacks.

#include "troupe/actors/api/failure_board.hpp"
#include "troupe/actors/core/deadlines.hpp"
#include "troupe/config/model/error.hpp"
#include "troupe/config/model/field.hpp"
#include "troupe/config/model/named.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// CAF 1.x defines CAF_VERSION_MAJOR; its CAF_VERSION is octal by mistake.
#if defined(CAF_VERSION_MAJOR) && CAF_VERSION_MAJOR >= 1
#define TROUPE_CAF_1 1
#else
#define TROUPE_CAF_1 0
#endif

namespace troupe {

// -- signatures: `caf::result<R>(Args...)` as in CAF 1.x ----------------------

#if TROUPE_CAF_1
template <class... Signatures>
using actor_if = caf::typed_actor<Signatures...>;
#else
namespace detail {

template <class Signature>
struct to_interface;

template <class... R, class... A>
struct to_interface<caf::result<R...>(A...)> {
  using type = typename caf::replies_to<A...>::template with<R...>;
};

} // namespace detail

template <class... Signatures>
using actor_if
  = caf::typed_actor<typename detail::to_interface<Signatures>::type...>;
#endif

/// The state of a stateful actor.
template <class Self>
auto& state_of(Self* self) {
#if TROUPE_CAF_1
  return self->state();
#else
  return self->state;
#endif
}

// -- serialisation from field tables ------------------------------------------

/// Types with a text form: ids and addresses.
template <class T>
concept has_text_form = requires(const T& x, std::string_view text) {
  { T::parse(text) } -> std::same_as<result<T>>;
  { to_string(x) } -> std::convertible_to<std::string>;
};

/// Reads a text form; empty text is the default value (an id that is not set).
template <has_text_form T>
caf::error assign_text(T& x, const std::string& text) {
  if (text.empty()) {
    x = T{};
    return {};
  }
  auto parsed = T::parse(text);
  if (!parsed)
    return caf::make_error(caf::sec::invalid_argument, parsed.error().message);
  x = std::move(*parsed);
  return {};
}

#if TROUPE_CAF_1
template <class Inspector, described T>
bool inspect(Inspector& f, T& x) {
  return std::apply(
    [&](const auto&... row) {
      return f.object(x).fields(f.field(row.name, x.*row.member)...);
    },
    T::fields());
}

template <class Inspector, named_enum T>
bool inspect(Inspector& f, T& x) {
  auto get = [&x] {
    return to_string(x);
  };
  auto set = [&x](const std::string& text) {
    auto value = value_named<T>(text);
    if (value)
      x = *value;
    return value.has_value();
  };
  return f.apply(get, set);
}

template <class Inspector, has_text_form T>
bool inspect(Inspector& f, T& x) {
  auto get = [&x] {
    return to_string(x);
  };
  auto set = [&x](const std::string& text) {
    return !assign_text(x, text);
  };
  return f.apply(get, set);
}
#else
template <class Inspector, described T>
typename Inspector::result_type inspect(Inspector& f, T& x) {
  return std::apply(
    [&](const auto&... row) {
      return f(x.*row.member...);
    },
    T::fields());
}

template <class Inspector, has_text_form T>
typename Inspector::result_type inspect(Inspector& f, T& x) {
  auto text = to_string(x);
  auto load = [&]() -> caf::error {
    return assign_text(x, text);
  };
  return f(text, caf::meta::load_callback(load));
}

template <class Inspector, class T>
typename Inspector::result_type inspect(Inspector& f, std::optional<T>& x) {
  auto present = x.has_value();
  auto value = x.value_or(T{});
  auto load = [&]() -> caf::error {
    if (present)
      x = value;
    else
      x.reset();
    return {};
  };
  return f(present, value, caf::meta::load_callback(load));
}
#endif

// -- errors -------------------------------------------------------------------

/// Packs our error into CAF's; `from_caf` gets all of it back.
caf::error to_caf(error why);

/// Unpacks our error; CAF's own ones become `timeout`, `unavailable` (the actor
/// is gone) or `internal`.
error from_caf(const caf::error& why);

/// Did an actor end because it was done, or was told to?
bool is_ordinary_end(const caf::error& reason);

/// Makes an exception that ends the actor its exit reason, with its text; CAF
/// alone prints that and keeps a number.
template <class Self>
void explain_exceptions(Self* self) {
  self->set_exception_handler([](std::exception_ptr& x) -> caf::error {
    try {
      std::rethrow_exception(x);
    } catch (...) {
      return to_caf(describe_exception());
    }
  });
}

/// A handler's return value from a result.
template <class T>
caf::result<T> to_caf(result<T> x) {
  if (x)
    return std::move(*x);
  return to_caf(std::move(x.error()));
}

// -- deadlines ----------------------------------------------------------------

/// The configuration of an actor system that keeps the deadlines of `ask`
/// itself. With any other, CAF's clock keeps them: that of a test stands still.
struct system_config : caf::actor_system_config {
  mutable deadlines due;
};

/// Where a system keeps its deadlines; null: with CAF.
deadlines* deadlines_of(const caf::actor_system& system);

/// Answers a request with `timeout` when the time has passed, as CAF does.
/// @param id of the response.
deadlines::ticket
watch_request(deadlines& due, caf::strong_actor_ptr self, caf::message_id id,
              std::chrono::milliseconds deadline);

// -- requests -----------------------------------------------------------------

/// The promise of a reply. Copies share it; deliver exactly once.
template <class T>
class promise {
public:
  promise() = default;

  template <class Self>
  explicit promise(Self* self)
    : impl_{self->template make_response_promise<T>()} {
  }

  void deliver(T x) {
    impl_.deliver(std::move(x));
  }
  void deliver(error why) {
    impl_.deliver(to_caf(std::move(why)));
  }
  void deliver(result<T> x) {
    if (x)
      deliver(std::move(*x));
    else
      deliver(std::move(x.error()));
  }

  /// What the handler returns.
  operator caf::result<T>() const {
    return impl_;
  }

private:
  caf::typed_response_promise<T> impl_;
};

/// Sends a request. Exactly one of `ok(Reply&)` and `failed(error)` runs,
/// unless the requester ends first. Always with a deadline: an answer that
/// never comes is `timeout`.
template <class Reply, class Self, class Handle, class Message, class Ok,
          class Failed>
void ask(Self* self, const Handle& to, std::chrono::milliseconds deadline,
         Message message, Ok ok, Failed failed) {
  auto* due = deadlines_of(self->system());
  auto request = due != nullptr
                   ? self->request(to, caf::infinite, std::move(message))
                   : self->request(to, deadline, std::move(message));
  // The handlers go when one of them has run, or with the actor: so the ticket.
  auto ticket = due != nullptr
                  ? watch_request(*due, caf::strong_actor_ptr{self->ctrl()},
                                  request.id(), deadline)
                  : deadlines::ticket{};
  request.then(
    [ok = std::move(ok), ticket](Reply& x) mutable {
      ok(x);
    },
    [failed = std::move(failed), ticket](caf::error& why) mutable {
      failed(from_caf(why));
    });
}

/// Sends a request and delivers whatever comes to a promise.
template <class Reply, class Self, class Handle, class Message>
void ask(Self* self, const Handle& to, std::chrono::milliseconds deadline,
         Message message, promise<Reply> into) {
  ask<Reply>(
    self, to, deadline, std::move(message),
    [into](Reply& x) mutable {
      into.deliver(std::move(x));
    },
    [into](error why) mutable {
      into.deliver(std::move(why));
    });
}

/// Sends one request to many; `all` gets what came of each, in their order.
template <class Reply, class Self, class Handle, class Message, class All>
void ask_each(Self* self, const std::vector<Handle>& to,
              std::chrono::milliseconds deadline, const Message& message,
              All all) {
  struct collection {
    size_t missing;
    std::vector<result<Reply>> outcomes;
    All all;
  };
  auto shared = std::make_shared<collection>(collection{
    to.size(), std::vector<result<Reply>>(to.size()), std::move(all)});
  if (to.empty()) {
    shared->all(std::move(shared->outcomes));
    return;
  }
  auto put = [shared](size_t place, result<Reply> x) {
    shared->outcomes[place] = std::move(x);
    if (--shared->missing == 0)
      shared->all(std::move(shared->outcomes));
  };
  for (size_t i = 0; i < to.size(); ++i)
    ask<Reply>(
      self, to[i], deadline, message,
      [put, i](Reply& x) {
        put(i, std::move(x));
      },
      [put, i](error why) {
        put(i, fail(std::move(why)));
      });
}

/// The same where an answer that is missing does not matter: `all` gets the
/// replies of those that answered.
template <class Reply, class Self, class Handle, class Message, class All>
void ask_all(Self* self, const std::vector<Handle>& to,
             std::chrono::milliseconds deadline, const Message& message,
             All all) {
  ask_each<Reply>(
    self, to, deadline, message,
    [all = std::move(all)](std::vector<result<Reply>> outcomes) mutable {
      auto replies = std::vector<Reply>{};
      for (auto& x : outcomes)
        if (x)
          replies.push_back(std::move(*x));
      all(std::move(replies));
    });
}

/// Sends a message whose reply nobody needs. Not `self->send`: an error that
/// answers one kills the sender.
template <class Handle, class Message>
void tell(const Handle& to, Message message) {
  caf::anon_send(to, std::move(message));
}

/// The same after a while. Not cancellable.
template <class Handle, class Message>
void tell_after(const Handle& to, std::chrono::milliseconds delay,
                Message message) {
  caf::delayed_anon_send(to, delay, std::move(message));
}

/// The behaviour of an actor that ends at once.
template <class Interface>
typename Interface::behavior_type no_behavior() {
  return Interface::behavior_type::make_empty_behavior();
}

} // namespace troupe
