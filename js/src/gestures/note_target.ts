/** Where notes are under the pointer: what the note gestures ask of a view. */
import { rowTop, tickToX, xToTick } from "../coords.ts";
import type { Bounds } from "../edit/change.ts";
import type { Editor } from "../edit/editor.ts";
import { snapTicks } from "../edit/snap.ts";
import { RULER } from "../hit_test.ts";
import { noteBand, noteWidth } from "../layers/notes.ts";
import type { Store } from "../store.ts";
import type { NotePreview, UiState } from "../ui_state.ts";
import type { NotePlace, NoteTarget } from "./edit_notes.ts";
import type { PointerAt } from "./gesture.ts";

export class RollNotes implements NoteTarget {
  constructor(
    private readonly store: Store,
    private readonly ui: UiState,
    private readonly trackAt: (y: number) => number,
  ) {}

  get editor(): Editor {
    return this.store.editor;
  }

  get bounds(): Bounds {
    return { end: this.store.bars.end };
  }

  place(at: PointerAt): NotePlace {
    const { ui, store } = this;
    const track = this.trackAt(at.y);
    const lane = ui.lanes[track];
    const tick = Math.max(0, Math.min(store.bars.end - 1, xToTick(ui.viewport, at.x)));
    if (!lane) {
      return { track, tick, pitch: 60, drum: false, level: 0.5 };
    }
    const y = at.y - RULER + ui.viewport.top;
    const top = rowTop(lane, lane.pitches.length - 1);
    const row = Math.floor((rowTop(lane, 0) + lane.rowHeight - y) / lane.rowHeight);
    const lowest = lane.pitches[0] ?? 60;
    // Melodic lanes go on beyond their rows, drum lanes have only the drums they show.
    const pitch = lane.drum
      ? (lane.pitches[Math.max(0, Math.min(lane.pitches.length - 1, row))] ?? 36)
      : Math.max(0, Math.min(127, lowest + row));
    const level = Math.max(
      0,
      Math.min(1, (lane.y + lane.height - y) / Math.max(1, lane.y + lane.height - top)),
    );
    return { track, tick, pitch, drum: lane.drum, level };
  }

  noteAt(at: PointerAt): number {
    return at.hit.area === "cell" ? at.hit.note : -1;
  }

  barStart(tick: number): number {
    const { bars } = this.store;
    return bars.start(bars.at(tick));
  }

  grid(free: boolean): number {
    return free ? 1 : snapTicks(this.store.get("snap"), this.store.resolution);
  }

  ticks(px: number): number {
    return px / this.ui.viewport.scale;
  }

  notesIn(a: PointerAt, b: PointerAt): number[] {
    const { ui, store } = this;
    const { viewport: view } = ui;
    const [x0, x1] = [Math.min(a.x, b.x), Math.max(a.x, b.x)];
    const [y0, y1] = [Math.min(a.y, b.y) - RULER, Math.max(a.y, b.y) - RULER];
    const ids: number[] = [];
    for (const lane of ui.lanes.filter(({ height }) => height > 0)) {
      const [first, last] = store.notes.range(lane.track, xToTick(view, x0), xToTick(view, x1));
      const [offset, height] = noteBand(lane);
      for (let row = first; row < last; row++) {
        const place = lane.rowOf[store.notes.pitches[row] as number] as number;
        const x = tickToX(view, store.notes.onsets[row] as number);
        const y = rowTop(lane, place) + offset - view.top;
        const w = noteWidth(lane, (store.notes.durations[row] as number) * view.scale, height);
        if (place >= 0 && x < x1 && x + w > x0 && y < y1 && y + height > y0) {
          ids.push(store.notes.ids[row] as number);
        }
      }
    }
    return ids;
  }

  audition(track: number, pitch: number, velocity: number): void {
    if (!this.store.player.playing) {
      this.store.player.audition(track, pitch, velocity);
    }
  }

  show(preview: NotePreview | null): void {
    const { ui } = this;
    const hidden = ui.notePreview?.hide.size ?? 0;
    ui.notePreview = preview;
    // The notes themselves are painted again only when others are hidden than before.
    if (hidden !== (preview?.hide.size ?? 0)) {
      ui.dirty("notes");
    }
    ui.dirty("overlay");
  }
}
