#include "ctl/render_stats.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace smb3d::ctl {

namespace {

using nlohmann::json;

struct Kind {
    const char* key;     // in the answer
    const char* title;   // of the table
    const char* metric;  // what the metrics' names begin with
    const char* label;
    const char* what;
};
constexpr Kind kinds[] = {
    {"commands", "COMMAND", "smb3d_command", "command", "SMB2 command"},
    {"shares", "SHARE", "smb3d_share", "share", "share"},
    {"transports", "TRANSPORT", "smb3d_transport", "transport", "transport"},
};

std::uint64_t number(const json& object, const char* key) {
    const auto it = object.find(key);
    return it != object.end() && it->is_number_unsigned() ? it->get<std::uint64_t>() : 0;
}

struct Bucket {
    std::uint64_t end_ns;
    std::uint64_t count;
};
std::vector<Bucket> buckets_of(const json& row) {
    std::vector<Bucket> out;
    for (const json& entry : row.value("latency", json::array())) {
        if (entry.is_array() && entry.size() == 2) {
            out.push_back({entry[0].get<std::uint64_t>(), entry[1].get<std::uint64_t>()});
        }
    }
    return out;
}

std::string time_of(double ns) {
    if (ns < 1e6) return fmt::format("{:.0f} us", ns / 1e3);
    if (ns < 1e9) return fmt::format("{:.1f} ms", ns / 1e6);
    return fmt::format("{:.1f} s", ns / 1e9);
}

// The end of the bucket in which this part of all requests lies.
std::string percentile(const std::vector<Bucket>& buckets, std::uint64_t measured, double part) {
    const auto wanted = static_cast<std::uint64_t>(static_cast<double>(measured) * part);
    std::uint64_t seen = 0;
    for (const Bucket& bucket : buckets) {
        seen += bucket.count;
        if (seen > wanted || seen == measured) {
            return bucket.end_ns == ~std::uint64_t{0} ? "> 69 s"
                                                      : time_of(static_cast<double>(bucket.end_ns));
        }
    }
    return "";
}

std::string size_of(std::uint64_t bytes) {
    constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
    return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, units[unit]);
}

std::string harmless(std::string_view text) {
    std::string out;
    for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    return out;
}

std::vector<std::string> line_of(const json& row) {
    const std::vector<Bucket> buckets = buckets_of(row);
    const std::uint64_t measured = number(row, "requests") - number(row, "waited");
    const auto total = static_cast<double>(number(row, "total_ns"));
    return {harmless(row.value("name", "")),
            fmt::format("{}", number(row, "requests")),
            fmt::format("{}", number(row, "errors")),
            measured == 0 ? "" : time_of(total / static_cast<double>(measured)),
            percentile(buckets, measured, 0.5),
            percentile(buckets, measured, 0.99),
            percentile(buckets, measured, 0.999),
            size_of(number(row, "bytes_in")),
            size_of(number(row, "bytes_out"))};
}

std::string table(const Kind& kind, const json& rows) {
    std::vector<std::vector<std::string>> lines;
    lines.push_back({kind.title, "REQUESTS", "ERRORS", "MEAN", "P50", "P99", "P99.9", "IN", "OUT"});
    for (const json& row : rows) {
        if (number(row, "requests") != 0) lines.push_back(line_of(row));
    }
    std::string out;
    std::vector<std::size_t> widest(lines.front().size());
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i)
            widest[i] = std::max(widest[i], line[i].size());
    }
    for (const auto& line : lines) {
        out += fmt::format("{:<{}}", line[0], widest[0]);
        for (std::size_t i = 1; i < line.size(); ++i) {
            out += fmt::format("  {:>{}}", line[i], widest[i]);
        }
        out += "\n";
    }
    return out;
}

// -- Prometheus
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || c == '"') out += '\\';
        if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
    return out;
}

std::string labelled(const Kind& kind, const json& row) {
    return fmt::format("{}=\"{}\"", kind.label, escaped(row.value("name", "")));
}

void header(std::string& out, const std::string& name, const char* type, const std::string& help) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void counter(std::string& out, const Kind& kind, const json& rows, const char* key,
             const char* suffix, const char* help) {
    const std::string name = fmt::format("{}_{}_total", kind.metric, suffix);
    header(out, name, "counter", fmt::format("{}, by {}.", help, kind.what));
    for (const json& row : rows) {
        if (number(row, "requests") == 0) continue;
        out += fmt::format("{}{{{}}} {}\n", name, labelled(kind, row), number(row, key));
    }
}

// One bucket a power of two: a quarter of what there is, and enough for quantiles.
void histogram(std::string& out, const Kind& kind, const json& rows) {
    const std::string name = fmt::format("{}_duration_seconds", kind.metric);
    header(out, name, "histogram",
           fmt::format("From a request's turn to its response, by {}; without those that waited "
                       "for others.",
                       kind.what));
    for (const json& row : rows) {
        if (number(row, "requests") == 0) continue;
        const std::string label = labelled(kind, row);
        const std::vector<Bucket> buckets = buckets_of(row);
        std::uint64_t seen = 0;
        std::size_t at = 0;
        for (unsigned bits = 10; bits <= 36; ++bits) {
            const std::uint64_t end = std::uint64_t{1} << bits;
            for (; at < buckets.size() && buckets[at].end_ns <= end; ++at)
                seen += buckets[at].count;
            out += fmt::format("{}_bucket{{{},le=\"{:.9g}\"}} {}\n", name, label,
                               static_cast<double>(end) / 1e9, seen);
        }
        for (; at < buckets.size(); ++at) seen += buckets[at].count;
        out += fmt::format("{}_bucket{{{},le=\"+Inf\"}} {}\n", name, label, seen);
        out += fmt::format("{}_sum{{{}}} {:.9f}\n", name, label,
                           static_cast<double>(number(row, "total_ns")) / 1e9);
        out += fmt::format("{}_count{{{}}} {}\n", name, label, seen);
    }
}

struct Figure {
    const char* key;
    const char* name;
    const char* type;
    const char* help;
};
constexpr Figure figures[] = {
    {"connections", "smb3d_connections", "gauge", "Connections at present."},
    {"sessions", "smb3d_sessions", "gauge", "Sessions at present."},
    {"trees", "smb3d_tree_connects", "gauge", "Connections to shares at present."},
    {"opens", "smb3d_opens", "gauge", "Open files at present."},
    {"buffer_bytes", "smb3d_buffer_bytes", "gauge", "Memory of messages and file data under way."},
    {"buffer_ceiling", "smb3d_buffer_ceiling_bytes", "gauge", "Its limit, server.max_memory."},
    {"handle_record_failures", "smb3d_handle_record_failures_total", "counter",
     "Records of persistent handles that could not be written; see the log."},
    {"handle_records_owed", "smb3d_handle_records_owed", "gauge",
     "Those that are tried again, until the disk takes them."},
    {"bytes_read", "smb3d_read_bytes_total", "counter", "Data that clients have read."},
    {"bytes_written", "smb3d_written_bytes_total", "counter", "Data that clients have written."},
    {"started", "smb3d_start_time_seconds", "gauge", "When the server was started, Unix time."},
};

}  // namespace

std::string render_stats(const json& result) {
    std::string out;
    for (const Kind& kind : kinds) {
        if (!out.empty()) out += "\n";
        out += table(kind, result.value(kind.key, json::array()));
    }
    return out;
}

std::string render_prometheus(const json& result) {
    std::string out;
    const json server = result.value("server", json::object());
    for (const Figure& figure : figures) {
        header(out, figure.name, figure.type, figure.help);
        out += fmt::format("{} {}\n", figure.name, number(server, figure.key));
    }
    for (const Kind& kind : kinds) {
        const json rows = result.value(kind.key, json::array());
        counter(out, kind, rows, "requests", "requests", "Requests answered");
        counter(out, kind, rows, "errors", "errors", "Requests answered with an error");
        counter(out, kind, rows, "waited", "waited", "Requests that waited for others");
        counter(out, kind, rows, "bytes_in", "received_bytes", "Bytes of requests");
        counter(out, kind, rows, "bytes_out", "sent_bytes", "Bytes of responses");
        if (std::string_view(kind.key) == "transports") {
            counter(out, kind, rows, "connections", "connections", "Connections accepted");
        }
        histogram(out, kind, rows);
    }
    return out;
}

}  // namespace smb3d::ctl
