// File system information classes.
//
// Spec: [MS-FSCC] 2.5.
// Lifetime: names are views.
#pragma once

#include "fscc/file_info.h"

namespace smb3d::fscc {

// 2.5.9
struct FileFsVolumeInformation {
    FileTime volume_creation_time{0};
    std::uint32_t volume_serial_number{0};
    std::uint8_t supports_objects{0};
    Bytes volume_label;  // UTF-16LE

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.volume_creation_time);
        w.field(self.volume_serial_number);
        w.length32(self.volume_label);
        w.field(self.supports_objects);
        w.reserved(1);
        w.inline_utf16(self.volume_label);
    }
};

// 2.5.5
struct FileFsLabelInformation {
    Bytes volume_label;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.length32(self.volume_label);
        w.inline_utf16(self.volume_label);
    }
};

// 2.5.8
struct FileFsSizeInformation {
    std::uint64_t total_allocation_units{0};
    std::uint64_t available_allocation_units{0};
    std::uint32_t sectors_per_allocation_unit{0};
    std::uint32_t bytes_per_sector{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.total_allocation_units);
        w.field(self.available_allocation_units);
        w.field(self.sectors_per_allocation_unit);
        w.field(self.bytes_per_sector);
    }
};

// 2.5.10
struct FileFsDeviceInformation {
    std::uint32_t device_type{0};
    std::uint32_t characteristics{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.device_type);
        w.field(self.characteristics);
    }
};

// 2.5.1
struct FileFsAttributeInformation {
    std::uint32_t file_system_attributes{0};
    std::uint32_t maximum_component_name_length{0};
    Bytes file_system_name;  // UTF-16LE

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.file_system_attributes);
        w.field(self.maximum_component_name_length);
        w.length32(self.file_system_name);
        w.inline_utf16(self.file_system_name);
    }
};

// 2.5.2
struct FileFsControlInformation {
    std::uint64_t free_space_start_filtering{0};
    std::uint64_t free_space_threshold{0};
    std::uint64_t free_space_stop_filtering{0};
    std::uint64_t default_quota_threshold{0};
    std::uint64_t default_quota_limit{0};
    std::uint32_t file_system_control_flags{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.free_space_start_filtering);
        w.field(self.free_space_threshold);
        w.field(self.free_space_stop_filtering);
        w.field(self.default_quota_threshold);
        w.field(self.default_quota_limit);
        w.field(self.file_system_control_flags);
        w.reserved(4);
    }
};

// 2.5.4
struct FileFsFullSizeInformation {
    std::uint64_t total_allocation_units{0};
    std::uint64_t caller_available_allocation_units{0};
    std::uint64_t actual_available_allocation_units{0};
    std::uint32_t sectors_per_allocation_unit{0};
    std::uint32_t bytes_per_sector{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.total_allocation_units);
        w.field(self.caller_available_allocation_units);
        w.field(self.actual_available_allocation_units);
        w.field(self.sectors_per_allocation_unit);
        w.field(self.bytes_per_sector);
    }
};

// 2.5.6
struct FileFsObjectIdInformation {
    Guid object_id{};
    std::array<std::uint8_t, 48> extended_info{};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.object_id);
        w.field(self.extended_info);
    }
};

// 2.5.7
struct FileFsSectorSizeInformation {
    std::uint32_t logical_bytes_per_sector{0};
    std::uint32_t physical_bytes_per_sector_for_atomicity{0};
    std::uint32_t physical_bytes_per_sector_for_performance{0};
    std::uint32_t effective_physical_bytes_per_sector_for_atomicity{0};
    std::uint32_t flags{0};
    std::uint32_t byte_offset_for_sector_alignment{0};
    std::uint32_t byte_offset_for_partition_alignment{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.logical_bytes_per_sector);
        w.field(self.physical_bytes_per_sector_for_atomicity);
        w.field(self.physical_bytes_per_sector_for_performance);
        w.field(self.effective_physical_bytes_per_sector_for_atomicity);
        w.field(self.flags);
        w.field(self.byte_offset_for_sector_alignment);
        w.field(self.byte_offset_for_partition_alignment);
    }
};
namespace sector_size_flags {
inline constexpr std::uint32_t aligned_device = 0x00000001;
inline constexpr std::uint32_t partition_aligned_on_device = 0x00000002;
inline constexpr std::uint32_t no_seek_penalty = 0x00000004;
inline constexpr std::uint32_t trim_enabled = 0x00000008;
}  // namespace sector_size_flags

}  // namespace smb3d::fscc
