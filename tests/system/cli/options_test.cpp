// Each option of each command: what it is for happens with it, and does not
// without. An option that has no line here fails.

#include "troupe/tests/fixtures/help_page.hpp"
#include "troupe/tests/system/harness/system_test.hpp"

#include <set>
#include <sstream>

namespace troupe::test {

namespace {

using words = std::vector<std::string>;

struct option_case {
  /// The command and the option, as its help lists it first.
  std::string name;

  /// Commands of `troupe` after each other; in place of `$O` comes the option
  /// with its value, or nothing.
  std::string script;
  std::string option;

  /// Is in what the commands write if the option is given, and only then; after
  /// `!`: only if it is not.
  std::string seen;
};

const std::string box = "network create n --subnet 10.9.0.0/24; "
                        "sandbox create s; ";

std::vector<option_case> network_cases() {
  const auto inspect = std::string{"network create $O n; network inspect n"};
  const auto with_subnet = std::string{
    "network create --subnet 10.9.0.0/24 $O n; network inspect n"};
  return {
    {"network create -d", inspect, "-d null", R"("driver": "null")"},
    {"network create --subnet", inspect, "--subnet 10.9.0.0/24", "10.9.0.0/24"},
    {"network create --ip-range", with_subnet, "--ip-range 10.9.0.128/25",
     R"("ip_range": "10.9.0.128/25")"},
    {"network create --gateway", with_subnet, "--gateway 10.9.0.77",
     R"("gateway": "10.9.0.77")"},
    {"network create --aux-address",
     with_subnet + "; sandbox create s; attach n s --ip 10.9.0.5",
     "--aux-address router=10.9.0.5", "claim address 10.9.0.5"},
    {"network create --ipv6", inspect, "--ipv6", R"("enable_ipv6": true)"},
    {"network create --no-ipv4",
     "network create --ipv6 $O n; network inspect n", "--no-ipv4",
     R"("enable_ipv4": false)"},
    {"network create --internal", inspect, "--internal", R"("internal": true)"},
    {"network create --ipam-driver", inspect, "--ipam-driver other", "other"},
    {"network create --label", inspect, "--label k=v", R"("k": "v")"},
    {"network create -o", inspect, "-o com.docker.network.driver.mtu=1400",
     R"("1400")"},
    {"network create --format", "network create n $O", "--format name", "n\n"},
    {"network prune -f", "network create n; network prune $O; network ls", "-f",
     "!bridge"},
    {"network prune --filter",
     "network create n; network prune -f $O; network ls", "--filter name=other",
     "bridge"},
    {"network ls --format", "network create n; network ls $O", "--format json",
     "[\n"},
    {"network ls -q", "network create n; network ls $O", "-q", "!DRIVER"},
    {"network ls --no-headers", "network create n; network ls $O",
     "--no-headers", "!NETWORK ID"},
    {"network ls --no-trunc",
     "network create n; network inspect n --format json; network ls $O",
     "--no-trunc", "!NETWORK ID     NAME"},
    {"network ls -f", "network create n; network ls $O", "--filter name=other",
     "!bridge"},
    {"network rm -f", box + "attach n s --name e; network rm $O n; endpoint ls",
     "-f", "!joined"},
    {"network inspect --format", "network create n; network inspect n $O",
     "--format name", "!pools"},
  };
}

// `attach` and `endpoint create` take the same.
std::vector<option_case>
endpoint_options(const std::string& command, const std::string& made) {
  const auto show = made + " $O; endpoint inspect n/e";
  return {
    {command + " --ip", show, "--ip 10.9.0.77", "10.9.0.77"},
    {command + " --ip6",
     "network create --ipv6 --subnet 10.9.0.0/24 --subnet fd09::/64 n; "
     "sandbox create s; "
       + show.substr(box.size()),
     "--ip6 fd09::77", "fd09::77"},
    {command + " --mac", show, "--mac 02:00:00:00:00:77", "02:00:00:00:00:77"},
    {command + " --priority", show, "--priority 77", R"("priority": 77)"},
    {command + " --label", show, "--label k=v", R"("k": "v")"},
    {command + " -p", show, "-p 8077:80", R"("host_port": 8077)"},
    {command + " --expose", show, "--expose 77", R"("port": 77)"},
    {command + " -P", show, "-P", R"("publish_all": true)"},
    {command + " -o", show, "-o com.docker.network.endpoint.ifname=lan7",
     "lan7"},
  };
}

std::vector<option_case> endpoint_cases() {
  const auto create = box + "endpoint create n e";
  auto result = endpoint_options("endpoint create", create);
  const auto attach = endpoint_options("attach", box + "attach n s --name e");
  result.insert(result.end(), attach.begin(), attach.end());
  const auto connect
    = endpoint_options("network connect", box + "network connect n s --name e");
  result.insert(result.end(), connect.begin(), connect.end());
  const auto more = std::vector<option_case>{
    {"endpoint create --format", create + " $O", "--format name", "n/e\n"},
    {"attach --name", box + "attach n s $O; endpoint ls", "--name other",
     "other"},
    {"attach --format", box + "attach n s $O", "--format json", "{\n"},
    {"endpoint ls --format", create + "; endpoint ls $O", "--format json",
     "[\n"},
    {"endpoint ls -q", create + "; endpoint ls $O", "-q", "!STATE"},
    {"endpoint ls --no-headers", create + "; endpoint ls $O", "--no-headers",
     "!ENDPOINT ID"},
    {"endpoint ls --no-trunc", create + "; endpoint ls $O", "--no-trunc",
     "!ENDPOINT ID    NETWORK"},
    {"network connect --name", box + "network connect n s $O; endpoint ls",
     "--name other", "other"},
    {"network connect --format", box + "network connect n s $O",
     "--format json", "{\n"},
    {"endpoint ls -f", create + "; endpoint ls $O", "--filter name=other",
     "!created"},
    {"endpoint rm -f",
     box + "attach n s --name e; endpoint rm $O n/e; endpoint ls", "-f",
     "!joined"},
    {"endpoint inspect --format", create + "; endpoint inspect n/e $O",
     "--format name", "!addresses"},
    {"join --format", create + "; join n/e s $O", "--format json", "{\n"},
    {"publish --format", box + "attach n s --name e; publish n/e 80 $O",
     "--format json", "\"bindings\""},
    {"unpublish --format",
     box + "attach n s --name e -p 8080:80; unpublish n/e 8080:80 $O",
     "--format json", "\"bindings\""},
  };
  result.insert(result.end(), more.begin(), more.end());
  return result;
}

std::vector<option_case> sandbox_cases() {
  const auto show = std::string{"sandbox create s $O; sandbox inspect s"};
  return {
    {"sandbox create --netns", show, "--netns /proc/self/ns/net",
     "/proc/self/ns/net"},
    {"sandbox create --host-network", show, "--host-network",
     R"("use_host_namespace": true)"},
    {"sandbox create --hostname", show, "--hostname web7", "web7"},
    {"sandbox create --domainname", show, "--domainname example.org",
     "example.org"},
    {"sandbox create --label", show, "--label k=v", R"("k": "v")"},
    {"sandbox create --format", "sandbox create s $O", "--format name", "s\n"},
    {"sandbox ls --format", "sandbox create s; sandbox ls $O", "--format json",
     "[\n"},
    {"sandbox ls -q", "sandbox create s; sandbox ls $O", "-q", "!STATE"},
    {"sandbox ls --no-headers", "sandbox create s; sandbox ls $O",
     "--no-headers", "!SANDBOX ID"},
    {"sandbox ls --no-trunc", "sandbox create s; sandbox ls $O", "--no-trunc",
     "!SANDBOX ID     NAME"},
    {"sandbox ls -f", "sandbox create s; sandbox ls $O", "--filter name=other",
     "!ready"},
    {"sandbox rm -f", "sandbox rm none $O", "-f", "!Error"},
    {"sandbox inspect --format", "sandbox create s; sandbox inspect s $O",
     "--format name", "!spec"},
  };
}

std::vector<option_case> other_cases() {
  const auto far = std::string{"$O --host caf+tls://127.0.0.1:1 status"};
  const auto fault = std::string{"fault add kernel-fail $O; fault ls"};
  return {
    {" -v", "$O", "--version", "troupe 0"},
    {" --host", "$O status", "--host unix:///nowhere", "unix:///nowhere"},
    {" --tls-cert", far, "--tls-cert /nowhere/cert", "/nowhere/cert"},
    {" --timeout",
     "fault add kernel-delay --on add_bridge --delay-ms 2500; "
     "$O network create n",
     "--timeout 1", "the outcome is unknown"},
    {"version --format", "version $O", "--format json", "{\n"},
    {"status --topology", "network create n; status $O", "--topology",
     "INTERFACE"},
    {"status --format", "status $O", "--format json", "{\n"},
    {"doctor --format", "doctor $O", "--format json", "{\n"},
    {"check --state-dir", "check $O", "--state-dir /nowhere", "/nowhere"},
    {"check --run-dir", "check $O", "--run-dir /nowhere/run", "/nowhere/run"},
    {"check --format", "check $O", "--format json", "{\n"},
    {"fault points --format", "fault points $O", "--format json", "[\n"},
    {"fault add --file", "fault add $O; fault ls", "--file /nowhere/plan",
     "/nowhere/plan"},
    {"fault add --on", fault, "--on add_veth", "add_veth"},
    {"fault add --error", fault, "--error ENOSPC", "ENOSPC"},
    {"fault add --nth", fault, "--nth 77", "77"},
    {"fault add --delay-ms",
     "fault add kernel-delay $O; fault ls --format json", "--delay-ms 777",
     "777"},
    {"fault add --per-mille", fault, "--per-mille 1", "of 1000"},
    {"fault add --for-ever", fault, "--for-ever", "all after"},
    {"fault add --seed", "fault add kernel-fail --per-mille 1 $O; fault ls",
     "--seed 777", "777"},
    {"fault add --format", "fault add kernel-fail --nth 999 $O",
     "--format json", "{\n"},
    {"fault ls --format", "fault add kernel-fail --nth 99; fault ls $O",
     "--format json", "[\n"},
    {"fault log --format", "fault log $O", "--format json", "[\n"},
  };
}

std::vector<option_case> all_cases() {
  auto result = network_cases();
  for (const auto& more : {endpoint_cases(), sandbox_cases(), other_cases()})
    result.insert(result.end(), more.begin(), more.end());
  return result;
}

// -- what there is ------------------------------------------------------------

/// All options, as `COMMAND OPTION`.
std::set<std::string>
options_below(const daemon_process& daemon, const words& command) {
  auto ask = command;
  ask.emplace_back("--help");
  const auto page = read_help(daemon.troupe(ask).out);
  auto prefix = std::string{};
  for (const auto& x : command)
    prefix += (prefix.empty() ? "" : " ") + x;
  auto result = std::set<std::string>{};
  for (const auto& x : page.options)
    result.insert(prefix + " " + x);
  for (const auto& x : page.commands) {
    auto longer = command;
    longer.push_back(x);
    result.merge(options_below(daemon, longer));
  }
  return result;
}

class Options : public system_test {
protected:
  Options() {
    flags_ = {"--enable-fault-injection"};
  }

  std::string run(const std::string& script, const std::string& option) {
    auto result = std::string{};
    auto commands = std::istringstream{script};
    for (auto command = std::string{}; std::getline(commands, command, ';');) {
      if (auto place = command.find("$O"); place != std::string::npos)
        command.replace(place, 2, option);
      auto parts = std::istringstream{command};
      auto arguments = words{};
      for (auto word = std::string{}; parts >> word;)
        arguments.push_back(word);
      const auto ran = daemon().troupe(arguments);
      result += ran.out + ran.err;
    }
    daemon().troupe({"fault", "clear"});
    remove_everything();
    return result;
  }
};

} // namespace

TEST_F(Options, AreAllTried) {
  auto tried = std::set<std::string>{};
  for (const auto& x : all_cases())
    EXPECT_TRUE(tried.insert(x.name).second) << x.name << " stands twice";
  auto present = options_below(daemon(), {});
  // What has no end by itself, needs somebody's damage, a terminal, a pair of
  // files that fit, or writes for runtimes (system_cni): other tests.
  for (const auto* x :
       {"cni install --conf-dir", "cni install --bin-dir",
        "cni install --network", "cni install -f", "network ls --wide",
        "endpoint ls --wide", "sandbox ls --wide", "events -n",
        "events --since", "events --until", "events -f", "events --format",
        "doctor --repair", "doctor --probe", " --tls-key", " --tls-ca"})
    EXPECT_EQ(present.erase(x), 1U) << x;
  for (const auto& x : present)
    EXPECT_TRUE(tried.contains(x)) << x << " has no row";
  for (const auto& x : tried)
    EXPECT_TRUE(present.contains(x)) << x << " is no option";
}

TEST_F(Options, DoWhatTheyAreFor) {
  // Descriptors that stay once they were needed.
  run("network create -d null o; " + box + "attach n s -p 8080:80", "");
  observe_daemon();
  for (const auto& x : all_cases()) {
    const auto is_absence = x.seen.front() == '!';
    const auto text = x.seen.substr(is_absence ? 1 : 0);
    const auto with = run(x.script, x.option);
    EXPECT_EQ(with.find(text) == std::string::npos, is_absence)
      << x.name << " with:\n"
      << with;
    const auto without = run(x.script, "");
    EXPECT_NE(without.find(text) == std::string::npos, is_absence)
      << x.name << " without:\n"
      << without;
  }
}

} // namespace troupe::test
