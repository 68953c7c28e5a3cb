/** What tests and curious users find on the root element: the roll's places and state in plain numbers. */
import { cellRect, type Rect, rowTop, tickToX } from "./coords.ts";
import type { Desk } from "./desk/entry.ts";
import { noteOf } from "./edit/notes.ts";
import { RULER } from "./hit_test.ts";
import { noteBand, noteWidth } from "./layers/notes.ts";
import type { Rendering } from "./playback/offline.ts";
import type { Op } from "./protocol.gen.ts";
import { Selection } from "./selection.ts";
import type { Stage } from "./stage.ts";
import type { Store } from "./store.ts";
import type { Dirty, UiState } from "./ui_state.ts";

export interface RollHandle {
  /** A cell's rectangle in client pixels. */
  barRect(track: number, bar: number): Rect | null;
  /** The rectangle of the note that begins at a tick, in client pixels. */
  noteRect(track: number, onset: number): Rect | null;
  /** Onset, duration, pitch and velocity of a track's notes as this page shows them. */
  notesOf(track: number): number[][];
  /** [id, track, onset, duration, pitch, velocity] of every note as this page shows them. */
  rows(): number[][];
  /** One gesture: notes that go, and notes that come or change, in the form of `rows`; id 0: a new one. */
  put(label: string, remove: number[], rows: number[][]): number[];
  select(cells: [number, number][]): void;
  /** Nothing of this page waits for the kernel. */
  settled(): boolean;
  /** What does. */
  waits(): string[];
  rowHeight(track: number): number;
  state(): Record<string, unknown>;
  /** Bars [from, to) through the same sound (the sampled one when asked for), without a sound device. */
  renderAudio(
    fromBar: number,
    toBar: number,
    sampleRate?: number,
    sampled?: boolean,
  ): Promise<Rendering | null>;
  /** Paints one frame now and returns its milliseconds. */
  paint(what?: Dirty[]): number;
  pan(px: number): void;
  /** [tick, track, controller, value] of what is heard besides notes. */
  controls(): number[][];
  /** One operation on tracks, bars or tempo. */
  edit(op: Op): void;
  /** One stroke in a lane: levels (null: none) from a bar on. */
  wish(name: string, track: number, first: number, levels: (number | null)[]): void;
  /** Client pixels of a level of a lane's bar (-1: the whole track's). */
  lanePoint(name: string, bar: number, level: number): { x: number; y: number } | null;
}

export function makeHandle(
  store: Store,
  ui: UiState,
  stage: Stage,
  surface: HTMLElement,
  desk: () => Desk | null,
): RollHandle {
  return {
    barRect: (track, bar) => {
      const lane = ui.lanes[track];
      if (!lane || bar >= store.bars.n) {
        return null;
      }
      const box = surface.getBoundingClientRect();
      const rect = cellRect(ui.viewport, store.bars, lane, bar);
      return { x: box.left + rect.x, y: box.top + RULER + rect.y, w: rect.w, h: rect.h };
    },
    noteRect: (track, onset) => {
      const lane = ui.lanes[track];
      const row = store.notes.lowerBound(track, onset);
      if (!lane || store.notes.onsets[row] !== onset) {
        return null;
      }
      const box = surface.getBoundingClientRect();
      const [offset, height] = noteBand(lane);
      const place = lane.rowOf[store.notes.pitches[row] as number] as number;
      const w = noteWidth(lane, (store.notes.durations[row] as number) * ui.viewport.scale, height);
      const y = box.top + RULER + rowTop(lane, place) + offset - ui.viewport.top;
      return { x: box.left + tickToX(ui.viewport, onset), y, w, h: height };
    },
    notesOf: (track) => {
      const { notes } = store;
      const [first, last] = notes.range(track, 0, Number.MAX_SAFE_INTEGER);
      return Array.from({ length: last - first }, (_, i) => {
        const note = noteOf(notes, first + i);
        return [note.onset, note.duration, note.pitch, note.velocity];
      });
    },
    rows: () => {
      const { notes } = store;
      return Array.from({ length: notes.count }, (_, row) => {
        const { id, track, onset, duration, pitch, velocity } = noteOf(notes, row);
        return [id, track, onset, duration, pitch, velocity];
      });
    },
    put: (label, remove, rows) => {
      const { editor } = store;
      const notes = rows.map(([id = 0, track = 0, onset = 0, duration = 0, pitch = 0, velocity = 0]) => ({
        id: id || editor.newId(),
        track,
        onset,
        duration,
        pitch,
        velocity,
        micro: 0,
      }));
      editor.notesEdit(label, remove, notes);
      return notes.map(({ id }) => id);
    },
    select: (cells) => store.select(Selection.of(cells)),
    wish: (name, track, first, levels) =>
      store.oneStep(() =>
        store.setCurve(
          name,
          track,
          levels.map((level, i) => [first + i, level]),
        ),
      ),
    waits: () => [
      ...(store.waiting ? ["a request"] : []),
      ...(store.editor.waiting ? ["an edit"] : []),
      ...(store.holdsBack ? ["a setting"] : []),
      ...(store.job ? [`job ${store.job.id} ${store.job.state}`] : []),
    ],
    settled: () => !store.waiting && !store.editor.waiting && !store.running && !store.holdsBack,
    rowHeight: (track) => ui.lanes[track]?.rowHeight ?? 0,
    state: () => ({ ...storeState(store), ...viewState(ui, stage) }),
    renderAudio: async (fromBar, toBar, sampleRate, sampled) => {
      const source = store.noteSource();
      const [from, to] = [store.bars.start(fromBar), store.bars.start(toBar)];
      const { renderOffline } = await store.simpleSound();
      const open = sampled ? (store.sampledSound()?.open ?? null) : null;
      const { rate, along } = store.player;
      const soundOf: Store["soundOf"] = (track) => store.soundOf(track);
      return source && renderOffline(source, soundOf, from, to, sampleRate, open, 1, rate, along);
    },
    paint: (what = ["grid", "notes", "overlay"]) => {
      stage.mark(what);
      return stage.paint();
    },
    lanePoint: (name, bar, level) => desk()?.lanes.point(name, bar, level) ?? null,
    controls: () =>
      store.controls.map(({ tick, track, controller, value }) => [tick, track, controller, value]),
    edit: (op) => store.editor.structureEdit(op.op, op),
    pan: (px) => ui.setViewport({ ...ui.viewport, left: ui.viewport.left + px / ui.viewport.scale }),
  };
}

function storeState(store: Store): Record<string, unknown> {
  const { job, player } = store;
  return {
    rev: store.document?.header.rev ?? null,
    notes: store.notes.count,
    removed: store.removed.count,
    selection: store.selection.cells(),
    selectedNotes: store.editor.selected.size,
    running: store.running,
    compare: store.compare,
    takeWaits: store.takes.waiting,
    job: job && {
      id: job.id,
      state: job.state,
      tokens: job.tokens,
      cells: job.cells.length,
      finished: job.finished.size,
      provisional: job.batches.reduce((n, batch) => n + batch.notes.count, 0),
    },
    playing: player.playing,
    sound: player.sound,
    soundMs: player.soundMs,
    position: player.position,
    loop: player.loop,
    problem: store.problem,
    outcome: store.outcome,
  };
}

const viewState = (ui: UiState, stage: Stage): Record<string, unknown> => ({
  viewport: { ...ui.viewport },
  cursor: ui.cursor,
  expanded: ui.expanded,
  focus: ui.focus,
  touched: ui.touched,
  tool: ui.tool,
  focused: ui.focused,
  frames: stage.frames,
  lastFrameMs: stage.lastFrameMs,
});
