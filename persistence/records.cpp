#include "troupe/persistence/records.hpp"

#include "troupe/config/model/json_text.hpp"

#include <type_traits>

namespace troupe::persistence {

namespace {

result<edit>
put(environment where, table in, const std::string& key, std::string text) {
  auto name = [&] {
    return "store " + std::string{to_string(in)} + "/" + quoted(key);
  };
  if (!is_hex_id(key))
    return fail(ec::invalid_argument, name() + ": the id is not 64 hex digits");
  if (text.size() > max_record_bytes)
    return fail(ec::invalid_argument,
                name() + ": the record has " + std::to_string(text.size())
                  + " bytes, at most " + std::to_string(max_record_bytes)
                  + " are allowed",
                "shorten its labels or options");
  return edit{where, in, key, std::move(text)};
}

result<edit> removal(environment where, table in, const std::string& key) {
  if (!is_hex_id(key))
    return fail(ec::invalid_argument, "remove " + std::string{to_string(in)}
                                        + "/" + quoted(key)
                                        + ": the id is not 64 hex digits");
  return edit{where, in, key, std::nullopt};
}

environment home(bool ephemeral) {
  return ephemeral ? environment::runtime : environment::durable;
}

/// One overload per kind of change.
struct to_edit_visitor {
  result<edit> operator()(const network_spec& x) const {
    return put(environment::durable, table::networks, x.id.value, json_text(x));
  }
  result<edit> operator()(const endpoint_spec& x) const {
    return put(home(x.ephemeral), table::endpoints, x.id.value, json_text(x));
  }
  result<edit> operator()(const sandbox_spec& x) const {
    return put(environment::runtime, table::sandboxes, x.id.value,
               json_text(x));
  }
  result<edit> operator()(const join_spec& x) const {
    return put(environment::runtime, table::joins, x.endpoint.value,
               json_text(x));
  }
  result<edit> operator()(const remove_network_record& x) const {
    return removal(environment::durable, table::networks, x.id.value);
  }
  result<edit> operator()(const remove_endpoint_record& x) const {
    return removal(home(x.ephemeral), table::endpoints, x.id.value);
  }
  result<edit> operator()(const remove_sandbox_record& x) const {
    return removal(environment::runtime, table::sandboxes, x.id.value);
  }
  result<edit> operator()(const remove_join_record& x) const {
    return removal(environment::runtime, table::joins, x.endpoint.value);
  }
};

/// Calls `f` with a null pointer of the table's record type.
template <class F>
auto with_type(table in, F f) {
  switch (in) {
  case table::networks:
    return f(static_cast<network_spec*>(nullptr));
  case table::endpoints:
    return f(static_cast<endpoint_spec*>(nullptr));
  case table::sandboxes:
    return f(static_cast<sandbox_spec*>(nullptr));
  case table::joins:
  case table::meta:
    break;
  }
  return f(static_cast<join_spec*>(nullptr));
}

const std::string& key_of(const join_spec& x) {
  return x.endpoint.value;
}

template <class T>
const std::string& key_of(const T& x) {
  return x.id.value;
}

std::vector<network_spec>& list_of(snapshot& x, const network_spec&) {
  return x.networks;
}
std::vector<endpoint_spec>& list_of(snapshot& x, const endpoint_spec&) {
  return x.endpoints;
}
std::vector<sandbox_spec>& list_of(snapshot& x, const sandbox_spec&) {
  return x.sandboxes;
}
std::vector<join_spec>& list_of(snapshot& x, const join_spec&) {
  return x.joins;
}

/// Copies into `to` what `from` has and `known` has not. Elements of lists are
/// compared by position; lists of different length are left alone.
void carry_over(const json& from, const json& known, json& to) {
  if (from.is_object() && known.is_object() && to.is_object()) {
    for (auto i = from.begin(); i != from.end(); ++i) {
      auto seen = known.find(i.key());
      auto place = to.find(i.key());
      if (seen == known.end()) {
        if (place == to.end() && !i->is_null())
          to[i.key()] = *i;
      } else if (place != to.end()) {
        carry_over(*i, *seen, *place);
      }
    }
  } else if (from.is_array() && known.is_array() && to.is_array()
             && from.size() == known.size() && from.size() == to.size()) {
    for (size_t i = 0; i < from.size(); ++i)
      carry_over(from[i], known[i], to[i]);
  }
}

} // namespace

result<edit> to_edit(const change& what) {
  return std::visit(to_edit_visitor{}, what);
}

result<void> add_record(snapshot& to, table in, const std::string& key,
                        const std::string& text) {
  auto where = "read " + std::string{to_string(in)} + "/" + key;
  auto refuse = [&](std::string why) {
    return fail(ec::internal, where + ": " + std::move(why),
                "the record is intact but not understood: run the version "
                "that wrote it");
  };
  auto document = parse_json(text);
  if (!document)
    return refuse(std::move(document.error().message));
  return with_type(in, [&]<class T>(T*) -> result<void> {
    auto record = from_json<T>(*document, unknown_fields::ignore);
    if (!record)
      return refuse(std::move(record.error().message));
    if (key_of(*record) != key)
      return refuse("the record says it is " + quoted(key_of(*record)));
    list_of(to, *record).push_back(std::move(*record));
    return {};
  });
}

std::string keep_unknown(table in, std::string_view old, std::string fresh) {
  auto stored = parse_json(old);
  if (!stored)
    return fresh;
  return with_type(in, [&]<class T>(T*) -> std::string {
    auto record = from_json<T>(*stored, unknown_fields::ignore);
    if (!record)
      return fresh;
    auto known = to_json(*record);
    if (known == *stored)
      return fresh;
    auto document = parse_json(fresh);
    if (!document)
      return fresh;
    carry_over(*stored, known, *document);
    auto text = dump(*document);
    return text.size() <= max_record_bytes ? text : fresh;
  });
}

} // namespace troupe::persistence
