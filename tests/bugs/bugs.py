#!/usr/bin/env python3
"""Bugs to be found: puts them into copies of our sources.

Usage: bugs.py list                 the names, one per line
       bugs.py files                the sources that get bugs
       bugs.py write SOURCES OUT    writes their copies under OUT
       bugs.py try PROGRAM...       is each recorded one found by its test?

Each bug replaces one place in one source; it is dormant until the test chooses
it (selector.hpp). The sources themselves know nothing of it, so no release can
contain one. A place that is not found once exactly is an error: whoever
changed it moves the bug along.
"""

import os
import re
import subprocess
import sys
import time

# -- invented ones ------------------------------------------------------------
# What finds them is for the test to see: a run of the lab, a sweep.

# name, source, what is there, what is put there; `BUG` asks whether it is on.
BUGS = [
    ("reply before commit", "actors/endpoint_join.cpp",
     """  changes.emplace_back(join_record(bindings));
""",
     """  changes.emplace_back(join_record(bindings));
  if (BUG) {
    tell(context->store, commit_changes{changes});
    return finish_joining(reply);
  }
"""),
    ("skipped undo of a bridge", "drivers/bridge/device.cpp",
     """  undo.push([&k, index = *index] {
    (void)k.del_link(index);
  });
  auto link = k.link(*index);
""",
     """  if (!BUG)
    undo.push([&k, index = *index] {
      (void)k.del_link(index);
    });
  auto link = k.link(*index);
"""),
    ("address freed before the commit", "actors/endpoint_leave.cpp",
     """void endpoint_state::forget(promise<done> reply) {
""",
     """void endpoint_state::forget(promise<done> reply) {
  if (BUG)
    tell(owner, endpoint_gone{spec->id});
"""),
    ("addresses used again after a restart", "actors/network_book.cpp",
     """  for (const auto& x : endpoint.addresses) {
    auto* pool = pool_for(x.address);
    if (pool == nullptr)
      problems""",
     """  for (const auto& x : endpoint.addresses) {
    if (BUG)
      continue;
    auto* pool = pool_for(x.address);
    if (pool == nullptr)
      problems"""),
    ("alias of another daemon taken for ours", "drivers/tags.cpp",
     """  if (!alias.starts_with(lead))
    return {};
""",
     """  if (BUG && alias.starts_with("troupe:") && alias.size() > 64)
    return std::string{alias.substr(alias.size() - 64)};
  if (!alias.starts_with(lead))
    return {};
"""),
    ("failed commit acknowledged", "actors/store.cpp",
     """  if (batch.size() == 1)
""",
     """  if (BUG) {
    (void)store.commit(batch.front().changes);
    for (size_t i = 1; i < batch.size(); ++i)
      (void)store.commit(batch[i].changes);
    return answer(batch, {});
  }
  if (batch.size() == 1)
"""),
    ("commit that is never answered", "actors/store.cpp",
     """    else
      commit.reply.deliver(std::move(outcome.error()));
}

void flush(""",
     """    else if (BUG)
      return;
    else
      commit.reply.deliver(std::move(outcome.error()));
}

void flush("""),
    ("lost promise of a refused join", "actors/endpoint_join.cpp",
     """  reply.deliver(std::move(why));
  settle();
}

} // namespace troupe""",
     """  if (!BUG)
    reply.deliver(std::move(why));
  settle();
}

} // namespace troupe"""),
    ("turn kept after a refused join", "actors/sandbox_join.cpp",
     """    reply.deliver(std::move(candidate.error()));
    return settle();
""",
     """    reply.deliver(std::move(candidate.error()));
    if (BUG)
      return;
    return settle();
"""),
    ("gateway chosen without its priority", "actors/joined_endpoints.cpp",
     """  if (a.priority != b.priority)
""",
     """  if (a.priority != b.priority && !BUG)
"""),
    ("leftovers kept at start-up", "actors/reconcile.cpp",
     """  if (wanted.remove_leftovers)
    remove_unwanted(""",
     """  if (wanted.remove_leftovers && !BUG)
    remove_unwanted("""),
    ("missing sync", "persistence/lmdb.cpp",
     """  if (!how.sync)
""",
     """  if (!how.sync || BUG)
"""),
    ("namespace made anew is not recorded", "actors/controller_startup.cpp",
     """  if (!changes.empty())
    tell(context->store, commit_changes{std::move(changes)});
""",
     """  if (!changes.empty() && !BUG)
    tell(context->store, commit_changes{std::move(changes)});
"""),
    ("failed removal of a link forgotten", "actors/driver.cpp",
     """  state.doomed.insert(state.doomed.end(), plans.begin(), plans.end());
""",
     """  if (!BUG)
    state.doomed.insert(state.doomed.end(), plans.begin(), plans.end());
"""),
    ("deadline of a commit taken for a no", "actors/endpoint_join.cpp",
     """  overrule_commit(self, context, why, commit_changes{std::move(changes)}, undo);
""",
     """  if (BUG)
    return undo(done{});
  overrule_commit(self, context, why, commit_changes{std::move(changes)}, undo);
"""),
    ("name of a failed network kept", "actors/controller.cpp",
     """    [=, this](error why) mutable {
      objects.remove(id);
      reply.deliver(std::move(why));
    });
}

void controller_state::create(sandbox_spec spec,""",
     """    [=, this](error why) mutable {
      if (!BUG)
        objects.remove(id);
      reply.deliver(std::move(why));
    });
}

void controller_state::create(sandbox_spec spec,"""),
    ("records of ephemeral endpoints kept", "actors/sandbox_lifecycle.cpp",
     """    if (who.endpoint->ephemeral)
      changes""",
     """    if (who.endpoint->ephemeral && !BUG)
      changes"""),
    ("default route not moved on", "actors/sandbox_join.cpp",
     """  if (before == after || (!after.first && !after.second))
""",
     """  if (BUG || before == after || (!after.first && !after.second))
"""),
    ("ignored interrupted dump", "netns/netlink_socket.cpp",
     """    if (!answer.ok() || !interrupted)
""",
     """    if (!answer.ok() || !interrupted || BUG)
"""),
    ("pin of a failed sandbox kept", "actors/sandbox_lifecycle.cpp",
     """    if (ns.path.empty() && why.code == ec::conflict)
""",
     """    if (BUG || (ns.path.empty() && why.code == ec::conflict))
"""),
    ("overflow of the kernel's events ignored", "actors/controller_watch.cpp",
     """  if (x.what.what == kind::overflow) {
""",
     """  if (BUG && x.what.what == kind::overflow)
    return;
  if (x.what.what == kind::overflow) {
"""),
]

# -- real ones ----------------------------------------------------------------
# As docs/track-record.md tells of them; found by the test that is named there.

RECORDED = [
    ("routes of the container deleted by an attach", "drivers/steps.cpp",
     """    if (!is_our_default(x) || x.family != gateway.family())
""",
     """    if (x.destination || x.table != netns::main_table
        || (!BUG && !is_our_default(x)) || x.family != gateway.family())
""", "unit_drivers Inside.RoutesOfOthersStay"),
    ("no name given back before Linux 6.2", "drivers/steps.cpp",
     """    if (!done && done.error().os_error == EBUSY)
""",
     """    if (!done && done.error().os_error == EBUSY && !BUG)
""", "unit_drivers BridgeMend.RestoresNamesOnKernelsBeforeLinux62"),
    ("routes that were deleted inside agreed with",
     "drivers/inside/paths.cpp",
     """    if (!has_route(present.routes, x) && !is_told(x))
""",
     """    if (!BUG && !has_route(present.routes, x) && !is_told(x))
""", "unit_drivers Inside.LostRoutesAndRulesAreNamedAndMended"),
    ("address of another interface given to an endpoint",
     "drivers/bridge/endpoint_build.cpp",
     """  if (auto done = refuse_overlaps(); !done)
    return done;
  auto request""",
     """  if (auto done = BUG ? result<void>{} : refuse_overlaps(); !done)
    return done;
  auto request""",
     "unit_drivers "
     "Inside.AnAddressOfAnotherInterfaceIsRefusedBeforeAnythingIsTouched"),
    ("IPv6 in adopted namespaces", "drivers/bridge/endpoint_build.cpp",
     """  auto done = change_sysctl(*inside_, undo_, sysctl::ipv6_disable,
                            wanted_""",
     """  if (BUG && !wanted_.has_ipv6)
    return {};
  auto done = change_sysctl(*inside_, undo_, sysctl::ipv6_disable,
                            wanted_""",
     "unit_drivers Inside.AdoptedNamespacesAreQuiet"),
    ("neighbours not told of an address that came back",
     "drivers/bridge/announce.cpp",
     """    auto done = kernel.del_neighbour({*bridge, x.address, {}});
""",
     """    if (BUG)
      continue;
    auto done = kernel.del_neighbour({*bridge, x.address, {}});
""", "unit_drivers Inside.AnEndpointIsAnnouncedAndTheHostForgets"),
    ("user's addresses removed with a network",
     "drivers/bridge/host_bridge.cpp",
     """    if (auto done = k.del_address(index, x); !done)
      return done;
  }
""",
     """    if (auto done = k.del_address(index, x); !done)
      return done;
    for (const auto& other : *present)
      if (BUG && x.subnet().contains(other.address))
        (void)k.del_address(index, other);
  }
""", "unit_drivers BridgeNetwork.LeavesTheUsersOtherAddressesOfItsSubnet"),
    ("unknown driver", "drivers/registry.cpp",
     """  return make_unknown(name);
""",
     """  return BUG ? nullptr : make_unknown(name);
""", "unit_drivers Registry.AnUnknownDriverBuildsNothing"),
    ("gateway that containers are told ignored",
     "actors/joined_endpoints.cpp",
     """    if (const auto* gateway = default_gateway(pool))
""",
     """    if (const auto* gateway
        = BUG && pool.gateway ? &*pool.gateway : default_gateway(pool))
""", "unit_actors GatewayChoice.TheContainersGatewayReplacesThePools"),
    ("gateway of two of one network by the order of joining",
     "actors/joined_endpoints.cpp",
     """  // Two of one network: not the order of joining, which no record has.
""",
     """  if (BUG)
    return false;
""", "unit_actors GatewayChoice.OfTwoOfOneNetworkTheFirstInterface"),
    ("routes from router advertisements lost", "actors/forwarding.cpp",
     """  if (family == ip_family::v6) {
    auto changed""",
     """  if (family == ip_family::v6 && !BUG) {
    auto changed""",
     "unit_actors Forwarding.KeepsRoutesFromRouterAdvertisements"),
    ("host made a router for everybody", "actors/forwarding.cpp",
     """  if (policy_.drop_others && !router_""",
     """  if (!BUG && policy_.drop_others && !router_""",
     "unit_actors Forwarding.ThatIsSwitchedOnIsForOurNetworksAlone"),
    ("forwarding of the uplink left off at start",
     "actors/controller_watch.cpp",
     """  tell(context->firewall,
       check_firewall{.changed = rules_changed, .elements = rules_changed});
""",
     """  if (!BUG)
    tell(context->firewall,
         check_firewall{.changed = rules_changed, .elements = rules_changed});
""", "unit_actors "
     "watched_daemon.SwitchesOnWhatWasSwitchedOffBeforeItStarted"),
    ("pin that was unmounted made anew", "actors/pins.cpp",
     """  if (auto found = find_again(kernel, spec))
""",
     """  if (auto found = BUG ? std::nullopt : find_again(kernel, spec))
""", "unit_actors ReconcilePins.FindsLostOnesAgain"),
    ("connections not looked at after a crash", "actors/firewall_work.cpp",
     """  owes_review_ = true;
  auto present""",
     """  if (BUG)
    return {};
  owes_review_ = true;
  auto present""",
     "unit_testing Connections.AreForgottenByTheNextStartAfterACrash"),
    ("flush that failed forgotten", "actors/firewall_work.cpp",
     """  if (done)
    owed_.clear();
""",
     """  if (done || BUG)
    owed_.clear();
""", "unit_testing Connections.AreOwedWhileTheKernelRefuses"),
    ("connections inherited with an address", "actors/firewall_work.cpp",
     """    owe(connections_of(x.address));
}
""",
     """    if (!BUG)
      owe(connections_of(x.address));
}
""", "unit_testing Connections.AreNoInheritance"),
    ("connections kept in routed mode", "actors/firewall_work.cpp",
     """      if (const auto target = address_of(endpoint, x.host_ip.family()))
""",
     """      if (const auto target
          = BUG && x.host_port == 0
              ? std::optional<ip_address>{}
              : address_of(endpoint, x.host_ip.family()))
""", "unit_testing Connections.OfARoutedNetworkEndWithTheirPort"),
    ("everybody's connections to a port ended",
     "actors/connection_book.cpp",
     """  result.server = target;
""",
     """  if (!BUG)
    result.server = target;
""", "unit_testing Connections.EndWithTheirPort"),
    ("proxy's late answer taken for a question",
     "actors/connection_book.cpp",
     """  return x.proto == protocol::udp && !is_ours(x.client)
""",
     """  return !BUG && x.proto == protocol::udp && !is_ours(x.client)
""", "unit_actors life_cycle.ARestartForgetsWhatTheProxySeemsToHaveBegun"),
    ("every connection forgotten by a restart", "actors/firewall_work.cpp",
     """  if (had_gap_)
    for""",
     """  if (BUG)
    for (const auto& x : *present)
      owe(connections_of(x.client));
  if (had_gap_)
    for""", "unit_actors life_cycle.ARestartForgetsNoConnections"),
    ("client that sent before the publication kept at the proxy",
     "actors/firewall.cpp",
     """             work.owe_before(msg.endpoint, all);
""",
     """             if (!BUG)
               work.owe_before(msg.endpoint, all);
""", "unit_testing Connections.ThatBeganBeforeTheirPortGoToTheContainer"),
    ("change of rules forgotten when elements cannot be listed",
     "actors/firewall_check.cpp",
     """  if (msg.changed)
    work.distrust();
""",
     """  if (msg.changed && !BUG)
    work.distrust();
""", "unit_testing ChangedRules.ComeBackWhenTheElementsCannotBeListed"),
    ("flushed rules kept away when their event is lost",
     "actors/controller_watch.cpp",
     """    // One of the lost events may have been about the rules.
    tell(""",
     """    if (!BUG)
      tell(""", "unit_testing ChangedRules.ComeBack"),
    ("port that is taken closes the others of its endpoint",
     "drivers/ports/port_book_proxy.cpp",
     """    if (auto ok = restore(owner, {&x, 1}); !ok)
""",
     """    if (auto ok = BUG ? fail(ec::conflict, "all or none")
                      : restore(owner, {&x, 1});
        !ok)
""", "unit_ports PortBookRestart.OnePortThatIsTakenLeavesTheOthers"),
    ("range too large refused after seconds", "drivers/ports/port_book.cpp",
     """  if (auto ok = check_room(plan->groups); !ok)
""",
     """  if (auto ok = check_room(plan->groups); !ok && !BUG)
""", "unit_ports PortBookRestart.ARangeThatCannotBeHeldIsRefusedAtOnce"),
    ("port on its way kept by the proxy",
     "drivers/ports/port_book_proxy.cpp",
     """result<void> port_book::release(const endpoint_id& owner) {
  settle();
""",
     """result<void> port_book::release(const endpoint_id& owner) {
  if (!BUG)
    settle();
""", "unit_ports PortBookSweep.ReleaseWhatIsOnItsWay"),
    ("ports on their way not settled first",
     "drivers/ports/port_book_proxy.cpp",
     """  if (!proxy_)
    return {};
  settle();
  auto list""",
     """  if (!proxy_)
    return {};
  if (!BUG)
    settle();
  auto list""",
     "unit_ports PortBook.SettlesWhatIsOnItsWayBeforeAnythingElse"),
    ("host's side of a port ignored before the join",
     "actors/port_changes.cpp",
     """  if (!wants(request, one) || (request.host_ip && *request.host_ip != at))
    return false;
""",
     """  if (!wants(request, one) || (request.host_ip && *request.host_ip != at))
    return false;
  if (BUG)
    return true;
""", "unit_testing Unpublish.TheHostsSideCountsBeforeTheJoin"),
    ("refused unpublish half done", "actors/endpoint_publish.cpp",
     """  if (why.code != ec::timeout && (!joined || spec->ephemeral))
""",
     """  if (BUG || (why.code != ec::timeout && (!joined || spec->ephemeral)))
""", "unit_testing Unpublish.ARefusedOneLeavesEverythingAsItWas"),
    ("default route taken back by a publication",
     "actors/endpoint_publish.cpp",
     """      slot = std::move(given);
      ask<mend_report>""",
     """      if (!BUG)
        slot = std::move(given);
      ask<mend_report>""",
     "sim_replays Replay.APublishedPortDoesNotTakeTheDefaultRouteBack"),
    ("network without a record ends start-up", "actors/recovery.cpp",
     """    if (ids.networks.insert(x.network).second) {
""",
     """    if (ids.networks.insert(x.network).second && !BUG) {
""", "unit_actors PlanRebuild.ANetworkWithoutRecordIsStoodInFor"),
    ("names of networks that may be reached not looked up",
     "actors/admission.cpp",
     """  if (auto ok = (*driver)->resolve(wanted, existing); !ok)
""",
     """  if (auto ok = BUG ? result<void>{} : (*driver)->resolve(wanted, existing);
      !ok)
""", "unit_actors AdmitNetwork.AllowedNetworksMayBeNamed"),
    ("control characters in host names", "actors/admission.cpp",
     """        check_texts(wanted.labels, {})})
    if (!ok)
""",
     """        check_texts(wanted.labels, {})})
    if (!ok && !BUG)
""", "unit_actors AdmitSandbox.TextsThatEndInFilesArePrintable"),
    ("ambiguous reference taken for the first", "config/model/reference.cpp",
     """  if (matches.size() == 1)
""",
     """  if (matches.size() == 1 || BUG)
""", "unit_actors references.NothingIsRemovedByAnAmbiguousReference"),
    ("name lost against the prefix of an id", "config/model/reference.cpp",
     """    return x.rank != strongest;
""",
     """    return !BUG && x.rank != strongest;
""", "unit_actors references.ANameWinsOverAForeignPrefix"),
    ("events stopped by a handler that throws", "actors/events.cpp",
     """        call_handler(&self->system(), "handler of an event", handler, msg.what);
""",
     """        if (BUG)
          handler(msg.what);
        else
          call_handler(&self->system(), "handler of an event", handler,
                       msg.what);
""", "unit_actors failures.HandlersHarmNobody"),
]

# The numbers of the recorded ones go on behind the others.
ALL = [x[:4] for x in BUGS + RECORDED]

# A promise that is never kept, or a test that waits for what never comes.
PATIENCE_S = 120


def fail(text):
    sys.exit(f"Error: seeded bugs: {text}")


def files():
    return sorted({source for _, source, _, _ in ALL})


def with_bugs(source, text):
    """The text with every bug that belongs into this source."""
    for number, (name, where, old, new) in enumerate(ALL, 1):
        if where != source:
            continue
        if text.count(old) != 1:
            fail(f'bug {number}, "{name}": its place is {text.count(old)} '
                 f"times in {source}, not once\n"
                 "Hint: move it along in tests/bugs/bugs.py")
        text = text.replace(
            old, new.replace("BUG", f"::troupe::bugs::is_on({number})"))
    return '#include "troupe/tests/bugs/selector.hpp"\n' + text


def write(sources, out):
    for source in files():
        with open(os.path.join(sources, source), encoding="utf-8") as file:
            text = with_bugs(source, file.read())
        path = os.path.join(out, source)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                if file.read() == text:
                    continue  # Its time stamp stays, nothing is compiled.
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def passes(program, tests, number):
    """Whether these tests pass while this bug is on."""
    try:
        ran = subprocess.run(
            [program, "--gtest_filter=" + ":".join(tests), "--gtest_brief=1"],
            env=dict(os.environ, TROUPE_BUG=str(number)),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    if "0 tests" in ran.stdout.split("Running", 1)[-1][:20]:
        fail(f"{program} has none of {tests}")
    if number == 0 and ran.returncode != 0:
        print(ran.stdout)
    return ran.returncode == 0


def marked_tests():
    """Those that the track record says find a bug of this list."""
    page = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "../../docs/track-record.md")
    with open(page, encoding="utf-8") as file:
        return set(re.findall(r"`([^`]+)` \u2691", file.read()))


def try_all(programs):
    """@returns how many were not found, or found where there is none."""
    wrong = 0
    for test in marked_tests() ^ {x[-1] for x in RECORDED}:
        print(f"FAILED: {test}: in docs/track-record.md or in bugs.py only")
        wrong += 1
    by_name = {os.path.basename(x).removesuffix("_with_bugs"): x
               for x in programs}
    for name, program in by_name.items():
        tests = {test.split()[1] for *_, test in RECORDED
                 if test.split()[0] == name}
        if not passes(program, sorted(tests), 0):
            print(f"FAILED: {name} finds a bug where there is none")
            wrong += 1
    for number, (name, _, _, _, where) in enumerate(RECORDED, len(BUGS) + 1):
        program, test = where.split()
        begin = time.monotonic()
        if passes(by_name[program], [test], number):
            print(f'FAILED: bug {number}, "{name}": {where} passes with it')
            wrong += 1
        else:
            print(f"bug {number}, {name}: {where}, "
                  f"{time.monotonic() - begin:.1f} s")
    print(f"{len(RECORDED)} recorded bugs, {wrong} failures")
    return wrong


def main():
    if sys.argv[1:] == ["list"]:
        print("\n".join(name for name, _, _, _ in ALL))
    elif sys.argv[1:] == ["files"]:
        print("\n".join(files()))
    elif len(sys.argv) == 4 and sys.argv[1] == "write":
        write(sys.argv[2], sys.argv[3])
    elif len(sys.argv) > 2 and sys.argv[1] == "try":
        sys.exit(min(1, try_all(sys.argv[2:])))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
