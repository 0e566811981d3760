#include "troupe/tests/unit/persistence/power_loss.hpp"

#include "fixture.hpp"
#include <unordered_set>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace troupe::persistence {

namespace {

constexpr size_t sector_bytes = 512;
constexpr auto commits = 60U;

/// What happened to the file, in order.
struct disk_event {
  enum class kind : uint8_t { write, synced_write, sync, acknowledged };
  kind what = kind::write;
  size_t at = 0;
  std::string bytes = {};
};

/// Follows one file.
struct recorder {
  dev_t device = 0;
  ino_t inode = 0;
  std::vector<disk_event> events;

  bool is_mine(int fd) const {
    struct stat info = {};
    return ::fstat(fd, &info) == 0 && info.st_dev == device
           && info.st_ino == inode;
  }
};

recorder* active = nullptr;

/// @param at -1: where the descriptor is.
void note_write(int fd, const void* bytes, size_t size, off_t at) {
  if (active == nullptr || !active->is_mine(fd))
    return;
  if (at < 0)
    at = ::lseek(fd, 0, SEEK_CUR);
  const auto synced = (::fcntl(fd, F_GETFL) & O_DSYNC) != 0;
  active->events.push_back(
    {synced ? disk_event::kind::synced_write : disk_event::kind::write,
     static_cast<size_t>(at),
     {static_cast<const char*>(bytes), size}});
}

void note_writes(int fd, const struct iovec* parts, int count) {
  if (active == nullptr || !active->is_mine(fd))
    return;
  auto at = ::lseek(fd, 0, SEEK_CUR);
  for (int i = 0; i < count; ++i) {
    note_write(fd, parts[i].iov_base, parts[i].iov_len, at);
    at += static_cast<off_t>(parts[i].iov_len);
  }
}

void note_sync(int fd) {
  if (active != nullptr && active->is_mine(fd))
    active->events.push_back({disk_event::kind::sync});
}

} // namespace

} // namespace troupe::persistence

// In the place of the C library's, for LMDB as well.
extern "C" {

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  troupe::persistence::note_write(fd, bytes, size, at);
  return ::syscall(SYS_pwrite64, fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  return pwrite(fd, bytes, size, at);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  troupe::persistence::note_write(fd, bytes, size, -1);
  return ::syscall(SYS_write, fd, bytes, size);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  troupe::persistence::note_writes(fd, parts, count);
  return ::syscall(SYS_writev, fd, parts, count);
}

int fdatasync(int fd) {
  troupe::persistence::note_sync(fd);
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

int fsync(int fd) {
  troupe::persistence::note_sync(fd);
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

} // extern "C"

namespace troupe::persistence {

namespace {

void put(std::string& image, size_t at, std::string_view bytes) {
  if (image.size() < at + bytes.size())
    image.resize(at + bytes.size(), '\0');
  image.replace(at, bytes.size(), bytes);
}

/// The disk as far as it is certain, and what is not.
struct disk_state {
  std::string synced;
  std::vector<disk_event> unsynced = {};
  size_t acknowledged = 0;

  void take(const disk_event& x) {
    switch (x.what) {
    case disk_event::kind::acknowledged:
      ++acknowledged;
      break;
    case disk_event::kind::write:
    case disk_event::kind::synced_write:
      unsynced.push_back(x);
      break;
    case disk_event::kind::sync:
      for (const auto& one : unsynced)
        put(synced, one.at, one.bytes);
      unsynced.clear();
      break;
    }
  }

  /// A synced write has returned: it is there, those before it need not be.
  void keep_last() {
    put(synced, unsynced.back().at, unsynced.back().bytes);
    unsynced.pop_back();
  }

  /// The synced part, and of each later write all, some sectors, or nothing.
  std::string draw(std::mt19937& random) const {
    auto image = synced;
    for (const auto& x : unsynced) {
      const auto fate = random() % 3;
      for (size_t from = 0; from < x.bytes.size(); from += sector_bytes)
        if (fate == 0 || (fate == 1 && random() % 2 == 0))
          put(image, x.at + from,
              std::string_view{x.bytes}.substr(from, sector_bytes));
    }
    return image;
  }
};

/// Two directories in memory: what is opened there is an image already.
std::string memory_directory() {
  auto name = std::string{std::filesystem::exists("/dev/shm")
                            ? "/dev/shm/troupe-store-XXXXXX"
                            : "/tmp/troupe-store-XXXXXX"};
  return ::mkdtemp(name.data());
}

} // namespace

struct power_loss::state {
  std::string root = memory_directory();
  store_options how;
  std::string base; ///< The file before the first commit.
  std::vector<disk_event> events;
  std::unordered_set<std::string> seen;
  std::vector<std::string> lost;

  std::string file() const {
    return how.durable_dir + "/data.mdb";
  }

  /// Opens the image as the next start does after a reboot. @returns what is
  /// wrong with it.
  std::string open(const std::string& image, size_t acknowledged) const {
    for (const auto& dir : {how.durable_dir, how.runtime_dir})
      for (const auto& entry : std::filesystem::directory_iterator{dir})
        std::filesystem::remove(entry);
    write_file(file(), image);
    auto store = open_lmdb_with(how);
    if (!store)
      return store.error().message;
    if (!(*store)->opened().quarantined.empty())
      return (*store)->opened().quarantined.front();
    auto content = (*store)->load();
    if (!content)
      return content.error().message;
    auto ids = std::unordered_set<std::string>{};
    for (const auto& x : content->networks)
      ids.insert(x.id.value);
    if (ids.size() < acknowledged || ids.size() > acknowledged + 1)
      return std::to_string(ids.size()) + " networks, acknowledged were "
             + std::to_string(acknowledged);
    for (auto n = 0U; n < ids.size(); ++n)
      if (!ids.contains(id_text(n)))
        return "network " + std::to_string(n) + " is another one";
    return {};
  }

  /// Looks at some images of this instant.
  void look(const disk_state& disk, unsigned tries, size_t most_lost,
            std::mt19937& random) {
    for (auto i = 0U; i < tries && lost.size() < most_lost; ++i) {
      auto image = disk.draw(random);
      // The same image is worth another look if more must be in it.
      auto key = std::to_string(disk.acknowledged) + " "
                 + std::to_string(std::hash<std::string>{}(image));
      if (!seen.insert(std::move(key)).second)
        continue;
      if (auto wrong = open(image, disk.acknowledged); !wrong.empty())
        lost.push_back(std::move(wrong));
    }
  }
};

power_loss::power_loss() : state_{std::make_unique<state>()} {
  state_->how.durable_dir = state_->root + "/durable";
  state_->how.runtime_dir = state_->root + "/runtime";
  state_->how.boot_id_file = state_->root + "/boot_id";
  write_file(state_->how.boot_id_file, "first\n");
}

power_loss::~power_loss() {
  auto ignored = std::error_code{};
  std::filesystem::remove_all(state_->root, ignored);
}

std::string power_loss::record(bool syncs) {
  auto& it = *state_;
  it.how.durable.sync = syncs;
  auto store = open_lmdb_with(it.how);
  if (!store)
    return store.error().message;
  it.base = read_file(it.file());
  auto log = recorder{};
  struct stat info = {};
  if (::stat(it.file().c_str(), &info) != 0)
    return "no file";
  log.device = info.st_dev;
  log.inode = info.st_ino;
  for (auto n = 0U; n < commits; ++n) {
    auto network = make_network(n);
    network.labels["text"] = std::string(n % 7 == 3 ? 6'000 : 10UL * n, 'x');
    auto changes = std::vector<change>{network};
    active = &log;
    const auto done = (*store)->commit(changes);
    active = nullptr;
    if (!done)
      return done.error().message;
    log.events.push_back({disk_event::kind::acknowledged});
  }
  it.events = std::move(log.events);
  // Unseen calls would make every image a perfect one.
  return it.events.size() > 3UL * commits ? "" : "its writes were not seen";
}

void power_loss::look(size_t wanted, size_t most_lost) {
  auto& it = *state_;
  it.how.durable.sync = false;
  auto random = std::mt19937{21};
  // Instants at which nothing is uncertain have one image only.
  constexpr auto tries = 2U;
  const auto nth = std::max<size_t>(it.events.size() / wanted, 1);
  while (it.seen.size() < wanted && it.lost.size() < most_lost) {
    auto disk = disk_state{it.base};
    for (const auto& event : it.events) {
      disk.take(event);
      // Few images are of few instants, all over the time.
      const auto chosen = random() % nth == 0;
      it.look(disk, chosen ? tries : 0, most_lost, random);
      if (event.what != disk_event::kind::synced_write)
        continue;
      disk.keep_last();
      it.look(disk, chosen ? tries : 0, most_lost, random);
    }
  }
}

size_t power_loss::images() const {
  return state_->seen.size();
}

const std::vector<std::string>& power_loss::lost() const {
  return state_->lost;
}

} // namespace troupe::persistence
