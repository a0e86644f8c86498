#include "base/status_map.h"

#include <charconv>

#include <fmt/core.h>

namespace smb3d {

namespace {

struct Row {
    std::string_view name;
    NtStatus status;
};

constexpr Row rows[] = {
#define SMB3D_STATUS_ROW(name, value) {#name, NtStatus::name},
    SMB3D_STATUS_ROWS(SMB3D_STATUS_ROW)
#undef SMB3D_STATUS_ROW
};

}  // namespace

std::string status_text(NtStatus status) {
    for (const Row& row : rows) {
        if (row.status == status) return std::string(row.name);
    }
    return fmt::format("0x{:08X}", static_cast<std::uint32_t>(status));
}

std::optional<NtStatus> status_from(std::string_view text) {
    if (text.starts_with("STATUS_")) text.remove_prefix(7);
    for (const Row& row : rows) {
        if (row.name == text) return row.status;
    }
    if (!text.starts_with("0x") && !text.starts_with("0X")) return std::nullopt;
    text.remove_prefix(2);
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return static_cast<NtStatus>(value);
}

}  // namespace smb3d
