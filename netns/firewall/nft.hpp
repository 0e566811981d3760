#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/netns/firewall/senders.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <memory>
#include <string>
#include <vector>

/// Running `nft` and `firewall-cmd`, without a shell. Private to netns.
namespace troupe::netns::firewall {

/// Runs `nft -f -` in a namespace, at most 30 s.
/// @param ns A descriptor of the namespace.
/// @param text What it reads.
/// @param ours Told of the child; may be null.
/// @param only_check Nothing is changed.
/// Errors: `unsupported` if there is no such program; `timeout`; `internal`
/// with the first line of what it says.
result<void> run_nft(int ns, const std::string& text, sender_list* ours,
                     bool only_check = false);

/// Runs `nft WORDS` in the calling thread's namespace, at most 30 s.
/// @returns what it prints. Errors as above.
result<std::string> ask_nft(std::vector<std::string> words);

/// The same for a program whose name is the first word.
result<std::string> run_program(std::vector<std::string> words);

/// What of the ruleset this kernel does not know, with the name of the
/// kernel's option, e.g. `fib (CONFIG_NFT_FIB_INET)`. Takes some 5 ms, and as
/// much for each feature if one is missing.
std::vector<std::string> missing_features(int ns);

} // namespace troupe::netns::firewall
