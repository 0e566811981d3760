#pragma once

#include "troupe/config/model/error.hpp"

#include <string>
#include <vector>

namespace troupe::tools::remote {

/// What `init-pki` makes.
struct pki_plan {
  std::string directory;
  std::vector<std::string> servers; ///< Names and addresses of this host.
  std::vector<std::string> clients; ///< One certificate each.
  int days = 90;
};

/// Makes a private authority, a server's certificate for all of `servers`, and
/// one certificate for each of `clients`, each with its key (P-256, mode 0600).
/// An authority that is in the directory already is used; no file is ever
/// overwritten. @returns the files made.
/// Errors: `invalid_argument` for a name that cannot be in a certificate;
/// `conflict` for a file that exists; those of the system.
result<std::vector<std::string>> init_pki(const pki_plan& plan);

} // namespace troupe::tools::remote
