#include "daemon/config_file.h"

#include <dirent.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <tuple>

#include <fmt/core.h>

#include "base/utf16.h"
#include "daemon/config_schema.h"
#include "daemon/config_values.h"

namespace smb3d::daemon {

namespace {

using std::string_view;

// What one file after the other says: the last value of each key wins.
struct Found {
    const Row* row{nullptr};
    std::string share;  // empty outside [share.NAME]
    std::string key;
    Value value;
    std::string shown;
    Place place;
};

class Loader {
  public:
    void add_file(const std::string& path);
    void add_text(const std::string& text, const std::string& name);
    LoadedConfig finish();

  private:
    using Section = std::string;  // a pattern: "", "server", "share.*", "share.*.backend"

    void guess_directories(const std::string& text);
    void walk(const TomlNode& table, const Section& section, const std::string& shown,
              const std::string& share);
    void walk_entry(const TomlEntry& entry, const Section& section, const std::string& shown,
                    const std::string& share);
    void leaf(const Row& row, const TomlEntry& entry, const std::string& shown,
              const std::string& share);
    void unknown(const TomlEntry& entry, const Section& section, const std::string& shown);
    void fail(const Place& place, std::string message);

    void check_share_name(const std::string& name, const Place& place);
    void store_defaults(Config& config);
    void store_shares(Config& config);
    void check_relations(const Config& config);
    void check_lists(const Config& config);
    const Found* find(string_view path) const;
    Place place_of(string_view path) const;

    std::map<std::string, Found> found_;   // by concrete path
    std::map<std::string, Place> shares_;  // share name -> its table
    std::map<std::string, std::string> folded_;
    std::vector<ConfigError> errors_;
    std::map<std::string, std::string> guessed_;  // from a file that is not TOML
};

void Loader::fail(const Place& place, std::string message) {
    errors_.push_back({place, std::move(message)});
}

void Loader::add_text(const std::string& text, const std::string& name) {
    const auto tree = read_toml(text, name);
    if (!tree) {
        fail(tree.error().place, tree.error().message);
        guess_directories(text);
        return;
    }
    walk(*tree, "", "", "");
}

// A file with a syntax error gives no values at all; smb3dctl must still find the daemon to tell of
// it.
void Loader::guess_directories(const std::string& text) {
    for (const char* key : {"state_dir", "runtime_dir"}) {
        const std::size_t at = text.find(key);
        if (at == std::string::npos) continue;
        const std::size_t from = text.find('"', at);
        const std::size_t end = text.find('\n', at);
        const std::size_t to = from == std::string::npos ? from : text.find('"', from + 1);
        if (to != std::string::npos && to < end)
            guessed_[key] = text.substr(from + 1, to - from - 1);
    }
}

void Loader::add_file(const std::string& path) {
    const auto text = read_file(path);
    if (!text) {
        fail(Place{path, 0, 0}, text.error());
        return;
    }
    add_text(*text, path);
}

std::string joined(string_view section, string_view key) {
    return section.empty() ? std::string(key) : fmt::format("{}.{}", section, key);
}

bool is_section(string_view pattern) {
    return std::any_of(rows().begin(), rows().end(), [&](const Row& row) {
        return row.path.size() > pattern.size() && row.path.starts_with(pattern) &&
               row.path[pattern.size()] == '.';
    });
}

// The names that may stand in `section`.
std::vector<string_view> names_in(string_view section) {
    std::vector<string_view> names;
    for (const Row& row : rows()) {
        if (!section.empty() &&
            !(row.path.starts_with(section) && row.path.size() > section.size() &&
              row.path[section.size()] == '.')) {
            continue;
        }
        string_view rest = row.path.substr(section.empty() ? 0 : section.size() + 1);
        rest = rest.substr(0, rest.find('.'));
        if (rest != "*" && std::find(names.begin(), names.end(), rest) == names.end()) {
            names.push_back(rest);
        }
    }
    return names;
}

void Loader::walk(const TomlNode& table, const Section& section, const std::string& shown,
                  const std::string& share) {
    for (const TomlEntry& entry : table.entries) walk_entry(entry, section, shown, share);
}

void Loader::walk_entry(const TomlEntry& entry, const Section& section, const std::string& shown,
                        const std::string& share) {
    const bool names_a_share = section == "share";
    const std::string pattern = joined(section, names_a_share ? string_view("*") : entry.key);
    const std::string full = joined(shown, entry.key);
    const bool star = entry.key == "*";  // would be taken for a row's own star
    if (is_section(pattern) && (names_a_share || !star)) {
        if (entry.node.kind != TomlNode::Kind::table) {
            fail(entry.place, fmt::format("{} must be a table: [{}]", full, full));
            return;
        }
        if (names_a_share) check_share_name(entry.key, entry.place);
        walk(entry.node, pattern, full, names_a_share ? entry.key : share);
        return;
    }
    const Row* row = star ? nullptr : find_row(pattern);
    // A free key may hold dots itself: an interface "eth0.100".
    if (row == nullptr && !star) row = find_row(joined(section, "_"));
    if (row == nullptr) {
        unknown(entry, section, full);
        return;
    }
    leaf(*row, entry, full, share);
}

void Loader::unknown(const TomlEntry& entry, const Section& section, const std::string& shown) {
    const auto names = names_in(section);
    std::string message = fmt::format("unknown key {}", shown);
    if (const string_view near = nearest(entry.key, names); !near.empty()) {
        message += fmt::format("; did you mean {}?", near);
    } else if (!names.empty()) {
        message += "; known here:";
        for (const string_view name : names) message += fmt::format(" {}", name);
    }
    fail(entry.place, std::move(message));
}

void Loader::leaf(const Row& row, const TomlEntry& entry, const std::string& shown,
                  const std::string& share) {
    if (row.path == "log.components.*" && !log::component_from(entry.key)) {
        std::vector<string_view> names;
        for (std::size_t i = 0; i < log::component_count; ++i) {
            names.push_back(log::component_name(static_cast<log::Component>(i)));
        }
        const string_view near = nearest(entry.key, names);
        fail(entry.place, fmt::format("unknown component {}{}", entry.key,
                                      near.empty() ? "" : fmt::format("; did you mean {}?", near)));
        return;
    }
    auto value = check_value(row, entry.node);
    if (!value) {
        for (const TomlProblem& problem : value.error()) {
            fail(problem.place, fmt::format("{}: {}", shown, problem.message));
        }
        return;
    }
    Found found;
    found.row = &row;
    found.share = share;
    found.key = entry.key;
    found.value = std::move(*value);
    found.shown = show_value(row, found.value);
    found.place = entry.node.place;
    found_[shown] = std::move(found);
}

// [MS-SRVS] 2.2.4.23 and [MS-FSCC] 2.1.6: at most 80 characters, none of those that UNC paths give
// a meaning.
void Loader::check_share_name(const std::string& name, const Place& place) {
    if (name.empty() || utf16_length(name) > 80) {
        fail(place, "a share's name has 1 to 80 characters");
        return;
    }
    for (const char c : name) {
        if (static_cast<unsigned char>(c) < 0x20 ||
            std::strchr("\"\\/[]:|<>+=;,*?", c) != nullptr) {
            fail(place,
                 fmt::format("the share name \"{}\" holds a character that clients cannot use",
                             name));
            return;
        }
    }
    const std::string folded = fold_name(name);
    if (folded == fold_name("IPC$")) {
        fail(place, "IPC$ is the server's own share");
        return;
    }
    const auto [other, is_new] = folded_.emplace(folded, name);
    if (!is_new && other->second != name) {
        fail(place, fmt::format("the shares {} and {} differ in case only", other->second, name));
        return;
    }
    shares_.emplace(name, place);
}

const Found* Loader::find(string_view path) const {
    const auto it = found_.find(std::string(path));
    return it == found_.end() ? nullptr : &it->second;
}
Place Loader::place_of(string_view path) const {
    const Found* found = find(path);
    return found != nullptr ? found->place : Place{"(defaults)", 0, 0};
}

Setting setting(const Row& row, std::string path, std::string value, std::string source) {
    return {std::move(path), std::move(value), std::move(source), row.reloadable};
}
std::string source_text(const Place& place) { return fmt::format("{}:{}", place.file, place.line); }

void Loader::store_defaults(Config& config) {
    for (const Row& row : rows()) {
        if (row.path.starts_with("share.") || row.path.ends_with("*")) continue;
        const Found* found = find(row.path);
        const Value value = found != nullptr ? found->value : default_value(row);
        row.store({config, nullptr, {}}, value);
        config.settings.push_back(
            setting(row, std::string(row.path), show_value(row, value),
                    found != nullptr ? source_text(found->place) : "default"));
    }
    for (const auto& [path, found] : found_) {
        if (!found.share.empty() || !found.row->path.ends_with("*")) continue;
        found.row->store({config, nullptr, found.key}, found.value);
        config.settings.push_back(setting(*found.row, path, found.shown, source_text(found.place)));
    }
}

void Loader::store_shares(Config& config) {
    std::map<std::string, std::string> in_order;  // by folded name
    for (const auto& [name, place] : shares_) in_order[fold_name(name)] = name;
    for (const auto& [folded, name] : in_order) {
        ShareConfig share;
        const Place& place = shares_[name];
        share.name = name;
        share.place = place;
        for (const Row& row : rows()) {
            if (!row.path.starts_with("share.*.") || row.path.ends_with("*")) continue;
            const std::string path = fmt::format("share.{}.{}", name, row.path.substr(8));
            const Found* found = find(path);
            if (found == nullptr && row.required) {
                fail(place, fmt::format("[share.{}] needs {} = ...", name, row.path.substr(8)));
                continue;
            }
            const Value value = found != nullptr ? found->value : default_value(row);
            row.store({config, &share, {}}, value);
            config.settings.push_back(
                setting(row, path, show_value(row, value),
                        found != nullptr ? source_text(found->place) : "default"));
        }
        for (const auto& [path, found] : found_) {
            if (found.share != name || !found.row->path.ends_with("*")) continue;
            found.row->store({config, &share, found.key}, found.value);
            config.settings.push_back(
                setting(*found.row, path, found.shown, source_text(found.place)));
        }
        config.shares.push_back(std::move(share));
    }
}

void Loader::check_lists(const Config& config) {
    std::set<std::string> seen;
    for (const std::string& address : config.listen) {
        if (const std::string problem = listen_problem(address); !problem.empty()) {
            fail(place_of("server.listen"),
                 fmt::format("server.listen: \"{}\": {}", address, problem));
        } else if (!seen.insert(address).second) {
            fail(place_of("server.listen"),
                 fmt::format("server.listen: {} is there twice", address));
        }
    }
    for (const std::string& plugin : config.plugins) {
        if (!plugin.starts_with('/')) {
            fail(place_of("plugins.load"),
                 fmt::format("plugins.load: \"{}\" is not an absolute path", plugin));
        }
    }
    const std::string bad_names = "\"\\/[]:|<>+=;,*? .";
    for (const auto& [path, text] :
         {std::pair<string_view, const std::string&>{"server.name", config.name},
          {"server.workgroup", config.workgroup}}) {
        if (text.find_first_of(bad_names) != std::string::npos) {
            fail(place_of(path),
                 fmt::format("{}: \"{}\" holds a character that NetBIOS names may not hold", path,
                             text));
        }
    }
}

void Loader::check_relations(const Config& config) {
    if (config.min_dialect > config.max_dialect) {
        fail(place_of(find("server.min_dialect") != nullptr ? "server.min_dialect"
                                                            : "server.max_dialect"),
             fmt::format("server.min_dialect ({}) is newer than server.max_dialect ({})",
                         name_of(config.min_dialect), name_of(config.max_dialect)));
    }
    if (config.encryption == engine::Encryption::required &&
        config.max_dialect < engine::Dialect::smb300) {
        fail(place_of("server.encryption"),
             "server.encryption = \"required\" needs server.max_dialect to be \"3.0\" or newer");
    }
    if (config.max_connections_per_address > config.max_connections &&
        find("server.max_connections_per_address") != nullptr) {
        fail(place_of("server.max_connections_per_address"),
             "server.max_connections_per_address is more than server.max_connections");
    }
    if (config.max_memory < 2 * config.max_transact) {
        fail(place_of("server.max_memory"),
             "server.max_memory must hold two messages of server.max_transact");
    }
    for (const ShareConfig& share : config.shares) {
        const auto where = [&](string_view key) {
            return place_of(fmt::format("share.{}.{}", share.name, key));
        };
        if (share.guest && !config.guest) {
            fail(where("guest"),
                 fmt::format("share.{}.guest has no effect without auth.guest = true", share.name));
        }
        if (share.anonymous && !config.anonymous) {
            fail(where("anonymous"),
                 fmt::format("share.{}.anonymous has no effect without auth.anonymous = true",
                             share.name));
        }
        if (share.encrypt && (config.max_dialect < engine::Dialect::smb300 ||
                              config.encryption == engine::Encryption::off)) {
            fail(where("encrypt"),
                 fmt::format("share.{}.encrypt: server.max_dialect or server.encryption "
                             "rules encryption out",
                             share.name));
        }
        if (share.plugin.empty() && !share.options.empty()) {
            fail(where("backend." + share.options.begin()->first),
                 fmt::format("[share.{}.backend] has options but no plugin", share.name));
        }
    }
}

LoadedConfig Loader::finish() {
    auto config = std::make_shared<Config>();
    store_defaults(*config);
    store_shares(*config);
    // Relations between values that are wrong themselves would only confuse.
    if (errors_.empty()) {
        check_lists(*config);
        check_relations(*config);
    }
    LoadedConfig loaded;
    loaded.state_dir = guessed_.contains("state_dir") ? guessed_["state_dir"] : config->state_dir;
    loaded.runtime_dir =
        guessed_.contains("runtime_dir") ? guessed_["runtime_dir"] : config->runtime_dir;
    std::sort(errors_.begin(), errors_.end(), [](const auto& a, const auto& b) {
        return std::tie(a.place.file, a.place.line, a.place.column, a.message) <
               std::tie(b.place.file, b.place.line, b.place.column, b.message);
    });
    loaded.errors = std::move(errors_);
    if (loaded.errors.empty()) loaded.config = std::move(config);
    return loaded;
}

// FILE.d/*.toml in the order of their names.
std::vector<std::string> drop_ins(const std::string& path) {
    std::vector<std::string> files;
    const std::string directory = path + ".d";
    DIR* dir = ::opendir(directory.c_str());
    if (dir == nullptr) return files;
    while (const dirent* entry = ::readdir(dir)) {
        const string_view name = entry->d_name;
        if (name.starts_with('.') || !name.ends_with(".toml")) continue;
        files.push_back(fmt::format("{}/{}", directory, name));
    }
    ::closedir(dir);
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

std::string ConfigError::text() const {
    return place.line == 0
               ? fmt::format("{}: {}", place.file, message)
               : fmt::format("{}:{}:{}: {}", place.file, place.line, place.column, message);
}

LoadedConfig load_config(const std::string& path) {
    Loader loader;
    loader.add_file(path);
    for (const std::string& file : drop_ins(path)) loader.add_file(file);
    return loader.finish();
}

LoadedConfig parse_config(const std::string& text, const std::string& name) {
    Loader loader;
    loader.add_text(text, name);
    return loader.finish();
}

std::vector<ConfigError> check_environment(const Config& config) {
    std::vector<ConfigError> problems;
    for (const ShareConfig& share : config.shares) {
        if (!share.plugin.empty()) continue;
        struct ::stat st {};
        std::string problem;
        if (::stat(share.path.c_str(), &st) != 0) {
            problem = fmt::format("{}: {}", share.path, std::strerror(errno));
        } else if (!S_ISDIR(st.st_mode)) {
            problem = fmt::format("{} is not a directory", share.path);
        }
        if (problem.empty()) continue;
        problems.push_back({share.place, fmt::format("share {}: {}", share.name, problem)});
    }
    if (config.guest || config.anonymous) {
        if (::getpwnam(config.guest_account.c_str()) == nullptr) {
            problems.push_back(
                {{"auth.guest_account", 0, 0},
                 fmt::format("the system has no account \"{}\"", config.guest_account)});
        }
    }
    return problems;
}

}  // namespace smb3d::daemon
