#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "targets.h"

// The fuzz targets without a fuzzer: seeds, inputs that once broke a promise, and a few hundred changed ones of each, always the same.

using namespace midigpt::fuzz;

namespace {

constexpr int kChanged = 400;                         // per target
constexpr auto kHang = std::chrono::seconds(20);      // far above what any input needs under the sanitizers

const std::filesystem::path kSource(MIDIGPT_NB_SOURCE);

Bytes content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Bytes> regressions(std::string_view target) {
  std::vector<std::filesystem::path> paths;
  const auto folder = kSource / "tests/fuzz/regressions" / target;
  if (std::filesystem::exists(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<Bytes> out;
  for (const auto& path : paths) out.push_back(content(path));
  return out;
}

std::string as_hex(const Bytes& bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) text += {digits[byte >> 4], digits[byte & 15]};
  return text;
}

// A few bytes changed, taken out, put in or repeated, or the end of another input put behind.
Bytes changed(Bytes bytes, const Bytes& other, std::mt19937& random) {
  const auto place = [&](std::size_t n) { return static_cast<std::ptrdiff_t>(random() % (n + 1)); };
  for (auto n = random() % 6 + 1; n > 0; --n) {
    const std::ptrdiff_t at = place(bytes.size()), length = std::min<std::ptrdiff_t>(place(16), std::ssize(bytes) - at);
    switch (random() % 6) {
      case 0: bytes.erase(bytes.begin() + at, bytes.begin() + at + length); break;
      case 1: bytes.insert(bytes.begin() + at, static_cast<std::uint8_t>(random())); break;
      case 2: {
        const Bytes part(bytes.begin() + at, bytes.begin() + at + length);
        bytes.insert(bytes.begin() + at, part.begin(), part.end());
        break;
      }
      case 3: {
        const std::ptrdiff_t from = place(other.size());
        bytes.resize(static_cast<std::size_t>(at));
        bytes.insert(bytes.end(), other.begin() + from, other.end());
        break;
      }
      default:
        if (at < std::ssize(bytes)) bytes[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(random());
    }
  }
  bytes.resize(std::min<std::size_t>(bytes.size(), 4096));
  return bytes;
}

void run(const Target& target, const Bytes& bytes) {
  const auto start = std::chrono::steady_clock::now();
  std::string broken;
  try {
    target.run(bytes);
  } catch (const std::exception& error) {
    broken = error.what();
  }
  INFO(std::string(target.name), " of the bytes ", as_hex(bytes));
  CHECK(broken == "");
  CHECK(std::chrono::steady_clock::now() - start < kHang);
}

}  // namespace

TEST_CASE("the core keeps its promises on inputs that nobody writes") {
  const Bytes example = content(kSource / "midigpt_nb/data/example.mid");
  REQUIRE(!example.empty());
  for (const Target& target : kTargets) {
    CAPTURE(std::string(target.name));
    std::vector<Bytes> inputs = seeds(target.name, example);
    for (Bytes& bytes : regressions(target.name)) inputs.push_back(std::move(bytes));
    run(target, {});
    for (const Bytes& bytes : inputs) run(target, bytes);
    std::mt19937 random(7);
    for (int i = 0; i < kChanged; ++i) run(target, changed(inputs[random() % inputs.size()], inputs[random() % inputs.size()], random));
  }
}
