#pragma once

#include "troupe/actors/services/firewall/work.hpp"

#include <string>

namespace troupe {

// What the FIREWALL actor compares, mends and tells.

/// Compares what is wanted with what is there and, if that is asked for, mends
/// what differs.
result<mend_report> check(firewall_work& work, const check_firewall& msg);

/// Something is wrong with the published ports.
finding of_ports(const std::string& problem);

/// What the user should know: no rules, ports that somebody else has, a host
/// that does not forward.
firewall_notes notes_of(firewall_work& work);

} // namespace troupe
