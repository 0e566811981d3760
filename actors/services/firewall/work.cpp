#include "troupe/actors/services/firewall/work.hpp"

#include "troupe/actors/api/log.hpp"
#include "troupe/config/model/difference.hpp"
#include "troupe/drivers/steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace troupe {

namespace {

/// Each is a walk through the whole table of connections, 0.3 ms.
constexpr size_t most_walks = 32;

/// Who wants the elements that say what we did to the host's forwarding.
constexpr auto forwarding_owner = "forwarding";

drivers::publisher publisher_of(const endpoint_spec& endpoint) {
  auto result = drivers::publisher{endpoint.id, endpoint.name, {}, {}};
  for (const auto& x : endpoint.addresses)
    (x.address.is_v4() ? result.ipv4 : result.ipv6) = x.address;
  return result;
}

std::optional<ip_address>
address_of(const endpoint_spec& endpoint, ip_family family) {
  for (const auto& x : endpoint.addresses)
    if (x.address.family() == family)
      return x.address;
  return std::nullopt;
}

/// `udp 192.0.2.2:40000 to 192.0.2.1:53, answered by 10.1.0.2:53`.
std::string describe(const netns::connection_info& x) {
  auto result = (x.proto ? to_string(*x.proto) + " " : "")
                + host_text(x.client, x.client_port) + " to "
                + host_text(x.host, x.host_port);
  if (x.destination_translated())
    result += ", answered by " + host_text(x.server, x.server_port);
  return result;
}

std::string describe(const netns::firewall::element& x) {
  return fmt::format("firewall: {} {}", schema_of(x.set).name,
                     to_text(x).value_or("(malformed)"));
}

} // namespace

firewall_work::firewall_work(std::unique_ptr<netns::kernel> kernel,
                             std::unique_ptr<drivers::port_book> ports,
                             netns::firewall::settings rules,
                             forwarding_policy forwarding)
  : kernel_{std::move(kernel)}, ports_{std::move(ports)}, rules_{std::move(
                                                            rules)},
    forwarding_{
      *kernel_, forwarding, rules_,
      [this](firewall_book::elements wanted, bool is_final) {
        return apply({{forwarding_owner, std::move(wanted), is_final}});
      }} {
}

// -- elements -----------------------------------------------------------------

result<void> firewall_work::load() {
  if (book_.empty())
    return remove();
  maybe_present_ = true;
  auto done = kernel_->load_firewall(rules_, book_.all());
  loaded_ = done.has_value();
  worked_ = worked_ || loaded_;
  if (done)
    missing_.reset();
  // What has worked before is not missing in the kernel.
  else if (done.error().code == ec::unsupported && !worked_)
    missing_ = done.error();
  return done;
}

/// After a failure nobody knows what the kernel has: loading everything anew
/// settles it, and also replaces what somebody else has changed.
result<void> firewall_work::change(const firewall_book::changes& changes) {
  if (loaded_ && !book_.empty()
      && kernel_->change_elements(rules_.table, changes))
    return {};
  return load();
}

result<void> firewall_work::apply(std::vector<firewall_job> jobs) {
  auto steps = firewall_book::changes{};
  auto before = std::vector<firewall_job>{};
  for (auto& x : jobs) {
    if (!x.is_final)
      before.push_back({x.owner, book_.of(x.owner), false});
    auto more = book_.replace(x.owner, std::move(x.wanted));
    std::move(more.begin(), more.end(), std::back_inserter(steps));
  }
  if (missing_ || (steps.empty() && (loaded_ || !maybe_present_)))
    return {};
  auto done = change(steps);
  if (done || missing_)
    return {};
  std::ranges::reverse(before); // An owner may be there twice.
  for (auto& x : before)
    book_.replace(x.owner, std::move(x.wanted));
  return done;
}

result<std::vector<std::string>> firewall_work::differences() {
  auto result = std::vector<std::string>{};
  if (missing_ || (book_.empty() && !maybe_present_))
    return result;
  auto there = kernel_->list_elements(rules_.table);
  if (!there && !drivers::is_missing(there.error()))
    return fail(std::move(there.error()));
  if (!there) { // No table: as it should be, or everything is missing.
    if (!book_.empty())
      result.push_back("firewall: " + there.error().message);
    return result;
  }
  const auto wanted = book_.all();
  for (const auto& x : difference(wanted, *there))
    result.push_back(describe(x) + " is missing");
  for (const auto& x : difference(*there, wanted))
    result.push_back(describe(x) + " belongs to nobody");
  return result;
}

/// Without networks, and where the host forwards for others as well.
result<void> firewall_work::remove() {
  auto done = kernel_->remove_firewall(rules_.table);
  loaded_ = false;
  // An earlier run may have left some, but not where there is no nft.
  if (done)
    maybe_present_ = false;
  else if (done.error().code != ec::unsupported)
    maybe_present_ = true;
  return done;
}

void firewall_work::recall_forwarding(
  const persistence::forwarding_record& recorded) {
  book_.replace(forwarding_owner, forwarding_.recall(recorded));
}

// -- ports --------------------------------------------------------------------

result<std::vector<port_binding>>
firewall_work::publish(const drivers::driver& driver,
                       const protect_endpoint& what) {
  auto wishes = drivers::with_exposed(
    what.wishes,
    what.publish_all ? what.endpoint.exposed : std::vector<exposed_port>{});
  if (wishes.empty())
    return std::vector<port_binding>{};
  if (!ports_)
    return fail(ec::unsupported, "publish ports: there is no port service");
  if (missing_)
    return fail(with_context(*missing_, "publish ports"));
  return ports_->begin_publish(
    publisher_of(what.endpoint), wishes,
    drivers::publish_options_of(driver, what.network));
}

std::vector<drivers::refused_port>
firewall_work::restore(const endpoint_spec& endpoint,
                       const std::vector<port_binding>& recorded) {
  if (ports_)
    return ports_->restore_possible(publisher_of(endpoint), recorded);
  auto refused = std::vector<drivers::refused_port>{};
  for (const auto& x : recorded)
    refused.push_back(
      {x,
       {ec::unsupported,
        "publish " + to_string(x) + ": there is no port service", "", 0}});
  return refused;
}

result<void>
firewall_work::finish_publish(const endpoint_spec& endpoint,
                              const std::vector<port_binding>& all) {
  auto done = ports_ ? ports_->finish_publish(endpoint.id) : result<void>{};
  if (!done)
    forget_but(endpoint, all, ports_->bindings(endpoint.id));
  return done;
}

/// The endpoint is gone, or does not want them: that stays so.
void firewall_work::note_release(const endpoint_spec& endpoint,
                                 const result<void>& done) {
  if (done)
    return;
  log().warn("endpoint {}: give ports back: {}; tried again later",
             quoted(endpoint.name), done.error().message);
  owes_ports_ = true;
}

result<void> firewall_work::repair_ports() {
  if (!ports_)
    return {};
  auto done = ports_->repair();
  if (done)
    owes_ports_ = false;
  return done;
}

void firewall_work::release_all(const endpoint_spec& endpoint) {
  if (ports_)
    note_release(endpoint, ports_->release(endpoint.id));
}

void firewall_work::release_but(const endpoint_spec& endpoint,
                                const std::vector<port_binding>& kept) {
  if (!ports_)
    return;
  const auto gone = forget_but(endpoint, ports_->bindings(endpoint.id), kept);
  if (!gone.empty())
    note_release(endpoint, ports_->release(endpoint.id, gone));
}

/// Forgets the connections through bindings, but through those that are kept.
/// Whoever is told that a port is closed finds it closed.
/// @returns whose connections were forgotten.
std::vector<port_binding>
firewall_work::forget_but(const endpoint_spec& endpoint,
                          std::vector<port_binding> bindings,
                          const std::vector<port_binding>& kept) {
  const auto stay
    = std::set<port_binding, binding_less>{kept.begin(), kept.end()};
  std::erase_if(bindings, [&](const auto& x) {
    return stay.contains(x);
  });
  if (bindings.empty())
    return bindings;
  if (bindings.size() > most_walks)
    owe_answers(endpoint, bindings);
  else
    for (const auto& x : bindings)
      if (const auto target = address_of(endpoint, x.host_ip.family()))
        owe(connections_through(x, *target));
  if (auto done = pay_connections(); !done)
    log().warn("endpoint {}: {}; tried again later", quoted(endpoint.name),
               done.error().message);
  return bindings;
}

/// Of many ports: everything the container answers in their protocols. Those it
/// began itself live on.
void firewall_work::owe_answers(const endpoint_spec& endpoint,
                                const std::vector<port_binding>& bindings) {
  auto protocols = std::set<protocol>{};
  for (const auto& x : bindings)
    protocols.insert(x.proto);
  for (const auto& x : endpoint.addresses)
    for (auto proto : protocols) {
      auto filter = netns::conntrack_filter{};
      filter.family = x.address.family();
      filter.server = x.address;
      filter.proto = proto;
      owe(filter);
    }
}

// -- connections --------------------------------------------------------------

void firewall_work::know(const drivers::driver& driver,
                         const network_spec& network) {
  connections_.add(driver, network);
}

void firewall_work::know(const endpoint_spec& endpoint) {
  connections_.add(endpoint);
}

void firewall_work::forget(const network_id& network) {
  connections_.remove(network);
}

void firewall_work::owe(const netns::conntrack_filter& filter) {
  if (std::ranges::find(owed_, filter) == owed_.end())
    owed_.push_back(filter);
}

result<void> firewall_work::admit(const endpoint_spec& endpoint) {
  const auto is_owed = [&](const auto& x) {
    return std::ranges::find(owed_, connections_of(x.address)) != owed_.end();
  };
  if (std::ranges::any_of(endpoint.addresses, is_owed))
    if (auto done = pay_connections(); !done)
      return fail(ec::unavailable,
                  fmt::format("endpoint {}: the connections of who had its "
                              "address before are not forgotten: {}",
                              quoted(endpoint.name), done.error().message),
                  "try again, or take another address");
  connections_.add(endpoint);
  return {};
}

void firewall_work::dismiss(const endpoint_spec& endpoint) {
  connections_.remove(endpoint.id);
  for (const auto& x : endpoint.addresses)
    owe(connections_of(x.address));
}

void firewall_work::owe_before(const endpoint_spec& endpoint,
                               const std::vector<port_binding>& bindings) {
  if (bindings.size() > most_walks)
    return owe_answers(endpoint, bindings);
  for (const auto& x : bindings)
    if (x.host_port != 0 && !x.host_ip.is_loopback()
        && address_of(endpoint, x.host_ip.family()))
      owe(connections_before(x));
}

result<void> firewall_work::pay_connections() {
  if (owes_review_)
    return review_connections();
  if (owed_.empty())
    return {};
  auto done = kernel_->flush_conntrack(owed_);
  if (done)
    owed_.clear();
  return done;
}

result<void> firewall_work::review_connections() {
  owes_review_ = true;
  auto present = kernel_->connections();
  if (!present)
    return fail(std::move(present.error()));
  for (const auto& x : connections_.unexplained(*present, book_))
    owe(x);
  if (had_gap_)
    for (const auto& x : connections_.untranslated(*present))
      owe(x);
  owes_review_ = had_gap_ = false;
  return pay_connections();
}

result<std::vector<std::string>> firewall_work::stale_connections() {
  auto present = kernel_->connections();
  if (!present)
    return fail(std::move(present.error()));
  // A question that nobody has answered is nobody's way in.
  std::erase_if(*present, [](const auto& x) {
    return !x.answered;
  });
  auto stale = connections_.unexplained(*present, book_);
  // What reaches the proxy instead of its container is served all the same.
  std::erase_if(stale, [](const auto& x) {
    return x.untranslated;
  });
  auto result = std::vector<std::string>{};
  for (const auto& x : *present)
    if (std::ranges::any_of(stale, [&](const auto& filter) {
          return matches(filter, x);
        }))
      result.push_back("firewall: the connection " + describe(x)
                       + " is tracked, and nothing explains it");
  return result;
}

std::vector<std::string> firewall_work::warnings() const {
  auto result = forwarding_.notes();
  if (missing_)
    result.push_back("no firewall: " + missing_->message);
  return result;
}

} // namespace troupe
