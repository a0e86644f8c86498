// The insides of MemoryShare: its tree, its files, and operations under way.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/utf16.h"
#include "support/memory_vfs.h"

namespace smb3d::test {

struct MemoryShare::Node {
    std::uint64_t inode{0};
    vfs::FileKind kind{vfs::FileKind::file};
    std::uint32_t attributes{0};  // without DIRECTORY and NORMAL
    vfs::FileTime creation_time{0};
    vfs::FileTime last_access_time{0};
    vfs::FileTime last_write_time{0};
    vfs::FileTime change_time{0};
    std::uint32_t links{1};
    std::uint32_t uid{0};
    std::uint32_t gid{0};
    std::uint64_t reserved{0};
    std::vector<std::byte> data;
    std::multimap<std::string, Entry> children;  // by folded name
    std::weak_ptr<Node> parent;

    bool directory() const { return kind == vfs::FileKind::directory; }
    vfs::FileStat stat() const;
    void modified();
};

struct MemoryShare::Entry {
    std::string name;
    std::shared_ptr<Node> node;
};

struct MemoryShare::Tree {
    std::shared_ptr<Node> root;
    std::uint64_t next_inode{1};
    std::uint64_t used{0};  // bytes of all files
    std::uint64_t capacity{0};

    std::shared_ptr<Node> make(vfs::FileKind kind);
    Result<void> resize(Node& node, std::uint64_t size);
};

// A directory, a last component, and what it names there.
struct MemoryShare::Place {
    using Children = std::multimap<std::string, Entry>;
    std::shared_ptr<Node> parent;  // null: the path is the root
    std::string leaf;
    Children::iterator entry;
    bool found{false};
    std::string path;  // of the parent, real case

    static Children::iterator lookup(Node& directory, const std::string& name, bool exact_case);
};

vfs::FileTime memory_now();

// An operation that is not done yet: delayed, on another thread, or stuck.
class MemoryShare::Pending : public Work {
  public:
    Pending(std::shared_ptr<MemoryShare> share, const vfs::OpContext& context, const Plan& plan)
        : share_(std::move(share)), context_(&context), plan_(plan) {
        run = [](Work* work) { static_cast<Pending*>(work)->turn(); };
    }
    virtual ~Pending() = default;
    void start();
    // Of a stuck one: true for the first who asks, its cancellation or its release; that one posts
    // it.
    bool claim() { return !claimed_.exchange(true); }
    void post() { context_->loop->post(*this); }

  protected:
    virtual void execute(bool cancelled) = 0;  // ends with `done`, and has deleted this before

    std::shared_ptr<MemoryShare> share_;
    const vfs::OpContext* context_;
    Plan plan_;

  private:
    void turn();
    void be_stuck();

    std::atomic<bool> claimed_{false};
    bool cancelled_{false};
};

template <class T, class Body>
class MemoryShare::PendingOp final : public Pending {
  public:
    PendingOp(std::shared_ptr<MemoryShare> share, const vfs::OpContext& context, const Plan& plan,
              vfs::Done<T> done, Body&& body)
        : Pending(std::move(share), context, plan), done_(done), body_(std::move(body)) {}

  private:
    void execute(bool cancelled) override {
        Result<T> result = cancelled       ? Result<T>(fail(NtStatus::CANCELLED))
                           : plan_.failure ? Result<T>(fail(*plan_.failure))
                                           : body_(plan_);
        const vfs::Done<T> done = done_;
        const std::shared_ptr<MemoryShare> share = share_;
        delete this;
        share->finished_.fetch_add(1);
        done(std::move(result));
    }

    vfs::Done<T> done_;
    Body body_;
};

template <class T, class Body>
void MemoryShare::dispatch(VfsOp op, const vfs::OpContext& context, vfs::Done<T> done, Body body) {
    const Plan how = plan(op, context);
    started_.fetch_add(1);
    if (how.manner == Manner::inline_now) {
        Result<T> result = how.failure ? Result<T>(fail(*how.failure)) : body(how);
        finished_.fetch_add(1);
        return done(std::move(result));
    }
    (new PendingOp<T, Body>(shared_from_this(), context, how, done, std::move(body)))->start();
}

class MemoryFile final : public vfs::File {
  public:
    MemoryFile(std::shared_ptr<MemoryShare> share, std::shared_ptr<MemoryShare::Node> node,
               std::uint32_t access);
    ~MemoryFile() override;

    void close(const vfs::OpContext&, vfs::Done<void>) override;
    void stat(const vfs::OpContext&, vfs::Done<vfs::FileStat>) override;
    void set_stat(const vfs::OpContext&, const vfs::StatChange&, vfs::Done<void>) override;
    void read(const vfs::OpContext&, std::uint64_t offset, std::span<const ::iovec> into,
              vfs::Done<std::size_t>) override;
    void write(const vfs::OpContext&, std::uint64_t offset, std::span<const ::iovec> from,
               bool through, vfs::Done<std::size_t>) override;
    void flush(const vfs::OpContext&, vfs::Done<void>) override;
    void set_size(const vfs::OpContext&, std::uint64_t end_of_file, vfs::Done<void>) override;
    void allocate(const vfs::OpContext&, std::uint64_t allocation_size, vfs::Done<void>) override;
    void allocated_ranges(const vfs::OpContext&, vfs::Range within, std::size_t max_ranges,
                          vfs::Done<std::vector<vfs::Range>>) override;
    void zero_range(const vfs::OpContext&, vfs::Range, vfs::Done<void>) override;
    void list(const vfs::OpContext&, const vfs::ListRequest&, vfs::Done<vfs::DirBatch>) override;
    void copy_range(const vfs::OpContext&, const vfs::CopyRequest&,
                    vfs::Done<std::uint64_t>) override;
    void guard(const vfs::OpContext&, const vfs::GuardRequest&,
               vfs::Done<vfs::GuardState>) override;

  private:
    friend class MemoryShare;
    bool is_file() const { return node_->kind == vfs::FileKind::file; }
    Result<std::size_t> do_read(std::uint64_t offset, std::span<const ::iovec> into,
                                unsigned keep_per_mille);
    Result<std::size_t> do_write(std::uint64_t offset, std::span<const ::iovec> from);
    Result<std::uint64_t> do_copy(MemoryShare::Node& source, const vfs::CopyRequest&,
                                  unsigned keep_per_mille);
    Result<void> do_allocate(std::uint64_t size);
    Result<vfs::DirBatch> do_list(const vfs::ListRequest&);

    std::shared_ptr<MemoryShare> share_;
    std::shared_ptr<MemoryShare::Node> node_;
    std::uint32_t access_;
    bool closed_{false};
    // The names at the start of the listing, so that changes meanwhile neither repeat nor skip
    // others.
    std::optional<std::vector<std::string>> listing_;
    std::size_t next_{0};
};

}  // namespace smb3d::test
