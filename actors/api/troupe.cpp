#include "troupe/actors/troupe.hpp"

#include <algorithm>
#include <atomic>

namespace troupe {

/// What the copies of a controller share.
struct controller::shared {
  std::shared_ptr<backend> link;
  std::atomic<int64_t> deadline_ms = settings{}.request_timeout_ms;
};

namespace {

/// Waits for a reply of one type.
template <class Reply>
result<Reply> call(backend& link, int64_t deadline_ms, request what) {
  auto got = link.call(std::move(what), std::chrono::milliseconds{deadline_ms});
  if (!got)
    return fail(std::move(got.error()));
  if (auto* x = std::get_if<Reply>(&*got))
    return std::move(*x);
  return fail(ec::internal, "read the reply: it is of another kind");
}

result<void> to_void(const result<done>& x) {
  if (!x)
    return fail(x.error());
  return {};
}

/// A name for a sandbox that is known by its path only: the last part that
/// says something (`/proc/42/ns/net` is `proc-42`).
std::string name_from_path(const std::string& path) {
  auto result = std::string{};
  for (char c : path)
    if (c == '/')
      result += result.empty() || result.back() == '-' ? "" : "-";
    else
      result += is_valid_name(std::string{"x"} + c) ? c : '_';
  return result.size() > 128 ? result.substr(result.size() - 128) : result;
}

} // namespace

// -- controller ---------------------------------------------------------------

controller::controller(std::shared_ptr<shared> x) : shared_{std::move(x)} {
}

result<controller> controller::connect(const std::string& uri) {
  auto link = connect_backend(uri);
  if (!link)
    return fail(std::move(link.error()));
  return over(std::move(*link));
}

controller controller::over(std::shared_ptr<backend> link) {
  auto x = std::make_shared<shared>();
  x->link = std::move(link);
  return controller{std::move(x)};
}

result<network> controller::create_network(std::string driver, std::string name,
                                           network_options options) {
  auto spec = network_spec{};
  spec.name = std::move(name);
  spec.driver = std::move(driver);
  spec.enable_ipv4 = options.enable_ipv4;
  spec.enable_ipv6 = options.enable_ipv6;
  spec.internal = options.internal;
  spec.ipam_driver = std::move(options.ipam_driver);
  spec.pools = std::move(options.pools);
  spec.options = std::move(options.options);
  spec.labels = std::move(options.labels);
  auto made = call<network_status>(*shared_->link, shared_->deadline_ms,
                                   troupe::create_network{std::move(spec)});
  if (!made)
    return fail(std::move(made.error()));
  return network{*this, std::move(made->spec)};
}

result<network> controller::find_network(std::string_view reference) {
  auto found = call<network_status>(*shared_->link, shared_->deadline_ms,
                                    inspect_network{std::string{reference}});
  if (!found)
    return fail(std::move(found.error()));
  return network{*this, std::move(found->spec)};
}

result<std::vector<network>> controller::networks() {
  auto found
    = call<network_list>(*shared_->link, shared_->deadline_ms, list_networks{});
  if (!found)
    return fail(std::move(found.error()));
  auto result = std::vector<network>{};
  for (auto& x : found->networks)
    result.push_back(network{*this, std::move(x.spec)});
  return result;
}

result<sandbox>
controller::create_sandbox(std::string name, sandbox_options options) {
  auto spec = sandbox_spec{};
  spec.name = std::move(name);
  spec.hostname = std::move(options.hostname);
  spec.domainname = std::move(options.domainname);
  spec.netns_path = std::move(options.netns_path);
  spec.use_host_namespace = options.use_host_namespace;
  spec.labels = std::move(options.labels);
  auto made = call<sandbox_status>(*shared_->link, shared_->deadline_ms,
                                   troupe::create_sandbox{std::move(spec)});
  if (!made)
    return fail(std::move(made.error()));
  return sandbox{*this, std::move(*made)};
}

result<sandbox> controller::create_sandbox_from(std::string netns_path) {
  auto name = name_from_path(netns_path);
  return create_sandbox(std::move(name), {.hostname = {},
                                          .domainname = {},
                                          .netns_path = std::move(netns_path),
                                          .use_host_namespace = false,
                                          .labels = {}});
}

result<sandbox> controller::find_sandbox(std::string_view reference) {
  auto found = call<sandbox_status>(*shared_->link, shared_->deadline_ms,
                                    inspect_sandbox{std::string{reference}});
  if (!found)
    return fail(std::move(found.error()));
  return sandbox{*this, std::move(*found)};
}

result<std::vector<sandbox>> controller::sandboxes() {
  auto found = call<sandbox_list>(*shared_->link, shared_->deadline_ms,
                                  list_sandboxes{});
  if (!found)
    return fail(std::move(found.error()));
  auto result = std::vector<sandbox>{};
  for (auto& x : found->sandboxes)
    result.push_back(sandbox{*this, std::move(x)});
  return result;
}

result<daemon_status> controller::status() {
  return call<daemon_status>(*shared_->link, shared_->deadline_ms,
                             get_status{});
}

result<doctor_report> controller::doctor(bool repair, bool probe) {
  return call<doctor_report>(*shared_->link, shared_->deadline_ms,
                             run_doctor{repair, probe});
}

void controller::set_deadline(std::chrono::milliseconds deadline) {
  shared_->deadline_ms = deadline.count();
}

void controller::submit(request what, reply_handler handler) {
  shared_->link->submit(std::move(what),
                        std::chrono::milliseconds{shared_->deadline_ms},
                        std::move(handler));
}

result<uint64_t> controller::subscribe(event_handler handler) {
  return shared_->link->subscribe(std::move(handler));
}

void controller::unsubscribe(uint64_t subscription) {
  shared_->link->unsubscribe(subscription);
}

const std::shared_ptr<backend>& controller::link() const {
  return shared_->link;
}

// -- network ------------------------------------------------------------------

network::network(controller owner, network_spec spec)
  : owner_{std::move(owner)}, spec_{std::move(spec)} {
}

const network_id& network::id() const {
  return spec_.id;
}

const std::string& network::name() const {
  return spec_.name;
}

const std::string& network::type() const {
  return spec_.driver;
}

result<network_status> network::info() const {
  return call<network_status>(*owner_.shared_->link,
                              owner_.shared_->deadline_ms,
                              inspect_network{spec_.id.value});
}

namespace {

endpoint_spec spec_from(std::string name, endpoint_options options) {
  auto spec = endpoint_spec{};
  spec.name = std::move(name);
  spec.ipv4 = options.ipv4;
  spec.ipv6 = options.ipv6;
  spec.mac = options.mac;
  spec.priority = options.priority;
  spec.options = std::move(options.options);
  spec.labels = std::move(options.labels);
  spec.ports = std::move(options.ports);
  spec.exposed = std::move(options.exposed);
  spec.publish_all = options.publish_all;
  return spec;
}

} // namespace

result<endpoint>
network::create_endpoint(std::string name, endpoint_options options) {
  auto made = call<endpoint_status>(
    *owner_.shared_->link, owner_.shared_->deadline_ms,
    troupe::create_endpoint{spec_.id.value,
                            spec_from(std::move(name), std::move(options))});
  if (!made)
    return fail(std::move(made.error()));
  return endpoint{owner_, std::move(made->spec)};
}

result<endpoint> network::find_endpoint(std::string_view reference) const {
  auto found = call<endpoint_status>(
    *owner_.shared_->link, owner_.shared_->deadline_ms,
    inspect_endpoint{spec_.id.value, std::string{reference}});
  if (!found)
    return fail(std::move(found.error()));
  return endpoint{owner_, std::move(found->spec)};
}

result<std::vector<endpoint>> network::endpoints() const {
  auto found
    = call<endpoint_list>(*owner_.shared_->link, owner_.shared_->deadline_ms,
                          list_endpoints{spec_.id.value});
  if (!found)
    return fail(std::move(found.error()));
  auto result = std::vector<endpoint>{};
  for (auto& x : found->endpoints)
    result.push_back(endpoint{owner_, std::move(x.spec)});
  return result;
}

result<endpoint> network::attach(const sandbox& where, std::string name,
                                 endpoint_options options) {
  auto made = call<endpoint_status>(
    *owner_.shared_->link, owner_.shared_->deadline_ms,
    attach_sandbox{spec_.id.value, where.id().value,
                   spec_from(std::move(name), std::move(options))});
  if (!made)
    return fail(std::move(made.error()));
  return endpoint{owner_, std::move(made->spec)};
}

result<void> network::detach(const sandbox& where) {
  return to_void(call<done>(*owner_.shared_->link, owner_.shared_->deadline_ms,
                            detach_sandbox{spec_.id.value, where.id().value}));
}

result<void> network::remove() {
  return to_void(call<done>(*owner_.shared_->link, owner_.shared_->deadline_ms,
                            remove_network{spec_.id.value}));
}

// -- endpoint -----------------------------------------------------------------

endpoint::endpoint(controller owner, endpoint_spec spec)
  : owner_{std::move(owner)}, spec_{std::move(spec)} {
}

const endpoint_id& endpoint::id() const {
  return spec_.id;
}

const std::string& endpoint::name() const {
  return spec_.name;
}

result<endpoint_status> endpoint::info() const {
  return call<endpoint_status>(
    *owner_.shared_->link, owner_.shared_->deadline_ms,
    inspect_endpoint{spec_.network.value, spec_.id.value});
}

result<endpoint_status> endpoint::join(const sandbox& where) {
  return call<endpoint_status>(
    *owner_.shared_->link, owner_.shared_->deadline_ms,
    join_endpoint{spec_.network.value, spec_.id.value, where.id().value});
}

result<void> endpoint::leave() {
  return to_void(
    call<done>(*owner_.shared_->link, owner_.shared_->deadline_ms,
               leave_endpoint{spec_.network.value, spec_.id.value}));
}

result<endpoint_status> endpoint::publish(std::vector<port_spec> ports) {
  return call<endpoint_status>(
    *owner_.shared_->link, owner_.shared_->deadline_ms,
    publish_ports{spec_.network.value, spec_.id.value, std::move(ports)});
}

result<endpoint_status> endpoint::unpublish(std::vector<port_spec> ports) {
  return call<endpoint_status>(
    *owner_.shared_->link, owner_.shared_->deadline_ms,
    unpublish_ports{spec_.network.value, spec_.id.value, std::move(ports)});
}

result<void> endpoint::remove(bool force) {
  return to_void(
    call<done>(*owner_.shared_->link, owner_.shared_->deadline_ms,
               remove_endpoint{spec_.network.value, spec_.id.value, force}));
}

// -- sandbox ------------------------------------------------------------------

sandbox::sandbox(controller owner, sandbox_status status)
  : owner_{std::move(owner)}, spec_{std::move(status.spec)}, key_{std::move(
                                                               status.key)} {
}

const sandbox_id& sandbox::id() const {
  return spec_.id;
}

const std::string& sandbox::name() const {
  return spec_.name;
}

const std::string& sandbox::key() const {
  return key_;
}

result<sandbox_status> sandbox::info() const {
  return call<sandbox_status>(*owner_.shared_->link,
                              owner_.shared_->deadline_ms,
                              inspect_sandbox{spec_.id.value});
}

result<endpoint_status> sandbox::add_interface(endpoint& x) {
  return x.join(*this);
}

result<void> sandbox::remove() {
  return to_void(call<done>(*owner_.shared_->link, owner_.shared_->deadline_ms,
                            remove_sandbox{spec_.id.value}));
}

} // namespace troupe
