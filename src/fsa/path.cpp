#include "fsa/path.h"

#include <algorithm>

#include <vector>

#include "base/limits.h"
#include "base/utf16.h"

namespace smb3d::fsa {

namespace {

std::u16string to_units(Bytes utf16le) {
    std::u16string text(utf16le.size() / 2, u'\0');
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto low = std::to_integer<unsigned>(utf16le[2 * i]);
        const auto high = std::to_integer<unsigned>(utf16le[2 * i + 1]);
        text[i] = static_cast<char16_t>(low | (high << 8));
    }
    return text;
}

// [MS-FSCC] 2.1.5.3: a stream name may hold what a file name may not, save NUL and separators.
bool is_valid_stream_name(std::u16string_view name) {
    if (name.size() > limits::max_component_units) return false;
    for (const char16_t unit : name) {
        if (unit == u'\0' || unit == u'\\' || unit == u'/' || unit == u':') return false;
    }
    return true;
}

// [MS-FSCC] 2.1.5: what stands behind the first ':' of the last component.
Result<void> parse_stream(std::u16string_view suffix, ParsedName& into) {
    const std::size_t colon = suffix.find(u':');
    const std::u16string_view name = suffix.substr(0, colon);
    if (!is_valid_stream_name(name)) return fail(NtStatus::OBJECT_NAME_INVALID);
    into.stream_syntax = true;

    if (colon == std::u16string_view::npos) {
        if (name.empty()) return fail(NtStatus::OBJECT_NAME_INVALID);
    } else {
        const std::u16string type = upcase(suffix.substr(colon + 1));
        if (type == u"$INDEX_ALLOCATION") {
            if (!name.empty() && upcase(name) != u"$I30") {
                return fail(NtStatus::OBJECT_NAME_INVALID);
            }
            into.index_stream = true;
            return {};
        }
        if (type != u"$DATA") return fail(NtStatus::OBJECT_NAME_INVALID);
    }
    into.stream = utf16_to_utf8(name);
    into.has_stream = !name.empty();
    return {};
}

bool is_digit_at(std::u16string_view text, std::size_t index) {
    return text[index] >= u'0' && text[index] <= u'9';
}

}  // namespace

bool is_valid_component(std::u16string_view component) {
    if (component.empty() || component.size() > limits::max_component_units) return false;
    if (component == u"." || component == u"..") return false;
    constexpr std::u16string_view forbidden = u"\"*/:<>?|\\";
    for (const char16_t unit : component) {
        if (unit < 0x20 || forbidden.find(unit) != std::u16string_view::npos) return false;
    }
    return true;
}

bool is_gmt_token(std::u16string_view component) {
    constexpr std::u16string_view shape = u"@GMT-0000.00.00-00.00.00";
    if (component.size() != shape.size()) return false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const bool matches =
            shape[i] == u'0' ? is_digit_at(component, i) : component[i] == shape[i];
        if (!matches) return false;
    }
    return true;
}

Result<ParsedName> parse_name(Bytes utf16le, LeadingSeparator leading) {
    if (utf16le.size() % 2 != 0) return fail(NtStatus::INVALID_PARAMETER);
    if (utf16le.size() / 2 > limits::max_path_units) return fail(NtStatus::OBJECT_NAME_INVALID);
    std::u16string text = to_units(utf16le);
    // Deviation: [MS-FSCC] 2.1.5 forbids '/'; clients and tests use it as a separator, which smbd
    // takes (smbtorture smb2.timestamps.test_close_not_attrib).
    std::replace(text.begin(), text.end(), u'/', u'\\');
    std::u16string_view rest = text;
    ParsedName result;

    if (!rest.empty() && rest.front() == u'\\') {
        // [MS-SMB2] 3.3.5.9: names are relative to the share.
        if (leading == LeadingSeparator::refused) return fail(NtStatus::INVALID_PARAMETER);
        rest.remove_prefix(1);
    }
    if (!rest.empty() && rest.back() == u'\\') {
        result.must_be_directory = true;
        rest.remove_suffix(1);
        if (rest.empty()) return fail(NtStatus::OBJECT_NAME_INVALID);
    }
    if (rest.empty()) return result;

    // Only the last component may name a stream; a lone ":stream" is one of the root, or a stream's
    // new name.
    const std::size_t last = rest.rfind(u'\\');
    const std::size_t name_begin = last == std::u16string_view::npos ? 0 : last + 1;
    const std::size_t colon = rest.find(u':', name_begin);
    if (colon != std::u16string_view::npos) {
        if (result.must_be_directory) return fail(NtStatus::OBJECT_NAME_INVALID);
        SMB3D_TRY(parse_stream(rest.substr(colon + 1), result));
        rest = rest.substr(0, colon);
        if (rest.empty()) return result;
    }

    std::u16string path;
    path.reserve(rest.size());
    for (std::size_t begin = 0; begin <= rest.size();) {
        std::size_t end = rest.find(u'\\', begin);
        if (end == std::u16string_view::npos) end = rest.size();
        const std::u16string_view component = rest.substr(begin, end - begin);
        // Out of the directory: what Windows says of such a path (smbtorture smb2.mkdir).
        if (component == u"..") return fail(NtStatus::OBJECT_PATH_SYNTAX_BAD);
        if (!is_valid_component(component)) return fail(NtStatus::OBJECT_NAME_INVALID);
        if (is_gmt_token(component)) result.previous_version = true;
        if (begin != 0) path.push_back(u'/');
        path.append(component);
        begin = end + 1;
    }
    result.path = utf16_to_utf8(path);
    return result;
}

std::string_view parent_path(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view last_component(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool is_below(std::string_view path, std::string_view directory) {
    if (directory.empty()) return !path.empty();
    return path.size() > directory.size() + 1 && path.starts_with(directory) &&
           path[directory.size()] == '/';
}

bool is_within(std::string_view path, std::string_view directory) {
    return path == directory || is_below(path, directory);
}

std::string to_backslashes(std::string_view path) {
    std::string result;
    result.reserve(path.size() + 1);
    result.push_back('\\');
    for (const char c : path) result.push_back(c == '/' ? '\\' : c);
    return result;
}

}  // namespace smb3d::fsa
