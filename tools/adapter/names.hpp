#pragma once

// What a runtime calls things, as names and labels of ours. Part of what all
// adapters of container runtimes share.

#include <string>
#include <string_view>

namespace troupe::adapter {

/// One interface of one container, as its runtime knows it. Belongs to one
/// network of the runtime's.
struct attachment_id {
  std::string runtime;   ///< Who asks, e.g. `cni`.
  std::string network;   ///< As the runtime calls it.
  std::string container; ///< The runtime's id.
  std::string interface; ///< Name inside.
};

/// Labels that tell whose an object is.
constexpr std::string_view runtime_label = "io.troupe.adapter.runtime";
constexpr std::string_view network_label = "io.troupe.adapter.network";
constexpr std::string_view container_label = "io.troupe.adapter.container";
constexpr std::string_view interface_label = "io.troupe.adapter.interface";
constexpr std::string_view wish_label = "io.troupe.adapter.wish";
constexpr std::string_view aliases_label = "io.troupe.adapter.aliases";

/// One of those above, or of a later version.
constexpr bool is_adapter_label(std::string_view key) {
  return key.starts_with("io.troupe.adapter.");
}

/// 32 hex digits made from a text; the same on every host.
std::string digest(std::string_view text);

/// The text if it is a valid name; else what a name can keep of its beginning
/// and the digest of the whole. Two texts may give one name only if somebody
/// has chosen one to be the other's; the labels tell them apart.
std::string name_for(std::string_view text);

/// The name of a container's sandbox, e.g. `cni-8c98354e2728`.
std::string sandbox_name(const attachment_id& x);

/// The name of an attachment's endpoint, e.g. `8c98354e2728.eth0`.
std::string endpoint_name(const attachment_id& x);

/// The name of a file about an attachment.
std::string file_name(const attachment_id& x);

} // namespace troupe::adapter
