// Names and patterns as CREATE, SET_INFO and QUERY_DIRECTORY bring them: the first byte is the
// split between a pattern and a name, the rest is UTF-16LE.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/utf16.h"
#include "fsa/name_match.h"
#include "fsa/path.h"

namespace {

using namespace smb3d;

std::u16string units(Bytes bytes) {
    std::u16string text;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
        text.push_back(static_cast<char16_t>(std::to_integer<unsigned>(bytes[i]) |
                                             std::to_integer<unsigned>(bytes[i + 1]) << 8));
    }
    return text;
}

// What a parsed path promises to the VFS.
void check(const fsa::ParsedName& name) {
    const std::string& path = name.path;
    if (path.empty()) return;
    if (path.front() == '/' || path.back() == '/') std::abort();
    for (std::string_view rest = path; !rest.empty();) {
        const std::string_view component = rest.substr(0, rest.find('/'));
        if (component.empty() || component == "." || component == "..") std::abort();
        if (component.find('\0') != std::string_view::npos) std::abort();
        rest.remove_prefix(std::min(rest.size(), component.size() + 1));
    }
    if (!utf8_to_utf16(path)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes bytes{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
    for (const auto leading : {fsa::LeadingSeparator::refused, fsa::LeadingSeparator::skipped}) {
        const auto name = fsa::parse_name(bytes, leading);
        if (name) check(*name);
    }
    const std::size_t split = std::min<std::size_t>(bytes.size(), std::size_t{data[0]} * 2);
    const auto expression = fsa::NameExpression::parse(units(bytes.subspan(0, split)));
    const std::u16string name = units(bytes.subspan(split));
    if (expression) {
        (void)expression->matches_utf16(name);
        (void)expression->matches(utf16_to_utf8(name));
        // An expression without wildcards matches itself.
        if (expression->is_literal() && !expression->matches(expression->literal())) std::abort();
    }
    return 0;
}
