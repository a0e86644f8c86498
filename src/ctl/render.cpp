#include "ctl/render.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace smb3d::ctl {

namespace {

using nlohmann::json;

struct Column {
    const char* title;
    const char* key;
};

// A terminal must not be told what to do by a file's name.
std::string harmless(std::string_view text) {
    std::string out;
    for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    return out;
}

std::string cell(const json& value) {
    if (value.is_string()) return harmless(value.get<std::string>());
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_object() && value.contains("peer")) {  // a session's channel
        return fmt::format("{} ({}, loop {}, since {})", cell(value["peer"]),
                           cell(value.value("transport", json())),
                           cell(value.value("loop", json())), cell(value.value("since", json())));
    }
    if (!value.is_array()) return value.is_null() ? "" : value.dump();
    std::string text;
    for (const json& item : value) {
        if (!text.empty()) text += ", ";
        text += cell(item);
    }
    return text;
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string table(const json& list, std::span<const Column> columns) {
    std::vector<std::vector<std::string>> lines(1);
    for (const Column& column : columns) lines.front().emplace_back(column.title);
    for (const json& entry : list) {
        auto& line = lines.emplace_back();
        for (const Column& column : columns) line.push_back(cell(entry.value(column.key, json())));
    }
    std::vector<std::size_t> widest(columns.size());
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < columns.size(); ++i) {
            widest[i] = std::max(widest[i], width(line[i]));
        }
    }
    std::string out;
    for (const auto& line : lines) {
        std::string text;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            text += line[i];
            text.append(widest[i] - width(line[i]) + 2, ' ');
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out += text + "\n";
    }
    return out;
}

std::string pairs(const json& object) {
    std::size_t widest = 0;
    for (const auto& [key, value] : object.items()) widest = std::max(widest, key.size());
    std::string out;
    for (const auto& [key, value] : object.items()) {
        std::string title = key;
        std::replace(title.begin(), title.end(), '_', ' ');
        out += fmt::format("{:<{}}  {}\n", title, widest, cell(value));
    }
    return out;
}

std::string render_reload(const json& result) {
    std::string out;
    for (const json& line : result.value("errors", json::array()))
        out += fmt::format("error: {}\n", cell(line));
    for (const json& line : result.value("changes", json::array())) out += cell(line) + "\n";
    for (const json& line : result.value("warnings", json::array())) {
        out += fmt::format("warning: {}\n", cell(line));
    }
    return out + (result.value("applied", false) ? "The configuration has been reloaded.\n"
                                                 : "The running configuration stays as it was.\n");
}

constexpr Column connection_columns[] = {{"ID", "id"},
                                         {"PEER", "peer"},
                                         {"TRANSPORT", "transport"},
                                         {"DIALECT", "dialect"},
                                         {"SINCE", "since"}};
constexpr Column session_columns[] = {
    {"ID", "id"},           {"USER", "user"},       {"FROM", "channels"},
    {"DIALECT", "dialect"}, {"SIGNING", "signing"}, {"ENCRYPTION", "encryption"},
    {"SHARES", "shares"},   {"OPENS", "opens"},     {"SINCE", "since"}};
constexpr Column share_columns[] = {
    {"NAME", "name"},           {"PATH", "path"},         {"CONNECTIONS", "connections"},
    {"READ ONLY", "read_only"}, {"ENCRYPTED", "encrypt"}, {"HIDDEN", "hidden"},
    {"COMMENT", "comment"}};
constexpr Column open_columns[] = {{"ID", "id"},         {"USER", "user"},   {"FROM", "peer"},
                                   {"SHARE", "share"},   {"PATH", "path"},   {"ACCESS", "access"},
                                   {"OPLOCK", "oplock"}, {"LOCKS", "locks"}, {"STATE", "state"}};
constexpr Column config_columns[] = {{"KEY", "key"}, {"VALUE", "value"}, {"SOURCE", "source"}};
constexpr Column user_columns[] = {
    {"NAME", "name"}, {"STATE", "state"}, {"FULL NAME", "full_name"}, {"CREATED", "created"}};

struct Table {
    std::string_view command;
    std::span<const Column> columns;
};
constexpr Table tables[] = {
    {"connection.list", connection_columns}, {"session.list", session_columns},
    {"share.list", share_columns},           {"open.list", open_columns},
    {"config.show", config_columns},         {"user.list", user_columns}};

}  // namespace

std::string render(const std::string& command, const json& result) {
    for (const Table& entry : tables) {
        if (entry.command == command) return table(result, entry.columns);
    }
    if (command == "session.kill")
        return fmt::format("Session {} has been ended.\n", cell(result["id"]));
    if (command == "open.close")
        return fmt::format("Open {} has been closed.\n", cell(result["id"]));
    if (command == "lease.break")
        return fmt::format("The client of open {} has been told.\n", cell(result["id"]));
    if (command == "reload") return render_reload(result);
    return pairs(result);
}

}  // namespace smb3d::ctl
