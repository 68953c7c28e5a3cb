#include "score/event_seats.h"

#include <algorithm>

#include "score/channel_pool.h"

namespace midigpt {
namespace {

constexpr std::uint8_t kSequenceNumber = 0x00, kCopyright = 0x02, kSmpteOffset = 0x54;

bool is_sysex(const MidiEvent& event) { return event.status == 0xF0 || event.status == 0xF7; }

class FirstChunk {
 public:
  FirstChunk(const MidiFile& file, std::span<const std::size_t> chunk_of) : file_(file), chunk_of_(chunk_of) {
    for (std::size_t chunk = 1; chunk < chunk_of.size(); ++chunk) {
      if (chunk_of[chunk] != 0) continue;
      has_newcomer_ = true;
      keeps_sysex_ = keeps_sysex_ && chunk_port(file, chunk) == chunk_port(file, 0);
      keeps_key_ = keeps_key_ && std::ranges::none_of(file.chunk_events(chunk), [&](const MidiEvent& e) { return file.is_meta(e, midi::kKeySignature); });
    }
  }

  [[nodiscard]] bool stays(const MidiEvent& event) const { return event.chunk == 0 && is_of_piece(event); }

  // The events that are in target chunk 0, in their order: those that stay among those of the newcomers.
  [[nodiscard]] std::vector<std::uint32_t> in_order() const {
    struct Staying {
      std::uint32_t event;
      std::size_t n_before;  // events of its chunk at its tick that go with the track
    };
    std::vector<Staying> staying;
    std::vector<std::uint32_t> own;
    std::int64_t tick = -1;
    std::size_t n_before = 0;
    for (std::uint32_t i = 0; i < file_.events.size(); ++i) {
      const MidiEvent& event = file_.events[i];
      if (event.chunk != 0) {
        if (chunk_of_[event.chunk] == 0) own.push_back(i);
        continue;
      }
      if (event.tick != tick) n_before = 0;
      tick = event.tick;
      if (is_of_piece(event)) staying.push_back({i, n_before});
      else ++n_before;
    }
    const auto tick_of = [&](std::uint32_t i) { return file_.events[i].tick; };
    std::ranges::stable_sort(own, {}, tick_of);

    std::vector<std::uint32_t> merged;
    auto next = staying.begin();
    std::int64_t now = -1;
    std::size_t n_own = 0;
    for (const std::uint32_t i : own) {
      if (tick_of(i) != now) n_own = 0;
      now = tick_of(i);
      const auto comes_before = [&](const Staying& s) {
        const std::int64_t at = tick_of(s.event);
        return at < now || (at == now && (s.n_before <= n_own || is_of_piece(file_.events[i])));
      };
      for (; next != staying.end() && comes_before(*next); ++next) merged.push_back(next->event);
      merged.push_back(i);
      ++n_own;
    }
    for (; next != staying.end(); ++next) merged.push_back(next->event);
    return merged;
  }

 private:
  [[nodiscard]] bool is_of_piece(const MidiEvent& event) const {
    if (is_sysex(event)) return has_newcomer_ && keeps_sysex_;
    if (event.status != midi::kMeta) return false;
    switch (file_.bytes[event.offset]) {
      case kSequenceNumber: case kCopyright: case midi::kMarker: case midi::kCuePoint: case midi::kTempo: case kSmpteOffset: case midi::kTimeSignature: return true;
      case midi::kKeySignature: return keeps_key_;
      default: return false;
    }
  }

  const MidiFile& file_;
  std::span<const std::size_t> chunk_of_;
  bool has_newcomer_ = false, keeps_sysex_ = true, keeps_key_ = true;
};

}  // namespace

EventSeats event_seats(const MidiFile& file, std::span<const std::size_t> chunk_of, bool first_stays) {
  EventSeats seats;
  for (std::uint32_t i = 0; i < file.events.size(); ++i) {
    seats.chunk.push_back(chunk_of[file.events[i].chunk]);
    seats.order.push_back(i);
  }
  if (!first_stays || chunk_of.empty() || chunk_of.front() == 0) return seats;
  const FirstChunk first(file, chunk_of);
  for (std::size_t i = 0; i < seats.chunk.size(); ++i) {
    if (first.stays(file.events[i])) seats.chunk[i] = 0;
  }
  std::uint32_t place = 0;
  for (const std::uint32_t i : first.in_order()) seats.order[i] = place++;
  return seats;
}

}  // namespace midigpt
