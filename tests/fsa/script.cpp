#include "fsa/script.h"

#include <fmt/core.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

#include "fsa/attributes.h"
#include "fsa/file_table.h"
#include "fsa/path.h"

namespace smb3d::fsa::test {

namespace {

class Script;
using Words = std::vector<std::string>;

struct Inode {
    bool directory{false};
    std::uint32_t attributes{0};
};

struct Waiter {
    Script* script{nullptr};
    std::string name;
    File* file{nullptr};
    LockTicket ticket{0};
};

Words split(std::string_view line) {
    Words words;
    std::istringstream stream{std::string(line)};
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

std::string name_of(NtStatus status) {
    return std::string(status_name(status).substr(sizeof "STATUS_" - 1));
}
template <class T>
std::string name_of(const Result<T>& result) {
    return name_of(result ? NtStatus::SUCCESS : result.error());
}

std::uint64_t number(const std::string& text) {
    if (text == "max") return ~std::uint64_t{0};
    return std::stoull(text, nullptr, 0);
}

constexpr std::pair<char, std::uint32_t> access_letters[] = {
    {'r', access::read_data}, {'w', access::write_data}, {'a', access::append_data},
    {'x', access::execute},   {'d', access::delete_},    {'i', access::read_attributes},
};
constexpr std::pair<char, std::uint32_t> share_letters[] = {
    {'r', share::read}, {'w', share::write}, {'d', share::delete_}};

template <std::size_t n>
std::uint32_t bits_of(const std::string& letters,
                      const std::pair<char, std::uint32_t> (&table)[n]) {
    std::uint32_t bits = 0;
    for (const auto& [letter, bit] : table) {
        if (letters.find(letter) != std::string::npos) bits |= bit;
    }
    return bits;
}
template <std::size_t n>
std::string letters_of(std::uint32_t bits, const std::pair<char, std::uint32_t> (&table)[n]) {
    std::string letters;
    for (const auto& [letter, bit] : table) {
        if ((bits & bit) != 0) letters.push_back(letter);
    }
    return letters.empty() ? "0" : letters;
}

CreateDisposition disposition_of(const std::string& word) {
    static const std::map<std::string, CreateDisposition> table = {
        {"supersede", CreateDisposition::supersede},
        {"open", CreateDisposition::open},
        {"create", CreateDisposition::create},
        {"open_if", CreateDisposition::open_if},
        {"overwrite", CreateDisposition::overwrite},
        {"overwrite_if", CreateDisposition::overwrite_if}};
    return table.at(word);
}

const char* state_name(LinkState state) {
    switch (state) {
        case LinkState::live:
            return "live";
        case LinkState::delete_pending:
            return "delete-pending";
        case LinkState::removing:
            return "removing";
    }
    return "?";
}

bool has(const Words& words, std::string_view flag) {
    for (const std::string& word : words) {
        if (word == flag) return true;
    }
    return false;
}

// The value of "key=value", or `otherwise`.
std::string value_of(const Words& words, std::string_view key, std::string otherwise) {
    for (const std::string& word : words) {
        if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=') {
            return word.substr(key.size() + 1);
        }
    }
    return otherwise;
}

constexpr std::pair<char, std::uint32_t> cache_letters[] = {
    {'R', cache::read}, {'W', cache::write}, {'H', cache::handle}};

OplockKey key_named(const std::string& name) {
    OplockKey key;
    for (std::size_t i = 0; i < name.size() && i < key.bytes.size(); ++i) {
        key.bytes[i] = static_cast<std::uint8_t>(name[i]);
    }
    return key;
}

// Writes down what it is told, and remembers the last break for `timeout`.
class Holder : public CacheHolder {
  public:
    using Say = std::function<void(const std::string&)>;
    Holder(std::string name, Say say) : name_(std::move(name)), say_(std::move(say)) {}
    void cache_broken(const BreakNotice& notice) override {
        last = notice;
        say_(fmt::format("[break {}: {} -> {}{} epoch {}]", name_,
                         letters_of(notice.from, cache_letters),
                         letters_of(notice.to, cache_letters),
                         notice.acknowledge ? " to be acknowledged" : "", notice.epoch));
    }
    BreakNotice last;

  private:
    const std::string name_;
    const Say say_;
};

class Script {
  public:
    Script() {
        inodes_[1] = {true, attribute::directory};
        paths_[""] = 1;
    }
    ~Script() {
        for (auto& [name, open] : opens_) table_.close(*open);
        for (auto& [name, holder] : holders_) holder->last = {};  // names a grant, which names it
    }

    void line(std::string_view text) {
        const Words words = split(text);
        if (words.empty() || words[0].starts_with('#')) {
            transcript_ += fmt::format("{}\n", text);
            return;
        }
        transcript_ += fmt::format("{}\n", text);
        using Command = void (Script::*)(const Words&);
        static const std::map<std::string, Command> commands = {
            {"disk", &Script::disk},         {"link", &Script::link},
            {"outside", &Script::outside},   {"open", &Script::open},
            {"close", &Script::close},       {"removed", &Script::removed},
            {"delete", &Script::remove},     {"keep", &Script::keep},
            {"rename", &Script::rename},     {"renamed", &Script::renamed},
            {"lock", &Script::lock},         {"wait", &Script::wait},
            {"cancel", &Script::cancel},     {"unlock", &Script::unlock},
            {"read", &Script::read},         {"write", &Script::write},
            {"info", &Script::info},         {"pending", &Script::pending},
            {"newname", &Script::newname},   {"show", &Script::show},
            {"data", &Script::data},         {"handles", &Script::handles},
            {"ack", &Script::ack},           {"ackkey", &Script::ackkey},
            {"timeout", &Script::timeout},   {"entries", &Script::entries},
            {"tree", &Script::tree},         {"caching", &Script::caching},
            {"takeback", &Script::takeback}, {"giveup", &Script::giveup},
            {"host", &Script::host},         {"allows", &Script::allows},
        };
        const auto command = commands.find(words[0]);
        if (command == commands.end()) return say("unknown command");
        (this->*command->second)(words);
    }

    std::string take() { return std::move(transcript_); }

  private:
    void say(const std::string& text) { transcript_ += fmt::format("    {}\n", text); }

    FileKey key_of(std::uint64_t inode) const { return {7, {1, inode, 0}}; }
    Open& handle(const std::string& name) { return *opens_.at(name); }

    std::uint32_t links_of(std::uint64_t inode) const {
        std::uint32_t links = 0;
        for (const auto& [path, other] : paths_) links += other == inode ? 1 : 0;
        return links;
    }
    bool directory_empty(const std::string& directory) const {
        for (const auto& [path, inode] : paths_) {
            if (is_below(path, directory)) return false;
        }
        return true;
    }
    void move(const std::string& from, const std::string& to) {
        std::map<std::string, std::uint64_t> moved;
        for (const auto& [path, inode] : paths_) {
            if (path == from) {
                moved[to] = inode;
            } else if (is_below(path, from)) {
                moved[to + path.substr(from.size())] = inode;
            } else if (path != to) {
                moved[path] = inode;
            }
        }
        paths_ = std::move(moved);
    }

    std::uint64_t make(const std::string& path, bool directory, bool readonly) {
        const std::uint64_t inode = next_inode_++;
        inodes_[inode] = {directory, (directory ? attribute::directory : attribute::archive) |
                                         (readonly ? attribute::readonly : 0)};
        paths_[path] = inode;
        return inode;
    }

    void disk(const Words& words) { make(words.at(1), has(words, "dir"), has(words, "ro")); }
    void link(const Words& words) { paths_[words.at(2)] = paths_.at(words.at(1)); }
    void outside(const Words& words) { move(words.at(1), words.at(2)); }

    void open(const Words& words) {
        if (opens_.contains(words.at(1))) return say("handle in use");
        const std::string path = words.at(2) == "/" ? "" : words.at(2);
        OpenArgs args;
        args.id = next_id_++;
        args.path = path;
        args.granted_access =
            bits_of(value_of(words, "access", "rwd"), access_letters) | access::synchronize;
        args.share_access = bits_of(value_of(words, "share", "rwd"), share_letters);
        args.disposition = disposition_of(value_of(words, "disp", "open"));
        args.create_options = has(words, "doc") ? option::delete_on_close : 0;
        args.rename_epoch = has(words, "stale") ? table_.rename_epoch() - 1 : table_.rename_epoch();
        std::uint64_t inode = stale_.contains(path) ? stale_.at(path) : 0;
        if (!has(words, "stale") || inode == 0) {
            const auto found = paths_.find(path);
            inode = found == paths_.end() ? 0 : found->second;
        }
        if (inode == 0) {
            if (!may_create(args.disposition)) return say("OBJECT_NAME_NOT_FOUND");
            if (table_.name_pending(7, parent_path(path))) return say("DELETE_PENDING (parent)");
            inode = make(path, has(words, "dir"), has(words, "ro"));
            args.created = true;
        } else if (args.disposition == CreateDisposition::create) {
            return say("OBJECT_NAME_COLLISION");
        }
        args.attributes = inodes_.at(inode).attributes;
        args.directory = inodes_.at(inode).directory;
        args.links = links_of(inode);
        args.oplock_key = key_named(value_of(words, "key", ""));
        args.parent_oplock_key = key_named(value_of(words, "parent", ""));
        Waiter& waiter = waiter_for(words.at(1));
        const Waker waker{&Script::woken, &waiter};
        OpenResult result = table_.open(key_of(inode), args, &waker);
        if (result.outcome == OpenOutcome::break_pending) {
            waiter.file = result.waiting.get();
            waiter.ticket = result.ticket;
            return say("waits");
        }
        say(name_of(to_status(result.outcome)));
        if (result.open == nullptr) return;
        opens_[words.at(1)] = result.open;
        const std::string wanted = value_of(words, "cache", "");
        if (wanted.empty()) return;
        const std::string name = args.oplock_key.empty() ? words.at(1) : value_of(words, "key", "");
        std::shared_ptr<Holder>& holder = holders_[name];
        if (!holder) {
            holder = std::make_shared<Holder>(name, [this](const std::string& t) { say(t); });
        }
        const auto epoch = static_cast<std::uint16_t>(number(value_of(words, "epoch", "0")));
        const Caching got = result.open->file().request_cache(
            *result.open,
            {bits_of(wanted, cache_letters), epoch, args.directory, has(words, "guarded")}, holder);
        say_caching(got);
    }
    Waiter& waiter_for(const std::string& name) {
        auto& waiter = waiters_[name];
        waiter = std::make_unique<Waiter>(Waiter{this, name, nullptr, 0});
        return *waiter;
    }
    void say_caching(const Caching& caching) {
        say(fmt::format("caches {}{} epoch {}", letters_of(caching.state, cache_letters),
                        caching.breaking ? " (breaking)" : "", caching.epoch));
    }
    void caching(const Words& words) {
        const Open& open = handle(words.at(1));
        say_caching(open.file().caching(open));
    }
    void data(const Words& words) {
        Open& open = handle(words.at(1));
        open.file().break_readers(open);
    }
    void handles(const Words& words) {
        Open& open = handle(words.at(1));
        Waiter& waiter = waiter_for(words.at(1));
        const Waker waker{&Script::woken, &waiter};
        BreakWait wait = open.file().break_handles(open.oplock_key, waker, &open);
        if (!wait && open.directory) {
            wait = table_.break_handles_below(7, open.file().path(open), open.oplock_key, waker);
        }
        waiter.file = wait.file.get();
        waiter.ticket = wait.ticket;
        say(wait ? "waits" : "SUCCESS");
    }
    // host NAME HANDLE STATE NUMBER: no more than that may be cached of its file.
    void host(const Words& words) {
        const Open& open = handle(words.at(2));
        Waiter& waiter = waiter_for(words.at(1));
        const Waker waker{&Script::woken, &waiter};
        const BreakWait wait = open.file().break_for_host(bits_of(words.at(3), cache_letters),
                                                          number(words.at(4)), waker);
        waiter.file = wait.file.get();
        waiter.ticket = wait.ticket;
        say(wait ? "waits" : "SUCCESS");
    }
    void allows(const Words& words) {
        const Open& open = handle(words.at(1));
        open.file().host_allows(bits_of(words.at(2), cache_letters), number(words.at(3)));
    }
    void giveup(const Words& words) {
        const Waiter& waiter = *waiters_.at(words.at(1));
        waiter.file->cancel_break_wait(waiter.ticket);
    }
    void ack(const Words& words) {
        Open& open = handle(words.at(1));
        say(name_of(open.file().acknowledge_break(open, bits_of(words.at(2), cache_letters))));
    }
    void ackkey(const Words& words) {
        Open& open = handle(words.at(3));
        say(name_of(open.file().acknowledge_break(key_named(words.at(1)),
                                                  bits_of(words.at(2), cache_letters))));
    }
    void timeout(const Words& words) {
        Open& open = handle(words.at(1));
        const BreakNotice& last = holders_.at(words.at(2))->last;
        open.file().break_timed_out(last.grant, last.number);
    }
    void entries(const Words& words) {
        table_.entries_changed(7, words.at(1), key_named(value_of(words, "parent", "")));
    }
    void tree(const Words& words) { table_.tree_changed(7, words.at(1) == "/" ? "" : words.at(1)); }
    void takeback(const Words& words) {
        const Open& open = handle(words.at(1));
        open.file().break_own(open);
    }

    void remove_now(const CloseDecision& decision) {
        const auto name = paths_.find(decision.path);
        Result<void> result;
        if (name == paths_.end() || name->second != decision.id.inode) {
            result = fail(NtStatus::OBJECT_NAME_NOT_FOUND);
        } else if (!directory_empty(decision.path)) {
            result = fail(NtStatus::DIRECTORY_NOT_EMPTY);
        } else {
            paths_.erase(name);
        }
        say(fmt::format("remove {}: {}", decision.path, name_of(result)));
        table_.removal_done(decision, result);
    }
    void close(const Words& words) {
        const std::shared_ptr<Open> open = opens_.at(words.at(1));
        opens_.erase(words.at(1));
        const CloseDecision decision = table_.close(*open);
        say(decision.last_open ? "closed (last)" : "closed");
        if (decision.kind == CloseDecision::Kind::nothing) return;
        if (has(words, "defer")) {
            say(fmt::format("to remove: {}", decision.path));
            removals_.emplace(words.at(1), decision);
        } else {
            remove_now(decision);
        }
    }
    void removed(const Words& words) {
        const CloseDecision decision = removals_.at(words.at(1));
        removals_.erase(words.at(1));
        if (words.at(2) == "ok") return remove_now(decision);
        say(fmt::format("remove {}: ACCESS_DENIED", decision.path));
        table_.removal_done(decision, fail(NtStatus::ACCESS_DENIED));
    }

    void remove(const Words& words) {
        Open& open = handle(words.at(1));
        const std::string path = open.file().path(open);
        Disposition disposition;
        disposition.remove = true;
        disposition.posix = has(words, "posix");
        disposition.on_close = has(words, "onclose");
        disposition.ignore_readonly = has(words, "ignore");
        disposition.attributes = inodes_.at(open.file().key().id.inode).attributes;
        disposition.directory_empty = directory_empty(path);
        say(name_of(open.file().set_disposition(open, disposition)));
    }
    void keep(const Words& words) {
        Open& open = handle(words.at(1));
        Disposition disposition;
        disposition.on_close = has(words, "onclose");
        say(name_of(open.file().set_disposition(open, disposition)));
    }

    void rename(const Words& words) {
        Open& open = handle(words.at(1));
        const std::string& to = words.at(2);
        const std::uint64_t inode = open.file().key().id.inode;
        const std::string parent(parent_path(to));
        const Result<void> directory =
            table_.check_target_directory(key_of(paths_.at(parent)), inodes_.at(inode).directory);
        if (!directory) return say(name_of(directory) + " (directory)");
        const auto target = paths_.find(to);
        if (target != paths_.end() && target->second != inode) {
            if (!has(words, "replace")) return say("OBJECT_NAME_COLLISION");
            const Inode& other = inodes_.at(target->second);
            const Result<void> allowed = table_.check_target(
                key_of(target->second), other.attributes, other.directory, has(words, "posix"));
            if (!allowed) return say(name_of(allowed) + " (target)");
        }
        const Result<RenameTicket> ticket = table_.prepare_rename(open);
        if (!ticket) return say(name_of(ticket));
        say(fmt::format("{} -> {}", ticket->from, to));
        if (has(words, "defer")) {
            renames_[words.at(1)] = to;
            return;
        }
        stale_[ticket->from] = inode;
        move(ticket->from, to);
        table_.finish_rename(open, to);
    }
    void renamed(const Words& words) {
        Open& open = handle(words.at(1));
        const std::string to = renames_.at(words.at(1));
        renames_.erase(words.at(1));
        if (words.at(2) != "ok") {
            return table_.finish_rename(open, fail(NtStatus::DISK_FULL));
        }
        const std::string from = open.file().path(open);
        stale_[from] = open.file().key().id.inode;
        move(from, to);
        table_.finish_rename(open, to);
    }

    void lock(const Words& words) {
        std::vector<LockElement> elements;
        for (std::size_t i = 2; i + 2 < words.size(); i += 3) {
            elements.push_back({{number(words[i]), number(words[i + 1])}, words[i + 2] == "x"});
        }
        Open& open = handle(words.at(1));
        say(name_of(open.file().lock_all(open, elements)));
    }
    static void woken(void* context, NtStatus status) {
        auto* waiter = static_cast<Waiter*>(context);
        waiter->script->say(fmt::format("[{} wakes: {}]", waiter->name, name_of(status)));
        waiter->ticket = 0;
    }
    void wait(const Words& words) {
        Open& open = handle(words.at(2));
        auto& waiter = waiters_[words.at(1)];
        waiter = std::make_unique<Waiter>(Waiter{this, words.at(1), &open.file(), 0});
        const LockElement element{{number(words.at(3)), number(words.at(4))}, words.at(5) == "x"};
        const Result<LockTicket> ticket =
            open.file().lock_or_wait(open, element, Waker{&Script::woken, waiter.get()});
        if (ticket) waiter->ticket = *ticket;
        say(ticket && *ticket != 0 ? "waits" : name_of(ticket));
    }
    void cancel(const Words& words) {
        const Waiter& waiter = *waiters_.at(words.at(1));
        waiter.file->cancel_lock(waiter.ticket);
    }
    void unlock(const Words& words) {
        std::vector<ByteRange> ranges;
        for (std::size_t i = 2; i + 1 < words.size(); i += 2) {
            ranges.push_back({number(words[i]), number(words[i + 1])});
        }
        Open& open = handle(words.at(1));
        say(name_of(open.file().unlock(open, ranges)));
    }
    void read(const Words& words) {
        const Open& open = handle(words.at(1));
        say(name_of(open.file().check_read(open, number(words.at(2)), number(words.at(3)))));
    }
    void write(const Words& words) {
        const Open& open = handle(words.at(1));
        say(name_of(open.file().check_write(open, number(words.at(2)), number(words.at(3)))));
    }

    void info(const Words& words) {
        const Open& open = handle(words.at(1));
        say(fmt::format("path={} delete-pending={} delete-on-close={} locks={}",
                        to_backslashes(open.file().path(open)), open.file().delete_pending(open),
                        open.file().is_delete_on_close(open), open.file().lock_count(open)));
    }
    void pending(const Words& words) { say(table_.name_pending(7, words.at(1)) ? "yes" : "no"); }
    void newname(const Words& words) {
        say(name_of(table_.check_target_directory(key_of(paths_.at(words.at(1))), false)));
    }
    void show(const Words&) {
        for (const auto& [inode, unused] : inodes_) {
            const std::shared_ptr<File> file = table_.find(key_of(inode));
            if (file == nullptr) continue;
            say(fmt::format("file {}", inode));
            for (const File::OpenView& open : file->opens()) {
                say(fmt::format("  open {} access={} share={} {} {}{}", open.id,
                                letters_of(open.granted_access, access_letters),
                                letters_of(open.share_access, share_letters),
                                to_backslashes(open.path), state_name(open.link_state),
                                open.delete_on_close ? " delete-on-close" : ""));
            }
            for (const ByteRangeLocks::Entry& lock : file->locks()) {
                say(fmt::format("  lock of {}: {} {} {}", lock.owner, lock.element.range.offset,
                                lock.element.range.length,
                                lock.element.exclusive ? "exclusive" : "shared"));
            }
        }
        std::string disk;
        for (const auto& [path, inode] : paths_) {
            if (!path.empty()) disk += fmt::format(" {}={}", path, inode);
        }
        say(fmt::format("disk:{}", disk.empty() ? " empty" : disk));
        say(fmt::format("opens: {} files: {}", table_.open_count(), table_.file_count()));
    }

    FileTable table_;
    std::map<std::uint64_t, Inode> inodes_;
    std::map<std::string, std::uint64_t> paths_;
    std::map<std::string, std::uint64_t> stale_;  // where renamed paths used to lead
    std::map<std::string, std::shared_ptr<Open>> opens_;
    std::map<std::string, CloseDecision> removals_;
    std::map<std::string, std::string> renames_;
    std::map<std::string, std::unique_ptr<Waiter>> waiters_;
    std::map<std::string, std::shared_ptr<Holder>> holders_;
    std::uint64_t next_inode_{10};
    std::uint64_t next_id_{1};
    std::string transcript_;
};

}  // namespace

std::string run_script(std::string_view script) {
    Script interpreter;
    while (!script.empty()) {
        const std::size_t end = script.find('\n');
        interpreter.line(script.substr(0, end));
        if (end == std::string_view::npos) break;
        script.remove_prefix(end + 1);
    }
    return interpreter.take();
}

}  // namespace smb3d::fsa::test
