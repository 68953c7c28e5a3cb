/** Gestures on notes: select and move, resize, copy, draw, erase, paint loudness. Each shows a preview and commits once. */
import { type Bounds, begunEarlier, copied, lengthened, moved } from "../edit/change.ts";
import type { Editor } from "../edit/editor.ts";
import { type EditNote, noteOf, notesWith } from "../edit/notes.ts";
import { snapped } from "../edit/snap.ts";
import { strings } from "../strings.ts";
import type { NotePreview, UiState } from "../ui_state.ts";
import type { Gesture, PointerAt } from "./gesture.ts";

/** A point as notes see it. */
export interface NotePlace {
  track: number;
  tick: number;
  /** Pitch of the row, kept inside the lane. */
  pitch: number;
  drum: boolean;
  /** 0 at the bottom of the lane, 1 at its top. */
  level: number;
}

export interface NoteTarget {
  readonly editor: Editor;
  readonly bounds: Bounds;
  place(at: PointerAt): NotePlace;
  /** Row of the note under the point, or -1. */
  noteAt(at: PointerAt): number;
  barStart(tick: number): number;
  /** Ticks of the grid; `free` (Ctrl or Cmd held): one tick. */
  grid(free: boolean): number;
  /** Ids of notes inside a rectangle on screen. */
  notesIn(a: PointerAt, b: PointerAt): number[];
  /** Pixels to ticks. */
  ticks(px: number): number;
  audition(track: number, pitch: number, velocity: number): void;
  show(preview: NotePreview | null): void;
}

const EDGE_PX = 6;
const DRAWN_VELOCITY = 96;

type Drag = "move" | "end" | "start";

/** Tool 1: click, Shift-click, marquee, drag to move, drag an edge to resize, Alt-drag to copy. */
export function selectNotes(target: NoteTarget, ui: UiState): Gesture {
  let inner: Gesture | null = null;
  return {
    down: (at) => {
      inner = target.noteAt(at) >= 0 ? dragNotes(target, at) : marquee(target, ui);
      inner.down(at);
    },
    move: (at) => inner?.move(at),
    up: (at) => inner?.up(at),
    cancel: () => inner?.cancel(),
  };
}

function dragNotes(target: NoteTarget, first: PointerAt): Gesture {
  const { editor } = target;
  const row = target.noteAt(first);
  const held = noteOf(editor.notes, row);
  const start = target.place(first);
  const kind = dragKind(target, held, start);
  const before = editor.selected;
  let changed: EditNote[] | null = null;
  let heard = held.pitch;
  let chosen: EditNote[] = [];

  const result = (at: PointerAt): EditNote[] => {
    const here = target.place(at);
    const grid = target.grid(at.toggle);
    if (kind === "end") {
      const end = snapped(held.onset + held.duration + here.tick - start.tick, barOf(held.onset), grid, true);
      return lengthened(chosen, end - held.onset - held.duration, Math.min(grid, held.duration));
    }
    const to = snapped(held.onset + here.tick - start.tick, barOf(held.onset), grid, true);
    if (kind === "start") {
      return begunEarlier(chosen, to - held.onset, Math.min(grid, held.duration));
    }
    return moved(chosen, to - held.onset, here.pitch - start.pitch, target.bounds, grid);
  };
  const barOf = (tick: number): number => target.barStart(tick);

  return {
    down: (at) => {
      if (at.shift) {
        const next = new Set(before);
        if (!next.delete(held.id)) {
          next.add(held.id);
        }
        editor.select(next);
      } else if (!before.has(held.id)) {
        editor.select([held.id]);
      }
      chosen = editor.selectedNotes;
      target.audition(held.track, held.pitch, held.velocity);
    },
    move: (at) => {
      if (chosen.length === 0 || (changed === null && Math.hypot(at.x - first.x, at.y - first.y) < 3)) {
        return;
      }
      changed = result(at);
      const shown = changed.find((note) => note.id === held.id);
      if (shown && shown.pitch !== heard) {
        heard = shown.pitch;
        target.audition(held.track, heard, held.velocity);
      }
      target.show({ hide: at.alt && kind === "move" ? new Set() : ids(chosen), notes: changed });
    },
    up: (at) => {
      target.show(null);
      if (changed === null) {
        return;
      }
      const values = result(at);
      if (at.alt && kind === "move") {
        const copies = copied(values, 0, editor.newId, target.bounds);
        editor.notesEdit(strings.didCopy(copies.length), [], copies);
        editor.select(ids(copies));
      } else {
        const word = kind === "move" ? strings.didMove : strings.didResize;
        editor.notesEdit(word(values.length), [], different(chosen, values));
      }
    },
    cancel: () => {
      target.show(null);
      editor.select(before);
    },
  };
}

function dragKind(target: NoteTarget, note: EditNote, at: NotePlace): Drag {
  if (at.drum) {
    return "move";
  }
  const edge = Math.min(target.ticks(EDGE_PX), note.duration / 4);
  if (at.tick >= note.onset + note.duration - edge) {
    return "end";
  }
  return at.tick <= note.onset + edge / 2 && note.duration > 4 * edge ? "start" : "move";
}

/** What a press at a point would take hold of: "edge", "note" or "". */
export function overNote(target: NoteTarget, at: PointerAt): string {
  const row = target.noteAt(at);
  if (row < 0) {
    return "";
  }
  return dragKind(target, noteOf(target.editor.notes, row), target.place(at)) === "move" ? "note" : "edge";
}

function marquee(target: NoteTarget, ui: UiState): Gesture {
  const { editor } = target;
  const before = editor.selected;
  let from: PointerAt | null = null;
  const paint = (at: PointerAt): void => {
    if (from) {
      ui.marquee = { x0: from.x, y0: from.y, x1: at.x, y1: at.y };
      editor.select([...(from.shift ? before : []), ...target.notesIn(from, at)]);
      ui.dirty("overlay");
    }
  };
  return {
    down: (at) => {
      from = at;
      if (!at.shift) {
        editor.select([]);
      }
    },
    move: paint,
    up: () => {
      ui.marquee = null;
      ui.dirty("overlay");
    },
    cancel: () => {
      ui.marquee = null;
      editor.select(before);
      ui.dirty("overlay");
    },
  };
}

/** Tool 2: press where the note begins, drag to its end; on a note: as tool 1. */
export function drawNote(target: NoteTarget, ui: UiState): Gesture {
  const { editor } = target;
  let inner: Gesture | null = null;
  let note: EditNote | null = null;
  const stretched = (at: PointerAt): EditNote | null => {
    if (!note) {
      return null;
    }
    const grid = target.grid(at.toggle);
    const end = snapped(target.place(at).tick, target.barStart(note.onset), grid, false) + grid;
    return { ...note, duration: Math.max(grid, Math.round(end - note.onset)) };
  };
  const show = (value: EditNote | null): void => target.show(value && { hide: new Set(), notes: [value] });
  return {
    down: (at) => {
      if (target.noteAt(at) >= 0) {
        inner = selectNotes(target, ui);
        inner.down(at);
        return;
      }
      note = newNote(target, at);
      target.audition(note.track, note.pitch, note.velocity);
      show(note);
    },
    move: (at) => (inner ? inner.move(at) : show(stretched(at))),
    up: (at) => {
      if (inner) {
        inner.up(at);
        return;
      }
      const value = stretched(at);
      target.show(null);
      if (value) {
        editor.notesEdit(strings.didDraw, [], [value]);
        editor.select([value.id]);
      }
    },
    cancel: () => {
      inner?.cancel();
      target.show(null);
    },
  };
}

/** A note one grid step long where the point is. */
export function newNote(target: NoteTarget, at: PointerAt): EditNote {
  const { track, tick, pitch } = target.place(at);
  const grid = target.grid(at.toggle);
  const onset = Math.round(snapped(tick, target.barStart(tick), grid, false));
  return {
    id: target.editor.newId(),
    track,
    onset: Math.max(0, Math.min(target.bounds.end - 1, onset)),
    duration: Math.max(1, Math.round(grid)),
    pitch,
    velocity: DRAWN_VELOCITY,
    micro: 0,
  };
}

/** Tool 3: every note the pointer touches goes. */
export function eraseNotes(target: NoteTarget): Gesture {
  const { editor } = target;
  const gone = new Set<number>();
  const touch = (at: PointerAt): void => {
    const row = target.noteAt(at);
    if (row >= 0) {
      gone.add(editor.notes.ids[row] as number);
      target.show({ hide: new Set(gone), notes: [] });
    }
  };
  return {
    down: touch,
    move: touch,
    up: () => {
      target.show(null);
      editor.notesEdit(strings.didErase(gone.size), [...gone], []);
    },
    cancel: () => target.show(null),
  };
}

/** Tool 4: the height in the lane is the loudness of the notes under the pointer; Shift draws a straight ramp. */
export function paintVelocity(target: NoteTarget): Gesture {
  const { editor } = target;
  const painted = new Map<number, EditNote>();
  let from: NotePlace | null = null;
  let last: NotePlace | null = null;

  const between = (a: NotePlace, b: NotePlace): void => {
    const [left, right] = a.tick <= b.tick ? [a, b] : [b, a];
    const reach = target.ticks(3);
    const { notes, selected } = editor;
    for (
      let row = notes.lowerBound(a.track, left.tick - reach);
      row < notes.lowerBound(a.track, right.tick + reach);
      row++
    ) {
      const note = noteOf(notes, row);
      const share = right.tick > left.tick ? (note.onset - left.tick) / (right.tick - left.tick) : 1;
      const level = left.level + (right.level - left.level) * Math.max(0, Math.min(1, share));
      if (selected.size === 0 || selected.has(note.id)) {
        painted.set(note.id, { ...note, velocity: Math.max(1, Math.min(127, Math.round(level * 127))) });
      }
    }
  };
  const paint = (at: PointerAt): void => {
    const here = target.place(at);
    if (!from || !last) {
      return;
    }
    const point = { ...here, track: from.track };
    if (at.shift) {
      painted.clear();
      between(from, point);
    } else {
      between(last, point);
    }
    last = point;
    target.show({ hide: new Set(painted.keys()), notes: [...painted.values()] });
  };
  return {
    down: (at) => {
      from = target.place(at);
      last = from;
      paint(at);
    },
    move: paint,
    up: (at) => {
      paint(at);
      target.show(null);
      editor.notesEdit(strings.didVelocity(painted.size), [], [...painted.values()]);
    },
    cancel: () => target.show(null),
  };
}

const ids = (notes: readonly EditNote[]): Set<number> => new Set(notes.map((note) => note.id));

/** Those that really differ: a drag back to where it began is no edit. */
function different(before: readonly EditNote[], after: readonly EditNote[]): EditNote[] {
  const old = new Map(before.map((note) => [note.id, note]));
  return after.filter((note) => {
    const was = old.get(note.id);
    return !was || was.onset !== note.onset || was.duration !== note.duration || was.pitch !== note.pitch;
  });
}

/** Double click: a note there goes, else one comes. */
export function toggleNote(target: NoteTarget, at: PointerAt): void {
  const { editor } = target;
  const row = target.noteAt(at);
  if (row >= 0) {
    const [note] = notesWith(editor.notes, new Set([editor.notes.ids[row] as number]));
    if (note) {
      editor.notesEdit(strings.didErase(1), [note.id], []);
    }
    return;
  }
  const note = newNote(target, at);
  target.audition(note.track, note.pitch, note.velocity);
  editor.notesEdit(strings.didDraw, [], [note]);
  editor.select([note.id]);
}
