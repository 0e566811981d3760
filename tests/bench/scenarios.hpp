#pragma once

#include "raw_floor.hpp"
#include "report.hpp"
#include "samples.hpp"
#include <string>

namespace troupe::bench {

class subject;

/// What a scenario needs to know.
struct setting {
  bool quick = false;
  std::string state_base; ///< Directory on a disk, for the durable stores.
  std::string trouped;    ///< Path of the daemon; empty: it is left out.

  /// Endpoints per round: many make the p99 mean something.
  int round_size() const {
    return quick ? 40 : 100;
  }

  int rounds() const {
    return quick ? 2 : 5;
  }
};

// Each scenario adds its rows to the report. Where there is a floor, it is
// measured in turn with ours in the same rounds, so that a busy machine is
// busy for both.

/// Attach by one client and by eight; detach from live sandboxes one by one
/// and many at once; removal of sandboxes. Embedded and through the daemon.
void measure_rounds(const setting& how, report& out);

/// Attach to a bridge that fills up to 900 endpoints, a published port each.
void measure_growth(const setting& how, report& out);

/// Attach on a simulated kernel: what actors and store cost.
void measure_overhead(const setting& how, report& out);

/// Creation of networks and attach with up to 1 000 other networks present.
void measure_networks(const setting& how, report& out);

/// What addresses cost that other programs add to the host.
void measure_foreign(const setting& how, report& out);

/// Wake-ups and processor time of a daemon that nobody asks for anything.
void measure_idle(const setting& how, report& out);

/// Memory of the daemon with more and more endpoints, and after they have gone.
void measure_memory(const setting& how, report& out);

/// The latter. @pre there is no endpoint.
void measure_memory_after(const setting& how, subject& daemon, report& out);

/// Restart of the daemon after SIGKILL with more and more endpoints.
void measure_restart(const setting& how, report& out);

/// The command line, from its start to its end, beside /bin/true.
void measure_start(const setting& how, report& out);

/// Attach with 0, 1 and 50 published ports, in turn; one more port with ever
/// more present, beside the bare elements; removal with 50; restart with many.
void measure_ports(const setting& how, report& out);

/// Connections per second and throughput through a published port, beside the
/// container's own address, with few and with many ports present.
void measure_connections(const setting& how, report& out);

} // namespace troupe::bench
