#include "score/chunk_edit.h"

#include <algorithm>
#include <array>

#include "score/from_midi.h"

namespace midigpt {

void put_in_order(std::vector<FileNote>& notes) {
  std::ranges::stable_sort(notes, [](const FileNote& a, const FileNote& b) { return a.on_tick != b.on_tick ? a.on_tick < b.on_tick : a.off_tick < b.off_tick; });
  std::array<const FileNote*, 128> later{};  // the next note of each pitch
  for (auto note = notes.rbegin(); note != notes.rend(); ++note) {
    const FileNote*& next = later[note->pitch];
    if (next != nullptr && note->off_tick > next->off_tick) note->off_tick = next->on_tick > note->on_tick ? next->on_tick : next->off_tick;
    next = &*note;
  }
}

ChunkEdit::ChunkEdit(const MidiFile& file, std::size_t track_chunk, const std::vector<std::int32_t>& partner)
    : file_(file), partner_(partner), first_(file.chunks[file.track_chunks[track_chunk]].first_event) {
  const auto events = file.chunk_events(track_chunk);
  n_ = static_cast<std::ptrdiff_t>(events.size());
  if (!events.empty() && file.is_meta(events.back(), midi::kEndOfTrack)) {
    end_of_track_ = &events.back();
    --n_;
  }
  removed_.assign(static_cast<std::size_t>(n_), false);
}

std::ptrdiff_t ChunkEdit::partner(std::ptrdiff_t local_event) const {
  const std::int32_t other = partner_[first_ + static_cast<std::size_t>(local_event)];
  return other < 0 ? -1 : local(other);
}

void ChunkEdit::remove(std::ptrdiff_t local_event) {
  removed_[static_cast<std::size_t>(local_event)] = true;
  changed_ = true;
}

void ChunkEdit::remove_note(std::uint32_t on_event) {
  const std::ptrdiff_t on = local(static_cast<std::int32_t>(on_event));
  remove(on);
  if (partner(on) >= 0) remove(partner(on));
}

void ChunkEdit::set_data(std::uint32_t event, std::vector<std::uint8_t> data) {
  new_data_[local(static_cast<std::int32_t>(event))] = std::move(data);
  changed_ = true;
}

void ChunkEdit::insert_about(std::int64_t tick, std::uint8_t status, std::vector<std::uint8_t> data) {
  inserted_.push_back({last_before(tick), tick, kAbout, -1, status, std::move(data)});
  changed_ = true;
}

std::ptrdiff_t ChunkEdit::last_before(std::int64_t tick) const {
  const auto begin = file_.events.begin() + static_cast<std::ptrdiff_t>(first_);
  const auto found = std::partition_point(begin, begin + n_, [tick](const MidiEvent& event) { return event.tick < tick; });
  return found - begin - 1;
}

const std::vector<std::ptrdiff_t>& ChunkEdit::note_events(int channel, int pitch) {
  if (note_events_.empty()) {
    for (std::ptrdiff_t i = 0; i < n_; ++i) {
      if (!removed(i) && (starts_note(file_, event(i)) || ends_note(file_, event(i)))) note_events_[event(i).channel() * 128 + file_.data(event(i))[0]].push_back(i);
    }
  }
  return note_events_[channel * 128 + pitch];
}

void ChunkEdit::insert_notes(int channel, int program, std::vector<FileNote> notes) {
  put_in_order(notes);
  for (const FileNote& note : notes) insert_note(channel, program, note);
}

void ChunkEdit::insert_note(int channel, int program, const FileNote& note) {
  const std::ptrdiff_t on = last_until(note.on_tick);  // behind everything that happens at this tick
  std::ptrdiff_t sounding_until = -1;                  // last note-off of the notes that sound when this one starts
  std::int64_t off_tick = note.off_tick;
  const auto& around = note_events(channel, note.pitch);
  for (const std::ptrdiff_t other : around) {
    if (removed(other) || !starts_note(file_, event(other))) continue;
    const std::ptrdiff_t other_off = partner(other);
    if (other > on) {
      if (other_off < 0) continue;  // a note never ended takes nothing from the notes before it
      off_tick = std::min(off_tick, event(other).tick);
      break;
    }
    if (other_off < 0) {
      remove(other);  // it would take this note's end
    } else if (other_off > on) {
      sounding_until = std::max(sounding_until, other_off);
    }
  }
  std::ptrdiff_t off = last_before(off_tick);
  if (sounding_until > off) {  // the oldest note ends first, so this one cannot end before
    off = sounding_until;
    off_tick = event(off).tick;
  }
  for (const std::ptrdiff_t other : around) {
    if (other > on && other <= off && !removed(other) && ends_note(file_, event(other)) && partner(other) < 0) remove(other);
  }
  const auto on_status = static_cast<std::uint8_t>(midi::kNoteOn | channel), off_status = static_cast<std::uint8_t>(midi::kNoteOff | channel);
  inserted_.push_back({on, note.on_tick, kOn, program, on_status, {note.pitch, note.velocity}});
  inserted_.push_back({off, off_tick, kOff, -1, off_status, {note.pitch, note.release}});
  changed_ = true;
}

std::int64_t ChunkEdit::end_of_notes() const {
  std::int64_t end = 0;
  for (std::ptrdiff_t i = 0; i < n_; ++i) {
    if (!removed(i) && partner(i) >= 0) end = std::max(end, event(i).tick);
  }
  for (const Inserted& item : inserted_) {
    if (item.rank == kOff) end = std::max(end, item.tick);
  }
  return end;
}

// Writes events and keeps each channel's program right: a note that needs another one gets it, and the file's own is put back behind it.
class ChunkEdit::Output {
 public:
  explicit Output(EventWriter& writer) : writer_(writer) {}

  void own(std::int64_t tick, std::uint8_t status, std::span<const std::uint8_t> data) {
    put_back();
    if ((status & 0xF0) == midi::kProgram && data[0] < 0x80) programs_[status & 0x0F] = data[0];
    writer_.event(tick, status, data);
    tick_ = tick;
  }

  void inserted(const Inserted& item) {
    if (item.rank != kOn) return own(item.tick, item.status, item.data);
    const int channel = item.status & 0x0F;
    if (borrowed_channel_ != channel || borrowed_program_ != item.program || tick_ != item.tick) {
      put_back();
      if (programs_[static_cast<std::size_t>(channel)] != item.program) borrow(item.tick, channel, item.program);
    }
    writer_.event(item.tick, item.status, item.data);
    tick_ = item.tick;
  }

  void put_back() {
    if (borrowed_channel_ < 0) return;
    set_program(tick_, borrowed_channel_, programs_[static_cast<std::size_t>(borrowed_channel_)]);
    borrowed_channel_ = -1;
  }

  [[nodiscard]] std::int64_t tick() const { return tick_; }

 private:
  void borrow(std::int64_t tick, int channel, int program) {
    set_program(tick, channel, program);
    borrowed_channel_ = channel;
    borrowed_program_ = program;
  }

  void set_program(std::int64_t tick, int channel, int program) {
    const std::uint8_t data[] = {static_cast<std::uint8_t>(program)};
    writer_.event(tick, static_cast<std::uint8_t>(midi::kProgram | channel), data);
  }

  EventWriter& writer_;
  std::array<int, 16> programs_{};  // what the file has set
  int borrowed_channel_ = -1;       // whose program is another one just now
  int borrowed_program_ = 0;
  std::int64_t tick_ = 0;
};

void ChunkEdit::write(EventWriter& writer) const {
  std::vector<const Inserted*> order;
  for (const Inserted& item : inserted_) order.push_back(&item);
  std::ranges::stable_sort(order, [](const Inserted* a, const Inserted* b) {
    if (a->after != b->after) return a->after < b->after;
    return a->tick != b->tick ? a->tick < b->tick : a->rank < b->rank;
  });
  writer.begin_track();
  Output out(writer);
  auto next = order.begin();
  for (std::ptrdiff_t i = -1; i < n_; ++i) {
    if (i >= 0 && !removed(i)) {
      const auto changed = new_data_.find(i);
      out.own(event(i).tick, event(i).status, changed == new_data_.end() ? file_.data(event(i)) : std::span(changed->second));
    }
    for (; next != order.end() && (*next)->after == i; ++next) out.inserted(**next);
  }
  out.put_back();
  if (end_of_track_ != nullptr) writer.event(std::max(end_of_track_->tick, out.tick()), end_of_track_->status, file_.data(*end_of_track_));
}

}  // namespace midigpt
