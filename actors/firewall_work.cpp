#include "troupe/actors/firewall_work.hpp"

#include "troupe/actors/log.hpp"
#include "troupe/config/model/difference.hpp"
#include "troupe/drivers/steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace troupe {

namespace {

drivers::publisher publisher_of(const endpoint_spec& endpoint) {
  auto result = drivers::publisher{endpoint.id, endpoint.name, {}, {}};
  for (const auto& x : endpoint.addresses)
    (x.address.is_v4() ? result.ipv4 : result.ipv6) = x.address;
  return result;
}

std::string describe(const netns::firewall::element& x) {
  return fmt::format("firewall: {} {}", schema_of(x.set).name,
                     to_text(x).value_or("(malformed)"));
}

} // namespace

firewall_work::firewall_work(std::unique_ptr<netns::kernel> kernel,
                             std::unique_ptr<drivers::port_book> ports,
                             netns::firewall::settings rules, bool ip_forward)
  : kernel_{std::move(kernel)}, ports_{std::move(ports)},
    rules_{std::move(rules)}, forwarding_{*kernel_, ip_forward} {
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

/// Without networks the kernel is as it was before us.
result<void> firewall_work::remove() {
  auto done = kernel_->remove_firewall(rules_.table);
  loaded_ = false;
  if (done)
    maybe_present_ = false;
  return done;
}

// -- ports --------------------------------------------------------------------

result<std::vector<port_binding>>
firewall_work::publish(const drivers::driver& driver,
                       const protect_endpoint& what) {
  auto wishes = drivers::with_exposed(
    what.wishes,
    what.publish_all ? what.endpoint.exposed : std::vector<exposed_port>{});
  if (what.restored ? what.restored->empty() : wishes.empty())
    return std::vector<port_binding>{};
  if (!ports_)
    return fail(ec::unsupported, "publish ports: there is no port service");
  const auto who = publisher_of(what.endpoint);
  if (what.restored) {
    if (auto done = ports_->restore(who, *what.restored); !done)
      return fail(std::move(done.error()));
    return *what.restored;
  }
  if (missing_)
    return fail(with_context(*missing_, "publish ports"));
  auto how = drivers::publish_options{};
  how.mode_v4 = driver.publishing(what.network, ip_family::v4);
  how.mode_v6 = driver.publishing(what.network, ip_family::v6);
  how.default_address = driver.publish_address(what.network);
  return ports_->begin_publish(who, wishes, how);
}

result<void>
firewall_work::finish_publish(const endpoint_spec& endpoint,
                              const std::vector<port_binding>& all) {
  auto done = ports_ ? ports_->finish_publish(endpoint.id) : result<void>{};
  if (!done)
    forget_but(all, ports_->bindings(endpoint.id));
  return done;
}

void firewall_work::forget(const netns::conntrack_filter& filter,
                           const std::string& title) {
  if (auto done = kernel_->flush_conntrack(filter); !done)
    log().warn("forget connections {}: {}", title, done.error().message);
}

void firewall_work::forget_connections(const endpoint_spec& endpoint) {
  for (const auto& x : endpoint.addresses) {
    auto filter = netns::conntrack_filter{};
    filter.family = x.address.family();
    filter.address = x.address;
    forget(filter, "of " + to_string(x.address));
  }
}

void firewall_work::forget_connections(const port_binding& binding) {
  if (binding.host_port == 0)
    return;
  auto filter = netns::conntrack_filter{};
  filter.family = binding.host_ip.family();
  filter.proto = binding.proto;
  filter.host_port = binding.host_port;
  if (!binding.host_ip.is_unspecified())
    filter.host_address = binding.host_ip;
  forget(filter, "to " + to_string(binding));
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
  const auto gone = forget_but(ports_->bindings(endpoint.id), kept);
  if (!gone.empty())
    note_release(endpoint, ports_->release(endpoint.id, gone));
}

/// Forgets the connections to bindings, but to those that are kept.
/// @returns whose connections were forgotten.
std::vector<port_binding>
firewall_work::forget_but(std::vector<port_binding> bindings,
                          const std::vector<port_binding>& kept) {
  std::erase_if(bindings, [&](const auto& x) {
    return std::ranges::find(kept, x) != kept.end();
  });
  for (const auto& x : bindings)
    forget_connections(x);
  return bindings;
}

std::vector<std::string> firewall_work::warnings() const {
  auto result = forwarding_.notes();
  if (missing_)
    result.push_back("no firewall: " + missing_->message);
  return result;
}

} // namespace troupe
