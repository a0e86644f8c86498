#include "fsa/notify_script.h"

#include <fmt/core.h>

#include <map>
#include <memory>
#include <sstream>
#include <vector>

#include "fsa/change_notify.h"

namespace smb3d::fsa::test {

namespace {

constexpr ShareId share = 0x70;
using Words = std::vector<std::string>;

class Script;
struct Asked : NotifyWaiter {
    Asked(Script& owner, std::string its_name);
    Script& script;
    std::string name;
};

bool has(const Words& words, std::string_view flag) {
    for (const std::string& word : words) {
        if (word == flag) return true;
    }
    return false;
}

std::uint32_t filter_of(const std::string& letters) {
    static const std::map<char, std::uint32_t> table = {
        {'f', change::file_name},  {'d', change::dir_name},
        {'a', change::attributes}, {'s', change::size},
        {'w', change::last_write}, {'r', change::last_access},
        {'c', change::creation},   {'e', change::ea},
        {'x', change::security},   {'0', 0},
    };
    std::uint32_t filter = 0;
    for (const char letter : letters) filter |= table.at(letter);
    return filter;
}

const char* action_name(ChangeAction action) {
    switch (action) {
        case ChangeAction::added:
            return "added";
        case ChangeAction::removed:
            return "removed";
        case ChangeAction::modified:
            return "modified";
        case ChangeAction::renamed_old_name:
            return "old-name";
        case ChangeAction::renamed_new_name:
            return "new-name";
        case ChangeAction::added_stream:
        case ChangeAction::removed_stream:
        case ChangeAction::modified_stream:
            break;
    }
    return "stream";
}

std::string directory_of(const std::string& word) { return word == "/" ? "" : word; }

class Script {
  public:
    void line(const std::string& text) {
        transcript_ += text + "\n";
        Words words;
        std::istringstream stream(text);
        for (std::string word; stream >> word;) words.push_back(word);
        if (words.empty() || words[0].starts_with('#')) return;
        if (!run(words)) say("unknown command");
    }
    std::string take() {
        say(fmt::format("watches: {}", notifier_.watch_count()));
        return std::move(transcript_);
    }
    void say(const std::string& text) { transcript_ += fmt::format("    {}\n", text); }
    void show(const Asked& asked) {
        std::string text = std::string(status_name(asked.reply.status).substr(7));
        for (const NotifyEvent& event : asked.reply.events) {
            text += fmt::format(" {}={}", action_name(event.action), event.name);
        }
        say(fmt::format("[{}: {}]", asked.name, text));
    }

  private:
    bool run(const Words& words) {
        const std::string& command = words[0];
        if (command == "ask") {
            ask(words);
        } else if (command == "cancel") {
            notifier_.cancel(share, *asked_.at(words.at(1)));
        } else if (command == "close") {
            notifier_.close(share, std::stoull(words.at(1)));
        } else if (command == "added") {
            report(ChangeAction::added, words.at(1), change::name(has(words, "dir")),
                   source_of(words));
        } else if (command == "removed") {
            report(ChangeAction::removed, words.at(1), change::name(has(words, "dir")));
        } else if (command == "modified") {
            report(ChangeAction::modified, words.at(1), filter_of(words.at(2)));
        } else if (command == "rename") {
            rename(words);
        } else if (command == "deleting") {
            notifier_.set_delete_pending(share, directory_of(words.at(1)), true);
        } else if (command == "kept") {
            notifier_.set_delete_pending(share, directory_of(words.at(1)), false);
        } else if (command == "lost") {
            notifier_.report_lost(share, directory_of(words.at(1)), has(words, "tree"));
        } else {
            return false;
        }
        return true;
    }
    void ask(const Words& words) {
        WatchArgs args;
        args.share = share;
        args.open = std::stoull(words.at(2));
        args.path = directory_of(words.at(3));
        args.tree = has(words, "tree");
        args.case_sensitive = has(words, "exact");
        args.source = source_of(words);
        args.filter = filter_of("fd");
        for (const std::string& word : words) {
            if (word.starts_with("filter=")) args.filter = filter_of(word.substr(7));
        }
        auto& asked = asked_[words.at(1)];
        asked = std::make_unique<Asked>(*this, words.at(1));
        const auto length = static_cast<std::uint32_t>(std::stoul(words.at(4)));
        if (notifier_.request(args, length, *asked)) {
            show(*asked);
        } else {
            say("waits");
        }
    }
    void report(ChangeAction action, const std::string& path, std::uint32_t filter,
                WatchSource source = 0) {
        const Change change{action, filter, path};
        notifier_.report(share, std::span(&change, 1), source);
    }
    static WatchSource source_of(const Words& words) {
        for (const std::string& word : words) {
            if (word.starts_with("source=")) return std::stoull(word.substr(7));
        }
        return 0;
    }
    void rename(const Words& words) {
        const bool directory = has(words, "dir");
        const std::string& from = words.at(1);
        const std::string& to = words.at(2);
        notifier_.report(share, rename_changes(from, to, directory, has(words, "replace")));
        if (directory) notifier_.directory_renamed(share, from, to);
    }

    ChangeNotifier notifier_{NotifyLimits{.buffer = 4096, .total = 6000}};
    std::map<std::string, std::unique_ptr<Asked>> asked_;
    std::string transcript_;
};

Asked::Asked(Script& owner, std::string its_name)
    : NotifyWaiter([](NotifyWaiter& waiter) {
          auto& self = static_cast<Asked&>(waiter);
          self.script.show(self);
      }),
      script(owner),
      name(std::move(its_name)) {}

}  // namespace

std::string run_notify_script(std::string_view script) {
    Script interpreter;
    std::istringstream stream{std::string(script)};
    for (std::string line; std::getline(stream, line);) interpreter.line(line);
    return interpreter.take();
}

}  // namespace smb3d::fsa::test
