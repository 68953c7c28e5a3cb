#pragma once
// A Standard MIDI File as its list of events: every event of every track chunk, in file order, nothing interpreted and nothing lost.
// Times are int64 ticks from the start of the piece. Memory is bounded by the size of the file. Immutable after parsing; share freely.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace midigpt {

// A channel message, meta event or SysEx. Its bytes are `status` followed by `size` bytes of the file from `offset`: running status is
// resolved, and of a meta event or SysEx the type and length are part of those bytes.
struct MidiEvent {
  std::int64_t tick = 0;
  std::uint32_t chunk = 0;  // counts the track chunks
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::uint8_t status = 0;

  [[nodiscard]] bool is_channel() const { return status < 0xF0; }
  [[nodiscard]] int channel() const { return status & 0x0F; }
  [[nodiscard]] int kind() const { return status & 0xF0; }  // of a channel message: 0x80 .. 0xE0
};

struct MidiChunk {
  std::array<char, 4> id{};
  std::uint32_t offset = 0;      // of the first byte after the chunk's header
  std::uint32_t size = 0;        // declared length
  std::uint32_t events_end = 0;  // first byte after the last event read (track chunks); later bytes of the chunk are not events
  std::uint32_t first_event = 0;
  std::uint32_t n_events = 0;
  bool is_track = false;
};

namespace midi {
inline constexpr int kNoteOff = 0x80, kNoteOn = 0x90, kKeyPressure = 0xA0, kController = 0xB0, kProgram = 0xC0, kPressure = 0xD0, kPitchBend = 0xE0;
inline constexpr std::uint8_t kMeta = 0xFF;
inline constexpr std::uint8_t kText = 0x01, kTrackName = 0x03, kInstrumentName = 0x04, kLyric = 0x05, kMarker = 0x06, kCuePoint = 0x07, kDeviceName = 0x09,
                              kPort = 0x21, kEndOfTrack = 0x2F, kTempo = 0x51, kTimeSignature = 0x58, kKeySignature = 0x59;
inline constexpr int kDrumChannel = 9;
inline constexpr std::int64_t kMaxDelta = 0x0FFFFFFF;  // what four bytes of a variable-length number hold
}  // namespace midi

struct MidiFile {
  std::vector<std::uint8_t> bytes;  // the whole file
  int format = 1;
  int announced_tracks = 0;    // of the header; the file may hold fewer track chunks, and later ones are not read
  int division = 480;          // as written
  int ticks_per_quarter = 480; // 480 where the file says 0
  bool running_status = false; // whether the file leaves out repeated status bytes
  std::vector<MidiChunk> chunks;               // in file order, unknown ones too
  std::vector<std::uint32_t> track_chunks;     // index into `chunks` of each track chunk
  std::vector<MidiEvent> events;
  std::uint32_t tail_offset = 0;  // first byte after the last chunk read; what follows is not looked at

  // Data bytes after the status byte.
  [[nodiscard]] std::span<const std::uint8_t> data(const MidiEvent& event) const {
    return std::span(bytes).subspan(event.offset, event.size);
  }
  [[nodiscard]] bool is_meta(const MidiEvent& event, std::uint8_t type) const {
    return event.status == midi::kMeta && bytes[event.offset] == type;
  }
  // Content of a meta event, without type and length.
  [[nodiscard]] std::span<const std::uint8_t> meta_payload(const MidiEvent& event) const;
  // Events of one track chunk.
  [[nodiscard]] std::span<const MidiEvent> chunk_events(std::size_t track_chunk) const;
  // First track name (meta 03) of a track chunk, as written; empty when there is none.
  [[nodiscard]] std::string chunk_name(std::size_t track_chunk) const;
};

// Parses a file; throws ScoreError naming the byte. Track chunks are read until the header's count is reached or the bytes end.
[[nodiscard]] MidiFile parse_midi(std::vector<std::uint8_t> bytes);

}  // namespace midigpt
