// The fuzzing program: `core_fuzz --target=NAME [libFuzzer's options] [corpus]`; `--list` names the targets, and
// `--seeds=FOLDER --example=FILE` writes a target's first inputs.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "targets.h"

namespace {

void (*run)(std::span<const std::uint8_t>) = nullptr;

std::string option(std::string_view name, int argc, char** argv) {
  const std::string start = "--" + std::string(name) + "=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument(argv[i]);
    if (argument.starts_with(start)) return std::string(argument.substr(start.size()));
  }
  return {};
}

midigpt::fuzz::Bytes content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_seeds(const std::string& target, const std::string& folder, const std::string& example) {
  int n = 0;
  for (const auto& seed : midigpt::fuzz::seeds(target, content(example))) {
    std::ofstream file(folder + "/seed-" + std::to_string(n++), std::ios::binary);
    file.write(reinterpret_cast<const char*>(seed.data()), static_cast<std::streamsize>(seed.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  for (int i = 1; i < *argc; ++i) {
    if (std::string_view((*argv)[i]) != "--list") continue;
    for (const auto& target : midigpt::fuzz::kTargets) std::printf("%s\n", std::string(target.name).c_str());
    std::exit(0);
  }
  const std::string name = option("target", *argc, *argv);
  for (const auto& target : midigpt::fuzz::kTargets) {
    if (target.name == name) run = target.run;
  }
  if (run == nullptr) {
    std::fprintf(stderr, "--target=NAME must name a target; --list names them\n");
    std::exit(2);
  }
  if (const std::string folder = option("seeds", *argc, *argv); !folder.empty()) {
    write_seeds(name, folder, option("example", *argc, *argv));
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  run({data, size});
  return 0;
}
