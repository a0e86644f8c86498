#include <sys/stat.h>

#include <gtest/gtest.h>

#include "daemon/config_file.h"
#include "daemon/config_schema.h"
#include "daemon/config_values.h"
#include "temporary.h"

namespace smb3d::daemon {
namespace {

std::string error_of(const std::string& text) {
    const LoadedConfig loaded = parse_config(text, "t.toml");
    EXPECT_EQ(loaded.config == nullptr, !loaded.errors.empty());
    std::string all;
    for (const auto& error : loaded.errors) all += error.text() + "\n";
    return all;
}
bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(Config, TheIssuesFiveLinesAreEnough) {
    const auto loaded = parse_config(R"([server]
listen = ["127.0.0.1:4450"]
state_dir = "/var/lib/smb3d"
runtime_dir = "/run/smb3d"
[share.test]
path = "/srv/test"
)",
                                     "t.toml");
    ASSERT_TRUE(loaded.config) << loaded.errors.front().text();
    const Config& config = *loaded.config;
    EXPECT_EQ(config.listen, std::vector<std::string>{"127.0.0.1:4450"});
    EXPECT_EQ(config.min_dialect, engine::Dialect::smb202);
    EXPECT_EQ(config.max_dialect, engine::Dialect::smb311);
    EXPECT_EQ(config.signing, Signing::offered);
    EXPECT_EQ(config.ciphers.size(), 4U);
    EXPECT_EQ(config.authentication_timeout_ms, 30000U);
    EXPECT_EQ(config.max_memory, 1ULL << 30);
    EXPECT_FALSE(config.guest);
    ASSERT_EQ(config.shares.size(), 1U);
    EXPECT_EQ(config.shares[0].name, "test");
    EXPECT_EQ(config.shares[0].file_mode, 0644U);
    EXPECT_FALSE(config.shares[0].read_only);
    EXPECT_EQ(config.shares[0].place.line, 5U);
}

TEST(Config, EveryRowHasADefaultThatItsOwnCheckTakes) {
    for (const Row& row : rows()) {
        SCOPED_TRACE(std::string(row.path));
        EXPECT_FALSE(row.doc.empty());
        EXPECT_NE(row.store, nullptr);
        if (row.fallback.empty()) {
            EXPECT_TRUE(row.required || row.path.ends_with("*"));
            continue;
        }
        const auto tree = read_toml("v = " + std::string(row.fallback), "t");
        ASSERT_TRUE(tree);
        EXPECT_TRUE(check_value(row, tree->entries.front().node));
    }
}

TEST(Config, UnknownKeysAreToldWithTheirPlaceAndTheNearestName) {
    const std::string text =
        error_of("[server]\nlisen = [\":445\"]\n  sining = \"required\"\n[shre.x]\npath=\"/\"\n");
    EXPECT_TRUE(has(text, "t.toml:2:1: unknown key server.lisen; did you mean listen?")) << text;
    EXPECT_TRUE(has(text, "t.toml:3:3: unknown key server.sining; did you mean signing?")) << text;
    EXPECT_TRUE(has(text, "t.toml:4:2: unknown key shre; did you mean share?")) << text;
    EXPECT_TRUE(has(error_of("[share.a]\npath = \"/\"\nread_onyl = true"),
                    "t.toml:3:1: unknown key share.a.read_onyl; did you mean read_only?"));
}

TEST(Config, AllErrorsAreReportedNotOnlyTheFirst) {
    const auto loaded = parse_config(
        "[server]\nmax_connections = \"many\"\nworkers = -1\nio = \"iouring\"\nmax_transact = "
        "\"9GiB\"\n"
        "authentication_timeout = \"soon\"\nciphers = [\"des\", \"aes-128-gcm\", "
        "\"aes-128-gcm\"]\n",
        "t.toml");
    std::vector<unsigned> lines;
    for (const auto& error : loaded.errors) lines.push_back(error.place.line);
    EXPECT_EQ(lines, (std::vector<unsigned>{2, 3, 4, 5, 6, 7, 7}));
}

TEST(Config, WrongTypesSayWhatIsWantedAndWhatIsThere) {
    EXPECT_TRUE(has(error_of("[server]\nsigning = true"),
                    "must be \"offered\" or \"required\", not a boolean"));
    EXPECT_TRUE(
        has(error_of("[server]\nlisten = \":445\""), "must be an array of strings, not a string"));
    EXPECT_TRUE(has(error_of("server = 1"), "server must be a table"));
    EXPECT_TRUE(has(error_of("[server]\nsigning = \"require\""), "did you mean \"required\"?"));
    EXPECT_TRUE(has(error_of("[share.a]\npath = \"srv\""), "is not an absolute path"));
    EXPECT_TRUE(has(error_of("[share.a]\ncomment = \"x\""), "t.toml:1:8: [share.a] needs path"));
}

TEST(Config, SyntaxErrorsHaveAPlace) {
    const auto loaded = parse_config("[server]\nlisten = [\n", "t.toml");
    ASSERT_EQ(loaded.errors.size(), 1U);
    EXPECT_GE(loaded.errors[0].place.line, 2U);
    EXPECT_EQ(loaded.runtime_dir, "/run/smb3d");
    EXPECT_EQ(parse_config("[server]\nruntime_dir = \"/run/x\"\n[", "t").runtime_dir, "/run/x");
}

TEST(Config, SizesAndDurations) {
    EXPECT_EQ(parse_size("8MiB"), 8 << 20);
    EXPECT_EQ(parse_size("64 KiB"), 64 << 10);
    EXPECT_EQ(parse_size("123"), 123);
    EXPECT_EQ(parse_size("8MiBs"), -1);
    EXPECT_EQ(parse_size("-1"), -1);
    EXPECT_EQ(parse_size("9223372036854775807TiB"), -1);
    EXPECT_EQ(parse_duration("30s"), 30000);
    EXPECT_EQ(parse_duration("5min"), 300000);
    EXPECT_EQ(parse_duration("250ms"), 250);
    EXPECT_EQ(parse_duration("2"), 2000);
    EXPECT_EQ(parse_duration("2 weeks"), -1);
}

TEST(Config, RelationsBetweenKeys) {
    EXPECT_TRUE(
        has(error_of("[server]\nmin_dialect=\"3.0\"\nmax_dialect=\"2.1\""),
            "t.toml:2:13: server.min_dialect (3.0) is newer than server.max_dialect (2.1)"));
    EXPECT_TRUE(has(error_of("[server]\nencryption=\"required\"\nmax_dialect=\"2.1\""),
                    "needs server.max_dialect"));
    EXPECT_TRUE(has(error_of("[share.a]\npath=\"/\"\nguest=true"), "no effect without auth.guest"));
    EXPECT_TRUE(
        has(error_of("[share.a]\npath=\"/\"\n[share.a.backend]\nx=1"), "options but no plugin"));
    EXPECT_TRUE(has(error_of("[server]\nlisten=[\":445\",\":445\"]"), "is there twice"));
}

TEST(Config, ShareNames) {
    EXPECT_TRUE(has(error_of("[share.\"IPC$\"]\npath=\"/\""), "server's own"));
    EXPECT_TRUE(has(error_of("[share.\"ipc$\"]\npath=\"/\""), "server's own"));
    EXPECT_TRUE(has(error_of("[share.\"a/b\"]\npath=\"/\""), "clients cannot use"));
    EXPECT_TRUE(
        has(error_of("[share.a]\npath=\"/\"\n[share.A]\npath=\"/\""), "differ in case only"));
    EXPECT_TRUE(has(error_of("[share.\"" + std::string(81, 'x') + "\"]\npath=\"/\""), "1 to 80"));
    const auto dotted = parse_config("[share.\"my.files\"]\npath=\"/srv\"\n[share.\"*\".x]\n", "t");
    EXPECT_FALSE(dotted.config);
    const auto good = parse_config("[share.\"my.files\"]\npath=\"/srv/\"\nread_only=true", "t");
    ASSERT_TRUE(good.config);
    EXPECT_EQ(good.config->shares[0].path, "/srv");
    EXPECT_TRUE(good.config->shares[0].read_only);
}

TEST(Config, ListenAddresses) {
    for (const char* good :
         {":445", "0.0.0.0:445", "[::]:445", "[fe80::1%eth0]:445", "nas.local:4450"}) {
        EXPECT_EQ(listen_problem(good), "") << good;
    }
    for (const char* bad : {"", "445", "1.2.3:445", "::1:445", "[::1:445", "[x]:445", ":0",
                            ":70000", "a b:1", ":4x"}) {
        EXPECT_NE(listen_problem(bad), "") << bad;
    }
}

TEST(Config, DropInFilesReplaceKeysInTheOrderOfTheirNames) {
    const test::TemporaryDirectory directory;
    const auto file =
        directory.write("c.toml", "[server]\ncomment=\"a\"\n[share.one]\npath=\"/one\"\n");
    ::mkdir((file + ".d").c_str(), 0755);
    directory.write("c.toml.d/20.toml", "[server]\ncomment=\"c\"\n");
    directory.write("c.toml.d/10.toml", "[server]\ncomment=\"b\"\n[share.two]\npath=\"/two\"\n");
    directory.write("c.toml.d/30.txt", "not read");
    const auto loaded = load_config(file);
    ASSERT_TRUE(loaded.config) << loaded.errors.front().text();
    EXPECT_EQ(loaded.config->comment, "c");
    EXPECT_EQ(loaded.config->shares.size(), 2U);
    for (const Setting& setting : loaded.config->settings) {
        if (setting.path == "server.comment") {
            EXPECT_EQ(setting.source, file + ".d/20.toml:2");
        }
        if (setting.path == "server.listen") {
            EXPECT_EQ(setting.source, "default");
        }
    }
    directory.write("c.toml.d/40.toml", "[server]\nx=1\n");
    EXPECT_EQ(load_config(file).errors.front().place.file, file + ".d/40.toml");
}

TEST(Config, AMissingFileIsAnError) {
    const auto loaded = load_config("/nonexistent/smb3d.toml");
    ASSERT_EQ(loaded.errors.size(), 1U);
    EXPECT_TRUE(has(loaded.errors[0].text(), "No such file"));
}

TEST(Config, TheEnvironmentIsChecked) {
    const auto loaded =
        parse_config("[share.gone]\npath=\"/nonexistent\"\n[share.here]\npath=\"/tmp\"\n", "t");
    ASSERT_TRUE(loaded.config);
    const auto problems = check_environment(*loaded.config);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_TRUE(has(problems[0].text(), "t:1:8: share gone: /nonexistent: No such file"));
}

TEST(Config, PluginOptionsAreKeptAsText) {
    const auto loaded = parse_config(
        "[share.a]\npath=\"/\"\n[share.a.backend]\nplugin=\"x\"\nsize=5\nfast=true\nname=\"n\"\n",
        "t");
    ASSERT_TRUE(loaded.config) << loaded.errors.front().text();
    const auto& share = loaded.config->shares[0];
    EXPECT_EQ(share.plugin, "x");
    EXPECT_EQ(share.options,
              (std::map<std::string, std::string>{{"fast", "true"}, {"name", "n"}, {"size", "5"}}));
}

TEST(Config, LogLevelsOfComponents) {
    const auto loaded =
        parse_config("[log]\nlevel=\"warn\"\n[log.components]\nengine=\"debug\"\n", "t");
    ASSERT_TRUE(loaded.config);
    EXPECT_EQ(loaded.config->log_level, log::Level::warn);
    EXPECT_EQ(loaded.config->log_components.at("engine"), log::Level::debug);
    EXPECT_TRUE(has(error_of("[log.components]\nengin=\"debug\""), "did you mean engine?"));
}

// What is shipped and what the manual says come from the same rows.
TEST(Config, ShippedExampleIsGenerated) {
    EXPECT_EQ(test::slurp(SMB3D_SOURCE_DIR "/config/smb3d.toml"), example_configuration())
        << "run: smb3d --print-default-config > config/smb3d.toml";
    const auto loaded = parse_config(example_configuration(), "example");
    ASSERT_TRUE(loaded.config) << loaded.errors.front().text();
}

TEST(Config, ExampleWithEveryKeyUncommentedIsValid) {
    std::string text;
    std::string line;
    std::istringstream in(example_configuration());
    while (std::getline(in, line)) {
        const bool section = line.starts_with("# [share.");
        const bool key = line.starts_with("# ") && line.find(" = ") != std::string::npos &&
                         line.find(' ', 2) == line.find(" = ");
        text += (section || key ? line.substr(2) : line) + "\n";
    }
    text += "[auth]\n";  // guest keys are false by default: nothing more to say
    text.erase(text.rfind("[auth]\n"));
    const auto loaded = parse_config(text, "example");
    std::string all;
    for (const auto& error : loaded.errors) all += error.text() + "\n";
    // The plug-in's option has no plug-in.
    EXPECT_EQ(loaded.errors.size(), 1U) << all;
    EXPECT_TRUE(has(all, "options but no plugin")) << all;
}

TEST(Config, ManualIsGenerated) {
    const std::string manual = test::slurp(SMB3D_SOURCE_DIR "/docs/man/smb3d.toml.5");
    EXPECT_TRUE(has(manual, ".\\\" BEGIN GENERATED by smb3d --print-reference\n" +
                                reference_manual() + ".\\\" END GENERATED\n"))
        << "run: scripts/generate.sh BUILD_DIRECTORY";
}

}  // namespace
}  // namespace smb3d::daemon
