#include "odd_records.hpp"

namespace troupe::test {

namespace {

struct oddity {
  const char* name;
  void (*make)(odd_records& in);
  const char* warning; ///< What the status says of it; empty: nothing.
};

std::ostream& operator<<(std::ostream& out, const oddity& x) {
  return out << x.name;
}

network_spec& first_network(odd_records& in) {
  return in.records().networks.front();
}

network_spec& second_network(odd_records& in) {
  return in.records().networks.back();
}

const oddity oddities[] = {
  {"none", [](odd_records&) {}, ""},
  {"unknown_driver",
   [](odd_records& in) {
     first_network(in).driver = "macvlan";
   },
   "this program has no driver \"macvlan\""},
  {"empty_driver",
   [](odd_records& in) {
     first_network(in).driver.clear();
   },
   "record is missing or cannot be read"},
  {"unknown_ipam_driver",
   [](odd_records& in) {
     first_network(in).ipam_driver = "infoblox";
   },
   "this program has no IPAM driver \"infoblox\""},
  {"driver_without_addresses_with_pools",
   [](odd_records& in) {
     first_network(in).driver = "null";
   },
   ""},
  {"network_is_missing",
   [](odd_records& in) {
     std::erase_if(in.records().networks, [](const auto& x) {
       return x.name == "web";
     });
   },
   "has endpoints but no record"},
  {"both_networks_are_missing",
   [](odd_records& in) {
     in.records().networks.clear();
   },
   "has endpoints but no record"},
  {"endpoint_without_network_id",
   [](odd_records& in) {
     in.endpoint_named("plain").network.value.clear();
   },
   "has endpoints but no record"},
  {"sandbox_is_missing",
   [](odd_records& in) {
     in.records().sandboxes.clear();
   },
   ""},
  {"joins_are_missing",
   [](odd_records& in) {
     in.records().joins.clear();
   },
   ""},
  {"endpoints_are_missing",
   [](odd_records& in) {
     in.records().endpoints.clear();
   },
   ""},
  {"join_of_another_network",
   [](odd_records& in) {
     for (auto& x : in.records().joins)
       x.network.value = id_of('f');
   },
   ""},
  {"join_of_an_unknown_sandbox",
   [](odd_records& in) {
     in.records().joins.front().sandbox.value = id_of('f');
   },
   ""},
  {"join_without_interface",
   [](odd_records& in) {
     in.records().joins.front().interface.clear();
   },
   ""},
  {"join_with_a_path_as_interface",
   [](odd_records& in) {
     in.records().joins.front().interface = "../../../etc/passwd";
   },
   ""},
  {"two_joins_with_one_interface",
   [](odd_records& in) {
     for (auto& x : in.records().joins)
       x.interface = "eth0";
   },
   ""},
  {"address_outside_its_pool",
   [](odd_records& in) {
     in.endpoint_named("plain").addresses = {cidr("203.0.113.9/24")};
   },
   "is in no subnet of its network"},
  {"joined_address_outside_its_pool",
   [](odd_records& in) {
     in.attached().addresses = {cidr("203.0.113.9/24")};
   },
   "is in no subnet of its network"},
  {"address_of_the_gateway",
   [](odd_records& in) {
     auto& pool = first_network(in).pools[0];
     in.endpoint_named("plain").addresses
       = {{*pool.gateway, pool.subnet->length()}};
   },
   "already in use"},
  {"two_with_one_address",
   [](odd_records& in) {
     in.endpoint_named("plain").addresses = in.endpoint_named("kept").addresses;
   },
   "already in use"},
  {"two_with_one_mac",
   [](odd_records& in) {
     in.endpoint_named("plain").mac = in.endpoint_named("kept").mac;
   },
   "another endpoint has MAC address"},
  {"no_addresses_at_all",
   [](odd_records& in) {
     in.attached().addresses.clear();
     in.attached().mac.reset();
   },
   ""},
  {"two_endpoints_of_one_name",
   [](odd_records& in) {
     in.endpoint_named("plain").name = "kept";
   },
   "another endpoint has this name"},
  {"two_networks_of_one_name",
   [](odd_records& in) {
     second_network(in).name = first_network(in).name;
   },
   "has the same name"},
  {"two_sandboxes_of_one_name",
   [](odd_records& in) {
     auto second = in.records().sandboxes.front();
     second.id.value = id_of('e');
     in.records().sandboxes.push_back(second);
   },
   "has the same name"},
  {"two_networks_with_one_subnet",
   [](odd_records& in) {
     second_network(in).pools = first_network(in).pools;
   },
   "degraded: "},
  {"two_networks_with_one_bridge",
   [](odd_records& in) {
     for (auto& x : in.records().networks)
       x.options["com.docker.network.bridge.name"] = "br7";
   },
   ""},
  {"pool_without_subnet",
   [](odd_records& in) {
     first_network(in).pools[0].subnet.reset();
   },
   "has no subnet"},
  {"pool_of_everything",
   [](odd_records& in) {
     first_network(in).pools[0].subnet = net("0.0.0.0/0");
   },
   ""},
  {"no_pools",
   [](odd_records& in) {
     first_network(in).pools.clear();
   },
   "is in no subnet of its network"},
  {"two_pools_of_one_family",
   [](odd_records& in) {
     first_network(in).pools.push_back(second_network(in).pools[0]);
   },
   ""},
  {"gateway_outside_its_subnet",
   [](odd_records& in) {
     first_network(in).pools[0].gateway = ip("192.0.2.1");
   },
   "outside of subnet"},
  {"no_gateway",
   [](odd_records& in) {
     first_network(in).pools[0].gateway.reset();
   },
   ""},
  {"range_outside_its_subnet",
   [](odd_records& in) {
     first_network(in).pools[0].ip_range = net("192.0.2.0/24");
   },
   "is not in subnet"},
  {"range_of_another_family",
   [](odd_records& in) {
     first_network(in).pools[0].ip_range = net("fd00::/64");
   },
   "is not in subnet"},
  {"no_family",
   [](odd_records& in) {
     first_network(in).enable_ipv4 = false;
   },
   ""},
  {"forbidden_subnet",
   [](odd_records& in) {
     auto& pool = first_network(in).pools[0];
     pool.subnet = net("169.254.0.0/16");
     pool.gateway = ip("169.254.0.1");
   },
   "is in no subnet of its network"},
  {"options_that_cannot_be_read",
   [](odd_records& in) {
     first_network(in).options = {{"com.docker.network.driver.mtu", "many"}};
   },
   "not a number"},
  {"misspelt_option",
   [](odd_records& in) {
     first_network(in).options = {{"com.docker.network.driver.mtuu", "1400"}};
   },
   ""},
  {"names_that_are_no_names",
   [](odd_records& in) {
     first_network(in).name = "a\n\x1b[2Jb";
     second_network(in).name.clear();
     in.endpoint_named("plain").name = "../x y";
     in.records().sandboxes.front().name = std::string(300, 'x');
   },
   ""},
  {"texts_with_control_characters",
   [](odd_records& in) {
     auto& box = in.records().sandboxes.front();
     box.hostname = "a\n\x1b[2Jb";
     box.domainname = "\r";
     box.labels = {{"\n", "\x1b"}};
   },
   ""},
  {"sandbox_with_a_path_that_is_not_there",
   [](odd_records& in) {
     auto second = in.records().sandboxes.front();
     second.id.value = id_of('e');
     second.name = "second";
     second.netns_path = "nowhere/at/all";
     in.records().sandboxes.push_back(second);
   },
   ""},
  {"sandbox_of_the_host_with_a_path",
   [](odd_records& in) {
     in.records().sandboxes.front().use_host_namespace = true;
     in.records().sandboxes.front().netns_path = "/proc/7/ns/net";
   },
   ""},
  {"wishes_that_cannot_be_published",
   [](odd_records& in) {
     auto x = port_spec{};
     x.port = 90;
     x.port_end = 80;
     x.host_port_end = 65'535;
     x.host_ip = ip("255.255.255.255");
     in.attached().ports.assign(3, x);
     in.endpoint_named("kept").ports.assign(3, x);
   },
   ""},
  {"bindings_that_nobody_wished",
   [](odd_records& in) {
     for (auto& x : in.records().joins)
       x.bindings = {{protocol::tcp, 0, ip("0.0.0.0"), 0},
                     {protocol::sctp, 1, ip("fd00::1"), 65'535},
                     {static_cast<protocol>(77), 1, ip("::"), 1}};
   },
   ""},
  {"negative_times",
   [](odd_records& in) {
     first_network(in).created_ms = -1;
     in.attached().priority = -2'147'483'647;
   },
   ""},
  {"one_id_in_both_environments",
   [](odd_records& in) {
     auto second = in.attached();
     second.ephemeral = false;
     in.records().endpoints.insert(in.records().endpoints.begin(), second);
   },
   ""},
  {"one_id_for_everything",
   [](odd_records& in) {
     auto network = first_network(in);
     network.id.value = id_of('a');
     network.name = "all";
     network.pools[0].subnet = net("10.77.0.0/16");
     network.pools[0].gateway = ip("10.77.0.1");
     auto endpoint = in.endpoint_named("plain");
     endpoint.id.value = id_of('a');
     endpoint.network.value = id_of('a');
     endpoint.addresses = {cidr("10.77.0.2/16")};
     auto box = in.records().sandboxes.front();
     box.id.value = id_of('a');
     box.name = id_of('a');
     box.netns_inode = 0;
     in.records().networks.push_back(network);
     in.records().endpoints.push_back(endpoint);
     in.records().sandboxes.push_back(box);
   },
   ""},
};

class OddRecord : public odd_records,
                  public ::testing::WithParamInterface<oddity> {};

TEST_P(OddRecord, CanBeSeenAndRemoved) {
  GetParam().make(*this);
  ASSERT_NO_FATAL_FAILURE(start());
  look_at_all();
  if (*GetParam().warning != 0) {
    auto all = std::string{};
    for (const auto& x : last_status.warnings)
      all += "\n  " + x;
    EXPECT_TRUE(is_warned(GetParam().warning)) << all;
  }
  // Every endpoint with a record that is whole can be found.
  EXPECT_EQ(endpoints_seen, records().endpoints.size());
  backend.reset();
  survive();
}

INSTANTIATE_TEST_SUITE_P(Table, OddRecord, ::testing::ValuesIn(oddities),
                         [](const auto& x) {
                           return std::string{x.param.name};
                         });

TEST_F(odd_records, NothingIsLeftOfAnEndpointOutsideItsPool) {
  attached().addresses = {cidr("203.0.113.9/24")};
  survive();
  EXPECT_EQ(fingerprint(*machine.world, true), before);
}

// What it builds nothing for it does not take away either: the version that
// knows the driver finds its links where they were.
TEST_F(odd_records, KernelObjectsOfAnUnknownDriverStay) {
  const auto built = fingerprint(*machine.world, true);
  for (auto& x : records().networks)
    x.driver = "macvlan";
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(outcome(run_doctor{true}), "ok");
  EXPECT_EQ(fingerprint(*machine.world, true), built);
  auto spec = endpoint_spec{};
  spec.name = "more";
  EXPECT_EQ(outcome(create_endpoint{"web", spec}).substr(0, 12),
            "unsupported:");
  backend.reset();
  for (auto& x : records().networks)
    x.driver = "bridge";
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(fingerprint(*machine.world, true), built);
}

TEST_F(odd_records, AnAmbiguousNameIsListed) {
  second_network(*this).name = first_network(*this).name;
  ASSERT_NO_FATAL_FAILURE(start());
  auto said = outcome(inspect_network{"web"});
  EXPECT_NE(said.find("more than one has this name"), std::string::npos)
    << said;
  for (const auto& x : records().networks)
    EXPECT_NE(said.find(x.id.brief()), std::string::npos) << said;
}

TEST_F(odd_records, AFirstOfTwoKeepsItsAddressWhenTheSecondGoes) {
  endpoint_named("plain").addresses = endpoint_named("kept").addresses;
  const auto address = endpoint_named("kept").addresses[0].address;
  // The order of the records decides who has it.
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(outcome(remove_endpoint{"web", "kept", true}), "ok");
  auto third = endpoint_spec{};
  third.name = "third";
  third.ipv4 = address;
  EXPECT_EQ(outcome(create_endpoint{"web", third}).substr(0, 9), "conflict:");
}

} // namespace

} // namespace troupe::test
