#include "troupe/persistence/records.hpp"

#include "troupe/config/model/json_text.hpp"

#include <map>
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

struct environment_visitor {
  environment operator()(const network_spec&) const {
    return environment::durable;
  }
  environment operator()(const remove_network_record&) const {
    return environment::durable;
  }
  environment operator()(const endpoint_spec& x) const {
    return home(x.ephemeral);
  }
  environment operator()(const remove_endpoint_record& x) const {
    return home(x.ephemeral);
  }
  template <class Runtime>
  environment operator()(const Runtime&) const {
    return environment::runtime;
  }
};

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
  // The rest of the state is the store's own.
  result<edit> operator()(const forwarding_record& x) const {
    auto state = store_state{};
    state.forwards_ipv4 = x.ipv4;
    state.forwards_ipv6 = x.ipv6;
    return edit{environment::runtime, table::meta, std::string{state_key},
                json_text(state)};
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

endpoint_id& id_of(join_spec& x) {
  return x.endpoint;
}

template <class T>
auto& id_of(T& x) {
  return x.id;
}

/// A record as far as it could be read.
template <class T>
struct read_record {
  T value;
  /// Why not, for each field that could not be.
  std::map<std::string, std::string> reasons;
};

/// Reads field by field what cannot be read as a whole.
template <class T>
read_record<T> read_possible(const json& document) {
  if (auto whole = from_json<T>(document, unknown_fields::ignore))
    return {std::move(*whole), {}};
  auto good = json::object();
  auto reasons = std::map<std::string, std::string>{};
  if (!document.is_object())
    reasons.emplace("", "it is no object");
  else
    for (auto i = document.begin(); i != document.end(); ++i) {
      auto alone = json::object();
      alone[i.key()] = *i;
      if (auto field = from_json<T>(alone, unknown_fields::ignore))
        good[i.key()] = *i;
      else
        reasons.emplace(i.key(), std::move(field.error().message));
    }
  auto value = from_json<T>(good, unknown_fields::ignore);
  return {value ? std::move(*value) : T{}, std::move(reasons)};
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

environment environment_of(const change& x) {
  return std::visit(environment_visitor{}, x);
}

result<edit> to_edit(const change& what) {
  return std::visit(to_edit_visitor{}, what);
}

void add_record(snapshot& to, environment where, table in,
                const std::string& key, const std::string& text) {
  auto title = "record " + std::string{to_string(in)} + "/" + key + ": ";
  auto document = parse_json(text);
  if (!document)
    to.problems.push_back(title + document.error().message);
  with_type(in, [&]<class T>(T*) {
    auto [record, reasons]
      = read_possible<T>(document ? *document : json::object());
    for (const auto& [field, reason] : reasons)
      to.problems.push_back(title + reason + "; this part is not used");
    if (auto& id = id_of(record); id.value != key) {
      if (document)
        to.problems.push_back(title + "it says it is " + quoted(id.value));
      id.value = key;
    }
    // A removal looks where it says it lies.
    if constexpr (std::is_same_v<T, endpoint_spec>)
      record.ephemeral = where == environment::runtime;
    if constexpr (std::is_same_v<T, network_spec>)
      if (!document || !reasons.empty())
        record.driver.clear();
    list_of(to, record).push_back(std::move(record));
  });
}

std::string keep_unknown(table in, std::string_view old, std::string fresh) {
  auto stored = parse_json(old);
  if (!stored)
    return fresh;
  return with_type(in, [&]<class T>(T*) -> std::string {
    const auto read = read_possible<T>(*stored);
    const auto known = to_json(read.value);
    if (known == *stored)
      return fresh;
    auto document = parse_json(fresh);
    if (!document)
      return fresh;
    carry_over(*stored, known, *document);
    // Nobody has changed what nobody could read.
    for (const auto& [field, reason] : read.reasons)
      if (stored->is_object() && document->is_object()
          && document->value(field, json{}) == known.value(field, json{}))
        (*document)[field] = stored->at(field);
    auto text = dump(*document);
    return text.size() <= max_record_bytes ? text : fresh;
  });
}

} // namespace troupe::persistence
