#include "troupe/tools/troupe-remote/worker/worker.hpp"

#include "troupe/actors/remote/basp.hpp"
#include "troupe/tools/troupe-remote/worker/confinement.hpp"
#include "troupe/tools/troupe-remote/worker/facade.hpp"

#include <csignal>
#include <cstdio>
#include <malloc.h>

#include <sys/prctl.h>
#include <unistd.h>

namespace troupe::tools::remote {

namespace {

struct worker_config : caf::actor_system_config {
  worker_config() {
    load<caf::io::middleman>();
    add_remote_messages(*this);
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", size_t{1});
    // Threads that take messages apart; the peer's come one after the other.
    set("middleman.workers", size_t{1});
  }
};

int give_up(const error& why) {
  (void)std::fprintf(stderr, "troupe-remote worker: %s\n", why.message.c_str());
  return 1;
}

} // namespace

int run_worker() {
  // Each arena would reserve 64 MiB of the allowance.
  (void)::mallopt(M_ARENA_MAX, 2);
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Else it would be called "exe", as the link that it was started by.
  (void)::prctl(PR_SET_NAME, "troupe-worker");
  auto front = std::make_shared<channel>(netns::unique_fd{worker_channel_fd});
  auto config = worker_config{};
  auto system = caf::actor_system{config};
  auto door = spawn_facade(system, front);
  // Touches all that is made at its first use, which may open files.
  (void)troupe::remote::schema();
  if (auto confined = confine_worker(); !confined)
    return give_up(confined.error());
  troupe::remote::serve_peer(
    system, netns::unique_fd{worker_stream_fd},
    caf::actor_cast<caf::strong_actor_ptr>(door),
    system.message_types(caf::detail::type_list<troupe::remote::door_actor>{}));
  front->run();
  // There is nothing to save and nobody to tell.
  ::_exit(0);
}

} // namespace troupe::tools::remote
