#pragma once

#include "troupe/config/model/id.hpp"
#include "troupe/netns/kernel.hpp"
#include "troupe/netns/watch.hpp"

#include <map>
#include <string>
#include <vector>

namespace troupe {

/// Which networks the host's links belong to, so that an event costs the same
/// whatever the number of networks, and one of somebody else's link nothing.
///
/// Networks claim the names of their links before they make them and release
/// them when they are gone. Two may claim one name while the second is refused
/// or the first is being removed: both are asked then.
class link_index {
public:
  /// A claimed link, and who claims it.
  struct place {
    std::string link; ///< As claimed, whatever it is called now.
    std::vector<network_id> networks;
  };

  void claim(const std::string& link, const network_id& network);
  void release(const std::string& link, const network_id& network);

  /// The link an event of the host is about; no networks if it is nobody's.
  /// Remembers indices, so that one of ours is known under another name too.
  place find(const netns::kernel_event& event);

  /// Who claims a link; nobody if it is released.
  std::vector<network_id> owners_of(const std::string& link) const;

  /// Compares with the last time: claimed links that are gone, changed or have
  /// another name, for whatever reason. One that is seen for the first time is
  /// taken as it is.
  std::vector<place> compare(const std::vector<netns::link_info>& links);

  /// How many names are claimed.
  size_t size() const {
    return owners_.size();
  }

private:
  /// A claimed link by its index.
  struct known_link {
    std::string name; ///< As claimed.
    std::string look; ///< At the last comparison; empty: not seen by one yet.
  };

  std::multimap<std::string, network_id> owners_;
  std::map<int, known_link> known_;
};

} // namespace troupe
