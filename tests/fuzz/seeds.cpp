#include <random>

#include "codec/encoder.h"
#include "score/to_midi.h"
#include "targets.h"

namespace midigpt::fuzz {
namespace {

Bytes some_bytes(std::mt19937& random, std::size_t n) {
  Bytes out(n);
  for (auto& byte : out) byte = static_cast<std::uint8_t>(random() & 0xFF);
  return out;
}

Bytes small_file(int resolution, int numerator) {
  ScoreTable table;
  table.resolution = resolution;
  table.tracks = {{0, 33, 0}, {2, 0, 1}};
  table.bars = {{0, numerator, 4, 0}, {2, 3, 8, 0}, {3, numerator, 4, 0}, {4, 3, 8, 0}};
  table.notes = {{0, resolution, 40, 90, 0}, {resolution, 1, 43, 90, 0}, {0, resolution, 40, 70, 0}, {resolution / 2, 1, 36, 100, 0}};
  table.note_source = {-1, -1, -1, -1};
  return write_midi(table, {"bass", ""});
}

}  // namespace

std::vector<Bytes> seeds(std::string_view target, const Bytes& example_midi) {
  if (target == "midi_bytes") return {example_midi, small_file(480, 4), small_file(12, 3), small_file(1, 255)};
  std::mt19937 random(1);
  std::vector<Bytes> out;
  for (const std::size_t n : {8, 24, 64, 100, 160, 256, 400, 700}) {
    for (int i = 0; i < 4; ++i) out.push_back(some_bytes(random, n));
  }
  return out;
}

}  // namespace midigpt::fuzz
