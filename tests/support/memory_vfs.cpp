#include "support/memory_vfs.h"

#include <algorithm>
#include <cassert>

#include <time.h>

#include "base/filetime.h"
#include "support/memory_vfs_impl.h"

namespace smb3d::test {
namespace {

constexpr std::uint32_t attribute_directory = 0x10;
constexpr std::uint32_t attribute_archive = 0x20;
constexpr std::uint32_t attribute_normal = 0x80;
constexpr std::uint32_t settable_of_files = 0x3327;        // with SPARSE_FILE
constexpr std::uint32_t settable_of_directories = 0x3027;  // without TEMPORARY
constexpr std::uint32_t not_at_create = 0x200;             // SPARSE_FILE
constexpr std::size_t longest_component = 255;
constexpr std::uint64_t unit = 4096;

std::uint64_t mix(std::uint64_t& state) {  // splitmix64
    state += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
}

}  // namespace

vfs::FileTime memory_now() {
    ::timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return to_filetime(now);
}

Hostility Hostility::delayed(std::uint64_t seed) {
    Hostility out;
    out.seed = seed;
    out.rule.inline_weight = 0;
    out.rule.delayed_weight = 1;
    out.rule.max_turns = 6;
    return out;
}

Hostility Hostility::everything(std::uint64_t seed) {
    Hostility out;
    out.seed = seed;
    out.rule.delayed_weight = 1;
    out.rule.thread_weight = 1;
    return out;
}

// ---- nodes

vfs::FileStat MemoryShare::Node::stat() const {
    vfs::FileStat out;
    out.id = {1, inode, 0};
    out.kind = kind;
    out.attributes = attributes | (directory() ? attribute_directory : 0U);
    if (out.attributes == 0) out.attributes = attribute_normal;
    out.creation_time = creation_time;
    out.last_access_time = last_access_time;
    out.last_write_time = last_write_time;
    out.change_time = change_time;
    if (!directory()) {
        out.end_of_file = data.size();
        out.allocation_size =
            std::max<std::uint64_t>((data.size() + unit - 1) / unit * unit, reserved);
    }
    out.links = links;
    out.uid = uid;
    out.gid = gid;
    out.mode = directory() ? 040755U : 0100644U;
    return out;
}

void MemoryShare::Node::modified() {
    last_write_time = memory_now();
    change_time = last_write_time;
}

std::shared_ptr<MemoryShare::Node> MemoryShare::Tree::make(vfs::FileKind kind) {
    auto node = std::make_shared<Node>();
    node->inode = next_inode++;
    node->kind = kind;
    node->creation_time = memory_now();
    node->last_access_time = node->creation_time;
    node->modified();
    return node;
}

Result<void> MemoryShare::Tree::resize(Node& node, std::uint64_t size) {
    const std::uint64_t others = used - node.data.size();
    if (size > capacity || others > capacity - size) return fail(NtStatus::DISK_FULL);
    node.data.resize(size);
    used = others + size;
    return {};
}

MemoryShare::Place::Children::iterator MemoryShare::Place::lookup(Node& directory,
                                                                  const std::string& name,
                                                                  bool exact_case) {
    const auto [first, last] = directory.children.equal_range(fold_name(name));
    const auto exact =
        std::find_if(first, last, [&](const auto& item) { return item.second.name == name; });
    if (exact != last) return exact;
    return exact_case || first == last ? directory.children.end() : first;
}

// ---- hostility

MemoryShare::MemoryShare(Hostility hostility, MemoryOptions options)
    : options_(std::move(options)), tree_(std::make_unique<Guarded<Tree, Rank::leaf>>()) {
    auto tree = tree_->lock();
    tree->root = tree->make(vfs::FileKind::directory);
    tree->capacity = options_.capacity;
    tree.unlock();
    set_hostility(std::move(hostility));
}

MemoryShare::~MemoryShare() = default;

void MemoryShare::set_hostility(Hostility hostility) {
    const auto chance = chance_.lock();
    chance->state = hostility.seed;
    chance->hostility = std::move(hostility);
}

std::uint64_t MemoryShare::Chance::draw(std::uint64_t below) {
    return below == 0 ? 0 : mix(state) % below;
}

MemoryShare::Plan MemoryShare::plan(VfsOp op, const vfs::OpContext& context) {
    const auto chance = chance_.lock();
    const auto exception = chance->hostility.exceptions.find(op);
    const bool special = exception != chance->hostility.exceptions.end();
    VfsRule rule = special ? exception->second : chance->hostility.rule;
    if (op == VfsOp::close && !special) {
        rule.fail_per_mille = 0;
        rule.stuck_weight = 0;
        if (rule.inline_weight + rule.delayed_weight + rule.thread_weight == 0) {
            rule.inline_weight = 1;
        }
    }
    Plan out;
    out.cancellable = op != VfsOp::close;  // who closes wants it closed
    out.turns = 1 + static_cast<unsigned>(chance->draw(rule.max_turns));
    if (chance->draw(1000) < rule.fail_per_mille) out.failure = rule.failure;
    if (chance->draw(1000) < rule.short_read_per_mille) {
        out.keep_per_mille = 1 + static_cast<unsigned>(chance->draw(999));
    }
    std::uint64_t at = chance->draw(rule.inline_weight + rule.delayed_weight + rule.thread_weight +
                                    rule.stuck_weight);
    if (context.loop == nullptr || at < rule.inline_weight) return out;
    at -= rule.inline_weight;
    if (at < rule.delayed_weight) {
        out.manner = Manner::delayed;
    } else if (at < rule.delayed_weight + rule.thread_weight) {
        out.manner = Manner::thread;
    } else if (context.cancel != nullptr) {
        out.manner = Manner::stuck;
    } else {
        out.manner = Manner::delayed;  // what cannot be cancelled must end by itself
    }
    return out;
}

void MemoryShare::Pending::start() {
    switch (plan_.manner) {
        case Manner::thread:
            context_->loop->pool().submit(context_->lane, *this);
            return;
        case Manner::stuck:
            return be_stuck();
        case Manner::inline_now:
        case Manner::delayed:
            return post();
    }
}

void MemoryShare::Pending::be_stuck() {
    share_->stuck_.lock()->push_back(this);
    const auto on_cancel = [](void* self) {
        auto* pending = static_cast<Pending*>(self);
        if (!pending->claim()) return;
        pending->cancelled_ = true;
        pending->post();  // the listener runs inside request(): only post
    };
    if (!context_->cancel->listen(on_cancel, this)) on_cancel(this);
}

void MemoryShare::Pending::turn() {
    if (plan_.manner == Manner::stuck) {
        std::erase(*share_->stuck_.lock(), this);
        context_->cancel->unlisten();
    } else if (plan_.manner == Manner::delayed) {
        if (plan_.cancellable && context_->cancel != nullptr && context_->cancel->requested()) {
            cancelled_ = true;
        } else if (--plan_.turns > 0) {
            return post();
        }
    }
    execute(cancelled_);
}

void MemoryShare::release_stuck() {
    std::vector<Pending*> released;
    {
        // Who claims one decides its fate; one claimed by its cancellation may be gone once the
        // lock is.
        const auto stuck = stuck_.lock();
        for (Pending* pending : *stuck) {
            if (pending->claim()) released.push_back(pending);
        }
    }
    for (Pending* pending : released) pending->post();
}

MemoryCounters MemoryShare::counters() const {
    MemoryCounters out;
    out.started = started_.load();
    out.finished = finished_.load();
    out.stuck_now = stuck_.lock()->size();
    out.open_files = open_files_.load();
    return out;
}

std::optional<std::vector<std::byte>> MemoryShare::content(const std::string& path) {
    const auto tree = tree_->lock();
    const Result<Place> place = find(*tree, path, false);
    if (!place || !place->found || place->entry->second.node->directory()) return std::nullopt;
    return place->entry->second.node->data;
}

std::optional<std::vector<std::string>> MemoryShare::names_in(const std::string& path) {
    const auto tree = tree_->lock();
    const Result<Place> place = find(*tree, path, false);
    if (!place || !place->found || !place->entry->second.node->directory()) return std::nullopt;
    std::vector<std::string> names;
    for (const auto& [folded, entry] : place->entry->second.node->children) {
        names.push_back(entry.name);
    }
    return names;
}

// ---- paths

Result<std::vector<std::string>> MemoryShare::components(const std::string& path) {
    std::vector<std::string> out;
    if (path.empty()) return out;
    std::size_t at = 0;
    while (true) {
        const std::size_t end = path.find('/', at);
        std::string part = path.substr(at, end == std::string::npos ? end : end - at);
        if (part.empty() || part == "." || part == ".." || part.size() > longest_component ||
            part.find('\0') != std::string::npos) {
            return fail(NtStatus::OBJECT_NAME_INVALID);
        }
        out.push_back(std::move(part));
        if (end == std::string::npos) return out;
        at = end + 1;
    }
}

Result<MemoryShare::Place> MemoryShare::find(Tree& tree, const std::string& path, bool exact_case) {
    auto parts = components(path);
    if (!parts) return fail(parts.error());
    Place out;
    if (parts->empty()) return out;
    exact_case = exact_case || !options_.capabilities.case_insensitive;
    out.parent = tree.root;
    for (std::size_t i = 0; i + 1 < parts->size(); ++i) {
        const auto entry = Place::lookup(*out.parent, (*parts)[i], exact_case);
        if (entry == out.parent->children.end() || !entry->second.node->directory()) {
            return fail(NtStatus::OBJECT_PATH_NOT_FOUND);
        }
        out.path += (out.path.empty() ? "" : "/") + entry->second.name;
        out.parent = entry->second.node;
    }
    out.leaf = parts->back();
    out.entry = Place::lookup(*out.parent, out.leaf, exact_case);
    out.found = out.entry != out.parent->children.end();
    return out;
}

// ---- operations of the share

void MemoryShare::open(const vfs::OpContext& context, const vfs::OpenRequest& request,
                       vfs::Done<vfs::OpenReply> done) {
    dispatch(VfsOp::open, context, done,
             [this, &context, &request](const Plan&) { return do_open(context, request); });
}

Result<vfs::OpenReply> MemoryShare::do_open(const vfs::OpContext& context,
                                            const vfs::OpenRequest& request) {
    auto tree = tree_->lock();
    auto place = find(*tree, request.path, request.exact_case);
    if (!place) return fail(place.error());
    const bool is_root = place->parent == nullptr;
    std::shared_ptr<Node> node;
    vfs::OpenReply reply;
    const auto join = [&](const std::string& leaf) {
        return place->path.empty() ? leaf : place->path + "/" + leaf;
    };
    if (is_root || place->found) {
        if (request.disposition == vfs::Disposition::create) {
            return fail(NtStatus::OBJECT_NAME_COLLISION);
        }
        node = is_root ? tree->root : place->entry->second.node;
        if (request.kind == vfs::WantKind::file && node->directory()) {
            return fail(NtStatus::FILE_IS_A_DIRECTORY);
        }
        if (request.kind == vfs::WantKind::directory && !node->directory()) {
            return fail(NtStatus::NOT_A_DIRECTORY);
        }
        if (!is_root) reply.path = join(place->entry->second.name);
    } else {
        if (request.disposition == vfs::Disposition::open) {
            return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
        }
        const bool directory = request.kind == vfs::WantKind::directory;
        node = tree->make(directory ? vfs::FileKind::directory : vfs::FileKind::file);
        const std::uint32_t settable = directory ? settable_of_directories : settable_of_files;
        node->attributes = (request.create_attributes & settable & ~not_at_create) |
                           (directory ? 0U : attribute_archive);
        node->reserved = directory ? 0 : (request.create_allocation + unit - 1) / unit * unit;
        if (context.caller != nullptr) {
            node->uid = context.caller->uid;
            node->gid = context.caller->gid;
        }
        node->parent = place->parent;
        place->parent->children.emplace(fold_name(place->leaf), Entry{place->leaf, node});
        place->parent->modified();
        reply.path = join(place->leaf);
        reply.created = true;
    }
    reply.stat = node->stat();
    reply.file = std::make_shared<MemoryFile>(shared_from_this(), node, request.access);
    return reply;
}

void MemoryShare::remove(const vfs::OpContext& context, const std::string& path, vfs::FileId id,
                         vfs::Done<void> done) {
    dispatch(VfsOp::remove, context, done,
             [this, &path, id](const Plan&) { return do_remove(path, id); });
}

Result<void> MemoryShare::do_remove(const std::string& path, vfs::FileId id) {
    auto tree = tree_->lock();
    auto place = find(*tree, path, false);
    if (!place) return fail(place.error());
    if (place->parent == nullptr) return fail(NtStatus::ACCESS_DENIED);
    if (!place->found || place->entry->second.node->stat().id != id) {
        return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    const std::shared_ptr<Node> node = place->entry->second.node;
    if (!node->children.empty()) return fail(NtStatus::DIRECTORY_NOT_EMPTY);
    place->parent->children.erase(place->entry);
    place->parent->modified();
    node->change_time = memory_now();
    if (--node->links == 0) tree->used -= node->data.size();
    return {};
}

void MemoryShare::rename(const vfs::OpContext& context, const vfs::RenameRequest& request,
                         vfs::Done<std::string> done) {
    dispatch(VfsOp::rename, context, done,
             [this, &request](const Plan&) { return do_rename(request); });
}

Result<std::string> MemoryShare::do_rename(const vfs::RenameRequest& request) {
    auto tree = tree_->lock();
    auto from = find(*tree, request.from, false);
    if (!from) return fail(from.error());
    if (from->parent == nullptr) return fail(NtStatus::ACCESS_DENIED);
    if (!from->found || from->entry->second.node->stat().id != request.id) {
        return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    auto to = find(*tree, request.to, false);
    if (!to) return fail(to.error());
    if (to->parent == nullptr) return fail(NtStatus::OBJECT_NAME_COLLISION);
    const std::shared_ptr<Node> node = from->entry->second.node;
    for (std::shared_ptr<Node> up = to->parent; up != nullptr; up = up->parent.lock()) {
        if (up == node) return fail(NtStatus::INVALID_PARAMETER);
    }
    if (to->found && !(from->parent == to->parent && from->entry == to->entry)) {
        if (!request.replace) return fail(NtStatus::OBJECT_NAME_COLLISION);
        const std::shared_ptr<Node> dead = to->entry->second.node;
        if (dead->directory()) return fail(NtStatus::ACCESS_DENIED);
        to->parent->children.erase(to->entry);
        if (--dead->links == 0) tree->used -= dead->data.size();
    }
    from->parent->children.erase(from->entry);
    from->parent->modified();
    to->parent->children.emplace(fold_name(to->leaf), Entry{to->leaf, node});
    to->parent->modified();
    node->parent = to->parent;
    node->change_time = memory_now();
    return to->path.empty() ? to->leaf : to->path + "/" + to->leaf;
}

void MemoryShare::link(const vfs::OpContext& context, vfs::File& file,
                       const vfs::RenameRequest& request, vfs::Done<void> done) {
    auto* memory_file = dynamic_cast<MemoryFile*>(&file);
    if (memory_file == nullptr) return done(fail(NtStatus::INVALID_PARAMETER));
    dispatch(VfsOp::link, context, done,
             [this, memory_file, &request](const Plan&) { return do_link(*memory_file, request); });
}

Result<void> MemoryShare::do_link(MemoryFile& file, const vfs::RenameRequest& request) {
    auto tree = tree_->lock();
    if (file.node_->directory()) return fail(NtStatus::FILE_IS_A_DIRECTORY);
    auto to = find(*tree, request.to, false);
    if (!to) return fail(to.error());
    if (to->parent == nullptr) return fail(NtStatus::OBJECT_NAME_COLLISION);
    if (file.node_->links == 0) return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
    if (to->found) {
        if (!request.replace) return fail(NtStatus::OBJECT_NAME_COLLISION);
        const std::shared_ptr<Node> dead = to->entry->second.node;
        if (dead->directory()) return fail(NtStatus::ACCESS_DENIED);
        if (dead == file.node_) return {};
        to->parent->children.erase(to->entry);
        if (--dead->links == 0) tree->used -= dead->data.size();
    }
    to->parent->children.emplace(fold_name(to->leaf), Entry{to->leaf, file.node_});
    to->parent->modified();
    ++file.node_->links;
    file.node_->change_time = memory_now();
    return {};
}

class MemoryShare::MemoryWatch final : public vfs::Watch {
  public:
    explicit MemoryWatch(std::shared_ptr<MemoryShare> share) : share_(std::move(share)) {}
    void stop() override {
        std::erase_if(*share_->watches_.lock(),
                      [this](const auto& known) { return known.first == this; });
    }

  private:
    std::shared_ptr<MemoryShare> share_;
};

void MemoryShare::watch(const vfs::OpContext&, const vfs::WatchRequest& request,
                        vfs::Done<std::shared_ptr<vfs::Watch>> done) {
    if (!watches_supported_) return done(fail(NtStatus::NOT_SUPPORTED));
    auto watch = std::make_shared<MemoryWatch>(shared_from_this());
    watches_.lock()->emplace_back(watch.get(), request.listener);
    done(std::move(watch));
}

void MemoryShare::announce(const vfs::HostChange& change) {
    std::vector<std::shared_ptr<vfs::WatchListener>> listeners;
    for (const auto& [watch, listener] : *watches_.lock()) {
        if (std::find(listeners.begin(), listeners.end(), listener) == listeners.end()) {
            listeners.push_back(listener);
        }
    }
    for (const auto& listener : listeners) listener->changed(std::span(&change, 1));
}

std::size_t MemoryShare::watch_count() { return watches_.lock()->size(); }

void MemoryShare::volume_info(const vfs::OpContext& context, vfs::Done<vfs::VolumeInfo> done) {
    dispatch(VfsOp::volume_info, context, done, [this](const Plan&) -> Result<vfs::VolumeInfo> {
        auto tree = tree_->lock();
        vfs::VolumeInfo out;
        out.bytes_per_sector = 512;
        out.sectors_per_unit = static_cast<std::uint32_t>(unit / 512);
        out.total_units = tree->capacity / unit;
        out.free_units = (tree->capacity - tree->used) / unit;
        out.caller_free_units = out.free_units;
        out.serial = 0x534D4233;
        out.creation_time = tree->root->creation_time;
        out.file_system_name = "NTFS";
        return out;
    });
}

}  // namespace smb3d::test
