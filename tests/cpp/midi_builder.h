#pragma once
// MIDI files for tests, written down event by event.

#include <cstdint>
#include <initializer_list>
#include <vector>

using Bytes = std::vector<std::uint8_t>;

inline void append(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }

// Deltas up to 16383 ticks.
inline Bytes after(int delta, const Bytes& event) {
  Bytes out;
  if (delta > 127) out.push_back(static_cast<std::uint8_t>(0x80 | delta >> 7));
  out.push_back(static_cast<std::uint8_t>(delta & 0x7F));
  append(out, event);
  return out;
}

inline Bytes chunk_of(const char* id, const Bytes& body) {
  Bytes out(id, id + 4);
  const auto n = static_cast<std::uint32_t>(body.size());
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(n >> shift));
  append(out, body);
  return out;
}

inline Bytes track_of(std::initializer_list<Bytes> events) {
  Bytes body;
  for (const Bytes& event : events) append(body, event);
  append(body, {0x00, 0xFF, 0x2F, 0x00});
  return chunk_of("MTrk", body);
}

inline Bytes file_of(std::initializer_list<Bytes> chunks, int format = 1, int ticks_per_quarter = 480) {
  Bytes out{'M', 'T', 'h', 'd', 0, 0, 0, 6};
  for (const int value : {format, static_cast<int>(chunks.size()), ticks_per_quarter}) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
  }
  for (const Bytes& chunk : chunks) append(out, chunk);
  return out;
}
