/** What tests and curious users find on the root element: the roll's places and state in plain numbers. */
import { cellRect, type Rect } from "./coords.ts";
import { RULER } from "./hit_test.ts";
import { type Rendering, renderOffline } from "./playback/offline.ts";
import type { Stage } from "./stage.ts";
import type { Store } from "./store.ts";
import type { Dirty, UiState } from "./ui_state.ts";

export interface RollHandle {
  /** A cell's rectangle in client pixels. */
  barRect(track: number, bar: number): Rect | null;
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
}

export function makeHandle(store: Store, ui: UiState, stage: Stage, surface: HTMLElement): RollHandle {
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
    state: () => ({ ...storeState(store), ...viewState(ui, stage) }),
    renderAudio: async (fromBar, toBar, sampleRate, sampled) => {
      const source = store.noteSource();
      const [from, to] = [store.bars.start(fromBar), store.bars.start(toBar)];
      return (
        source &&
        renderOffline(
          source,
          (track) => store.soundOf(track),
          from,
          to,
          sampleRate,
          sampled ? await store.soundFiles() : null,
        )
      );
    },
    paint: (what = ["grid", "notes", "overlay"]) => {
      stage.mark(what);
      return stage.paint();
    },
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
    running: store.running,
    compare: store.compare,
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
  focused: ui.focused,
  frames: stage.frames,
  lastFrameMs: stage.lastFrameMs,
});
