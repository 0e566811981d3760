#include "troupe/tests/unit/netns/kernel_contract.hpp"

namespace troupe::test {

void KernelContract::SetUp() {
  auto why = std::string{};
  machine_ = GetParam().make(why);
  if (machine_ == nullptr)
    GTEST_SKIP() << why;
  host_ = machine_->open();
  ASSERT_NE(host_, nullptr);
}

int KernelContract::make_bridge(const std::string& name,
                                const std::string& mac_text) {
  auto request = netns::bridge_request{};
  request.name = name;
  request.mac = mac(mac_text);
  auto index = host().add_bridge(request);
  EXPECT_TRUE(works(index));
  auto change = netns::link_change{};
  change.up = true;
  EXPECT_TRUE(works(host().set_link(index.value_or(0), change)));
  return index.value_or(0);
}

KernelContract::inside KernelContract::make_namespace(const std::string& name) {
  auto result = inside{};
  auto made = host().create_namespace(name);
  EXPECT_TRUE(works(made));
  result.ref = made.value_or(netns::namespace_ref{});
  auto entered = host().enter(result.ref);
  EXPECT_TRUE(works(entered));
  if (entered)
    result.kernel = std::move(*entered);
  return result;
}

int KernelContract::make_veth(const std::string& name, const inside& there,
                              const std::string& peer_name, int master) {
  auto request = netns::veth_request{};
  request.name = name;
  request.master = master;
  request.peer_name = peer_name;
  request.peer_mac = mac("02:42:0a:00:00:02");
  request.peer_namespace = there.ref;
  auto index = host().add_veth(request);
  EXPECT_TRUE(works(index));
  auto peer = there.kernel->link_index(peer_name);
  EXPECT_TRUE(works(peer));
  EXPECT_TRUE(
    works(there.kernel->set_sysctl(netns::sysctl::ipv6_disable, peer_name, 0)));
  auto change = netns::link_change{};
  change.up = true;
  EXPECT_TRUE(works(there.kernel->set_link(peer.value_or(0), change)));
  return index.value_or(0);
}

netns::link_info
KernelContract::look(netns::kernel& k, const std::string& name) {
  auto index = k.link_index(name);
  if (!index)
    return {};
  auto found = k.link(*index);
  EXPECT_TRUE(works(found));
  return found.value_or(netns::link_info{});
}

size_t KernelContract::count_links(netns::kernel& k) {
  auto all = k.links();
  EXPECT_TRUE(works(all));
  return all ? all->size() : 0;
}

} // namespace troupe::test
