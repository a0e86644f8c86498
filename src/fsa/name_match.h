// NameExpression: a file name pattern as QUERY_DIRECTORY has it.
//
// Purpose: [MS-FSA] 2.1.4.4 matching, case-insensitive by the upcase table, in time proportional to
//   pattern x name (no backtracking), usable as the filter of a VFS listing.
// Spec: [MS-FSA] 2.1.4.4 (DOS_STAR '<', DOS_QM '>', DOS_DOT '"'), 2.1.4.3 (what a wildcard is).
//   "*.*" is not special here: clients turn it into "*" themselves where their API means "all".
// Thread: immutable, any.
// Lifetime: the listing's.
// Errors: parse: OBJECT_NAME_INVALID for an empty or too long pattern, a separator or a NUL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "smb3d/status.h"
#include "smb3d/vfs.h"

namespace smb3d::fsa {

// [MS-FSA] 2.1.4.3: does the name have one of * ? < > " ?
bool has_wildcards(std::u16string_view name);
bool has_wildcards(std::string_view utf8_name);

class NameExpression final : public vfs::NameFilter {
  public:
    static constexpr std::size_t max_units = 1024;

    static Result<NameExpression> parse(std::u16string_view pattern);
    // Matches everything: "*".
    NameExpression() = default;

    // A name in UTF-8 (WTF-8) as the VFS gives it.
    bool matches(std::string_view name) const override;
    bool matches_utf16(std::u16string_view name) const;

    bool matches_all() const { return kind_ == Kind::all; }
    // Without wildcards: at most one entry can match (case aside); literal() is its name.
    bool is_literal() const { return kind_ == Kind::literal; }
    const std::string& literal() const { return literal_; }

  private:
    enum class Kind : std::uint8_t { all, literal, expression };
    Kind kind_{Kind::all};
    std::u16string pattern_;  // upcased, runs of '*' collapsed
    std::string literal_;     // as the client wrote it
};

}  // namespace smb3d::fsa
