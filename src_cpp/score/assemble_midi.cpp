#include "score/assemble_midi.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>

#include "error.h"
#include "midi/event_writer.h"
#include "score/channel_pool.h"
#include "score/event_seats.h"
#include "score/player_state.h"

namespace midigpt {
namespace {

// No sum or product of ticks below comes near the end of an int64; the piece with the most bars is shorter.
constexpr std::int64_t kMostTicks = std::int64_t{1} << 46;
constexpr int kMostTicksPerQuarter = 0x7FFF;
constexpr std::size_t kMostChunks = 0xFFFF;
constexpr std::size_t kNobody = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kMostEvents = std::size_t{1} << 25;  // of the new file: stretches can be repeated without end

using Tempi = std::vector<std::pair<std::int64_t, std::int32_t>>;

bool in_range(std::int64_t tick) { return tick >= 0 && tick <= kMostTicks; }

void require(bool holds, const std::string& message) {
  if (!holds) throw ScoreError(message);
}

// Order of events at one tick and span: what the grid says, what is said again, the stretch's own.
enum Phase { kGrid, kSaidAgain, kOwn };

struct Placed {
  std::int64_t tick = 0;
  std::size_t span = 0;
  Phase phase = kOwn;
  std::uint64_t order = 0;
  std::uint8_t status = 0;
  std::vector<std::uint8_t> data;
  std::size_t source = 0;
  std::int32_t event = -1;  // of the source
};

bool comes_first(const Placed& a, const Placed& b) {
  if (a.tick != b.tick) return a.tick < b.tick;
  if (a.span != b.span) return a.span < b.span;
  if (a.phase != b.phase) return a.phase < b.phase;
  return a.order < b.order;
}

// What an event is when its time is cut away.
enum class Keep { kNote, kSetting, kOnce, kMoment, kMetre, kEnd };

// Names and set-up that belong to the chunk as a whole. Text counts where it stands at the very start.
bool is_heading(std::uint8_t type, std::int64_t tick) {
  switch (type) {
    case 0x00: case 0x02: case midi::kTrackName: case midi::kInstrumentName: case midi::kDeviceName: case midi::kPort: case 0x54: return true;
    case midi::kText: case 0x20: case 0x7F: return tick == 0;
    default: return false;
  }
}

// One source with what is known about each of its events.
class Source {
 public:
  Source(const MidiSource& given, int ticks_per_quarter, bool keeps_tempi, bool first_stays)
      : given_(given), ticks_per_quarter_(ticks_per_quarter), seats_(event_seats(file(), given.chunk_of, first_stays)) {
    const MidiFile& midi = file();
    for (std::size_t chunk = 0; chunk < midi.track_chunks.size(); ++chunk) ports_.push_back(chunk_port(midi, chunk));
    order_.resize(midi.events.size());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<std::uint32_t>(i);
    std::ranges::stable_sort(order_, {}, [&](std::uint32_t i) { return midi.events[i].tick; });
    dropped_.assign(midi.events.size(), false);
    if (!given.dropped_tracks.empty()) drop_tracks();
    for (std::size_t i = 0; !keeps_tempi && i < midi.events.size(); ++i) dropped_[i] = dropped_[i] || midi.is_meta(midi.events[i], midi::kTempo);
  }

  [[nodiscard]] const MidiFile& file() const { return *given_.file; }
  [[nodiscard]] const MidiEvent& event(std::uint32_t i) const { return file().events[i]; }
  [[nodiscard]] const std::vector<std::uint32_t>& in_time() const { return order_; }
  [[nodiscard]] bool dropped(std::uint32_t i) const { return dropped_[i]; }
  [[nodiscard]] std::size_t target_chunk(std::uint32_t i) const { return seats_.chunk[i]; }
  [[nodiscard]] std::uint64_t turn(std::uint32_t i) const { return seats_.order[i]; }
  [[nodiscard]] int scope(std::uint32_t i) const { return ports_[event(i).chunk]; }
  [[nodiscard]] std::int32_t partner(std::uint32_t i) const { return given_.reading->partner[i]; }

  [[nodiscard]] std::int64_t scaled(std::int64_t tick) const {
    const int own = file().ticks_per_quarter;
    if (own == ticks_per_quarter_) return tick;
    const std::int64_t whole = tick / own, rest = tick % own;
    return whole * ticks_per_quarter_ + (2 * rest * ticks_per_quarter_ + own) / (2 * own);
  }

  [[nodiscard]] std::uint8_t status(std::uint32_t i) const {
    const MidiEvent& at = event(i);
    if (!at.is_channel()) return at.status;
    return static_cast<std::uint8_t>(at.kind() | given_.channel_of[at.chunk][static_cast<std::size_t>(at.channel())]);
  }

  [[nodiscard]] std::vector<std::uint8_t> data(std::uint32_t i) const {
    const auto bytes = file().data(event(i));
    return {bytes.begin(), bytes.end()};
  }

  [[nodiscard]] Keep keep(std::uint32_t i) const {
    const MidiEvent& at = event(i);
    if (at.is_channel()) {
      if (at.kind() == midi::kNoteOn || at.kind() == midi::kNoteOff) return partner(i) >= 0 ? Keep::kNote : Keep::kMoment;
      return at.kind() == midi::kController && file().data(at)[0] >= 120 ? Keep::kMoment : Keep::kSetting;
    }
    if (at.status == 0xF0 || at.status == 0xF7) return Keep::kOnce;
    if (at.status != midi::kMeta) return Keep::kMoment;
    const std::uint8_t type = file().bytes[at.offset];
    if (type == midi::kEndOfTrack) return Keep::kEnd;
    if (type == midi::kTempo) return file().meta_payload(at).size() == 3 ? Keep::kSetting : Keep::kMoment;
    if (type == midi::kKeySignature) return Keep::kSetting;
    if (type == midi::kTimeSignature) {
      const auto payload = file().meta_payload(at);
      return payload.size() >= 2 && payload[1] <= 7 ? Keep::kMetre : Keep::kMoment;
    }
    return is_heading(type, at.tick) ? Keep::kOnce : Keep::kMoment;
  }

 private:
  // Notes by the program they start under; other channel events and the names of a chunk when nobody else needs them.
  void drop_tracks() {
    const auto& tracks = given_.reading->tracks;
    std::set<std::tuple<std::uint32_t, int, int>> gone;
    std::map<std::uint32_t, bool> alive_chunks;
    std::set<std::pair<std::uint32_t, int>> alive, known;
    for (std::size_t i = 0; i < tracks.size(); ++i) {
      const bool drop = std::ranges::find(given_.dropped_tracks, i) != given_.dropped_tracks.end();
      known.emplace(tracks[i].chunk, tracks[i].channel);
      alive_chunks[tracks[i].chunk] |= !drop;
      if (drop) gone.emplace(tracks[i].chunk, tracks[i].channel, tracks[i].program);
      if (!drop) alive.emplace(tracks[i].chunk, tracks[i].channel);
    }
    std::array<int, 16> programs{};
    std::uint32_t chunk = 0;
    for (std::uint32_t i = 0; i < file().events.size(); ++i) {
      const MidiEvent& at = event(i);
      if (at.chunk != chunk) programs.fill(0);
      chunk = at.chunk;
      const auto found = alive_chunks.find(chunk);
      const bool chunk_gone = found != alive_chunks.end() && !found->second;
      if (!at.is_channel()) {
        dropped_[i] = chunk_gone && at.status == midi::kMeta && belongs_to_tracks(file().bytes[at.offset]);
        continue;
      }
      const auto channel = static_cast<std::size_t>(at.channel());
      const std::pair<std::uint32_t, int> place{chunk, at.channel()};
      if (at.kind() == midi::kProgram && file().data(at)[0] < 128) programs[channel] = file().data(at)[0];
      if (known.contains(place) && !alive.contains(place)) dropped_[i] = true;
      if (starts_note(file(), at) && gone.contains({chunk, at.channel(), programs[channel]})) {
        dropped_[i] = true;
        if (partner(i) >= 0) dropped_[static_cast<std::size_t>(partner(i))] = true;
      }
      if (chunk_gone && !known.contains(place)) dropped_[i] = true;
    }
  }

  static bool belongs_to_tracks(std::uint8_t type) {
    return type == midi::kTrackName || type == midi::kInstrumentName || type == midi::kLyric || type == midi::kDeviceName || type == midi::kPort || type == 0x20;
  }

  const MidiSource& given_;
  int ticks_per_quarter_;
  EventSeats seats_;
  std::vector<int> ports_;
  std::vector<std::uint32_t> order_;  // event numbers in order of time
  std::vector<bool> dropped_;
};

class Assembler {
 public:
  Assembler(std::span<const MidiSource> sources, std::vector<TimeSpan> spans, std::span<const FileBar> grid, std::int64_t length, int ticks_per_quarter, const Tempi* tempi)
      : given_(sources), spans_(std::move(spans)), grid_(grid), length_(length), ticks_per_quarter_(ticks_per_quarter), tempi_(tempi) {
    for (const MidiSource& source : sources) {
      const int own = source.file->format;
      const bool first_stays = !per_chunk() && (own == 1 || (own == 0 && &source != &sources.front()));
      sources_.emplace_back(source, ticks_per_quarter, tempi == nullptr, first_stays);
    }
    std::size_t n_chunks = 0;
    for (const MidiSource& source : sources) {
      for (const std::size_t chunk : source.chunk_of) n_chunks = std::max(n_chunks, chunk + 1);
      written_.emplace_back(source.file->events.size(), false);
      result_.event_of.emplace_back(source.file->events.size(), -1);
    }
    chunks_.resize(std::max<std::size_t>(n_chunks, 1));
    chunk_ends_.assign(chunks_.size(), 0);
    std::int64_t at = 0;
    for (const TimeSpan& span : spans_) {
      starts_.push_back(at);
      at += (&span == &spans_.back() ? 0 : sources_[span.source].scaled(span.end) - sources_[span.source].scaled(span.start)) + span.pad;
      require(in_range(at), "the stretches together are too long for a MIDI file");
    }
    for (std::size_t i = 1; i < spans_.size(); ++i) {
      if (spans_[i].source != spans_[i - 1].source || spans_[i].start < spans_[i - 1].end) jumps_back_ = i;
    }
    for (std::size_t i = 0; i < grid.size(); ++i) bar_at_.emplace(grid[i].start_tick, i);
    signed_by_.assign(grid.size(), kNobody);
  }

  AssembledMidi run() {
    for (std::size_t span = 0; span < spans_.size(); ++span) place_span(span);
    put_time_signatures();
    put_tempi();
    for (auto& chunk : chunks_) std::ranges::sort(chunk, comes_first);
    write();
    count_dropped();
    return std::move(result_);
  }

 private:
  struct Place {
    std::int64_t tick;
    std::size_t span;
  };

  [[nodiscard]] const Source& source_of(std::size_t span) const { return sources_[spans_[span].source]; }
  [[nodiscard]] bool per_chunk() const { return given_.front().file->format == 2; }

  // New tick of a source tick, counted from the start of a span.
  [[nodiscard]] std::int64_t out(std::size_t span, std::int64_t tick) const {
    return starts_[span] + source_of(span).scaled(tick) - source_of(span).scaled(spans_[span].start);
  }

  // Whether a span goes on where the one before ended.
  [[nodiscard]] bool continues(std::size_t span) const {
    if (span == 0) return spans_[0].start <= 0;
    return spans_[span].source == spans_[span - 1].source && spans_[span].start == spans_[span - 1].end;
  }

  void place_span(std::size_t number) {
    const TimeSpan& span = spans_[number];
    const Source& source = sources_[span.source];
    if (!continues(number)) say_again(number);
    const auto& order = source.in_time();
    auto next = std::ranges::partition_point(order, [&](std::uint32_t i) { return source.event(i).tick < span.start; });
    if (number == 0 && span.start == span.end) place_settings(next, order.end());
    for (; next != order.end() && source.event(*next).tick < span.end; ++next) {
      if (!source.dropped(*next)) place(number, *next);
    }
    for (; span.with_rest && next != order.end(); ++next) {
      const Keep keep = source.keep(*next);
      const bool fits = keep == Keep::kSetting || ((keep == Keep::kOnce || keep == Keep::kMoment) && !is_stray_note(source, *next));
      if (!fits || source.dropped(*next) || written_[span.source][*next]) continue;
      put(number, *next, out(number, span.end), kOwn, source.turn(*next));
      if (keep == Keep::kSetting) take_state(*next, source);
    }
  }

  // A span of silence before everything else: what the first moment sets holds there, too.
  void place_settings(std::vector<std::uint32_t>::const_iterator next, std::vector<std::uint32_t>::const_iterator end) {
    const Source& source = source_of(0);
    for (; next != end && source.event(*next).tick == spans_[0].start; ++next) {
      const Keep keep = source.keep(*next);
      if (source.dropped(*next) || (keep != Keep::kSetting && keep != Keep::kOnce)) continue;
      put(0, *next, 0, kOwn, source.turn(*next));
      if (keep == Keep::kSetting) take_state(*next, source);
    }
  }

  void take_state(std::uint32_t event, const Source& source) {
    state_.take(source.target_chunk(event), source.scope(event), per_chunk(), source.status(event), source.data(event));
  }

  void place(std::size_t span, std::uint32_t event) {
    const Source& source = source_of(span);
    const std::int64_t tick = out(span, source.event(event).tick);
    switch (source.keep(event)) {
      case Keep::kNote: return place_note(span, event, tick);
      case Keep::kMetre: return place_metre(span, event, tick);
      case Keep::kEnd:
        if (span + 1 == spans_.size()) chunk_ends_[source.target_chunk(event)] = std::max(chunk_ends_[source.target_chunk(event)], tick);
        return;
      case Keep::kOnce:
        if (!written_[spans_[span].source][event]) put(span, event, tick, kOwn, source.turn(event));
        return;
      case Keep::kSetting:
        if (spans_[0].start == spans_[0].end && source.event(event).tick == spans_[0].start && written_[spans_[span].source][event]) return;
        put(span, event, tick, kOwn, source.turn(event));
        return take_state(event, source);
      case Keep::kMoment:
        // A note that never ends would take the end of one that comes again.
        if (span < jumps_back_ && starts_note(source.file(), source.event(event))) return;
        return put(span, event, tick, kOwn, source.turn(event));
    }
  }

  void put(std::size_t span, std::uint32_t event, std::int64_t tick, Phase phase, std::uint64_t order) {
    const Source& source = source_of(span);
    require(++n_put_ <= kMostEvents, "the piece would have more than " + std::to_string(kMostEvents) + " events");
    chunks_[source.target_chunk(event)].push_back({tick, span, phase, order, source.status(event), source.data(event), spans_[span].source, static_cast<std::int32_t>(event)});
    written_[spans_[span].source][event] = true;
  }

  void place_note(std::size_t span, std::uint32_t event, std::int64_t tick) {
    const Source& source = source_of(span);
    if (!starts_note(source.file(), source.event(event))) return;  // its note-on brings the note-off
    const auto off = static_cast<std::uint32_t>(source.partner(event));
    put(span, event, tick, kOwn, source.turn(event));
    Place end = end_of_note(span, tick, source.event(event).tick, source.event(off).tick);
    if (end.tick < tick || (end.tick == tick && source.event(off).tick > source.event(event).tick)) end = {tick + 1, span};
    content_end_ = std::max(content_end_, end.tick);
    const std::size_t chunk = source.target_chunk(off);
    chunks_[chunk].push_back({end.tick, end.span, kOwn, source.turn(off), source.status(off), source.data(off), spans_[span].source, static_cast<std::int32_t>(off)});
    written_[spans_[span].source][off] = true;
  }

  [[nodiscard]] Place end_of_note(std::size_t span, std::int64_t on_out, std::int64_t on, std::int64_t off) const {
    for (std::size_t at = span;; ++at) {
      const TimeSpan& here = spans_[at];
      if (at + 1 == spans_.size()) return {std::min(out(at, off), std::max(length_, on_out + 1)), at};
      if (off < here.end) return {out(at, off), at};
      const TimeSpan& next = spans_[at + 1];
      const std::int64_t edge = out(at, here.end);
      if (next.source != here.source || next.start < here.end) return {edge, at};
      if (next.start == here.end && here.pad > 0) {  // silence was put in: the note keeps its length
        const std::int64_t end = at == span ? on_out + source_of(at).scaled(off) - source_of(at).scaled(on) : edge + source_of(at).scaled(off) - source_of(at).scaled(here.end);
        const auto after = std::ranges::lower_bound(starts_, end);
        return {std::min(end, std::max(length_, on_out + 1)), after == starts_.begin() ? 0 : static_cast<std::size_t>(after - starts_.begin()) - 1};
      }
      if (next.start > here.end && off <= next.start) return {edge, at};
    }
  }

  void place_metre(std::size_t span, std::uint32_t event, std::int64_t tick) {
    const Source& source = source_of(span);
    const auto payload = source.file().meta_payload(source.event(event));
    const auto bar = bar_at_.find(tick);
    if (bar == bar_at_.end()) {
      if (payload[0] == 0) put(span, event, tick, kOwn, source.turn(event));  // it makes no bars
      return;
    }
    const FileBar& here = grid_[bar->second];
    std::size_t& said = signed_by_[bar->second];
    if ((said != kNobody && said != span) || here.numerator != payload[0] || here.denominator != 1 << payload[1]) return;
    said = span;
    put(span, event, tick, kOwn, source.turn(event));
    last_signature_ = std::max(last_signature_, tick);
  }

  // What is set at the start of a span in its source, where it is not what the new file has come to; and what has to be kept once.
  void say_again(std::size_t span) {
    const Source& source = source_of(span);
    const std::int64_t start = spans_[span].start;
    PlayerState there;
    std::set<StateKey> at_once;  // set by the span's own first events
    std::uint64_t order = 0;
    for (const std::uint32_t event : source.in_time()) {
      if (source.event(event).tick > start) break;
      if (source.dropped(event)) continue;
      const Keep keep = source.keep(event);
      const bool before = source.event(event).tick < start;
      if (keep == Keep::kOnce && before && !written_[spans_[span].source][event]) put(span, event, starts_[span], kSaidAgain, ++order);
      if (keep != Keep::kSetting) continue;
      if (before) {
        there.take(source.target_chunk(event), source.scope(event), per_chunk(), source.status(event), source.data(event));
      } else {
        PlayerState scratch = there;  // the parameter that is selected counts
        if (const auto key = scratch.take(source.target_chunk(event), source.scope(event), per_chunk(), source.status(event), source.data(event))) at_once.insert(*key);
      }
    }
    std::vector<std::pair<StateKey, StateValue>> wanted;
    for (const auto& [key, value] : there.values()) {
      const StateValue* now = state_.find(key);
      if ((now == nullptr || !now->sets_same(value)) && !at_once.contains(key)) wanted.emplace_back(key, value);
    }
    for (const auto& [key, value] : state_.values()) {
      if (there.find(key) != nullptr || at_once.contains(key)) continue;
      const auto rest = PlayerState::at_rest(key, value);
      if (rest && !rest->sets_same(value)) wanted.emplace_back(key, *rest);
    }
    std::ranges::stable_sort(wanted, {}, [](const auto& item) { return item.second.order; });
    for (const auto& [key, value] : wanted) {
      if (key.kind != StateKey::kParameter) {
        say(span, key, value, value.data, ++order);
        continue;
      }
      for (const auto& data : PlayerState::parameter_data(key, value)) say(span, key, value, data, ++order);
      for (const auto& [other, selected] : there.values()) {  // and the parameter that is selected there
        const bool selects = other.kind == StateKey::kController && other.number >= 98 && other.number <= 101;
        if (selects && other.scope == key.scope && other.channel == key.channel) say(span, other, selected, selected.data, ++order);
      }
    }
  }

  void say(std::size_t span, const StateKey& key, const StateValue& value, std::vector<std::uint8_t> data, std::uint64_t order) {
    state_.take(value.chunk, key.scope, per_chunk(), value.status, data);
    chunks_[value.chunk].push_back({starts_[span], span, kSaidAgain, (std::uint64_t{1} << 40) + order, value.status, std::move(data), 0, -1});
  }

  void put_signature(const FileBar& bar) {
    chunks_.front().push_back({bar.start_tick, span_at(bar.start_tick), kGrid, 0, midi::kMeta, time_signature_data(bar.numerator, bar.denominator), 0, -1});
    last_signature_ = std::max(last_signature_, bar.start_tick);
  }

  void put_time_signatures() {
    for (std::size_t i = 0; i < grid_.size(); ++i) {
      const FileBar& bar = grid_[i];
      bool needed = i == 0 && (bar.numerator != 4 || bar.denominator != 4);
      if (i > 0) {
        const FileBar& before = grid_[i - 1];
        needed = before.numerator != bar.numerator || before.denominator != bar.denominator || before.start_tick + before.length_ticks != bar.start_tick;
      }
      if (needed && signed_by_[i] == kNobody) put_signature(bar);
    }
    if (grid_.empty() || std::max(content_end_, last_signature_ + 1) > grid_.back().start_tick) return;
    put_signature(grid_.back());  // so that readers go as far as the last bar
  }

  void put_tempi() {
    if (tempi_ == nullptr) return;
    for (const auto& [tick, tempo] : *tempi_) {
      chunks_.front().push_back({tick, span_at(tick), kGrid, 1, midi::kMeta, tempo_data(tempo), 0, -1});
    }
  }

  // The last span that starts at or before a tick of the new file.
  [[nodiscard]] std::size_t span_at(std::int64_t tick) const {
    const auto after = std::ranges::upper_bound(starts_, tick);
    return after == starts_.begin() ? 0 : static_cast<std::size_t>(after - starts_.begin()) - 1;
  }

  void write() {
    const MidiFile& base = *given_.front().file;
    const std::size_t n_own = base.track_chunks.size();
    std::vector<bool> leaves(chunks_.size(), false);  // chunks of dropped tracks with nothing left
    std::size_t n_left = 0, n_added = 0;
    for (std::size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
      leaves[chunk] = chunks_[chunk].empty() && (chunk >= n_own || has_dropped(chunk));
      if (chunk < n_own) n_left += leaves[chunk] ? 1 : 0;
      if (chunk >= n_own) n_added += leaves[chunk] ? 0 : 1;
    }
    const std::size_t n_tracks = (n_added > 0 ? n_own : static_cast<std::size_t>(base.announced_tracks)) + n_added - n_left;
    require(n_tracks <= kMostChunks, "a MIDI file holds at most 65535 tracks");
    const int format = base.format == 0 && n_tracks > 1 && n_added > 0 ? 1 : base.format;
    EventWriter writer(format, static_cast<int>(n_tracks), ticks_per_quarter_ == base.ticks_per_quarter ? base.division : ticks_per_quarter_, base.running_status);
    const std::span<const std::uint8_t> all(base.bytes);
    std::vector<std::size_t> own_of(n_own);  // which chunk of the first source each of its places holds now
    for (std::size_t chunk = 0; chunk < n_own; ++chunk) own_of[given_.front().chunk_of[chunk]] = chunk;
    std::size_t place = 0;
    for (const MidiChunk& chunk : base.chunks) {
      if (!chunk.is_track) {
        writer.verbatim(all.subspan(chunk.offset - 8, std::size_t{chunk.size} + 8));
      } else if (const std::size_t number = place++; !leaves[number]) {
        const MidiChunk& own = base.chunks[base.track_chunks[own_of[number]]];
        write_chunk(writer, number, all.subspan(own.events_end, own.offset + own.size - own.events_end));
      }
    }
    for (std::size_t chunk = n_own; chunk < chunks_.size(); ++chunk) {
      if (!leaves[chunk]) write_chunk(writer, chunk, {});
    }
    writer.verbatim(all.subspan(base.tail_offset));
    result_.bytes = writer.take();
  }

  [[nodiscard]] bool has_dropped(std::size_t chunk) const {
    const MidiSource& first = given_.front();
    return std::ranges::any_of(first.dropped_tracks, [&](std::size_t track) { return first.chunk_of[first.reading->tracks[track].chunk] == chunk; });
  }

  void write_chunk(EventWriter& writer, std::size_t chunk, std::span<const std::uint8_t> behind) {
    writer.begin_track();
    std::int64_t tick = 0;
    for (const Placed& item : chunks_[chunk]) {
      writer.event(item.tick, item.status, item.data);
      tick = item.tick;
      if (item.event >= 0) {
        std::int32_t& first = result_.event_of[item.source][static_cast<std::size_t>(item.event)];
        if (first < 0) first = n_written_;
      }
      ++n_written_;
    }
    writer.event(std::max(tick, chunk_ends_[chunk]), midi::kMeta, meta_data(midi::kEndOfTrack, {}));
    ++n_written_;
    writer.raw(behind);
    writer.end_track();
  }

  void count_dropped() {
    for (std::size_t number = 0; number < sources_.size(); ++number) {
      const Source& source = sources_[number];
      for (std::uint32_t i = 0; i < source.file().events.size(); ++i) {
        const Keep keep = source.keep(i);
        const bool counts = keep == Keep::kOnce || keep == Keep::kMoment;
        if (counts && !source.dropped(i) && !written_[number][i] && !is_stray_note(source, i)) ++result_.n_dropped;
      }
    }
  }

  static bool is_stray_note(const Source& source, std::uint32_t i) {
    return starts_note(source.file(), source.event(i)) || ends_note(source.file(), source.event(i));
  }

  std::span<const MidiSource> given_;
  std::vector<TimeSpan> spans_;
  std::span<const FileBar> grid_;
  std::int64_t length_;
  int ticks_per_quarter_;
  const Tempi* tempi_;
  std::vector<Source> sources_;
  std::size_t jumps_back_ = 0;        // the last span that does not come later than the one before
  std::vector<std::int64_t> starts_;  // of each span in the new file
  std::vector<std::vector<Placed>> chunks_;
  std::vector<std::int64_t> chunk_ends_;
  std::vector<std::vector<bool>> written_;
  std::map<std::int64_t, std::size_t> bar_at_;  // tick -> bar of the grid
  std::vector<std::size_t> signed_by_;  // per bar of the grid: the span whose time signatures stand there
  std::int64_t last_signature_ = 0;
  std::int64_t content_end_ = 0;
  PlayerState state_;  // what the new file has set so far
  std::size_t n_put_ = 0;
  std::int32_t n_written_ = 0;
  AssembledMidi result_;
};

void require_source(const MidiSource& source, const std::string& name, int ticks_per_quarter) {
  const std::size_t n_chunks = source.file->track_chunks.size();
  require(source.chunk_of.size() == n_chunks && source.channel_of.size() == n_chunks,
          name + " has " + std::to_string(n_chunks) + " track chunks, but places for " + std::to_string(source.chunk_of.size()) + " and channels for " +
              std::to_string(source.channel_of.size()));
  for (std::size_t chunk = 0; chunk < n_chunks; ++chunk) {
    require(source.chunk_of[chunk] < kMostChunks, "a MIDI file holds at most 65535 tracks");
    for (const std::uint8_t channel : source.channel_of[chunk]) {
      require(channel < 16, "channel " + std::to_string(channel) + " does not exist; there are 0..15");
    }
  }
  for (const std::size_t track : source.dropped_tracks) {
    require(track < source.reading->tracks.size(), "track " + std::to_string(track) + " was not read from " + name);
  }
  std::int64_t last = 0;
  for (const MidiEvent& event : source.file->events) last = std::max(last, event.tick);
  require(last < kMostTicks && last / source.file->ticks_per_quarter < kMostTicks / ticks_per_quarter,
          name + " goes to tick " + std::to_string(last) + ", which is too far to be moved");
}

void require_sources(std::span<const MidiSource> sources, int ticks_per_quarter) {
  require(!sources.empty(), "there is no file to take anything from");
  for (std::size_t i = 0; i < sources.size(); ++i) require_source(sources[i], "file " + std::to_string(i), ticks_per_quarter);
  std::vector<std::size_t> places = sources.front().chunk_of;
  std::ranges::sort(places);
  for (std::size_t i = 0; i < places.size(); ++i) {
    require(places[i] == i, "the chunks of the first file must keep their places or change them among each other");
  }
}

// The spans with an end that can be added to: nothing of a file comes after kMostTicks.
std::vector<TimeSpan> checked_spans(std::span<const MidiSource> sources, std::span<const TimeSpan> spans) {
  require(!spans.empty(), "a piece needs at least one stretch of a file");
  std::vector<TimeSpan> out(spans.begin(), spans.end());
  for (TimeSpan& span : out) {
    require(span.source < sources.size() && in_range(span.start) && span.end >= span.start && in_range(span.pad),
            "[" + std::to_string(span.start) + ", " + std::to_string(span.end) + ") and " + std::to_string(span.pad) + " ticks of silence after it are no stretch of file " +
                std::to_string(span.source));
    span.end = std::min(span.end, kMostTicks);
  }
  return out;
}

void require_grid(std::span<const FileBar> grid, std::int64_t length, const Tempi* tempi) {
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const FileBar& bar = grid[i];
    require(in_range(bar.start_tick) && in_range(bar.length_ticks) && (i == 0 || bar.start_tick >= grid[i - 1].start_tick),
            "bar " + std::to_string(i) + " cannot start at tick " + std::to_string(bar.start_tick) + " and last " + std::to_string(bar.length_ticks));
  }
  require(in_range(length), "a piece cannot last " + std::to_string(length) + " ticks");
  if (tempi == nullptr) return;
  for (const auto& [tick, tempo] : *tempi) {
    require(in_range(tick), "a tempo of " + std::to_string(tempo) + " microseconds per quarter note cannot stand at tick " + std::to_string(tick));
  }
}

}  // namespace

AssembledMidi assemble_midi(std::span<const MidiSource> sources, std::span<const TimeSpan> spans, std::span<const FileBar> grid, std::int64_t length,
                            int ticks_per_quarter, const std::optional<std::vector<std::pair<std::int64_t, std::int32_t>>>& tempi) {
  require(ticks_per_quarter >= 1 && ticks_per_quarter <= kMostTicksPerQuarter,
          std::to_string(ticks_per_quarter) + " ticks per quarter note cannot be written; allowed: 1.." + std::to_string(kMostTicksPerQuarter));
  require_sources(sources, ticks_per_quarter);
  require_grid(grid, length, tempi ? &*tempi : nullptr);
  return Assembler(sources, checked_spans(sources, spans), grid, length, ticks_per_quarter, tempi ? &*tempi : nullptr).run();
}

}  // namespace midigpt
