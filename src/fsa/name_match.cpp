#include "fsa/name_match.h"

#include <algorithm>
#include <array>

#include "base/utf16.h"

namespace smb3d::fsa {

namespace {

constexpr char16_t dos_star = u'<';
constexpr char16_t dos_qm = u'>';
constexpr char16_t dos_dot = u'"';

constexpr bool is_wildcard(char16_t unit) {
    return unit == u'*' || unit == u'?' || unit == dos_star || unit == dos_qm || unit == dos_dot;
}

// The set of positions in the pattern that the name so far can have led to.
using States = std::array<bool, NameExpression::max_units + 1>;

// Follows the moves that take no character.  `next` is the character that follows, 0 at the name's
// end.
void close_over(std::u16string_view pattern, States& states, char16_t next) {
    const bool at_end = next == 0;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (!states[i]) continue;
        const char16_t p = pattern[i];
        const bool skips = p == u'*' || p == dos_star ||
                           (p == dos_qm && (at_end || next == u'.')) || (p == dos_dot && at_end);
        if (skips) states[i + 1] = true;
    }
}

// Takes one character; `last_dot`: it is the last '.' of the name, which DOS_STAR does not go
// beyond.
void step(std::u16string_view pattern, const States& from, States& to, char16_t unit,
          bool last_dot) {
    std::fill_n(to.begin(), pattern.size() + 1, false);
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (!from[i]) continue;
        switch (const char16_t p = pattern[i]) {
            case u'*':
                to[i] = true;
                break;
            case dos_star:
                if (!last_dot) to[i] = true;
                break;
            case u'?':
                to[i + 1] = true;
                break;
            case dos_qm:
                if (unit != u'.') to[i + 1] = true;
                break;
            case dos_dot:
                if (unit == u'.') to[i + 1] = true;
                break;
            default:
                if (unit == p) to[i + 1] = true;
                break;
        }
    }
}

// [MS-FSA] 2.1.4.4, both upcased.
bool matches_expression(std::u16string_view pattern, std::u16string_view name) {
    States a;
    States b;
    States* now = &a;
    States* then = &b;
    std::fill_n(now->begin(), pattern.size() + 1, false);
    (*now)[0] = true;
    const std::size_t last_dot = name.rfind(u'.');
    for (std::size_t i = 0; i < name.size(); ++i) {
        close_over(pattern, *now, name[i]);
        step(pattern, *now, *then, name[i], i == last_dot);
        std::swap(now, then);
    }
    close_over(pattern, *now, u'\0');
    return (*now)[pattern.size()];
}

}  // namespace

bool has_wildcards(std::u16string_view name) {
    return std::any_of(name.begin(), name.end(), is_wildcard);
}

bool has_wildcards(std::string_view utf8_name) {
    return utf8_name.find_first_of("*?<>\"") != std::string_view::npos;
}

Result<NameExpression> NameExpression::parse(std::u16string_view pattern) {
    if (pattern.empty() || pattern.size() > max_units) return fail(NtStatus::OBJECT_NAME_INVALID);
    for (const char16_t unit : pattern) {
        if (unit == u'\0' || unit == u'\\' || unit == u'/') {
            return fail(NtStatus::OBJECT_NAME_INVALID);
        }
    }
    NameExpression result;
    for (const char16_t unit : pattern) {
        // "**" matches what "*" does.
        if (unit == u'*' && !result.pattern_.empty() && result.pattern_.back() == u'*') continue;
        result.pattern_.push_back(upcase(unit));
    }
    if (result.pattern_ == u"*") {
        result.kind_ = Kind::all;
    } else if (has_wildcards(pattern)) {
        result.kind_ = Kind::expression;
    } else {
        result.kind_ = Kind::literal;
        result.literal_ = utf16_to_utf8(pattern);
    }
    return result;
}

bool NameExpression::matches(std::string_view name) const {
    if (kind_ == Kind::all) return true;
    // Most names are short and ASCII: no allocation for those.
    std::array<char16_t, 255> units;
    const bool ascii = name.size() <= units.size() &&
                       std::all_of(name.begin(), name.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (ascii) {
        std::transform(name.begin(), name.end(), units.begin(),
                       [](char c) { return static_cast<char16_t>(c); });
        return matches_utf16({units.data(), name.size()});
    }
    const std::optional<std::u16string> wide = utf8_to_utf16(name);
    return wide && matches_utf16(*wide);
}

bool NameExpression::matches_utf16(std::u16string_view name) const {
    if (kind_ == Kind::all) return true;
    if (name.size() > max_units) return false;
    std::array<char16_t, max_units> folded;
    std::transform(name.begin(), name.end(), folded.begin(),
                   [](char16_t unit) { return upcase(unit); });
    const std::u16string_view upper{folded.data(), name.size()};
    return kind_ == Kind::literal ? upper == pattern_ : matches_expression(pattern_, upper);
}

}  // namespace smb3d::fsa
