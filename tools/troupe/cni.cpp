#include "troupe/tools/troupe/cni.hpp"

#include "troupe/actors/api/helper_program.hpp"
#include "troupe/config/model/id.hpp"
#include "troupe/config/model/json.hpp"
#include "troupe/config/settings.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

namespace troupe::tools {

namespace fs = std::filesystem;

namespace {

struct install_arguments {
  std::string conf_dir = "/etc/cni/net.d";
  std::string bin_dir = "/opt/cni/bin";
  std::string network = "troupe";
  bool force = false;
};

constexpr auto plugin = "troupe-cni";

// In the build tree beside this program, installed in a folder of its own.
std::string find_plugin() {
  for (const auto* name : {"troupe-cni", "../cni/troupe-cni"})
    if (auto found = find_helper_program(name); !found.empty())
      return fs::weakly_canonical(found);
  return {};
}

/// The list of plugins. The name is the network's: one that exists is found,
/// else the first container makes it.
std::string list_of(const std::string& network, const std::string& socket) {
  auto ours = json{
    {"type", plugin},
    {"capabilities", {{"portMappings", true}, {"ips", true}, {"mac", true}}}};
  if (socket != socket_path(settings{}))
    ours["socket"] = socket;
  return dump({{"cniVersion", "1.0.0"},
               {"name", network},
               {"plugins", json::array({std::move(ours)})}},
              2)
         + "\n";
}

error cannot(const std::string& operation, const fs::path& path,
             const std::error_code& why) {
  return os_failure(why.value(), operation + " " + path.string());
}

std::string text_of(const fs::path& path) {
  auto in = std::ifstream{path};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// Under another name until it is whole: runtimes watch the folder.
result<void>
write_list(const fs::path& path, const std::string& text, bool force) {
  auto why = std::error_code{};
  fs::create_directories(path.parent_path(), why);
  if (why)
    return fail(cannot("make directory", path.parent_path(), why));
  if (!force && fs::exists(path, why) && text_of(path) != text)
    return fail(ec::conflict,
                "write " + path.string() + ": it says something else already",
                "replace it with --force");
  auto spare = fs::path{path.string() + ".new"};
  auto out = std::ofstream{spare};
  out << text << std::flush;
  if (!out)
    return fail(ec::internal, "write " + spare.string() + ": failed");
  fs::rename(spare, path, why);
  return why ? fail(cannot("write", path, why)) : result<void>{};
}

/// A link, so that an update of the program is one of the plugin.
result<void> link_plugin(const fs::path& to, const std::string& program) {
  auto why = std::error_code{};
  fs::create_directories(to.parent_path(), why);
  if (why)
    return fail(cannot("make directory", to.parent_path(), why));
  if (fs::equivalent(to, program, why))
    return {};
  if (fs::is_symlink(to, why))
    fs::remove(to, why);
  fs::create_symlink(program, to, why);
  return why ? fail(cannot("link", to, why)) : result<void>{};
}

void install(session& s, const install_arguments& x) {
  if (auto named = check_name(x.network, "network"); !named)
    return s.report_usage(named.error());
  constexpr auto scheme = std::string_view{"unix://"};
  if (!s.host.starts_with(scheme))
    return s.report_usage({ec::invalid_argument,
                           "cni install: runtimes ask a daemon of this host",
                           "leave --host out, or give unix://PATH", 0});
  auto program = find_plugin();
  if (program.empty())
    return s.report(
      {ec::not_found,
       std::string{"cni install: "} + plugin + " is not installed",
       "it is in the libexec folder, in cni/", 0});
  auto list = fs::path{x.conf_dir} / ("10-" + x.network + ".conflist");
  auto written = write_list(
    list, list_of(x.network, s.host.substr(scheme.size())), x.force);
  if (!written)
    return s.report(written.error());
  auto linked = link_plugin(fs::path{x.bin_dir} / plugin, program);
  if (!linked)
    return s.report(linked.error());
  s.print(list.string());
}

} // namespace

void add_cni_commands(CLI::App& app, session& s) {
  auto* noun = app.add_subcommand("cni", "Serve container runtimes over CNI");
  noun->require_subcommand(1);
  auto x = std::make_shared<install_arguments>();
  auto* command = noun->add_subcommand(
    "install", "Write a network list, and link the plugin; see troupe-cni(8)");
  command
    ->add_option("--conf-dir", x->conf_dir,
                 "Folder of network lists [/etc/cni/net.d]")
    ->type_name("DIR");
  command
    ->add_option("--bin-dir", x->bin_dir, "Folder of plugins [/opt/cni/bin]")
    ->type_name("DIR");
  command
    ->add_option("--network", x->network,
                 "Network; made by the first container if it is not "
                 "there [troupe]")
    ->type_name("NAME");
  command->add_flag("-f,--force", x->force, "Replace a list that is otherwise");
  command->callback([&s, x] {
    install(s, *x);
  });
}

} // namespace troupe::tools
