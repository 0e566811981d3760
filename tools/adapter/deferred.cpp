#include "troupe/tools/adapter/deferred.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/json.hpp"
#include "troupe/tools/adapter/attachment.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <sys/stat.h>

namespace troupe::adapter {

using std::chrono::milliseconds;

namespace {

/// For one deletion of those that were remembered.
constexpr auto replay_deadline = std::chrono::seconds{5};

json to_document(const attachment_id& id) {
  return {{"runtime", id.runtime},
          {"network", id.network},
          {"container", id.container},
          {"interface", id.interface}};
}

std::optional<attachment_id> read_file(const std::filesystem::path& path) {
  auto in = std::ifstream{path};
  auto text = std::string{std::istreambuf_iterator<char>{in}, {}};
  auto document = parse_json(text);
  if (!document || !document->is_object())
    return std::nullopt;
  auto result = attachment_id{};
  for (auto [name, to] : {std::pair{"runtime", &result.runtime},
                          std::pair{"network", &result.network},
                          std::pair{"container", &result.container},
                          std::pair{"interface", &result.interface}}) {
    auto found = document->find(name);
    if (found == document->end() || !found->is_string())
      return std::nullopt;
    *to = found->get<std::string>();
  }
  return result;
}

// Under another name until it is whole.
result<void> write_whole(const std::string& path, const std::string& text) {
  auto spare = path + ".new";
  auto fd = netns::unique_fd{
    ::open(spare.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
           0600)};
  if (!fd)
    return fail(os_failure(errno, "write " + quoted(spare)));
  if (::write(fd.get(), text.data(), text.size())
        != static_cast<ssize_t>(text.size())
      || ::fsync(fd.get()) != 0 || ::rename(spare.c_str(), path.c_str()) != 0)
    return fail(os_failure(errno, "write " + quoted(path)));
  return {};
}

} // namespace

work_directory::work_directory(const std::string& socket)
  : root_{std::filesystem::path{socket}.parent_path().string() + "/adapters"} {
}

result<void> work_directory::prepare() const {
  for (const auto& path : {root_, root_ + "/locks", root_ + "/deferred"})
    if (auto made = make_directory(path); !made)
      return made;
  return {};
}

result<attachment_lock>
work_directory::lock(const attachment_id& id, milliseconds deadline) const {
  return attachment_lock::take(root_ + "/locks/" + file_name(id), deadline);
}

std::string work_directory::deferred_path(const attachment_id& id) const {
  return root_ + "/deferred/" + file_name(id);
}

result<void> work_directory::defer(const attachment_id& id) const {
  return write_whole(deferred_path(id), dump(to_document(id)) + "\n");
}

bool work_directory::is_deferred(const attachment_id& id) const {
  return ::access(deferred_path(id).c_str(), F_OK) == 0;
}

void work_directory::forget(const attachment_id& id) const {
  ::unlink(deferred_path(id).c_str());
}

size_t work_directory::replay(const daemon_link& daemon) const {
  auto left = size_t{0};
  auto why = std::error_code{};
  for (const auto& entry :
       std::filesystem::directory_iterator{root_ + "/deferred", why}) {
    auto id = read_file(entry.path());
    if (!id)
      continue;
    auto held = lock(*id, milliseconds{0});
    // Another call may have done it, or made the interface again, meanwhile.
    if (!held || !is_deferred(*id)) {
      left += held ? 0U : 1U;
      continue;
    }
    auto link = daemon.again(replay_deadline);
    if (auto gone = detach(link, *id); !gone) {
      ++left;
      // Nobody waits once for each of them.
      if (is_outcome_unknown(gone.error()))
        break;
      continue;
    }
    forget(*id);
    held->forget();
  }
  return left;
}

} // namespace troupe::adapter
