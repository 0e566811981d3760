#include "troupe/drivers/bridge/marks.hpp"
#include "troupe/drivers/bridge/names.hpp"
#include "troupe/drivers/tags.hpp"
#include "troupe/netns/faulty/kernel.hpp"

#include "bridge_fixture.hpp"
#include <algorithm>
#include <cerrno>

namespace troupe::test {

namespace {

using kind = drivers::found_object::kind;

class BridgeInventory : public BridgeEndpoint {
protected:
  const std::string outside = "trp000000000001";

  std::vector<drivers::found_object> found() {
    return driver->list(*machine.kernel).value();
  }

  /// The object found under a name.
  drivers::found_object found(const std::string& name) {
    for (auto& x : found())
      if (x.name == name)
        return x;
    ADD_FAILURE() << "nothing found under the name " << name;
    return {};
  }

  void disturb(const std::string& link, const netns::link_change& change) {
    ASSERT_TRUE(machine.world->change_link("", link, change));
  }
};

TEST_F(BridgeInventory, LeavesOthersLinksOut) {
  machine.foreign_bridge("br0");
  auto request = netns::veth_request{};
  request.name = "trpffffffffffff";
  request.peer_name = "x";
  request.peer_mac = mac_address{{2, 7, 7, 7, 7, 7}};
  request.peer_namespace = plan.where.ns;
  ASSERT_TRUE(machine.kernel->add_veth(request));
  ASSERT_TRUE(create());
  EXPECT_EQ(found().size(), 2U);
  EXPECT_EQ(found(outside).what, kind::endpoint);
  EXPECT_EQ(found("br-aaaaaaaaaaaa").what, kind::network);
}

TEST_F(BridgeInventory, LeavesAnotherDaemonsLinksOut) {
  ASSERT_TRUE(create());
  auto other = drivers::make("bridge", instance::of("/run/other"));
  auto before = machine.print();
  EXPECT_TRUE(other->list(*machine.kernel).value().empty());
  ASSERT_TRUE(other->remove_found(*machine.kernel, found()));
  ASSERT_TRUE(other->remove_endpoints(*machine.kernel, {&plan, 1}));
  ASSERT_TRUE(other->remove_network(*machine.kernel, network));
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeInventory, TellsTheIdFromTheNameWhenTheAliasIsMissing) {
  ASSERT_TRUE(create());
  auto change = netns::link_change{};
  change.alias = "";
  disturb(outside, change);
  disturb("br-aaaaaaaaaaaa", change);
  EXPECT_EQ(found(outside).brief_id, "000000000001");
  EXPECT_EQ(found("br-aaaaaaaaaaaa").brief_id, "aaaaaaaaaaaa");
}

TEST_F(BridgeInventory, DoomsWhatNobodyCanOwn) {
  ASSERT_TRUE(create());
  auto change = netns::link_change{};
  change.alias = "";
  change.name = "what0";
  disturb(outside, change);
  EXPECT_EQ(found("what0").what, kind::doomed);
  EXPECT_EQ(found("what0").brief_id, "");
}

TEST_F(BridgeInventory, DoomsLinksThatWaitForDeletion) {
  ASSERT_TRUE(create());
  auto change = netns::link_change{};
  change.group = owner.trash_group();
  disturb(outside, change);
  EXPECT_EQ(found(outside).what, kind::doomed);
  auto objects = found();
  std::erase_if(objects, [](const auto& x) {
    return x.what != kind::doomed;
  });
  ASSERT_TRUE(driver->remove_found(*machine.kernel, objects));
  EXPECT_FALSE(machine.has_link("", outside));
  EXPECT_TRUE(machine.has_link("", "br-aaaaaaaaaaaa"));
}

TEST_F(BridgeInventory, FollowsTheAliasOfARenamedLink) {
  ASSERT_TRUE(create());
  auto change = netns::link_change{};
  change.name = "stolen";
  disturb(outside, change);
  EXPECT_EQ(found("stolen").brief_id, "000000000001");
  remove();
  EXPECT_FALSE(machine.has_link("", "stolen"));
}

TEST_F(BridgeInventory, DoomsTheOlderOfTwoPairsWithOneId) {
  ASSERT_TRUE(create());
  auto change = netns::link_change{};
  change.name = "stolen0";
  disturb(outside, change);
  change.name = "stolen1";
  ASSERT_TRUE(machine.world->change_link("box", "eth0", change));
  // Without them it would get its name back.
  ASSERT_TRUE(machine.world->flush_addresses("box", "stolen1"));
  ASSERT_TRUE(machine.world->flush_routes("box"));
  ASSERT_TRUE(create());
  EXPECT_EQ(found("stolen0").what, kind::doomed);
  EXPECT_EQ(found(outside).what, kind::endpoint);
}

TEST_F(BridgeInventory, FindsAHostBridgeInUse) {
  auto second = network_v4('b');
  second.pools = {pool("10.2.0.0/16", "10.2.0.1")};
  second.options["name"] = "br0";
  machine.foreign_bridge("br0");
  auto before = machine.print();
  ASSERT_TRUE(driver->create_network(*machine.kernel, second));
  auto x = found("br0");
  EXPECT_EQ(x.what, kind::network);
  EXPECT_EQ(x.brief_id, second.id.brief());
  ASSERT_TRUE(driver->remove_found(*machine.kernel, {&x, 1}));
  EXPECT_EQ(machine.print(), before);
}

// Whose the removed links were is not known: every sandbox is looked into.
TEST_F(BridgeInventory, SaysThatASandboxCouldNotBeTidied) {
  ASSERT_TRUE(create());
  auto faults = std::make_shared<netns::fault_plan>();
  auto kernel = netns::open_faulty_kernel(
    netns::open_simulated_kernel(machine.world), faults);
  auto rule = netns::fault_rule{};
  rule.on = netns::call::enter;
  rule.for_ever = true;
  rule.os_error = EMFILE;
  faults->add(rule);
  auto done = driver->remove_found(*kernel, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().os_error, EMFILE);
}

TEST_F(BridgeInventory, DoesNotRemoveALinkThatTookTheIndexOver) {
  ASSERT_TRUE(create());
  auto objects = found();
  for (auto& x : objects)
    x.name = "other0"; // As if the index were another link's by now.
  auto before = machine.print();
  ASSERT_TRUE(driver->remove_found(*machine.kernel, objects));
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeInventory, RemovesSomeAndLeavesTheRest) { // BR-13
  auto plans = std::vector<drivers::endpoint_plan>{};
  for (auto n = 1U; n <= 40; ++n) {
    plans.push_back(
      plan_for(network, machine.sandbox(fmt::format("box-{}", n)), n));
    ASSERT_TRUE(driver->create_endpoint(*machine.kernel, plans.back()));
  }
  auto all = std::span<const drivers::endpoint_plan>{plans};
  ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, all.subspan(0, 5)));
  EXPECT_EQ(found().size(), 36U);
  ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, all.subspan(5, 30)));
  EXPECT_EQ(found().size(), 6U);
  for (const auto& x : all.subspan(35))
    EXPECT_TRUE(driver->inspect_endpoint(*machine.kernel, x)->empty());
}

TEST(Marks, SurviveTheWayThroughAnAlias) {
  auto mark = drivers::bridge_mark{
    "my bridge", id_of('a'), true,
    true,        true,       {cidr("10.1.0.1/16"), cidr("fd00::1/64")}};
  auto alias = drivers::to_alias(owner, mark);
  auto back = drivers::parse_mark(owner, alias);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->alias_before, "my bridge");
  EXPECT_EQ(back->network, id_of('a'));
  EXPECT_TRUE(back->raised);
  EXPECT_TRUE(back->opened);
  EXPECT_TRUE(back->rebuilt);
  EXPECT_EQ(back->addresses, mark.addresses);
  EXPECT_EQ(drivers::to_alias(owner, *back), alias);
  EXPECT_EQ(drivers::tagged_id(owner, alias), "");
}

TEST(Marks, AreNotSeenInOtherAliases) {
  EXPECT_FALSE(drivers::parse_mark(owner, ""));
  EXPECT_FALSE(drivers::parse_mark(owner, "uplink"));
  EXPECT_FALSE(drivers::parse_mark(owner, owner.alias(id_of('a'))));
  auto other = instance::of("/run/other");
  auto alias
    = drivers::to_alias(other, {"", id_of('a'), false, false, false, {}});
  EXPECT_FALSE(drivers::parse_mark(owner, alias));
}

TEST(Names, FitIntoAnInterfaceName) {
  EXPECT_EQ(drivers::bridge_name({id_of('c')}), "br-cccccccccccc");
  EXPECT_EQ(drivers::host_end_name({id_of('c')}), "trpcccccccccccc");
  EXPECT_EQ(drivers::bridge_name({}), "");
  EXPECT_EQ(drivers::brief_id_in("br-0123456789ab", "br-"), "0123456789ab");
  EXPECT_EQ(drivers::brief_id_in("br-0123456789aB", "br-"), "");
  EXPECT_EQ(drivers::brief_id_in("br-0123456789a", "br-"), "");
  EXPECT_EQ(drivers::brief_id_in("br-0123456789abc", "br-"), "");
}

TEST(Names, MakeStableLocalUnicastMacs) {
  auto mac = drivers::bridge_mac({"0123456789" + id_of('0')});
  EXPECT_EQ(to_string(mac), "06:01:23:45:67:89");
  EXPECT_FALSE(mac.is_multicast());
  auto endpoint = endpoint_spec{};
  endpoint.id.value = id_of('d');
  EXPECT_EQ(to_string(drivers::endpoint_mac(endpoint)), "06:dd:dd:dd:dd:dd");
  endpoint.addresses = {cidr("fd00::1/64"), cidr("10.1.2.3/16")};
  EXPECT_EQ(to_string(drivers::endpoint_mac(endpoint)), "02:42:0a:01:02:03");
}

} // namespace

} // namespace troupe::test
