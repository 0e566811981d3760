#include "troupe/tools/oci/hook.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/json.hpp"
#include "troupe/tools/adapter/attachment.hpp"
#include "troupe/tools/adapter/deferred.hpp"
#include "troupe/tools/adapter/network.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

namespace troupe::oci {

using adapter::attachment_id;
using adapter::daemon_link;
using adapter::work_directory;
using std::chrono::milliseconds;

namespace {

constexpr auto runtime = "oci";
constexpr auto create_deadline = milliseconds{20'000};
constexpr auto stop_deadline = milliseconds{10'000};
constexpr auto prefix = std::string_view{"io.troupe."};

std::vector<std::string> split(std::string_view text) {
  auto result = std::vector<std::string>{};
  for (size_t begin = 0; begin < text.size();) {
    auto end = std::min(text.find(',', begin), text.size());
    if (end > begin)
      result.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

result<void> read_addresses(const std::string& text, endpoint_spec& to) {
  for (const auto& word : split(text)) {
    auto address = ip_address::parse(word);
    if (!address)
      return fail(std::move(address.error()));
    (address->is_v4() ? to.ipv4 : to.ipv6) = *address;
  }
  return {};
}

result<void> read_ports(const std::string& text, endpoint_spec& to) {
  for (const auto& word : split(text)) {
    auto port = parse_port_spec(word);
    if (!port)
      return fail(std::move(port.error()));
    to.ports.push_back(*port);
  }
  return {};
}

result<void> read_mac(const std::string& text, endpoint_spec& to) {
  auto mac = mac_address::parse(text);
  if (!mac)
    return fail(std::move(mac.error()));
  to.mac = *mac;
  return {};
}

result<void> read_annotation(std::string_view key, const std::string& value,
                             wanted_container& to) {
  if (key == "networks") {
    to.networks = split(value);
    return {};
  }
  if (key == "ip")
    return read_addresses(value, to.first);
  if (key == "mac")
    return read_mac(value, to.first);
  if (key == "publish")
    return read_ports(value, to.first);
  return fail(ec::invalid_argument, "unknown annotation",
              "known: networks, ip, mac, publish");
}

/// All of a container's interfaces.
attachment_id whole(const std::string& container) {
  return {runtime, {}, container, {}};
}

result<daemon_link> connect(const surroundings& around, milliseconds deadline) {
  auto link = around.connect("unix://" + around.socket);
  if (!link)
    return fail(std::move(link.error()));
  return daemon_link{std::move(*link), deadline};
}

result<void> attach_all(daemon_link& daemon, const wanted_container& what) {
  auto where
    = adapter::open_container("/proc/" + std::to_string(what.pid) + "/ns/net");
  if (!where)
    return fail(std::move(where.error()));
  auto number = 0;
  for (const auto& name : what.networks) {
    auto network = daemon.ask<network_status>(inspect_network{name});
    if (!network)
      return fail(std::move(network.error()));
    auto wanted = adapter::wanted_attachment{};
    wanted.id = {runtime, name, what.id, "eth" + std::to_string(number)};
    wanted.network = network->spec.id.value;
    if (number++ == 0)
      wanted.endpoint = what.first;
    auto made = adapter::attach(daemon, wanted, *where);
    if (!made)
      return fail(std::move(made.error()));
  }
  return {};
}

/// Takes away what there is, or remembers to.
void leave(const surroundings& around, const work_directory& work,
           const std::string& container) {
  auto daemon = connect(around, stop_deadline);
  auto gone = daemon ? adapter::detach(*daemon, whole(container))
                     : result<void>{fail(std::move(daemon.error()))};
  if (gone)
    return work.forget(whole(container));
  around.log << "troupe-oci: " << gone.error().message
             << "; it is detached when the daemon is back\n";
  if (auto deferred = work.defer(whole(container)); !deferred)
    around.log << "troupe-oci: " << deferred.error().message << '\n';
}

int refuse(const surroundings& around, const error& why) {
  around.log << "troupe-oci: " << why.message << '\n';
  if (!why.hint.empty())
    around.log << "Hint: " << why.hint << '\n';
  return 1;
}

} // namespace

result<wanted_container> read_state(std::string_view text) {
  auto state = parse_json(text);
  if (!state)
    return fail(with_context(std::move(state.error()), "read the state"));
  auto id = state->is_object() ? state->find("id") : state->end();
  if (!state->is_object() || id == state->end() || !id->is_string()
      || id->get<std::string>().empty())
    return fail(ec::invalid_argument, "read the state: it has no id");
  auto result = wanted_container{};
  result.id = id->get<std::string>();
  if (auto pid = state->find("pid");
      pid != state->end() && pid->is_number_integer())
    result.pid = pid->get<long>();
  auto annotations = state->find("annotations");
  if (annotations == state->end() || !annotations->is_object())
    return result;
  for (const auto& [key, value] : annotations->items()) {
    if (!key.starts_with(prefix) || !value.is_string())
      continue;
    auto done = read_annotation(std::string_view{key}.substr(prefix.size()),
                                value.get<std::string>(), result);
    if (!done)
      return fail(
        with_context(std::move(done.error()), "annotation " + quoted(key)));
  }
  return result;
}

int create_runtime(const surroundings& around) {
  auto what = read_state(around.state);
  if (!what)
    return refuse(around, what.error());
  if (what->networks.empty())
    what->networks = around.networks;
  if (what->networks.empty())
    return 0;
  auto work = work_directory{around.socket};
  if (auto ready = work.prepare(); !ready)
    return refuse(around, ready.error());
  auto held = work.lock(whole(what->id), create_deadline);
  if (!held)
    return refuse(around, held.error());
  auto daemon = connect(around, create_deadline);
  if (!daemon)
    return refuse(around, daemon.error());
  work.replay(*daemon);
  // Of a container with this id there may be something left.
  auto attached = adapter::detach(*daemon, whole(what->id));
  if (attached)
    attached = attach_all(*daemon, *what);
  if (attached)
    return work.forget(whole(what->id)), 0;
  leave(around, work, what->id);
  held->forget();
  return refuse(around, attached.error());
}

int post_stop(const surroundings& around) {
  auto what = read_state(around.state);
  if (!what) {
    (void)refuse(around, what.error());
    return 0;
  }
  auto work = work_directory{around.socket};
  if (auto ready = work.prepare(); !ready)
    return (void)refuse(around, ready.error()), 0;
  auto held = work.lock(whole(what->id), create_deadline);
  if (!held)
    return (void)refuse(around, held.error()), 0;
  leave(around, work, what->id);
  held->forget();
  return 0;
}

} // namespace troupe::oci
