#include "daemon/config_schema.h"

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>
#include <utility>

namespace smb3d::daemon {

namespace {

using std::string_view;

// -- choices: the names of an enumeration, in one place for checking and storing
template <class E>
struct Named {
    string_view name;
    E value;
};

constexpr Named<engine::Dialect> dialects[] = {{"2.0.2", engine::Dialect::smb202},
                                               {"2.1", engine::Dialect::smb210},
                                               {"3.0", engine::Dialect::smb300},
                                               {"3.0.2", engine::Dialect::smb302},
                                               {"3.1.1", engine::Dialect::smb311}};
constexpr Named<Signing> signings[] = {{"offered", Signing::offered},
                                       {"required", Signing::required}};
constexpr Named<engine::Encryption> encryptions[] = {{"off", engine::Encryption::off},
                                                     {"offered", engine::Encryption::offered},
                                                     {"required", engine::Encryption::required}};
constexpr Named<engine::Cipher> ciphers[] = {{"aes-128-gcm", engine::Cipher::aes128_gcm},
                                             {"aes-128-ccm", engine::Cipher::aes128_ccm},
                                             {"aes-256-gcm", engine::Cipher::aes256_gcm},
                                             {"aes-256-ccm", engine::Cipher::aes256_ccm}};
constexpr Named<engine::SigningAlgorithm> signers[] = {
    {"aes-gmac", engine::SigningAlgorithm::aes_gmac},
    {"aes-cmac", engine::SigningAlgorithm::aes_cmac},
    {"hmac-sha256", engine::SigningAlgorithm::hmac_sha256}};
constexpr Named<engine::OfflineCaching> cachings[] = {
    {"manual", engine::OfflineCaching::manual},
    {"automatic", engine::OfflineCaching::automatic},
    {"programs", engine::OfflineCaching::programs},
    {"none", engine::OfflineCaching::none}};
constexpr Named<IoMethod> methods[] = {
    {"auto", IoMethod::automatic}, {"uring", IoMethod::uring}, {"epoll", IoMethod::epoll}};
constexpr Named<crypto::Preference> providers[] = {{"auto", crypto::Preference::automatic},
                                                   {"openssl", crypto::Preference::openssl},
                                                   {"ipsec-mb", crypto::Preference::ipsec_mb},
                                                   {"builtin", crypto::Preference::builtin}};
constexpr Named<LogTarget> targets[] = {{"auto", LogTarget::automatic},
                                        {"stderr", LogTarget::standard_error},
                                        {"journal", LogTarget::journal}};
constexpr Named<Symlinks> symlink_rules[] = {{"inside", Symlinks::inside},
                                             {"never", Symlinks::never}};
constexpr Named<HostChanges> host_change_rules[] = {{"watch", HostChanges::watch},
                                                    {"none", HostChanges::none}};
constexpr Named<log::Level> levels[] = {{"trace", log::Level::trace}, {"debug", log::Level::debug},
                                        {"info", log::Level::info},   {"warn", log::Level::warn},
                                        {"error", log::Level::error}, {"off", log::Level::off}};

template <class E, std::size_t n>
constexpr std::array<string_view, n> names_of(const Named<E> (&table)[n]) {
    std::array<string_view, n> names{};
    for (std::size_t i = 0; i < n; ++i) names[i] = table[i].name;
    return names;
}
constexpr auto dialect_names = names_of(dialects);
constexpr auto signing_names = names_of(signings);
constexpr auto encryption_names = names_of(encryptions);
constexpr auto cipher_names = names_of(ciphers);
constexpr auto signer_names = names_of(signers);
constexpr auto caching_names = names_of(cachings);
constexpr auto method_names = names_of(methods);
constexpr auto provider_names = names_of(providers);
constexpr auto target_names = names_of(targets);
constexpr auto symlink_names = names_of(symlink_rules);
constexpr auto host_change_names = names_of(host_change_rules);
constexpr auto level_names = names_of(levels);

// -- storing: the value has been checked against the row, so that a lookup always finds its name
template <class E, std::size_t n>
void pick(E& to, const Named<E> (&table)[n], string_view name) {
    for (const auto& entry : table) {
        if (entry.name == name) to = entry.value;
    }
}
template <class E, std::size_t n>
void pick_all(std::vector<E>& to, const Named<E> (&table)[n], const Value& value) {
    to.clear();
    for (const auto& name : value.list) pick(to.emplace_back(), table, name);
}
void assign(bool& to, const Value& v) { to = v.flag; }
void assign(std::string& to, const Value& v) { to = v.text; }
void assign(std::vector<std::string>& to, const Value& v) { to = v.list; }
void assign(std::uint32_t& to, const Value& v) { to = static_cast<std::uint32_t>(v.number); }
void assign(std::uint64_t& to, const Value& v) { to = static_cast<std::uint64_t>(v.number); }
void assign(engine::Dialect& to, const Value& v) { pick(to, dialects, v.text); }
void assign(Signing& to, const Value& v) { pick(to, signings, v.text); }
void assign(engine::Encryption& to, const Value& v) { pick(to, encryptions, v.text); }
void assign(std::vector<engine::Cipher>& to, const Value& v) { pick_all(to, ciphers, v); }
void assign(std::vector<engine::SigningAlgorithm>& to, const Value& v) { pick_all(to, signers, v); }
void assign(engine::OfflineCaching& to, const Value& v) { pick(to, cachings, v.text); }
void assign(IoMethod& to, const Value& v) { pick(to, methods, v.text); }
void assign(crypto::Preference& to, const Value& v) { pick(to, providers, v.text); }
void assign(LogTarget& to, const Value& v) { pick(to, targets, v.text); }
void assign(Symlinks& to, const Value& v) { pick(to, symlink_rules, v.text); }
void assign(HostChanges& to, const Value& v) { pick(to, host_change_rules, v.text); }
void assign(log::Level& to, const Value& v) { pick(to, levels, v.text); }

void put_exclude(const Slot& slot, const Value& value) {
    slot.config.interfaces.exclude = value.list;
}
void put_speed(const Slot& slot, const Value& value) {
    slot.config.interfaces.speed[std::string(slot.key)] = static_cast<std::uint32_t>(value.number);
}
void put_rss(const Slot& slot, const Value& value) {
    slot.config.interfaces.rss[std::string(slot.key)] = value.flag;
}
void put_rdma(const Slot& slot, const Value& value) {
    slot.config.interfaces.rdma[std::string(slot.key)] = value.flag;
}

template <class C, class M>
C class_of(M C::*);

template <auto member>
void put(const Slot& slot, const Value& value) {
    if constexpr (std::is_same_v<decltype(class_of(member)), ShareConfig>) {
        assign(slot.share->*member, value);
    } else {
        assign(slot.config.*member, value);
    }
}
void put_level(const Slot& slot, const Value& value) {
    assign(slot.config.log_components[std::string(slot.key)], value);
}
void put_option(const Slot& slot, const Value& value) {
    slot.share->options[std::string(slot.key)] = value.text;
}

// -- the rows
constexpr std::span<const string_view> none{};
constexpr std::int64_t kib = 1024;
constexpr std::int64_t mib = 1024 * kib;
constexpr std::int64_t gib = 1024 * mib;
constexpr std::int64_t second = 1000;
constexpr std::int64_t day = 86400 * second;
constexpr bool live = true;       // takes effect on reload
constexpr bool restart = false;   // takes effect on restart
constexpr bool optional = false;  // may be left out

constexpr Row table[] = {
    {"server.listen", Type::text_list, R"(["0.0.0.0:445", "[::]:445"])", 1, 64, none, live,
     optional, put<&Config::listen>,
     "Addresses to accept connections on: \"HOST:PORT\", \"[IPv6]:PORT\", or \":PORT\" for every "
     "address."},
    {"server.state_dir", Type::path, R"("/var/lib/smb3d")", 0, 0, none, restart, optional,
     put<&Config::state_dir>,
     "Directory for what must survive a restart: accounts and the server's identity.  Made, for "
     "root "
     "only, if missing."},
    {"server.runtime_dir", Type::path, R"("/run/smb3d")", 0, 0, none, restart, optional,
     put<&Config::runtime_dir>,
     "Directory of the lock file and of the socket that smb3dctl talks to.  Made if missing."},
    {"server.name", Type::text, R"("")", 0, 15, none, live, optional, put<&Config::name>,
     "The server's NetBIOS name, at most 15 characters.  Empty: the host's name."},
    {"server.workgroup", Type::text, R"("WORKGROUP")", 1, 15, none, live, optional,
     put<&Config::workgroup>, "The workgroup that the server says it belongs to."},
    {"server.comment", Type::text, R"("smb3d")", 0, 256, none, live, optional,
     put<&Config::comment>, "A description of the server, for listings."},
    {"server.min_dialect", Type::choice, R"("2.0.2")", 0, 0, dialect_names, live, optional,
     put<&Config::min_dialect>,
     "The oldest SMB dialect to speak.  Every supported dialect is served by default; set \"3.0\" "
     "where "
     "all clients can encrypt."},
    {"server.max_dialect", Type::choice, R"("3.1.1")", 0, 0, dialect_names, live, optional,
     put<&Config::max_dialect>, "The newest SMB dialect to speak."},
    {"server.multi_protocol_negotiate", Type::boolean, "true", 0, 0, none, live, optional,
     put<&Config::multi_protocol_negotiate>,
     "Answer the SMB1 negotiate request with which some clients find out whether a server speaks "
     "SMB2.  "
     "SMB1 itself is never spoken."},
    {"server.signing", Type::choice, R"("offered")", 0, 0, signing_names, live, optional,
     put<&Config::signing>,
     "\"offered\": a session is signed if its client asks for it (Windows does).  \"required\" "
     "(recommended): unsigned requests are refused, and guests, who have no key to sign with."},
    {"server.encryption", Type::choice, R"("offered")", 0, 0, encryption_names, live, optional,
     put<&Config::encryption>,
     "\"off\": encryption is not negotiated.  \"offered\": clients that ask for it, and shares "
     "that demand "
     "it, are encrypted.  \"required\": every session is; clients older than SMB 3.0 are refused."},
    {"server.ciphers", Type::choice_list,
     R"(["aes-128-gcm", "aes-128-ccm", "aes-256-gcm", "aes-256-ccm"])", 1, 4, cipher_names, live,
     optional, put<&Config::ciphers>, "Ciphers for SMB 3.1.1, the preferred one first."},
    {"server.signing_algorithms", Type::choice_list, R"(["aes-gmac", "aes-cmac", "hmac-sha256"])",
     1, 3, signer_names, live, optional, put<&Config::signing_algorithms>,
     "Signing algorithms for SMB 3.1.1, the preferred one first."},
    {"server.max_connections", Type::integer, "16384", 1, 1000000, none, live, optional,
     put<&Config::max_connections>, "Connections at once; further ones are closed at once."},
    {"server.max_connections_per_address", Type::integer, "4096", 1, 1000000, none, live, optional,
     put<&Config::max_connections_per_address>, "Connections at once from one client address."},
    {"server.max_sessions", Type::integer, "32768", 1, 1000000, none, live, optional,
     put<&Config::max_sessions>, "Sessions at once."},
    {"server.max_open_files", Type::integer, "262144", 16, 10000000, none, live, optional,
     put<&Config::max_open_files>,
     "Open files and directories at once.  The limit on the process's file descriptors is raised "
     "to fit as far as the system allows; if that is too few, seven eighths of them, less 256, are "
     "for open files."},
    {"server.multichannel", Type::boolean, "true", 0, 0, none, live, optional,
     put<&Config::multichannel>,
     "Let SMB 3 clients use several connections for one session (multichannel)."},
    {"server.max_channels", Type::integer, "32", 1, 256, none, live, optional,
     put<&Config::max_channels>, "Connections that one session may use."},
    {"server.leases", Type::boolean, "true", 0, 0, none, live, optional, put<&Config::leases>,
     "Offer leases (SMB 2.1 and newer): clients cache what nobody else uses."},
    {"server.directory_leases", Type::boolean, "true", 0, 0, none, live, optional,
     put<&Config::directory_leases>,
     "Offer leases on directories (SMB 3.0 and newer): clients keep listings."},
    {"server.max_directory_leases", Type::integer, "65536", 16, 10000000, none, live, optional,
     put<&Config::max_directory_leases>,
     "Leases on directories at once; beyond it the oldest is taken back."},
    {"server.oplock_break_timeout", Type::duration, R"("35s")", second, 600 * second, none, live,
     optional, put<&Config::oplock_break_timeout_ms>,
     "How long others wait for a client that has been asked to give up an oplock or lease."},
    {"server.durable_timeout", Type::duration, R"("60s")", second, 3600 * second, none, live,
     optional, put<&Config::durable_timeout_ms>,
     "How long a durable or persistent handle waits for a client that has lost its connection and "
     "did not say how long it wants (one that does gets up to 5 minutes)."},
    {"server.max_disconnected_opens", Type::integer, "65536", 0, 10000000, none, live, optional,
     put<&Config::max_disconnected_opens>,
     "Handles that wait for their clients at once, 16384 of one client at most.  Beyond it "
     "handles are closed with their connection."},
    {"server.authentication_timeout", Type::duration, R"("30s")", second, 600 * second, none, live,
     optional, put<&Config::authentication_timeout_ms>,
     "A connection without a session after this time is closed."},
    {"server.idle_session_timeout", Type::duration, "0", 0, 365 * day, none, live, optional,
     put<&Config::idle_session_timeout_ms>,
     "A session without open files and without a request for this time is ended.  0: never."},
    {"server.stop_timeout", Type::duration, R"("5s")", 0, 600 * second, none, live, optional,
     put<&Config::stop_timeout_ms>, "How long stopping waits for requests under way."},
    {"server.loops", Type::integer, "0", 0, 256, none, restart, optional, put<&Config::loops>,
     "Event-loop threads.  0: one a processor core."},
    {"server.workers", Type::integer, "0", 0, 1024, none, restart, optional, put<&Config::workers>,
     "Threads for system calls that may block.  0: four a processor core, at least 8."},
    {"server.io", Type::choice, R"("auto")", 0, 0, method_names, restart, optional,
     put<&Config::io>,
     "\"uring\": io_uring; \"epoll\": epoll and worker threads; \"auto\": io_uring where the "
     "kernel "
     "allows it, else epoll."},
    {"server.max_memory", Type::size, R"("1GiB")", 16 * mib, 1024 * gib, none, restart, optional,
     put<&Config::max_memory>,
     "Ceiling of the memory for message and file data under way, all connections together."},
    {"server.max_transact", Type::size, R"("8MiB")", 64 * kib, 8 * mib, none, live, optional,
     put<&Config::max_transact>, "The largest read, write or transaction of SMB 2.1 and newer."},
    {"server.max_credits", Type::integer, "8192", 32, 8192, none, live, optional,
     put<&Config::max_credits>,
     "Credits that a connection may hold: how many requests (or units of 64 KiB) it may have under "
     "way."},
    {"server.copy_max_chunks", Type::integer, "256", 1, 256, none, live, optional,
     put<&Config::copy_max_chunks>, "Server-side copy: how many ranges a request may name."},
    {"server.copy_max_chunk_size", Type::size, R"("1MiB")", 64 * kib, 8 * mib, none, live, optional,
     put<&Config::copy_max_chunk_size>, "Server-side copy: the longest range."},
    {"server.copy_max_request_size", Type::size, R"("16MiB")", 64 * kib, 1 * gib, none, live,
     optional, put<&Config::copy_max_request_size>,
     "Server-side copy: the most that one request may copy.  Clients that ask for more are told "
     "the "
     "three limits."},

    {"crypto.provider", Type::choice, R"("auto")", 0, 0, provider_names, restart, optional,
     put<&Config::crypto_provider>,
     "Who signs and encrypts: \"openssl\"; \"builtin\": smb3d's own use of the processor's "
     "instructions (x86-64 with VAES); \"ipsec-mb\": libipsec-mb, if smb3d was built with it; "
     "\"auto\": "
     "measured at start, each algorithm from the fastest.  smb3dctl status shows the choice."},

    {"interface.exclude", Type::text_list, R"(["docker*", "virbr*", "veth*"])", 0, 256, none, live,
     optional, put_exclude,
     "Network interfaces (names, with * and ?) and addresses that clients are not told of for "
     "multichannel.  Those that the server does not listen on are left out anyway."},
    {"interface.speed.*", Type::integer, "", 1, 10000000, none, live, optional, put_speed,
     "Speed of an interface in Mbit/s, instead of what its adapter says.  Clients use the "
     "fastest."},
    {"interface.rss.*", Type::boolean, "", 0, 0, none, live, optional, put_rss,
     "Whether an interface spreads its work over several processors (RSS), so that clients open "
     "several connections to it; instead of whether it has several receive queues."},
    {"interface.rdma.*", Type::boolean, "", 0, 0, none, live, optional, put_rdma,
     "Whether clients are told that an interface can do RDMA."},

    {"auth.guest", Type::boolean, "false", 0, 0, none, live, optional, put<&Config::guest>,
     "Let users without an account in as guests, on shares that allow guests.  A wrong password "
     "for an "
     "account that exists is refused all the same."},
    {"auth.anonymous", Type::boolean, "false", 0, 0, none, live, optional, put<&Config::anonymous>,
     "Let anonymous (null) sessions in, on shares that allow them."},
    {"auth.guest_account", Type::text, R"("nobody")", 1, 255, none, live, optional,
     put<&Config::guest_account>,
     "The system account as which guests and anonymous users access files."},
    {"auth.failed_logon_burst", Type::integer, "500", 0, 1000000, none, live, optional,
     put<&Config::failed_logon_burst>,
     "Failed logons that one address may have at once before its logons fail untried; 0: any "
     "number."},
    {"auth.failed_logons_per_minute", Type::integer, "300", 0, 1000000, none, live, optional,
     put<&Config::failed_logons_per_minute>,
     "How many of them an address gets back in a minute.  See auth.failed_logon_burst."},

    {"log.level", Type::choice, R"("info")", 0, 0, level_names, live, optional,
     put<&Config::log_level>, "How much to log; components without a level of their own."},
    {"log.target", Type::choice, R"("auto")", 0, 0, target_names, restart, optional,
     put<&Config::log_target>, "\"auto\": the journal if started by systemd, else standard error."},
    {"log.components.*", Type::choice, "", 0, 0, level_names, live, optional, put_level,
     "The level of one component: daemon, config, transport, engine, auth, vfs, fsa, pipe or "
     "admin."},

    {"plugins.load", Type::text_list, "[]", 0, 64, none, restart, optional, put<&Config::plugins>,
     "Shared objects with further VFS back ends, by absolute path; see smb3d/plugin.h."},

    {"share.*.path", Type::path, "", 0, 0, none, live, true, put<&ShareConfig::path>,
     "The directory to serve.  Required."},
    {"share.*.comment", Type::text, R"("")", 0, 256, none, live, optional,
     put<&ShareConfig::comment>, "A description, for listings."},
    {"share.*.hidden", Type::boolean, "false", 0, 0, none, live, optional,
     put<&ShareConfig::hidden>,
     "Leave the share out of listings.  A share whose name ends in $ is marked hidden to clients "
     "as well."},
    {"share.*.read_only", Type::boolean, "false", 0, 0, none, live, optional,
     put<&ShareConfig::read_only>, "Nobody may write."},
    {"share.*.encrypt", Type::boolean, "false", 0, 0, none, live, optional,
     put<&ShareConfig::encrypt>, "Demand encryption on this share: SMB 3.0 and newer only."},
    {"share.*.guest", Type::boolean, "false", 0, 0, none, live, optional, put<&ShareConfig::guest>,
     "Allow guests (see auth.guest)."},
    {"share.*.anonymous", Type::boolean, "false", 0, 0, none, live, optional,
     put<&ShareConfig::anonymous>, "Allow anonymous users (see auth.anonymous)."},
    {"share.*.users", Type::text_list, "[]", 0, 4096, none, live, optional,
     put<&ShareConfig::users>,
     "Who may connect: account names, or \"@GROUP\" for the members of a group.  Empty: every "
     "account."},
    {"share.*.deny_users", Type::text_list, "[]", 0, 4096, none, live, optional,
     put<&ShareConfig::deny_users>, "Who may not connect, whatever \"users\" says."},
    {"share.*.read_only_users", Type::text_list, "[]", 0, 4096, none, live, optional,
     put<&ShareConfig::read_only_users>, "Who may connect but not write."},
    {"share.*.access_based_enumeration", Type::boolean, "false", 0, 0, none, live, optional,
     put<&ShareConfig::access_based_enumeration>,
     "Leave out of listings the files that the user may not read."},
    {"share.*.caching", Type::choice, R"("manual")", 0, 0, caching_names, live, optional,
     put<&ShareConfig::caching>, "What Windows clients may keep for offline use."},
    {"share.*.oplocks", Type::boolean, "true", 0, 0, none, live, optional,
     put<&ShareConfig::oplocks>, "Grant oplocks and leases: clients may cache."},
    {"share.*.level2_oplocks_only", Type::boolean, "false", 0, 0, none, live, optional,
     put<&ShareConfig::level2_oplocks_only>,
     "Let clients cache what they read, but neither what they write nor open files."},
    {"share.*.directory_leases", Type::boolean, "true", 0, 0, none, live, optional,
     put<&ShareConfig::directory_leases>,
     "Grant leases on directories (see server.directory_leases)."},
    {"share.*.continuous_availability", Type::boolean, "false", 0, 0, none, live, optional,
     put<&ShareConfig::continuous_availability>,
     "Give SMB 3 clients persistent handles: with their leases and locks they survive a crash or "
     "restart of the server.  Every such handle is written to server.state_dir before it is "
     "granted, and every write to it goes through to the disk."},
    {"share.*.max_connections", Type::integer, "0", 0, 1000000, none, live, optional,
     put<&ShareConfig::max_connections>, "Tree connects at once.  0: no limit."},
    {"share.*.case_sensitive", Type::boolean, "false", 0, 0, none, live, optional,
     put<&ShareConfig::case_sensitive>,
     "Treat names that differ in case only as different.  Windows and macOS clients expect that "
     "they "
     "are not."},
    {"share.*.symlinks", Type::choice, R"("inside")", 0, 0, symlink_names, live, optional,
     put<&ShareConfig::symlinks>,
     "\"inside\": symbolic links are followed if they stay inside the share.  \"never\": none is "
     "followed."},
    {"share.*.file_mode", Type::mode, R"("0644")", 0, 0777, none, live, optional,
     put<&ShareConfig::file_mode>, "Permission bits of files that clients create."},
    {"share.*.directory_mode", Type::mode, R"("0755")", 0, 0777, none, live, optional,
     put<&ShareConfig::directory_mode>, "Permission bits of directories that clients create."},
    {"share.*.hide_dot_files", Type::boolean, "true", 0, 0, none, live, optional,
     put<&ShareConfig::hide_dot_files>, "Show files whose name begins with a dot as hidden."},
    {"share.*.host_changes", Type::choice, R"("watch")", 0, 0, host_change_names, live, optional,
     put<&ShareConfig::host_changes>,
     "\"watch\": clients that watch a directory also learn what local programs and NFS change in "
     "it (inotify).  \"none\": only what clients of this server change; for shares that nobody "
     "else "
     "writes to."},
    {"share.*.kernel_leases", Type::boolean, "true", 0, 0, none, live, optional,
     put<&ShareConfig::kernel_leases>,
     "Local programs and NFS that open a file which clients cache wait until those have written "
     "back what they changed and given up what they read (fcntl F_SETLEASE); a client that does "
     "not answer keeps them waiting for server.oplock_break_timeout at most, which must be shorter "
     "than /proc/sys/fs/lease-break-time.  What a local program has open is not cached.  Without: "
     "for shares whose files nobody else touches.  Network file systems and those without leases "
     "are served as if it were false."},
    {"share.*.posix_locks", Type::boolean, "false", 0, 0, none, live, optional,
     put<&ShareConfig::posix_locks>,
     "Byte ranges that clients lock are locked for local programs and NFS as well (fcntl "
     "F_OFD_SETLK), and what those have locked is refused to clients.  Reading and writing "
     "without locking is not affected, as usual on the host.  A file can then have 4,096 locks at "
     "a time."},
    {"share.*.force_user", Type::text, R"("")", 0, 255, none, live, optional,
     put<&ShareConfig::force_user>,
     "The system account as which files are accessed, whoever is logged on.  Empty: the user's "
     "own."},
    {"share.*.backend.plugin", Type::text, R"("")", 0, 255, none, live, optional,
     put<&ShareConfig::plugin>,
     "The name of the back end that serves the share: a plug-in's, or empty for the file system."},
    {"share.*.backend.*", Type::scalar, "", 0, 0, none, live, optional, put_option,
     "Options of the plug-in, passed on as they are."},
};

std::size_t distance(string_view a, string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

bool matches(string_view pattern, string_view path) {
    while (true) {
        const auto p = pattern.substr(0, pattern.find('.'));
        const auto c = path.substr(0, path.find('.'));
        if (p != "*" && p != c) return false;
        const bool pattern_ends = p.size() == pattern.size();
        const bool path_ends = c.size() == path.size();
        if (pattern_ends || path_ends) return pattern_ends && path_ends;
        pattern.remove_prefix(p.size() + 1);
        path.remove_prefix(c.size() + 1);
    }
}

}  // namespace

std::span<const Row> rows() { return table; }

const Row* find_row(string_view path) {
    // A row that names the key comes before one that takes any.
    for (const Row& row : table) {
        if (matches(row.path, path)) return &row;
    }
    return nullptr;
}

string_view nearest(string_view word, std::span<const string_view> names) {
    string_view best;
    std::size_t best_distance = std::numeric_limits<std::size_t>::max();
    if (word.size() > 64) return best;
    for (const string_view name : names) {
        const std::size_t d = distance(word, name);
        if (d < best_distance) {
            best_distance = d;
            best = name;
        }
    }
    // Further away than half of the word is not a slip of the keyboard.
    return best_distance <= std::max<std::size_t>(2, word.size() / 2) ? best : string_view{};
}

string_view name_of(engine::Dialect dialect) {
    for (const auto& entry : dialects) {
        if (entry.value == dialect) return entry.name;
    }
    return "";
}

string_view name_of(IoMethod method) {
    for (const auto& entry : methods) {
        if (entry.value == method) return entry.name;
    }
    return "";
}

}  // namespace smb3d::daemon
