#include "pipe/info_record.h"

#include <algorithm>

#include "pipe/interface.h"
#include "pipe/win32_error.h"

namespace smb3d::pipe {

namespace {

// The fixed part of a structure: four bytes a member, pointers included.
void write_fixed(ndr::Writer& out, const InfoRecord& record) {
    for (const InfoValue& value : record) {
        if (const auto* number = std::get_if<std::uint32_t>(&value)) {
            out.u32(*number);
        } else if (const auto* text = std::get_if<std::optional<std::string>>(&value)) {
            out.pointer(text->has_value());
        } else {
            out.pointer(!std::get<Blob>(value).empty());
        }
    }
}

void write_deferred(ndr::Writer& out, const InfoRecord& record) {
    for (const InfoValue& value : record) {
        if (const auto* text = std::get_if<std::optional<std::string>>(&value)) {
            if (*text) out.string(**text);
        } else if (const auto* blob = std::get_if<Blob>(&value); blob && !blob->empty()) {
            out.u32(static_cast<std::uint32_t>(blob->size()));
            out.bytes(*blob);
        }
    }
}

struct SkippedField {
    char kind{0};
    std::uint32_t size{0};  // of a blob, as its DWORD said
};

// The fixed part of one element: remembers in `deferred` what follows the array.
void skip_fixed(ndr::Reader& in, Schema schema, std::vector<SkippedField>& deferred) {
    std::uint32_t last = 0;
    for (const char kind : schema) {
        if (kind == 'd') {
            last = in.u32();
        } else if (in.pointer()) {
            deferred.push_back({kind, last});
        }
    }
}

void skip_deferred(ndr::Reader& in, const std::vector<SkippedField>& deferred) {
    for (const SkippedField& field : deferred) {
        if (!in.ok()) return;
        if (field.kind == 's') {
            (void)in.string();
        } else {
            const std::uint32_t size = in.conformance(1);
            if (size != field.size) in.fail();
            (void)in.bytes(size);
        }
    }
}

void skip_array(ndr::Reader& in, Schema schema, std::uint32_t count) {
    const std::uint32_t maximum = in.conformance(4 * schema.size());
    if (!in.ok() || maximum != count) {
        in.fail();
        return;
    }
    std::vector<SkippedField> deferred;
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) skip_fixed(in, schema, deferred);
    skip_deferred(in, deferred);
}

}  // namespace

std::optional<Schema> find_schema(std::span<const LevelSchema> table, std::uint32_t level) {
    for (const LevelSchema& row : table) {
        if (row.level == level) return row.schema;
    }
    return std::nullopt;
}

std::size_t record_size(const InfoRecord& record) {
    std::size_t size = 0;
    for (const InfoValue& value : record) {
        size += 4;
        if (const auto* text = std::get_if<std::optional<std::string>>(&value)) {
            if (*text) size += ndr::string_size(**text) + 2;  // and its alignment
        } else if (const auto* blob = std::get_if<Blob>(&value); blob && !blob->empty()) {
            size += 4 + blob->size() + 3;
        }
    }
    return size;
}

void write_array(ndr::Writer& out, const std::vector<InfoRecord>& records) {
    out.pointer(!records.empty());
    if (records.empty()) return;
    out.u32(static_cast<std::uint32_t>(records.size()));
    for (const InfoRecord& record : records) write_fixed(out, record);
    for (const InfoRecord& record : records) write_deferred(out, record);
}

void skip_union(ndr::Reader& in, std::uint32_t level, std::span<const LevelSchema> table) {
    if (in.u32() != level) in.fail();
    const auto schema = find_schema(table, level);
    if (!in.ok() || !schema || !in.pointer()) return;
    std::vector<SkippedField> deferred;
    skip_fixed(in, *schema, deferred);
    skip_deferred(in, deferred);
}

void write_union(ndr::Writer& out, std::uint32_t level, const InfoRecord* record) {
    out.u32(level);
    out.pointer(record != nullptr);
    if (record == nullptr) return;
    write_fixed(out, *record);
    write_deferred(out, *record);
}

EnumRequest read_enum_request(ndr::Reader& in, std::span<const LevelSchema> table) {
    EnumRequest request;
    request.level = in.u32();
    const std::uint32_t tag = in.u32();
    if (tag != request.level) in.fail();
    request.schema = find_schema(table, request.level);
    if (in.ok() && request.schema) {
        request.container = in.pointer();
        if (request.container) {
            const std::uint32_t count = in.u32();
            if (in.pointer()) skip_array(in, *request.schema, count);
        }
    }
    request.preferred_length = in.u32();
    request.resume = in.unique_u32();
    return request;
}

void write_enum_reply(ndr::Writer& out, const EnumRequest& request,
                      const std::vector<InfoRecord>& records, std::uint32_t error) {
    // [MS-SRVS] 3.1.4.8: the resume handle is the index of the first entry to give; at least one
    // entry is given.
    const std::size_t limit = std::min<std::size_t>(request.preferred_length, max_reply);
    const std::size_t begin = std::min<std::size_t>(request.resume.value_or(0), records.size());
    std::size_t end = begin;
    std::size_t size = 0;
    while (end < records.size()) {
        size += record_size(records[end]);
        if (end > begin && size > limit) break;
        ++end;
    }
    const bool failed = error != 0;
    const bool more = !failed && end < records.size();
    const std::vector<InfoRecord> chosen(
        records.begin() + static_cast<std::ptrdiff_t>(failed ? end : begin),
        records.begin() + static_cast<std::ptrdiff_t>(end));

    out.u32(request.level);
    out.u32(request.level);
    if (request.schema) {
        out.pointer(request.container);
        if (request.container) {
            out.u32(static_cast<std::uint32_t>(chosen.size()));
            write_array(out, chosen);
        }
    }
    // TotalEntries counts from the resume handle on.
    out.u32(failed ? 0 : static_cast<std::uint32_t>(records.size() - begin));
    std::optional<std::uint32_t> resume = request.resume;
    if (resume && !failed) *resume = more ? static_cast<std::uint32_t>(end) : 0;
    out.unique_u32(resume);
    out.u32(more ? static_cast<std::uint32_t>(Win32::more_data) : error);
}

}  // namespace smb3d::pipe
