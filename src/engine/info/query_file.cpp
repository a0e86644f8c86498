// File information classes: [MS-FSCC] 2.4, [MS-FSA] 2.1.5.11.
#include <array>

#include "base/utf16.h"
#include "engine/file_access.h"
#include "engine/info/query.h"
#include "engine/info/short_name.h"
#include "fsa/access.h"
#include "fsa/path.h"
#include "fscc/file_info.h"

namespace smb3d::engine {

namespace {

using Out = std::vector<std::byte>;

template <class T>
Result<void> put(const T& value, Out& out) {
    auto written = wire::append(value, out);
    return written ? Result<void>{} : fail(written.error());
}

fscc::FileBasicInformation basic_of(const vfs::FileStat& stat) {
    return {stat.creation_time, stat.last_access_time, stat.last_write_time, stat.change_time,
            stat.attributes};
}

fscc::FileStandardInformation standard_of(const InfoQuery& q) {
    fscc::FileStandardInformation info;
    const bool pending = q.open.fsa && q.open.fsa->file().delete_pending(*q.open.fsa);
    const std::uint32_t links = q.stat.links;
    info.allocation_size = q.stat.allocation_size;
    info.end_of_file = q.stat.end_of_file;
    // [MS-FSA] 2.1.5.11.27: a name that is going away does not count.
    info.number_of_links = pending && links > 0 ? links - 1 : links;
    info.delete_pending = pending ? 1 : 0;
    info.directory = q.stat.kind == vfs::FileKind::directory ? 1 : 0;
    return info;
}

Result<void> basic(const InfoQuery& q, Out& out) { return put(basic_of(q.stat), out); }
Result<void> standard(const InfoQuery& q, Out& out) { return put(standard_of(q), out); }
Result<void> internal(const InfoQuery& q, Out& out) {
    return put(fscc::FileInternalInformation{q.stat.id.inode}, out);
}
Result<void> ea(const InfoQuery& q, Out& out) {
    return put(fscc::FileEaInformation{q.stat.ea_size}, out);
}
Result<void> access(const InfoQuery& q, Out& out) {
    return put(fscc::FileAccessInformation{q.open.granted_access}, out);
}
Result<void> position(const InfoQuery& q, Out& out) {
    return put(fscc::FilePositionInformation{q.open.fsa ? q.open.fsa->position() : 0}, out);
}
Result<void> mode(const InfoQuery& q, Out& out) {
    return put(fscc::FileModeInformation{q.open.fsa ? q.open.fsa->mode() : 0}, out);
}
Result<void> alignment(const InfoQuery&, Out& out) {
    return put(fscc::FileAlignmentInformation{0}, out);
}

std::vector<std::byte> name_bytes(const InfoQuery& q, bool leading_separator) {
    const std::string path = fsa::to_backslashes(q.open.path());
    const std::string_view shown =
        leading_separator ? std::string_view(path) : std::string_view(path).substr(1);
    return utf16le_bytes(utf8_to_utf16(shown).value_or(u""));
}

Result<void> name(const InfoQuery& q, Out& out) {
    const auto bytes = name_bytes(q, true);
    return put(fscc::FileNameInformation{bytes}, out);
}
Result<void> normalized_name(const InfoQuery& q, Out& out) {
    const auto bytes = name_bytes(q, false);
    return put(fscc::FileNameInformation{bytes}, out);
}

Result<void> all(const InfoQuery& q, Out& out) {
    const auto bytes = name_bytes(q, true);
    fscc::FileAllInformation info;
    info.basic_information = basic_of(q.stat);
    info.standard_information = standard_of(q);
    info.internal_information.index_number = q.stat.id.inode;
    info.ea_information.ea_size = q.stat.ea_size;
    info.access_information.access_flags = q.open.granted_access;
    info.position_information.current_byte_offset = q.open.fsa ? q.open.fsa->position() : 0;
    info.mode_information.mode = q.open.fsa ? q.open.fsa->mode() : 0;
    info.name_information.file_name = bytes;
    return put(info, out);
}

// Deviation: [MS-FSA] 2.1.5.11.3 has OBJECT_NAME_NOT_FOUND where no short names are kept, upon
// which clients give up on all they wanted to know (smbclient allinfo, smbtorture
// smb2.getinfo.getinfo_access).  A short name is made up for showing, as smbd does; files are not
// opened by it.
Result<void> alternate_name(const InfoQuery& q, Out& out) {
    const std::string path = q.open.path();
    const auto bytes = utf16le_bytes(short_name(fsa::last_component(path)));
    return put(fscc::FileNameInformation{bytes}, out);
}

Result<void> stream(const InfoQuery& q, Out& out) {
    // [MS-FSA] 2.1.5.11.30: a directory has no data stream; the answer is empty.
    if (q.stat.kind == vfs::FileKind::directory) return {};
    const auto bytes = utf16le_bytes(u"::$DATA");
    fscc::FileStreamInformation info;
    info.stream_size = q.stat.end_of_file;
    info.stream_allocation_size = q.stat.allocation_size;
    info.stream_name = bytes;
    const std::array<std::byte, sizeof(std::uint32_t)> no_next{};
    out.insert(out.end(), no_next.begin(), no_next.end());
    return put(info, out);
}

Result<void> compression(const InfoQuery& q, Out& out) {
    fscc::FileCompressionInformation info;
    info.compressed_file_size = q.stat.end_of_file;
    return put(info, out);
}

Result<void> network_open(const InfoQuery& q, Out& out) {
    const vfs::FileStat& s = q.stat;
    return put(fscc::FileNetworkOpenInformation{s.creation_time, s.last_access_time,
                                                s.last_write_time, s.change_time, s.allocation_size,
                                                s.end_of_file, s.attributes},
               out);
}

Result<void> attribute_tag(const InfoQuery& q, Out& out) {
    return put(fscc::FileAttributeTagInformation{q.stat.attributes, q.stat.reparse_tag}, out);
}

Result<void> standard_link(const InfoQuery& q, Out& out) {
    const fscc::FileStandardInformation info = standard_of(q);
    return put(fscc::FileStandardLinkInformation{info.number_of_links, q.stat.links,
                                                 info.delete_pending, info.directory},
               out);
}

Result<void> id(const InfoQuery& q, Out& out) {
    return put(fscc::FileIdInformation{q.stat.id.volume, fscc::file_id_128(q.stat.id.inode)}, out);
}

Result<void> stat(const InfoQuery& q, Out& out) {
    const vfs::FileStat& s = q.stat;
    fscc::FileStatInformation info;
    info.file_id = s.id.inode;
    info.creation_time = s.creation_time;
    info.last_access_time = s.last_access_time;
    info.last_write_time = s.last_write_time;
    info.change_time = s.change_time;
    info.allocation_size = s.allocation_size;
    info.end_of_file = s.end_of_file;
    info.file_attributes = s.attributes;
    info.reparse_tag = s.reparse_tag;
    info.number_of_links = s.links;
    info.effective_access = maximal_access(q.call, s);
    return put(info, out);
}

Result<void> case_sensitive(const InfoQuery& q, Out& out) {
    const bool sensitive = !q.call.tree->capabilities.case_insensitive;
    return put(fscc::FileCaseSensitiveInformation{sensitive ? 1U : 0U}, out);
}

Result<void> full_ea(const InfoQuery&, Out&) { return fail(NtStatus::NO_EAS_ON_FILE); }

// [MS-FSCC] 2.4.35: what a pipe of ours always is: message mode, blocking, full duplex, one
// instance a client.
Result<void> pipe(const InfoQuery& q, Out& out) {
    if (q.open.fsa) return fail(NtStatus::INVALID_PARAMETER);
    return put(fscc::FilePipeInformation{1, 0}, out);
}
Result<void> pipe_local(const InfoQuery& q, Out& out) {
    if (q.open.fsa) return fail(NtStatus::INVALID_PARAMETER);
    fscc::FilePipeLocalInformation info;
    info.named_pipe_type = 1;
    info.named_pipe_configuration = 2;
    info.maximum_instances = ~std::uint32_t{0};
    info.current_instances = 1;
    info.outbound_quota = info.inbound_quota = 4096;
    info.write_quota_available = 4096;
    info.named_pipe_state = 3;  // connected
    info.named_pipe_end = 0;    // client
    return put(info, out);
}

constexpr std::uint32_t attributes = fsa::access::read_attributes;
constexpr std::uint32_t none = 0;

using C = fscc::FileInfoClass;
struct Row {
    C info_class;
    std::uint32_t access;
    Result<void> (*fill)(const InfoQuery&, Out&);
};
constexpr std::array table = {
    Row{C::basic, attributes, basic},
    Row{C::standard, none, standard},
    Row{C::internal, none, internal},
    Row{C::ea, none, ea},
    Row{C::access, none, access},
    Row{C::name, none, name},
    Row{C::normalized_name, none, normalized_name},
    Row{C::position, none, position},
    Row{C::mode, none, mode},
    Row{C::alignment, none, alignment},
    Row{C::all, attributes, all},
    Row{C::alternate_name, none, alternate_name},
    Row{C::stream, none, stream},
    Row{C::compression, none, compression},
    Row{C::network_open, attributes, network_open},
    Row{C::attribute_tag, attributes, attribute_tag},
    Row{C::standard_link, none, standard_link},
    Row{C::id, none, id},
    Row{C::stat, none, stat},
    Row{C::case_sensitive, none, case_sensitive},
    Row{C::full_ea, fsa::access::read_ea, full_ea},
    Row{C::pipe, none, pipe},
    Row{C::pipe_local, none, pipe_local},
};

constexpr auto rows = [] {
    std::array<InfoQueryRow, table.size()> result{};
    for (std::size_t i = 0; i < table.size(); ++i) {
        result[i] = {static_cast<std::uint8_t>(table[i].info_class), table[i].access,
                     table[i].fill};
    }
    return result;
}();

}  // namespace

const InfoQueryRow* find_file_query(std::uint8_t info_class) {
    for (const InfoQueryRow& row : rows) {
        if (row.info_class == info_class) return &row;
    }
    return nullptr;
}

}  // namespace smb3d::engine
