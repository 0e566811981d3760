#include "troupe/persistence/records.hpp"
#include "troupe/persistence/store.hpp"

#include <algorithm>
#include <type_traits>

namespace troupe::persistence {

namespace {

template <class T>
const auto& key_of(const T& x) {
  return x.id;
}

const endpoint_id& key_of(const join_spec& x) {
  return x.endpoint;
}

template <class T, class Id>
void remove(std::vector<T>& from, const Id& id) {
  std::erase_if(from, [&](const T& x) {
    return key_of(x) == id;
  });
}

template <class T>
void put(std::vector<T>& to, const T& record) {
  auto place = std::find_if(to.begin(), to.end(), [&](const T& x) {
    return key_of(x) == key_of(record);
  });
  if (place == to.end())
    to.push_back(record);
  else
    *place = record;
}

/// Applies one change; one overload per kind.
struct apply_visitor {
  snapshot& to;

  void operator()(const network_spec& x) const {
    put(to.networks, x);
  }
  void operator()(const endpoint_spec& x) const {
    put(to.endpoints, x);
  }
  void operator()(const sandbox_spec& x) const {
    put(to.sandboxes, x);
  }
  void operator()(const join_spec& x) const {
    put(to.joins, x);
  }
  void operator()(const remove_network_record& x) const {
    remove(to.networks, x.id);
  }
  void operator()(const remove_endpoint_record& x) const {
    // The real store looks in the environment that `ephemeral` names.
    std::erase_if(to.endpoints, [&](const endpoint_spec& y) {
      return y.id == x.id && y.ephemeral == x.ephemeral;
    });
  }
  void operator()(const remove_sandbox_record& x) const {
    remove(to.sandboxes, x.id);
  }
  void operator()(const remove_join_record& x) const {
    remove(to.joins, x.endpoint);
  }
  void operator()(const forwarding_record& x) const {
    to.forwarding = x;
  }
};

class memory_store final : public store {
public:
  explicit memory_store(std::shared_ptr<memory_disk> disk)
    : disk_{std::move(disk)} {
    origin_.durable_is_new = disk_->generation == 0;
    origin_.runtime_is_new = disk_->generation == 0;
    origin_.generation = ++disk_->generation;
  }

  result<void> commit(std::span<const change> changes) override {
    for (const auto& x : changes)
      if (auto what = to_edit(x); !what)
        return fail(std::move(what.error()));
    if (disk_->before_commit)
      if (auto allowed = disk_->before_commit(changes); !allowed)
        return allowed;
    for (const auto& x : changes)
      std::visit(apply_visitor{disk_->content}, x);
    return {};
  }

  result<snapshot> load() override {
    return disk_->content;
  }

  const origin& opened() const override {
    return origin_;
  }

private:
  std::shared_ptr<memory_disk> disk_;
  origin origin_;
};

} // namespace

std::unique_ptr<store> open_memory(std::shared_ptr<memory_disk> disk) {
  return std::make_unique<memory_store>(std::move(disk));
}

} // namespace troupe::persistence
