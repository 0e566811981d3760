#include "fixture.hpp"
#include <span>

namespace troupe::test {

namespace {

class BridgeLimits : public bridge_system {
protected:
  void SetUp() override {
    bridge_system::SetUp();
    network.enable_ipv6 = false;
    network.pools.resize(1);
  }
};

TEST_F(BridgeLimits, RefusesThePortAfterTheLast) {
  create_network();
  auto box = sandbox("box");
  for (auto n = 1U; n <= 1023; ++n) {
    plans.push_back(plan_for(box, n));
    plans.back().where.interface = fmt::format("eth{}", n);
    plans.back().where.default_route_v4 = false;
    create(plans.back());
    ASSERT_FALSE(HasFatalFailure());
  }
  auto before = snapshot();
  auto last = plan_for(box, 1024);
  auto done = driver->create_endpoint(*kernel, last);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::unavailable);
  EXPECT_NE(done.error().message.find("1023 ports"), std::string::npos)
    << done.error().message;
  EXPECT_EQ(snapshot(), before);
  EXPECT_EQ(driver->list(*kernel)->size(), 1024U);
}

TEST_F(BridgeLimits, RemovesEndpointsWhoseNamespacesAreGone) {
  build(20);
  for (auto n = 1U; n <= 10; ++n)
    ASSERT_TRUE(kernel->remove_namespace(fmt::format("box-{}", n)));
  auto done = driver->remove_endpoints(*kernel, plans);
  EXPECT_TRUE(done) << text(done);
  EXPECT_EQ(driver->list(*kernel)->size(), 1U);
}

TEST_F(BridgeLimits, RemovesOneAmongMany) {
  build(20);
  auto one = std::span{plans}.first(1);
  ASSERT_TRUE(driver->remove_endpoints(*kernel, one));
  EXPECT_EQ(driver->list(*kernel)->size(), 20U);
  ASSERT_TRUE(driver->remove_endpoints(*kernel, one));
  for (const auto& plan : std::span{plans}.subspan(1))
    EXPECT_TRUE(driver->inspect_endpoint(*kernel, plan)->empty());
}

TEST_F(BridgeLimits, DoesNotTakeAForeignInterfaceInTheSandbox) {
  create_network();
  auto box = sandbox("box");
  auto request = netns::veth_request{};
  request.name = "other0";
  request.peer_name = "eth0";
  request.peer_mac = mac_address{{2, 7, 7, 7, 7, 7}};
  request.peer_namespace = box;
  ASSERT_TRUE(kernel->add_veth(request));
  auto before = snapshot();
  auto done = driver->create_endpoint(*kernel, plan_for(box, 1));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::conflict);
  EXPECT_EQ(snapshot(), before);
  ASSERT_TRUE(kernel->del_link(kernel->link_index("other0").value()));
}

} // namespace

} // namespace troupe::test
