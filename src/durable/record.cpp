#include "durable/record.h"

#include <bit>
#include <cstring>
#include <type_traits>

namespace smb3d::durable {

namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint32_t magic = 0x3148'3353;  // "S3H1"
constexpr std::uint16_t format = 1;
constexpr std::uint16_t format_renaming = 2;  // with Record::next_path at its end
constexpr std::size_t max_name = 1024;
constexpr std::size_t max_sid = 68;        // [MS-DTYP] 2.4.2.2: 8 + 15 * 4
constexpr std::size_t max_groups = 65536;  // NGROUPS_MAX
constexpr std::size_t sequence_size = 64;

// FNV-1a over all that comes before it: a record that rotted is not believed.
std::uint64_t checksum(std::span<const std::byte> bytes) {
    std::uint64_t hash = 0xCBF2'9CE4'8422'2325;
    for (const std::byte b : bytes) {
        hash = (hash ^ std::to_integer<std::uint64_t>(b)) * 0x100'0000'01B3;
    }
    return hash;
}

// One description of the form for both directions: fields(codec, record).
class Writer {
  public:
    template <class T>
    requires std::is_unsigned_v<T>
    void field(const T& value) {
        std::byte raw[sizeof value];
        std::memcpy(raw, &value, sizeof value);
        bytes.insert(bytes.end(), raw, raw + sizeof value);
    }
    void field(const bool& value) { field(static_cast<std::uint8_t>(value ? 1 : 0)); }
    void field(const Id16& id) {
        for (const std::uint8_t b : id) field(b);
    }
    void field(const Caching& kind) { field(static_cast<std::uint8_t>(kind)); }
    template <class Container>
    void chars(const Container& value, std::size_t max) {
        if (value.size() > max) ok = false;
        field(static_cast<std::uint32_t>(value.size()));
        const auto* data = reinterpret_cast<const std::byte*>(value.data());
        bytes.insert(bytes.end(), data, data + value.size());
    }
    template <class T, class Each>
    void list(const std::vector<T>& values, std::size_t max, Each each) {
        if (values.size() > max) ok = false;
        field(static_cast<std::uint32_t>(values.size()));
        for (const T& value : values) each(*this, value);
    }
    template <class T, class Each>
    void maybe(const std::optional<T>& value, Each each) {
        field(value.has_value());
        if (value) each(*this, *value);
    }

    std::vector<std::byte> bytes;
    bool ok{true};
};

class Reader {
  public:
    explicit Reader(std::span<const std::byte> from) : rest(from) {}

    template <class T>
    requires std::is_unsigned_v<T>
    void field(T& value) {
        if (!take(sizeof value)) return;
        std::memcpy(&value, taken.data(), sizeof value);
    }
    void field(bool& value) {
        std::uint8_t raw = 0;
        field(raw);
        if (raw > 1) ok = false;
        value = raw == 1;
    }
    void field(Id16& id) {
        for (std::uint8_t& b : id) field(b);
    }
    void field(Caching& kind) {
        std::uint8_t raw = 0;
        field(raw);
        if (raw > static_cast<std::uint8_t>(Caching::lease)) ok = false;
        if (ok) kind = static_cast<Caching>(raw);
    }
    template <class Container>
    void chars(Container& value, std::size_t max) {
        std::uint32_t size = 0;
        field(size);
        if (size > max) ok = false;
        if (!take(size)) return;
        using Char = typename Container::value_type;
        const auto* data = reinterpret_cast<const Char*>(taken.data());
        value.assign(data, data + size);
    }
    template <class T, class Each>
    void list(std::vector<T>& values, std::size_t max, Each each) {
        std::uint32_t size = 0;
        field(size);
        // Every element takes at least a byte, so a length that lies allocates nothing.
        if (size > max || size > rest.size()) ok = false;
        for (std::uint32_t i = 0; ok && i < size; ++i) each(*this, values.emplace_back());
    }
    template <class T, class Each>
    void maybe(std::optional<T>& value, Each each) {
        bool there = false;
        field(there);
        if (ok && there) each(*this, value.emplace());
    }

    std::span<const std::byte> rest;
    bool ok{true};

  private:
    bool take(std::size_t size) {
        if (!ok || size > rest.size()) {
            ok = false;
            return false;
        }
        taken = rest.first(size);
        rest = rest.subspan(size);
        return true;
    }
    std::span<const std::byte> taken;
};

template <class C, class R>
void fields(C& c, R& r) {
    c.field(r.persistent_id);
    c.chars(r.share, max_name);
    c.chars(r.path, max_path);
    c.field(r.volume);
    c.field(r.inode);
    c.field(r.generation);
    c.field(r.directory);
    c.chars(r.user, max_name);
    c.chars(r.domain, max_name);
    c.field(r.uid);
    c.field(r.gid);
    c.list(r.groups, max_groups, [](C& codec, auto& group) { codec.field(group); });
    c.list(r.sids, max_groups, [](C& codec, auto& sid) { codec.chars(sid, max_sid); });
    c.field(r.privileges);
    c.field(r.client_guid);
    c.field(r.create_guid);
    c.maybe(r.app_instance_id, [](C& codec, auto& id) { codec.field(id); });
    c.maybe(r.app_instance_version, [](C& codec, auto& version) {
        codec.field(version[0]);
        codec.field(version[1]);
    });
    c.field(r.granted_access);
    c.field(r.share_access);
    c.field(r.create_options);
    c.field(r.timeout_ms);
    c.field(r.opened_at);
    c.field(r.delete_on_close);
    c.field(r.delete_pending);
    c.field(r.lease.kind);
    c.field(r.lease.oplock_level);
    c.field(r.lease.key);
    c.field(r.lease.parent_key);
    c.field(r.lease.state);
    c.field(r.lease.flags);
    c.field(r.lease.epoch);
    c.field(r.lease.version);
    c.list(r.locks, max_locks, [](C& codec, auto& lock) {
        codec.field(lock.offset);
        codec.field(lock.length);
        codec.field(lock.exclusive);
    });
    c.chars(r.lock_sequence, sequence_size);
}

}  // namespace

std::vector<std::byte> encode(const Record& record) {
    Writer writer;
    writer.field(magic);
    const bool renaming = !record.next_path.empty();
    writer.field(renaming ? format_renaming : format);
    fields(writer, record);
    if (renaming) writer.chars(record.next_path, max_path);
    if (!writer.ok) return {};
    writer.field(checksum(writer.bytes));
    return std::move(writer.bytes);
}

std::optional<Record> decode(std::span<const std::byte> bytes) {
    std::uint64_t sum = 0;
    if (bytes.size() < sizeof sum) return std::nullopt;
    const auto body = bytes.first(bytes.size() - sizeof sum);
    std::memcpy(&sum, bytes.data() + body.size(), sizeof sum);
    if (sum != checksum(body)) return std::nullopt;
    Reader reader(body);
    std::uint32_t found_magic = 0;
    std::uint16_t found_format = 0;
    reader.field(found_magic);
    reader.field(found_format);
    const bool renaming = found_format == format_renaming;
    if (!reader.ok || found_magic != magic || (found_format != format && !renaming)) {
        return std::nullopt;
    }
    Record record;
    fields(reader, record);
    if (renaming) {
        reader.chars(record.next_path, max_path);
        if (record.next_path.empty()) return std::nullopt;
    }
    if (!reader.ok || !reader.rest.empty() || record.persistent_id == 0) return std::nullopt;
    if (!record.lock_sequence.empty() && record.lock_sequence.size() != sequence_size) {
        return std::nullopt;
    }
    return record;
}

}  // namespace smb3d::durable
