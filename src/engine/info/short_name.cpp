#include "engine/info/short_name.h"

#include <algorithm>
#include <cstdint>

#include "base/utf16.h"

namespace smb3d::engine {

namespace {

constexpr std::string_view allowed_marks = "!#$%&'()-@^_`{}~";

bool allowed(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           allowed_marks.find(c) != std::string_view::npos;
}

std::string upper(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return result;
}

bool is_short(std::string_view base, std::string_view extension, bool has_dot) {
    return !base.empty() && base.size() <= 8 && extension.size() <= 3 &&
           (!has_dot || !extension.empty()) && std::all_of(base.begin(), base.end(), allowed) &&
           std::all_of(extension.begin(), extension.end(), allowed);
}

}  // namespace

std::u16string short_name(std::string_view name) {
    const std::string whole = upper(name);
    const std::size_t dot = whole.rfind('.');
    const bool has_dot = dot != std::string::npos && dot != 0;
    const std::string_view base = std::string_view(whole).substr(0, has_dot ? dot : whole.size());
    const std::string_view extension =
        has_dot ? std::string_view(whole).substr(dot + 1) : std::string_view{};
    if (is_short(base, extension, has_dot)) return utf8_to_utf16(whole).value_or(u"");

    std::uint32_t hash = 2166136261U;  // FNV-1a over the folded name
    for (const char c : fold_name(name)) {
        hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619U;
    }
    constexpr std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    std::string result(1, !base.empty() && allowed(base.front()) ? base.front() : '_');
    for (int i = 0; i < 5; ++i, hash /= 36) result.push_back(digits[hash % 36]);
    result.push_back('~');
    result.push_back(digits[hash % 36]);
    std::string kept;
    for (const char c : extension) {
        if (allowed(c) && kept.size() < 3) kept.push_back(c);
    }
    if (!kept.empty()) result += '.' + kept;
    return utf8_to_utf16(result).value_or(u"");
}

}  // namespace smb3d::engine
