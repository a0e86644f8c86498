// File-system information classes: [MS-FSCC] 2.5, [MS-FSA] 2.1.5.12.
#include <algorithm>
#include <array>

#include "base/utf16.h"
#include "engine/info/query.h"
#include "fscc/fs_info.h"

namespace smb3d::engine {

namespace {

using Out = std::vector<std::byte>;

// [MS-FSCC] 2.5.1 FileSystemAttributes
constexpr std::uint32_t case_sensitive_search = 0x00000001;
constexpr std::uint32_t case_preserved_names = 0x00000002;
constexpr std::uint32_t unicode_on_disk = 0x00000004;
constexpr std::uint32_t persistent_acls = 0x00000008;
constexpr std::uint32_t supports_sparse_files = 0x00000040;
constexpr std::uint32_t supports_block_refcounting = 0x08000000;
constexpr std::uint32_t supports_reparse_points = 0x00000080;
constexpr std::uint32_t named_streams = 0x00040000;
constexpr std::uint32_t read_only_volume = 0x00080000;
constexpr std::uint32_t supports_hard_links = 0x00400000;
constexpr std::uint32_t supports_extended_attributes = 0x00800000;

constexpr std::uint32_t file_device_disk = 0x00000007;
constexpr std::uint32_t file_device_is_mounted = 0x00000020;
constexpr std::uint32_t file_remote_device = 0x00000010;

template <class T>
Result<void> put(const T& value, Out& out) {
    auto written = wire::append(value, out);
    return written ? Result<void>{} : fail(written.error());
}

std::vector<std::byte> utf16_of(std::string_view text) {
    return utf16le_bytes(utf8_to_utf16(text).value_or(u""));
}

Result<void> volume(const InfoQuery& q, Out& out) {
    const auto label = utf16_of(q.call.tree->policy->name);
    fscc::FileFsVolumeInformation info;
    info.volume_creation_time = q.volume.creation_time;
    info.volume_serial_number =
        static_cast<std::uint32_t>(q.volume.serial ^ (q.volume.serial >> 32));
    info.volume_label = label;
    return put(info, out);
}

Result<void> size(const InfoQuery& q, Out& out) {
    return put(fscc::FileFsSizeInformation{q.volume.total_units, q.volume.caller_free_units,
                                           q.volume.sectors_per_unit, q.volume.bytes_per_sector},
               out);
}

Result<void> device(const InfoQuery&, Out& out) {
    return put(fscc::FileFsDeviceInformation{file_device_disk,
                                             file_device_is_mounted | file_remote_device},
               out);
}

Result<void> attribute(const InfoQuery& q, Out& out) {
    const vfs::Capabilities& can = q.call.tree->capabilities;
    std::uint32_t bits = case_preserved_names | unicode_on_disk | case_sensitive_search;
    if (can.sparse_files) bits |= supports_sparse_files;
    if (can.block_cloning) bits |= supports_block_refcounting;
    if (can.hard_links) bits |= supports_hard_links;
    if (can.named_streams) bits |= named_streams;
    if (can.extended_attributes) bits |= supports_extended_attributes;
    if (can.reparse_points) bits |= supports_reparse_points;
    if (can.persistent_acls) bits |= persistent_acls;
    if (q.call.tree->read_only()) bits |= read_only_volume;
    // Deviation: the name of the real file system would make Windows programs assume FAT's limits;
    // every SMB server
    // says NTFS ([field] Samba: "fstype = NTFS" by default).
    const auto name =
        utf16_of(q.volume.file_system_name.empty() ? "NTFS" : q.volume.file_system_name);
    return put(fscc::FileFsAttributeInformation{bits, q.volume.max_component_length, name}, out);
}

Result<void> control(const InfoQuery&, Out& out) {
    fscc::FileFsControlInformation info;
    info.default_quota_threshold = info.default_quota_limit = ~std::uint64_t{0};
    return put(info, out);
}

Result<void> full_size(const InfoQuery& q, Out& out) {
    return put(fscc::FileFsFullSizeInformation{q.volume.total_units, q.volume.caller_free_units,
                                               q.volume.free_units, q.volume.sectors_per_unit,
                                               q.volume.bytes_per_sector},
               out);
}

Result<void> object_id(const InfoQuery& q, Out& out) {
    fscc::FileFsObjectIdInformation info;
    for (std::size_t i = 0; i < sizeof q.volume.serial; ++i) {
        info.object_id[i] = static_cast<std::uint8_t>(q.volume.serial >> (8 * i));
    }
    return put(info, out);
}

Result<void> sector_size(const InfoQuery& q, Out& out) {
    const std::uint32_t sector = std::max<std::uint32_t>(q.volume.bytes_per_sector, 512);
    fscc::FileFsSectorSizeInformation info;
    info.logical_bytes_per_sector = sector;
    info.physical_bytes_per_sector_for_atomicity = sector;
    info.physical_bytes_per_sector_for_performance = sector;
    info.effective_physical_bytes_per_sector_for_atomicity = sector;
    info.flags = fscc::sector_size_flags::aligned_device |
                 fscc::sector_size_flags::partition_aligned_on_device;
    return put(info, out);
}

using C = fscc::FsInfoClass;
constexpr std::uint8_t code(C info_class) { return static_cast<std::uint8_t>(info_class); }
constexpr std::array<InfoQueryRow, 8> rows = {{
    {code(C::volume), 0, volume},
    {code(C::size), 0, size},
    {code(C::device), 0, device},
    {code(C::attribute), 0, attribute},
    {code(C::control), 0, control},
    {code(C::full_size), 0, full_size},
    {code(C::object_id), 0, object_id},
    {code(C::sector_size), 0, sector_size},
}};

}  // namespace

const InfoQueryRow* find_fs_query(std::uint8_t info_class) {
    for (const InfoQueryRow& row : rows) {
        if (row.info_class == info_class) return &row;
    }
    return nullptr;
}

}  // namespace smb3d::engine
