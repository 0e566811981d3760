#include "troupe/netns/firewall/ruleset.hpp"

#include "troupe/config/model/difference.hpp"
#include "troupe/config/model/id.hpp"
#include "troupe/netns/firewall/parts.hpp"

#include <algorithm>
#include <array>

namespace troupe::netns::firewall {

namespace {

// Elements in one command; the whole is one transaction anyway.
constexpr auto most_elements = size_t{1000};

bool is_table_name(std::string_view name) {
  constexpr auto lead = std::string_view{"troupe_"};
  auto is_digit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  };
  if (!name.starts_with(lead))
    return false;
  name.remove_prefix(lead.size());
  return name.size() == 6 && std::ranges::all_of(name, is_digit);
}

void replace_all(std::string& text, std::string_view what,
                 std::string_view by) {
  for (auto at = text.find(what); at != std::string::npos;
       at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

std::string_view family_name(table_family x) {
  return x == table_family::inet ? "inet" : "bridge";
}

const sound_table* find(std::span<const sound_table> tables, table_family x) {
  auto found = std::ranges::find(tables, x, &sound_table::family);
  return found == tables.end() ? nullptr : &*found;
}

std::string user_part(missing_chains make) {
  auto result = std::string{};
  auto add = [&](std::string_view chain, std::string_view hook) {
    result.append("  chain ").append(chain).append(" {\n    type filter hook ");
    result.append(hook).append(
      " priority filter - 10;\n    policy accept;\n  }\n");
  };
  if (make.forward)
    add(user_chain, "forward");
  if (make.input)
    add(user_input_chain, "input");
  if (result.empty())
    return result;
  return "table inet " + std::string{user_table} + " {\n" + result + "}\n";
}

// Comments stay out, so that what is in them is no blank to be filled.
std::string fill(const settings& rules, std::span<const sound_table> sound,
                 missing_chains make) {
  auto result = std::string{};
  auto text = ruleset_text();
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    auto start = std::min(line.find_first_not_of(' '), line.size());
    auto is_mark_line = line.find("$mark") != std::string_view::npos;
    if (line.substr(start).starts_with('#') || (is_mark_line && !rules.mark))
      continue;
    result.append(line).append("\n");
  }
  auto clear = [&](table_family x) {
    return find(sound, x) == nullptr ? "delete" : "flush";
  };
  auto mark = rules.mark.value_or(accept_mark{});
  replace_all(result, "$user_chain", user_part(make));
  replace_all(result, "$inet", clear(table_family::inet));
  replace_all(result, "$bridge", clear(table_family::bridge));
  replace_all(result, "$table", rules.table);
  replace_all(result, "$group", std::to_string(rules.group));
  replace_all(result, "$mask", std::to_string(mark.mask));
  replace_all(result, "$mark", std::to_string(mark.value));
  return result;
}

/// The commands that add, or delete, elements; at most `most_elements` each.
result<void>
put_commands(std::string& out, std::string_view verb, std::string_view table,
             std::span<const element> elements) {
  auto counts = std::array<size_t, set_count>{};
  auto commands = std::array<std::string, set_count>{};
  for (const auto& x : elements) {
    auto text = to_text(x);
    if (!text)
      return fail(std::move(text.error()));
    const auto& schema = schema_of(x.set);
    auto& count = counts[static_cast<size_t>(x.set)];
    auto& command = commands[static_cast<size_t>(x.set)];
    if (count % most_elements == 0) {
      command.append(count == 0 ? "" : " }\n").append(verb);
      command.append(" element ").append(family_name(schema.family));
      command.append(" ").append(table).append(" ").append(schema.name);
      command.append(" { ");
    } else {
      command.append(", ");
    }
    ++count;
    command.append(*text);
  }
  for (const auto& x : commands)
    if (!x.empty())
      out.append(x).append(" }\n");
  return {};
}

} // namespace

std::vector<std::string_view> chains_of(table_family family) {
  auto result = std::vector<std::string_view>{};
  auto table = "table " + std::string{family_name(family)} + " $table {";
  auto text = ruleset_text();
  text.remove_prefix(text.find(table));
  text = text.substr(0, text.find("\n}"));
  constexpr auto lead = std::string_view{"\n  chain "};
  for (auto at = text.find(lead); at != std::string_view::npos;
       at = text.find(lead, at + 1)) {
    auto name = text.substr(at + lead.size());
    result.push_back(name.substr(0, name.find(' ')));
  }
  return result;
}

result<std::string>
render(const settings& rules, std::span<const element> elements,
       std::span<const sound_table> sound, missing_chains make) {
  if (!is_table_name(rules.table))
    return fail(ec::invalid_argument,
                "render ruleset: bad name of a table " + quoted(rules.table));
  if (rules.group == 0 || (rules.group & 1U) != 0) // 0: every link there is
    return fail(ec::invalid_argument, "render ruleset: bad interface group "
                                        + std::to_string(rules.group));
  if (auto done = check_elements(elements); !done)
    return fail(std::move(done.error()));
  auto wanted = std::vector<element>{elements.begin(), elements.end()};
  std::ranges::sort(wanted);
  auto there = std::vector<element>{};
  for (const auto& x : sound)
    there.insert(there.end(), x.elements.begin(), x.elements.end());
  std::ranges::sort(there);
  auto result = fill(rules, sound, make);
  auto done
    = put_commands(result, "delete", rules.table, difference(there, wanted));
  if (done)
    done = put_commands(result, "add", rules.table, difference(wanted, there));
  if (!done)
    return fail(std::move(done.error()));
  return result;
}

} // namespace troupe::netns::firewall
