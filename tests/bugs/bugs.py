#!/usr/bin/env python3
"""Bugs to be found: puts them into copies of our sources.

Usage: bugs.py list                 the names, one per line
       bugs.py files                the sources that get bugs
       bugs.py write SOURCES OUT    writes their copies under OUT

Each bug replaces one place in one source; it is dormant until the test chooses
it (selector.hpp). The sources themselves know nothing of it, so no release can
contain one. A place that is not found once exactly is an error: whoever
changed it moves the bug along.
"""

import os
import sys

# name, source, what is there, what is put there; `BUG` asks whether it is on.
BUGS = [
    ("reply before commit", "actors/objects/endpoint_join.cpp",
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
    ("address freed before the commit", "actors/objects/endpoint_leave.cpp",
     """void endpoint_state::forget(promise<done> reply) {
""",
     """void endpoint_state::forget(promise<done> reply) {
  if (BUG)
    tell(owner, endpoint_gone{spec->id});
"""),
    ("addresses used again after a restart", "actors/objects/network_book.cpp",
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
    ("failed commit acknowledged", "actors/services/store.cpp",
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
    ("commit that is never answered", "actors/services/store.cpp",
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
    ("lost promise of a refused join", "actors/objects/endpoint_join.cpp",
     """  reply.deliver(std::move(why));
  settle();
}

} // namespace troupe""",
     """  if (!BUG)
    reply.deliver(std::move(why));
  settle();
}

} // namespace troupe"""),
    ("turn kept after a refused join", "actors/objects/sandbox_join.cpp",
     """    reply.deliver(std::move(candidate.error()));
    return settle();
""",
     """    reply.deliver(std::move(candidate.error()));
    if (BUG)
      return;
    return settle();
"""),
    ("gateway chosen without its priority", "actors/objects/joined_endpoints.cpp",
     """  if (a.priority != b.priority)
""",
     """  if (a.priority != b.priority && !BUG)
"""),
    ("leftovers kept at start-up", "actors/services/reconcile.cpp",
     """  if (wanted.remove_leftovers)
    remove_unwanted(""",
     """  if (wanted.remove_leftovers && !BUG)
    remove_unwanted("""),
    ("missing sync", "persistence/lmdb.cpp",
     """  if (!how.sync)
""",
     """  if (!how.sync || BUG)
"""),
    ("namespace made anew is not recorded", "actors/controller/startup.cpp",
     """  if (!changes.empty())
    tell(context->store, commit_changes{std::move(changes)});
""",
     """  if (!changes.empty() && !BUG)
    tell(context->store, commit_changes{std::move(changes)});
"""),
    ("failed removal of a link forgotten", "actors/services/driver.cpp",
     """  state.doomed.insert(state.doomed.end(), plans.begin(), plans.end());
""",
     """  if (!BUG)
    state.doomed.insert(state.doomed.end(), plans.begin(), plans.end());
"""),
    ("deadline of a commit taken for a no", "actors/objects/endpoint_join.cpp",
     """  overrule_commit(self, context, why, commit_changes{std::move(changes)}, undo);
""",
     """  if (BUG)
    return undo(done{});
  overrule_commit(self, context, why, commit_changes{std::move(changes)}, undo);
"""),
    ("name of a failed network kept", "actors/controller/controller.cpp",
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
    ("records of ephemeral endpoints kept", "actors/objects/sandbox_lifecycle.cpp",
     """    if (who.endpoint->ephemeral)
      changes""",
     """    if (who.endpoint->ephemeral && !BUG)
      changes"""),
    ("default route not moved on", "actors/objects/sandbox_join.cpp",
     """  if (before == after || (!after.first && !after.second))
""",
     """  if (BUG || before == after || (!after.first && !after.second))
"""),
    ("ignored interrupted dump", "netns/real/socket.cpp",
     """    if (!answer.ok() || !interrupted)
""",
     """    if (!answer.ok() || !interrupted || BUG)
"""),
    ("pin of a failed sandbox kept", "actors/objects/sandbox_lifecycle.cpp",
     """    if (ns.path.empty() && why.code == ec::conflict)
""",
     """    if (BUG || (ns.path.empty() && why.code == ec::conflict))
"""),
    ("overflow of the kernel's events ignored", "actors/controller/watch.cpp",
     """  if (x.what.what == kind::overflow) {
""",
     """  if (BUG && x.what.what == kind::overflow)
    return;
  if (x.what.what == kind::overflow) {
"""),
]


def fail(text):
    sys.exit(f"Error: seeded bugs: {text}")


def files():
    return sorted({source for _, source, _, _ in BUGS})


def with_bugs(source, text):
    """The text with every bug that belongs into this source."""
    for number, (name, where, old, new) in enumerate(BUGS, 1):
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


def main():
    if sys.argv[1:] == ["list"]:
        print("\n".join(name for name, _, _, _ in BUGS))
    elif sys.argv[1:] == ["files"]:
        print("\n".join(files()))
    elif len(sys.argv) == 4 and sys.argv[1] == "write":
        write(sys.argv[2], sys.argv[3])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
