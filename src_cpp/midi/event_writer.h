#pragma once
// Bytes of a MIDI file under construction: chunk headers, delta times, running status.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace midigpt {

// Writes one track chunk after another behind a header. Events of a chunk must come in order of time.
class EventWriter {
 public:
  EventWriter(int format, int n_tracks, int division, bool running_status);

  void begin_track();
  // `data` is what follows the status byte. Throws ScoreError when more ticks pass than a MIDI file can hold between two events.
  void event(std::int64_t tick, std::uint8_t status, std::span<const std::uint8_t> data);
  // Bytes of the chunk that are not events.
  void raw(std::span<const std::uint8_t> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void end_track();

  // A whole chunk or other bytes outside of chunks, as they are.
  void verbatim(std::span<const std::uint8_t> bytes) { raw(bytes); }

  [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
  bool use_running_status_;
  std::size_t track_start_ = 0;
  std::int64_t tick_ = 0;
  std::uint8_t running_ = 0;
};

// Data bytes (type, length, content) of a meta event.
[[nodiscard]] std::vector<std::uint8_t> meta_data(std::uint8_t type, std::span<const std::uint8_t> content);
[[nodiscard]] std::vector<std::uint8_t> text_meta_data(std::uint8_t type, std::string_view text);
// Data bytes of the port (meta 21) of a chunk.
[[nodiscard]] std::vector<std::uint8_t> port_data(int port);
// Throws ScoreError for a tempo outside 0..16777215.
[[nodiscard]] std::vector<std::uint8_t> tempo_data(std::int32_t microseconds_per_quarter);
// Throws ScoreError for a signature that MIDI cannot say (numerator above 255, denominator no power of two).
[[nodiscard]] std::vector<std::uint8_t> time_signature_data(std::int32_t numerator, std::int32_t denominator);

}  // namespace midigpt
