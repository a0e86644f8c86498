// MemoryFile: the open files of MemoryShare.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "support/memory_vfs_impl.h"

namespace smb3d::test {
namespace {

constexpr std::uint32_t settable_of_files = 0x3327;
constexpr std::uint32_t settable_of_directories = 0x3027;
constexpr std::uint64_t unit = 4096;

Fail not_for_this_kind() { return fail(NtStatus::INVALID_DEVICE_REQUEST); }

std::size_t total_of(std::span<const ::iovec> parts) {
    std::size_t total = 0;
    for (const ::iovec& part : parts) total += part.iov_len;
    return total;
}

}  // namespace

MemoryFile::MemoryFile(std::shared_ptr<MemoryShare> share, std::shared_ptr<MemoryShare::Node> node,
                       std::uint32_t access)
    : share_(std::move(share)), node_(std::move(node)), access_(access) {
    share_->open_files_.fetch_add(1);
}

MemoryFile::~MemoryFile() {
    if (!closed_) share_->open_files_.fetch_sub(1);
}

void MemoryFile::close(const vfs::OpContext& context, vfs::Done<void> done) {
    share_->dispatch(VfsOp::close, context, done, [this](const MemoryShare::Plan&) -> Result<void> {
        assert(!closed_);  // the engine closes once
        closed_ = true;
        share_->open_files_.fetch_sub(1);
        return {};
    });
}

void MemoryFile::stat(const vfs::OpContext& context, vfs::Done<vfs::FileStat> done) {
    share_->dispatch(VfsOp::stat, context, done,
                     [this](const MemoryShare::Plan&) -> Result<vfs::FileStat> {
                         auto tree = share_->tree_->lock();
                         return node_->stat();
                     });
}

void MemoryFile::set_stat(const vfs::OpContext& context, const vfs::StatChange& change,
                          vfs::Done<void> done) {
    share_->dispatch(VfsOp::set_stat, context, done,
                     [this, &change](const MemoryShare::Plan&) -> Result<void> {
                         auto tree = share_->tree_->lock();
                         node_->change_time = memory_now();
                         if (change.creation_time) node_->creation_time = *change.creation_time;
                         if (change.last_access_time)
                             node_->last_access_time = *change.last_access_time;
                         if (change.last_write_time)
                             node_->last_write_time = *change.last_write_time;
                         if (change.attributes) {
                             node_->attributes =
                                 *change.attributes &
                                 (node_->directory() ? settable_of_directories : settable_of_files);
                         }
                         return {};
                     });
}

void MemoryFile::read(const vfs::OpContext& context, std::uint64_t offset,
                      std::span<const ::iovec> into, vfs::Done<std::size_t> done) {
    if (!is_file()) return done(not_for_this_kind());
    if ((access_ & vfs::access_read_data) == 0) return done(fail(NtStatus::ACCESS_DENIED));
    share_->dispatch(VfsOp::read, context, done,
                     [this, offset, into](const MemoryShare::Plan& plan) {
                         return do_read(offset, into, plan.keep_per_mille);
                     });
}

Result<std::size_t> MemoryFile::do_read(std::uint64_t offset, std::span<const ::iovec> into,
                                        unsigned keep_per_mille) {
    auto tree = share_->tree_->lock();
    const std::vector<std::byte>& data = node_->data;
    if (offset >= data.size()) return std::size_t{0};
    std::size_t left = std::min<std::size_t>(total_of(into), data.size() - offset);
    if (keep_per_mille < 1000) left = std::max<std::size_t>(left * keep_per_mille / 1000, 1);
    std::size_t moved = 0;
    for (const ::iovec& part : into) {
        const std::size_t size = std::min(part.iov_len, left - moved);
        if (size != 0) std::memcpy(part.iov_base, data.data() + offset + moved, size);
        moved += size;
    }
    return moved;
}

void MemoryFile::write(const vfs::OpContext& context, std::uint64_t offset,
                       std::span<const ::iovec> from, bool, vfs::Done<std::size_t> done) {
    if (!is_file()) return done(not_for_this_kind());
    if ((access_ & vfs::access_write_data) == 0) return done(fail(NtStatus::ACCESS_DENIED));
    const std::size_t total = total_of(from);
    if (offset != vfs::append_offset && offset > INT64_MAX - total) {
        return done(fail(NtStatus::INVALID_PARAMETER));
    }
    share_->dispatch(VfsOp::write, context, done, [this, offset, from](const MemoryShare::Plan&) {
        return do_write(offset, from);
    });
}

Result<std::size_t> MemoryFile::do_write(std::uint64_t offset, std::span<const ::iovec> from) {
    auto tree = share_->tree_->lock();
    const std::size_t total = total_of(from);
    if (total == 0) return std::size_t{0};
    if (offset == vfs::append_offset || (access_ & vfs::access_append_only) != 0) {
        offset = node_->data.size();
    }
    if (offset + total > node_->data.size()) SMB3D_TRY(tree->resize(*node_, offset + total));
    for (const ::iovec& part : from) {
        if (part.iov_len != 0) {
            std::memcpy(node_->data.data() + offset, part.iov_base, part.iov_len);
        }
        offset += part.iov_len;
    }
    node_->modified();
    return total;
}

void MemoryFile::flush(const vfs::OpContext& context, vfs::Done<void> done) {
    share_->dispatch(VfsOp::flush, context, done,
                     [](const MemoryShare::Plan&) -> Result<void> { return {}; });
}

void MemoryFile::set_size(const vfs::OpContext& context, std::uint64_t end_of_file,
                          vfs::Done<void> done) {
    if (!is_file()) return done(not_for_this_kind());
    if (end_of_file > INT64_MAX) return done(fail(NtStatus::INVALID_PARAMETER));
    share_->dispatch(VfsOp::set_size, context, done,
                     [this, end_of_file](const MemoryShare::Plan&) -> Result<void> {
                         auto tree = share_->tree_->lock();
                         SMB3D_TRY(tree->resize(*node_, end_of_file));
                         node_->reserved = 0;
                         node_->modified();
                         return {};
                     });
}

void MemoryFile::allocate(const vfs::OpContext& context, std::uint64_t allocation_size,
                          vfs::Done<void> done) {
    if (!is_file()) return done(not_for_this_kind());
    if (allocation_size > INT64_MAX) return done(fail(NtStatus::INVALID_PARAMETER));
    share_->dispatch(
        VfsOp::allocate, context, done,
        [this, allocation_size](const MemoryShare::Plan&) { return do_allocate(allocation_size); });
}

Result<void> MemoryFile::do_allocate(std::uint64_t size) {
    auto tree = share_->tree_->lock();
    if (size < node_->data.size()) {
        SMB3D_TRY(tree->resize(*node_, size));
        node_->reserved = 0;
        node_->modified();
        return {};
    }
    if (size > tree->capacity || tree->used - node_->data.size() > tree->capacity - size) {
        return fail(NtStatus::DISK_FULL);
    }
    node_->reserved = (size + unit - 1) / unit * unit;
    return {};
}

void MemoryFile::allocated_ranges(const vfs::OpContext& context, vfs::Range within,
                                  std::size_t max_ranges, vfs::Done<std::vector<vfs::Range>> done) {
    if (!is_file()) return done(not_for_this_kind());
    share_->dispatch(
        VfsOp::allocated_ranges, context, done,
        [this, within, max_ranges](const MemoryShare::Plan&) -> Result<std::vector<vfs::Range>> {
            auto tree = share_->tree_->lock();
            std::vector<vfs::Range> out;
            const std::uint64_t size = node_->data.size();
            if (max_ranges > 0 && within.offset < size && within.length > 0) {
                out.push_back({within.offset, std::min(within.length, size - within.offset)});
            }
            return out;
        });
}

void MemoryFile::zero_range(const vfs::OpContext& context, vfs::Range range, vfs::Done<void> done) {
    if (!is_file()) return done(not_for_this_kind());
    if ((access_ & vfs::access_write_data) == 0) return done(fail(NtStatus::ACCESS_DENIED));
    share_->dispatch(VfsOp::zero_range, context, done,
                     [this, range](const MemoryShare::Plan&) -> Result<void> {
                         auto tree = share_->tree_->lock();
                         std::vector<std::byte>& data = node_->data;
                         if (range.offset >= data.size()) return {};
                         const std::size_t size =
                             std::min<std::uint64_t>(range.length, data.size() - range.offset);
                         std::fill_n(data.begin() + static_cast<std::ptrdiff_t>(range.offset), size,
                                     std::byte{0});
                         node_->modified();
                         return {};
                     });
}

void MemoryFile::copy_range(const vfs::OpContext& context, const vfs::CopyRequest& request,
                            vfs::Done<std::uint64_t> done) {
    auto* source = dynamic_cast<MemoryFile*>(request.source);
    if (source == nullptr || source->share_ != share_) return done(fail(NtStatus::NOT_SUPPORTED));
    if (!is_file() || !source->is_file()) return done(not_for_this_kind());
    if ((access_ & vfs::access_write_data) == 0 || (source->access_ & vfs::access_read_data) == 0) {
        return done(fail(NtStatus::ACCESS_DENIED));
    }
    if ((access_ & vfs::access_append_only) != 0) return done(fail(NtStatus::NOT_SUPPORTED));
    if (request.source_offset > INT64_MAX || request.offset > INT64_MAX ||
        request.length > INT64_MAX - std::max(request.source_offset, request.offset)) {
        return done(fail(NtStatus::INVALID_PARAMETER));
    }
    share_->dispatch(VfsOp::copy_range, context, done,
                     [this, node = source->node_, &request](const MemoryShare::Plan& plan) {
                         return do_copy(*node, request, plan.keep_per_mille);
                     });
}

Result<std::uint64_t> MemoryFile::do_copy(MemoryShare::Node& source,
                                          const vfs::CopyRequest& request,
                                          unsigned keep_per_mille) {
    auto tree = share_->tree_->lock();
    if (request.clone && !share_->options_.capabilities.block_cloning) {
        return fail(NtStatus::NOT_SUPPORTED);
    }
    if (request.source_offset >= source.data.size()) return std::uint64_t{0};
    std::uint64_t size =
        std::min<std::uint64_t>(request.length, source.data.size() - request.source_offset);
    if (!request.clone && keep_per_mille < 1000) {
        size = std::max<std::uint64_t>(size * keep_per_mille / 1000, 1);
    }
    const bool overlap = &source == node_.get() &&
                         request.source_offset < request.offset + request.length &&
                         request.offset < request.source_offset + request.length;
    if (overlap) return fail(NtStatus::NOT_SUPPORTED);
    if (request.offset + size > node_->data.size()) {
        SMB3D_TRY(tree->resize(*node_, request.offset + size));
    }
    std::memcpy(node_->data.data() + request.offset, source.data.data() + request.source_offset,
                size);
    node_->modified();
    return size;
}

void MemoryFile::list(const vfs::OpContext& context, const vfs::ListRequest& request,
                      vfs::Done<vfs::DirBatch> done) {
    if (!node_->directory()) return done(not_for_this_kind());
    if ((access_ & vfs::access_read_data) == 0) return done(fail(NtStatus::ACCESS_DENIED));
    share_->dispatch(VfsOp::list, context, done,
                     [this, &request](const MemoryShare::Plan&) { return do_list(request); });
}

Result<vfs::DirBatch> MemoryFile::do_list(const vfs::ListRequest& request) {
    auto tree = share_->tree_->lock();
    if (!listing_ || request.restart) {
        listing_ = std::vector<std::string>{".", ".."};
        for (const auto& [folded, entry] : node_->children) listing_->push_back(entry.name);
        next_ = 0;
    }
    vfs::DirBatch out;
    const std::size_t most = std::max<std::size_t>(request.max_entries, 1);
    for (; next_ < listing_->size() && out.entries.size() < most; ++next_) {
        const std::string& name = (*listing_)[next_];
        if (request.filter != nullptr && !request.filter->matches(name)) continue;
        std::shared_ptr<MemoryShare::Node> node = node_;
        if (next_ == 1) {
            if (const auto up = node_->parent.lock()) node = up;
        } else if (next_ > 1) {
            const auto entry = MemoryShare::Place::lookup(*node_, name, true);
            if (entry == node_->children.end()) continue;  // removed meanwhile
            node = entry->second.node;
        }
        auto kept = std::make_unique<char[]>(name.size());
        std::memcpy(kept.get(), name.data(), name.size());
        out.entries.push_back({std::string_view(kept.get(), name.size()), node->stat()});
        out.arena.push_back(std::move(kept));
    }
    out.end = next_ == listing_->size();
    return out;
}

}  // namespace smb3d::test
