#include "score/gestures.h"

#include <algorithm>
#include <map>
#include <optional>

#include "score/channel_pool.h"

namespace midigpt {
namespace {

constexpr std::uint8_t kWheel = 1, kFirstPedal = 64, kPortamento = 65, kLastPedal = 69;
constexpr std::uint8_t kHeld[] = {2, 4, 11, 33, 34, 36, 43};  // breath, foot, expression and their fine parts, and that of the wheel

bool goes_to_zero(std::uint8_t controller) {
  return controller == kWheel || (controller >= kFirstPedal && controller <= kLastPedal && controller != kPortamento);
}

// What an event sets: its kind, and the controller or key.
int key_of(const MidiFile& file, const MidiEvent& event) {
  const bool has_number = event.kind() == midi::kController || event.kind() == midi::kKeyPressure;
  return event.kind() * 128 + (has_number ? file.data(event)[0] : 0);
}

using Bytes = std::vector<std::uint8_t>;

std::optional<Bytes> resting(int key) {
  const auto number = static_cast<std::uint8_t>(key % 128);
  switch (key / 128) {
    case midi::kPitchBend: return Bytes{0, 64};
    case midi::kPressure: return Bytes{0};
    case midi::kKeyPressure: return Bytes{number, 0};
    default: break;
  }
  if (goes_to_zero(number)) return Bytes{number, 0};
  return std::nullopt;
}

class Silencer {
 public:
  Silencer(const MidiFile& file, const MidiReading& reading, const std::vector<std::int32_t>& track_of_note, std::vector<ChunkEdit>& edits)
      : file_(file), reading_(reading), track_of_note_(track_of_note), edits_(edits) {
    for (std::size_t chunk = 0; chunk < file.track_chunks.size(); ++chunk) ports_.push_back(chunk_port(file, chunk));
  }

  void silence(const NewStretch& stretch) {
    const SourceTrack& track = reading_.tracks[stretch.track];
    if (is_shared(stretch)) return;
    std::map<int, const MidiEvent*> before, until;  // what each key was set to last
    for (std::size_t i = 0; i < file_.events.size(); ++i) {
      const MidiEvent& event = file_.events[i];
      if (!on_channel(event, track) || !is_gesture(file_, event) || event.tick >= stretch.end) continue;
      const int key = key_of(file_, event);
      if (event.tick < stretch.start) {
        remember(before[key], event);
      } else {
        edits_[event.chunk].remove_event(static_cast<std::uint32_t>(i));
      }
      remember(until[key], event);
    }
    for (const auto& [key, last] : until) put(stretch, track, key, before.contains(key) ? before[key] : nullptr, *last);
  }

 private:
  static void remember(const MidiEvent*& last, const MidiEvent& event) {
    if (last == nullptr || event.tick >= last->tick) last = &event;
  }

  void put(const NewStretch& stretch, const SourceTrack& track, int key, const MidiEvent* before, const MidiEvent& last) {
    const auto status = static_cast<std::uint8_t>((key / 128) | track.channel);
    const auto rest = resting(key);
    std::optional<Bytes> now;  // what it stands at within the stretch
    if (before != nullptr) now = bytes_of(*before);
    if (rest && now && *now != *rest) edits_[track.chunk].insert_about(stretch.start, status, *rest);
    if (rest) now = rest;
    if (now != bytes_of(last)) edits_[track.chunk].insert_about(stretch.end, status, bytes_of(last));
  }

  Bytes bytes_of(const MidiEvent& event) const {
    const auto data = file_.data(event);
    return {data.begin(), data.end()};
  }

  bool on_channel(const MidiEvent& event, const SourceTrack& track) const {
    if (!event.is_channel() || event.channel() != track.channel) return false;
    return file_.format == 2 ? event.chunk == track.chunk : ports_[event.chunk] == ports_[track.chunk];
  }

  // Whether another track sounds there.
  bool is_shared(const NewStretch& stretch) const {
    for (std::size_t i = 0; i < file_.events.size(); ++i) {
      const MidiEvent& event = file_.events[i];
      if (track_of_note_[i] < 0 || static_cast<std::size_t>(track_of_note_[i]) == stretch.track || event.tick >= stretch.end) continue;
      const std::int32_t off = reading_.partner[i];
      if (off >= 0 && file_.events[static_cast<std::size_t>(off)].tick > stretch.start && on_channel(event, reading_.tracks[stretch.track])) return true;
    }
    return false;
  }

  const MidiFile& file_;
  const MidiReading& reading_;
  const std::vector<std::int32_t>& track_of_note_;
  std::vector<ChunkEdit>& edits_;
  std::vector<int> ports_;
};

}  // namespace

bool is_gesture(const MidiFile& file, const MidiEvent& event) {
  if (!event.is_channel()) return false;
  const auto data = file.data(event);
  if (std::ranges::any_of(data, [](std::uint8_t byte) { return byte > 127; })) return false;
  switch (event.kind()) {
    case midi::kKeyPressure:
    case midi::kPressure:
    case midi::kPitchBend: return true;
    case midi::kController: return goes_to_zero(data[0]) || std::ranges::find(kHeld, data[0]) != std::end(kHeld);
    default: return false;
  }
}

void silence_gestures(const MidiFile& file, const MidiReading& reading, std::span<const NewStretch> stretches,
                      const std::vector<std::int32_t>& track_of_note, std::vector<ChunkEdit>& edits) {
  Silencer silencer(file, reading, track_of_note, edits);
  for (const NewStretch& stretch : stretches) silencer.silence(stretch);
}

}  // namespace midigpt
