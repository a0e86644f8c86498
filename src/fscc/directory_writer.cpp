#include "fscc/directory_writer.h"

#include <algorithm>
#include <cstring>

#include "fscc/attributes.h"
#include "fscc/file_info.h"
#include "wire/codec.h"

namespace smb3d::fscc {

namespace {

constexpr std::size_t entry_alignment = 8;
constexpr std::size_t unit_size = sizeof(char16_t);
constexpr std::size_t short_name_size = 24;
constexpr char16_t replacement = 0xFFFD;

std::byte* put_unit(std::byte* to, char32_t unit) {
    wire::detail::to_little(to, static_cast<std::uint16_t>(unit));
    return to + unit_size;
}

// One code point of WTF-8 at the start of `text`; `length` says how many bytes it took.  A
// malformed byte counts alone.
char32_t decode(std::string_view text, std::size_t& length) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    const char32_t first = byte(0);
    length = 1;
    if (first < 0x80) return first;
    if (first >= 0xC2 && first < 0xE0 && tail(1)) {
        length = 2;
        return (first & 0x1F) << 6 | (byte(1) & 0x3F);
    }
    if ((first & 0xF0) == 0xE0 && tail(1) && tail(2)) {
        const char32_t point = (first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
        if (point < 0x800) return replacement;
        length = 3;
        return point;
    }
    if ((first & 0xF8) == 0xF0 && tail(1) && tail(2) && tail(3)) {
        const char32_t point = (first & 0x07) << 18 | (byte(1) & 0x3F) << 12 |
                               (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
        if (point < 0x10000 || point > 0x10FFFF) return replacement;
        length = 4;
        return point;
    }
    return replacement;
}

// Writes `name` as UTF-16LE into [to, end); null if it does not fit.
std::byte* put_utf16(std::string_view name, std::byte* to, const std::byte* end) {
    while (!name.empty()) {
        // Most names are ASCII from end to end.
        if (static_cast<unsigned char>(name.front()) < 0x80) {
            const std::size_t room = static_cast<std::size_t>(end - to) / unit_size;
            const std::size_t limit = std::min(room, name.size());
            std::size_t run = 0;
            while (run < limit && static_cast<unsigned char>(name[run]) < 0x80) {
                to = put_unit(to, static_cast<unsigned char>(name[run++]));
            }
            if (run == room && run < name.size()) return nullptr;
            name.remove_prefix(run);
            continue;
        }
        std::size_t length = 1;
        const char32_t point = decode(name, length);
        const std::size_t units = point < 0x10000 ? 1 : 2;
        if (static_cast<std::size_t>(end - to) < units * unit_size) return nullptr;
        if (units == 1) {
            to = put_unit(to, point);
        } else {
            to = put_unit(to, 0xD800 + ((point - 0x10000) >> 10));
            to = put_unit(to, 0xDC00 + ((point - 0x10000) & 0x3FF));
        }
        name.remove_prefix(length);
    }
    return to;
}

// [MS-FSCC] 2.4.8: of a reparse point EaSize is its tag.
std::uint32_t ea_size(const vfs::FileStat& stat) {
    const bool reparse = (stat.attributes & file_attribute::reparse_point) != 0;
    return reparse ? stat.reparse_tag : stat.ea_size;
}

void put_short_name(wire::Writer& w) {
    w.field(std::uint8_t{0});  // ShortNameLength
    w.reserved(1);
    w.reserved(short_name_size);
}

// What comes between FileNameLength and FileName, by class.
void put_tail(wire::Writer& w, FileInfoClass info_class, const vfs::FileStat& stat) {
    const std::uint64_t id = stat.id.inode;
    switch (info_class) {
        case FileInfoClass::full_directory:  // [MS-FSCC] 2.4.15
            return w.field(ea_size(stat));
        case FileInfoClass::both_directory:  // 2.4.8
            w.field(ea_size(stat));
            return put_short_name(w);
        case FileInfoClass::id_full_directory:  // 2.4.23
            w.field(ea_size(stat));
            w.reserved(4);
            return w.field(id);
        case FileInfoClass::id_both_directory:  // 2.4.21
            w.field(ea_size(stat));
            put_short_name(w);
            w.reserved(2);
            return w.field(id);
        default:
            break;
    }
    // The extended classes: EaSize and ReparsePointTag are two fields.
    w.field(stat.ea_size);
    w.field(stat.reparse_tag);
    switch (info_class) {
        case FileInfoClass::id_extd_directory:
            return w.field(file_id_128(id));
        case FileInfoClass::id_extd_both_directory:
            w.field(file_id_128(id));
            return put_short_name(w);
        case FileInfoClass::id_64_extd_directory:
            return w.field(id);
        case FileInfoClass::id_64_extd_both_directory:
            w.field(id);
            return put_short_name(w);
        case FileInfoClass::id_all_extd_directory:
            w.field(id);
            return w.field(file_id_128(id));
        case FileInfoClass::id_all_extd_both_directory:
            w.field(id);
            w.field(file_id_128(id));
            return put_short_name(w);
        default:
            return;
    }
}

}  // namespace

Result<DirectoryWriter> DirectoryWriter::create(std::uint8_t info_class, MutableBytes out) {
    const InfoClassRow* row = find_file_info_class(info_class);
    if (row == nullptr || row->directory_size == 0) return fail(NtStatus::INVALID_INFO_CLASS);
    if (out.size() < row->directory_size) return fail(NtStatus::INFO_LENGTH_MISMATCH);
    return DirectoryWriter(*row, out);
}

std::byte* DirectoryWriter::begin(std::size_t name_bytes) {
    const std::size_t start = wire::detail::aligned(size_, entry_alignment);
    if (start > out_.size() || out_.size() - start < fixed_size_ ||
        out_.size() - start - fixed_size_ < name_bytes) {
        return nullptr;
    }
    return out_.data() + start;
}

void DirectoryWriter::finish(std::byte* entry, std::size_t name_bytes, const vfs::FileStat& stat) {
    const auto start = static_cast<std::size_t>(entry - out_.data());
    std::memset(out_.data() + size_, 0, start - size_);
    wire::Writer w(MutableBytes(entry, fixed_size_));
    w.field(std::uint32_t{0});  // NextEntryOffset of the last entry
    w.field(std::uint32_t{0});  // FileIndex: undefined where names move ([MS-FSCC] 2.4.8)
    if (info_class_ != FileInfoClass::names) {
        w.field(stat.creation_time);
        w.field(stat.last_access_time);
        w.field(stat.last_write_time);
        w.field(stat.change_time);
        w.field(stat.end_of_file);
        w.field(stat.allocation_size);
        w.field(stat.attributes);
    }
    w.field(static_cast<std::uint32_t>(name_bytes));
    if (info_class_ != FileInfoClass::names && info_class_ != FileInfoClass::directory) {
        put_tail(w, info_class_, stat);
    }
    assert(w.size() == fixed_size_);
    if (count_ > 0) {
        wire::detail::to_little(out_.data() + last_, static_cast<std::uint32_t>(start - last_));
    }
    last_ = start;
    size_ = start + fixed_size_ + name_bytes;
    ++count_;
}

bool DirectoryWriter::add(std::string_view name, const vfs::FileStat& stat) {
    std::byte* const entry = begin(0);
    if (entry == nullptr) return false;
    std::byte* const text = entry + fixed_size_;
    const std::byte* const end = put_utf16(name, text, out_.data() + out_.size());
    if (end == nullptr) return false;
    finish(entry, static_cast<std::size_t>(end - text), stat);
    return true;
}

bool DirectoryWriter::add(std::u16string_view name, const vfs::FileStat& stat) {
    std::byte* const entry = begin(name.size() * unit_size);
    if (entry == nullptr) return false;
    std::byte* to = entry + fixed_size_;
    for (const char16_t unit : name) to = put_unit(to, unit);
    finish(entry, name.size() * unit_size, stat);
    return true;
}

}  // namespace smb3d::fscc
