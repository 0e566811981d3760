#include "troupe/tools/adapter/attachment.hpp"

#include "troupe/config/model/id.hpp"

#include <charconv>
#include <utility>

namespace troupe::adapter {

namespace {

/// How often somebody else may take a sandbox away while we use it.
constexpr int attempts = 5;

std::string label_of(const text_map& labels, std::string_view name) {
  auto found = labels.find(std::string{name});
  return found == labels.end() ? std::string{} : found->second;
}

text_map sandbox_labels(const attachment_id& id) {
  return {{std::string{runtime_label}, id.runtime},
          {std::string{container_label}, id.container}};
}

bool is_of(const sandbox_status& x, const attachment_id& id) {
  return label_of(x.spec.labels, runtime_label) == id.runtime
         && label_of(x.spec.labels, container_label) == id.container;
}

bool is_of(const endpoint_status& x, const attachment_id& id) {
  const auto& labels = x.spec.labels;
  if (id.network.empty())
    return label_of(labels, runtime_label) == id.runtime
           && label_of(labels, container_label) == id.container;
  return label_of(labels, runtime_label) == id.runtime
         && label_of(labels, network_label) == id.network
         && label_of(labels, container_label) == id.container
         && label_of(labels, interface_label) == id.interface;
}

/// The container's sandbox. Errors: `not_found`; `conflict` if the name is
/// somebody else's.
result<sandbox_status>
find_sandbox(daemon_link& daemon, const attachment_id& id) {
  auto found = daemon.ask<sandbox_status>(inspect_sandbox{sandbox_name(id)});
  if (!found)
    return found;
  // A name may also be the beginning of another's id.
  if (found->spec.name != sandbox_name(id))
    return fail(ec::not_found,
                "find sandbox " + quoted(sandbox_name(id)) + ": none");
  if (!is_of(*found, id))
    return fail(ec::conflict, "find the sandbox of container "
                                + quoted(id.container) + ": " + sandbox_name(id)
                                + " is somebody else's");
  return found;
}

/// Makes the sandbox. The daemon opens the path itself; where it finds another
/// namespace there (it may have other mounts), it is led to our descriptor.
result<sandbox_status>
make_sandbox(daemon_link& daemon, const attachment_id& id,
             const open_namespace& where) {
  auto failure = error{};
  for (const auto& path : {where.path, where.descriptor_path()}) {
    auto spec = sandbox_spec{};
    spec.name = sandbox_name(id);
    spec.netns_path = path;
    spec.labels = sandbox_labels(id);
    auto made = daemon.ask<sandbox_status>(create_sandbox{std::move(spec)});
    if (made && made->spec.netns_inode == where.inode)
      return made;
    if (made) {
      auto removed = daemon.ask<done>(remove_sandbox{made->spec.id.value});
      if (!removed)
        return fail(std::move(removed.error()));
      failure = {ec::not_found,
                 "open namespace " + quoted(where.path)
                   + ": the daemon finds another one there",
                 {},
                 0};
      continue;
    }
    failure = std::move(made.error());
    // Nothing the other path would change.
    if (failure.code == ec::conflict || is_outcome_unknown(failure))
      break;
  }
  return fail(std::move(failure));
}

/// The namespace that a sandbox was made around is not the container's any
/// more: it was started again and nobody said that it had stopped.
bool is_stale(const sandbox_status& x) {
  return inode_at(x.spec.netns_path) != x.spec.netns_inode;
}

error elsewhere(const attachment_id& id, const sandbox_status& x) {
  return {ec::conflict,
          "attach container " + quoted(id.container)
            + ": it has another namespace already, "
            + quoted(x.spec.netns_path),
          "delete its interfaces there first", 0};
}

/// @param existed set if the container had one.
result<sandbox_status>
find_or_make_sandbox(daemon_link& daemon, const attachment_id& id,
                     const open_namespace& where, bool& existed) {
  auto made = make_sandbox(daemon, id, where);
  existed = false;
  if (made || made.error().code != ec::conflict)
    return made;
  auto found = find_sandbox(daemon, id);
  if (!found)
    return found.error().code == ec::not_found ? made : found;
  existed = true;
  if (found->spec.netns_inode == where.inode)
    return found;
  if (!is_stale(*found))
    return fail(elsewhere(id, *found));
  auto removed = daemon.ask<done>(remove_sandbox{found->spec.id.value});
  if (!removed && removed.error().code != ec::not_found)
    return fail(std::move(removed.error()));
  existed = false;
  return make_sandbox(daemon, id, where);
}

/// `eth0` before `eth1`, in whatever order they come.
int rank_of(const std::string& interface) {
  constexpr auto digits = "0123456789";
  auto begin = interface.find_last_not_of(digits);
  auto number
    = begin == std::string::npos ? interface : interface.substr(begin + 1);
  auto result = 0;
  std::from_chars(number.data(), number.data() + number.size(), result);
  return -result;
}

endpoint_spec endpoint_of(const wanted_attachment& wanted) {
  auto spec = wanted.endpoint;
  if (wanted.ranks_by_name)
    spec.priority = rank_of(wanted.id.interface);
  spec.name = endpoint_name(wanted.id);
  spec.options["com.docker.network.endpoint.ifname"] = wanted.id.interface;
  spec.labels[std::string{runtime_label}] = wanted.id.runtime;
  spec.labels[std::string{network_label}] = wanted.id.network;
  spec.labels[std::string{container_label}] = wanted.id.container;
  spec.labels[std::string{interface_label}] = wanted.id.interface;
  return spec;
}

/// Another endpoint of the container may be what leads out.
result<attached>
with_gateways(daemon_link& daemon, endpoint_status endpoint, bool is_only_one) {
  auto result = attached{std::move(endpoint)};
  const auto& made = result.endpoint;
  result.gives_default_v4 = made.gateway.has_value();
  result.gives_default_v6 = made.gateway_v6.has_value();
  if (is_only_one)
    return result;
  auto sandbox
    = daemon.ask<sandbox_status>(inspect_sandbox{made.sandbox->value});
  if (!sandbox)
    return fail(std::move(sandbox.error()));
  result.gives_default_v4 = sandbox->gateway == made.spec.id;
  result.gives_default_v6 = sandbox->gateway_v6 == made.spec.id;
  return result;
}

/// A second attachment under the same identity would be the end of the first
/// when it fails and is taken back.
result<void> check_free(daemon_link& daemon, const sandbox_status& sandbox,
                        const attachment_id& id) {
  for (const auto& endpoint : sandbox.endpoints) {
    auto found
      = daemon.ask<endpoint_status>(inspect_endpoint{{}, endpoint.value});
    if (found && found->interface == id.interface)
      return fail(ec::conflict, "attach container " + quoted(id.container)
                                  + ": it has interface " + quoted(id.interface)
                                  + " already, on network "
                                  + quoted(found->network_name));
    if (!found && found.error().code != ec::not_found)
      return fail(std::move(found.error()));
  }
  return {};
}

result<void> remove_sandbox_of(daemon_link& daemon, const sandbox_status& x) {
  auto removed = daemon.ask<done>(remove_sandbox{x.spec.id.value});
  if (removed || removed.error().code == ec::not_found)
    return {};
  return fail(std::move(removed.error()));
}

} // namespace

result<attached> attach(daemon_link& daemon, const wanted_attachment& wanted,
                        const open_namespace& where) {
  auto failure = error{};
  for (auto i = 0; i < attempts; ++i) {
    auto existed = false;
    auto sandbox = find_or_make_sandbox(daemon, wanted.id, where, existed);
    if (!sandbox)
      return fail(std::move(sandbox.error()));
    if (auto is_free
        = existed ? check_free(daemon, *sandbox, wanted.id) : result<void>{};
        !is_free)
      return fail(std::move(is_free.error()));
    auto endpoint = daemon.ask<endpoint_status>(attach_sandbox{
      wanted.network, sandbox->spec.id.value, endpoint_of(wanted)});
    if (endpoint)
      return with_gateways(daemon, std::move(*endpoint), !existed);
    failure = std::move(endpoint.error());
    // The end of the container's last other interface took the sandbox along.
    if (failure.code == ec::not_found
        && !daemon.ask<sandbox_status>(inspect_sandbox{sandbox->spec.id.value}))
      continue;
    if (!existed && !is_outcome_unknown(failure))
      (void)remove_sandbox_of(daemon, *sandbox);
    break;
  }
  return fail(std::move(failure));
}

result<endpoint_status> find(daemon_link& daemon, const attachment_id& id) {
  auto sandbox = find_sandbox(daemon, id);
  if (!sandbox)
    return fail(std::move(sandbox.error()));
  for (const auto& endpoint : sandbox->endpoints) {
    auto found
      = daemon.ask<endpoint_status>(inspect_endpoint{{}, endpoint.value});
    if (found ? is_of(*found, id) : found.error().code != ec::not_found)
      return found;
  }
  return fail(ec::not_found, "find interface " + quoted(id.interface)
                               + " of container " + quoted(id.container)
                               + ": it is on no network");
}

result<void> detach(daemon_link& daemon, const attachment_id& id) {
  auto sandbox = find_sandbox(daemon, id);
  if (!sandbox)
    return sandbox.error().code == ec::not_found
               || sandbox.error().code == ec::conflict
             ? result<void>{}
             : fail(std::move(sandbox.error()));
  auto others = size_t{0};
  for (const auto& endpoint : sandbox->endpoints) {
    auto found
      = daemon.ask<endpoint_status>(inspect_endpoint{{}, endpoint.value});
    if (!found && found.error().code == ec::not_found)
      continue;
    if (!found)
      return fail(std::move(found.error()));
    if (!is_of(*found, id)) {
      ++others;
      continue;
    }
    // By itself, not with its sandbox: it ends in one step of its own, which
    // self-repair cannot come between.
    auto left = daemon.ask<done>(remove_endpoint{{}, endpoint.value, true});
    if (!left && left.error().code != ec::not_found)
      return fail(std::move(left.error()));
  }
  // With the sandbox goes an attach that is still under way for nobody.
  return others > 0 ? result<void>{} : remove_sandbox_of(daemon, *sandbox);
}

result<std::vector<attachment_id>>
list(daemon_link& daemon, const std::string& runtime,
     const std::string& network) {
  auto endpoints = daemon.ask<endpoint_list>(list_endpoints{});
  if (!endpoints)
    return fail(std::move(endpoints.error()));
  auto sandboxes = daemon.ask<sandbox_list>(list_sandboxes{});
  if (!sandboxes)
    return fail(std::move(sandboxes.error()));
  auto result = std::vector<attachment_id>{};
  for (const auto& x : endpoints->endpoints)
    if (label_of(x.spec.labels, runtime_label) == runtime
        && label_of(x.spec.labels, network_label) == network)
      result.push_back({runtime, network,
                        label_of(x.spec.labels, container_label),
                        label_of(x.spec.labels, interface_label)});
  for (const auto& x : sandboxes->sandboxes)
    if (x.endpoints.empty()
        && label_of(x.spec.labels, runtime_label) == runtime)
      result.push_back(
        {runtime, network, label_of(x.spec.labels, container_label), {}});
  return result;
}

} // namespace troupe::adapter
