#include "fsa/attributes.h"

namespace smb3d::fsa {

namespace {
constexpr std::uint32_t user_attributes = attribute::settable & ~attribute::normal;
}

Result<std::uint32_t> attributes_of_new_file(std::uint32_t requested, bool is_directory,
                                             std::uint32_t create_options) {
    if ((requested & ~attribute::valid) != 0) return fail(NtStatus::INVALID_PARAMETER);
    if (is_directory && (requested & attribute::temporary) != 0) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    if ((requested & attribute::readonly) != 0 && (create_options & option::delete_on_close) != 0) {
        return fail(NtStatus::CANNOT_DELETE);
    }
    std::uint32_t result = requested & user_attributes;
    if (!is_directory) result |= attribute::archive;
    return normalize_attributes(result, is_directory);
}

Result<void> check_open_attributes(std::uint32_t stored, bool is_directory, std::uint32_t desired,
                                   CreateDisposition disposition, std::uint32_t create_options) {
    if ((stored & attribute::readonly) == 0) return {};
    if ((desired & access_denied_by_attributes(stored, is_directory)) != 0) {
        return fail(NtStatus::ACCESS_DENIED);
    }
    if (!is_directory && overwrites(disposition)) return fail(NtStatus::ACCESS_DENIED);
    if ((create_options & option::delete_on_close) != 0) return fail(NtStatus::CANNOT_DELETE);
    return {};
}

Result<std::uint32_t> attributes_of_overwritten_file(std::uint32_t stored, std::uint32_t requested,
                                                     CreateDisposition disposition) {
    if ((requested & ~attribute::valid) != 0) return fail(NtStatus::INVALID_PARAMETER);
    if ((stored & attribute::readonly) != 0) return fail(NtStatus::ACCESS_DENIED);
    constexpr std::uint32_t must_match = attribute::hidden | attribute::system;
    if ((stored & must_match & ~requested) != 0) return fail(NtStatus::ACCESS_DENIED);

    std::uint32_t result = (requested & user_attributes) | attribute::archive;
    if (disposition != CreateDisposition::supersede) result |= stored & user_attributes;
    return normalize_attributes(result, false);
}

Result<std::uint32_t> attributes_set_by_user(std::uint32_t stored, std::uint32_t requested,
                                             bool is_directory) {
    if (!is_directory && (requested & attribute::directory) != 0) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    if (is_directory && (requested & attribute::temporary) != 0) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    if (requested == 0) return stored;
    return normalize_attributes((stored & ~user_attributes) | (requested & user_attributes),
                                is_directory);
}

}  // namespace smb3d::fsa
