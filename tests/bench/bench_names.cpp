// Names: conversion, folding and wildcards, once for every entry of a listing.
#include <string>

#include <benchmark/benchmark.h>

#include "base/utf16.h"
#include "fsa/name_match.h"

namespace smb3d {
namespace {

const std::string ascii_name = "Quarterly Report 2026 (final, revised).docx";
const std::string other_name = "Größenübersicht für die 漢字 Mappe.docx";

void fold(benchmark::State& state, const std::string& name) {
    for (auto _ : state) {
        auto folded = fold_name(name);
        benchmark::DoNotOptimize(folded);
    }
}
BENCHMARK_CAPTURE(fold, ascii, ascii_name);
BENCHMARK_CAPTURE(fold, other, other_name);

void compare_folded(benchmark::State& state) {
    std::string upper = ascii_name;
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    for (auto _ : state) benchmark::DoNotOptimize(equal_folded(ascii_name, upper));
}
BENCHMARK(compare_folded);

void to_utf16(benchmark::State& state, const std::string& name) {
    for (auto _ : state) {
        auto text = utf8_to_utf16(name);
        benchmark::DoNotOptimize(text);
    }
}
BENCHMARK_CAPTURE(to_utf16, ascii, ascii_name);
BENCHMARK_CAPTURE(to_utf16, other, other_name);

void match(benchmark::State& state, std::u16string_view pattern) {
    const auto expression = fsa::NameExpression::parse(pattern);
    if (!expression) {
        state.SkipWithError("the pattern is not one");
        return;
    }
    for (auto _ : state) benchmark::DoNotOptimize(expression->matches(ascii_name));
}
BENCHMARK_CAPTURE(match, all, u"*");
BENCHMARK_CAPTURE(match, extension, u"*.docx");
BENCHMARK_CAPTURE(match, question_marks, u"Q?arterly*20??*.d*x");

}  // namespace
}  // namespace smb3d
