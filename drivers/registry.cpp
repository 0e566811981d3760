#include "troupe/drivers/registry.hpp"

#include "troupe/drivers/bridge/bridge.hpp"
#include "troupe/drivers/host/host.hpp"
#include "troupe/drivers/null/null.hpp"
#include "troupe/drivers/unknown.hpp"

#include <algorithm>
#include <array>

namespace troupe::drivers {

namespace {

struct row {
  std::string_view name;
  std::unique_ptr<driver> (*make)(const instance& owner);
};

// All drivers, by name.
constexpr auto table = std::array{
  row{"bridge", make_bridge},
  row{"host", make_host},
  row{"null", make_null},
};

} // namespace

std::vector<std::string_view> names() {
  auto result = std::vector<std::string_view>{};
  for (const auto& x : table)
    result.push_back(x.name);
  return result;
}

std::unique_ptr<driver> make(std::string_view name, const instance& owner) {
  for (const auto& x : table)
    if (x.name == name)
      return x.make(owner);
  return make_unknown(name);
}

bool is_known(std::string_view name) {
  return std::ranges::find(table, name, &row::name) != table.end();
}

std::string served_by(std::string_view name) {
  return is_known(name) ? std::string{name} : std::string{};
}

} // namespace troupe::drivers
