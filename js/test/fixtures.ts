/** Small pieces, packed as the kernel packs them, and a model that behaves like a notebook's. */
import type { HostModel, State } from "../src/model.ts";
import { NOTE_BYTES, NOTE_LAYOUT } from "../src/protocol.gen.ts";

export interface Row {
  track: number;
  onset: number;
  duration: number;
  pitch: number;
  velocity?: number;
  flags?: number;
  /** Micro-timing, in 1/resolution of a tick. */
  micro?: number;
}

const WRITERS = { Uint8: "setUint8", Uint16: "setUint16", Int16: "setInt16", Uint32: "setUint32" } as const;

/** Note records, starting `offset` bytes into a larger buffer. */
export function packed(rows: readonly Row[], offset = 0): DataView {
  const view = new DataView(new ArrayBuffer(offset + rows.length * NOTE_BYTES), offset);
  rows.forEach((row, i) => {
    const values: Record<string, number> = { id: 100 + i, velocity: 90, flags: 0, micro: 0, zero: 0, ...row };
    for (const [name, { offset: at, kind }] of Object.entries(NOTE_LAYOUT)) {
      view[WRITERS[kind]](i * NOTE_BYTES + at, values[name] ?? 0, true);
    }
  });
  return view;
}

export const BAR = 1920;

export interface DocOptions {
  bars?: number;
  rev?: number;
  before?: readonly Row[];
  tracks?: { name: string; program: number; drum: boolean; family: string }[];
}

export const TWO_TRACKS = [
  { name: "Piano", program: 0, drum: false, family: "Piano" },
  { name: "Drums", program: 0, drum: true, family: "Drums" },
];

/** Document bytes at a byte offset inside their buffer. */
export function documentBytes(rows: readonly Row[], options: DocOptions = {}, offset = 0): DataView {
  const { bars = 4, rev = 1, before = [], tracks = TWO_TRACKS } = options;
  const header = {
    rev,
    resolution: 480,
    bars: Array.from({ length: bars }, (_, i) => [4, 4, i * BAR, BAR]),
    tempo_map: [[0, 500_000]],
    tracks,
    n_notes: rows.length,
    before: before.length,
    title: "Test",
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = 4 + text.length + ((4 - ((4 + text.length) % 4)) % 4);
  const notes = packed([...rows, ...before]);
  const buffer = new ArrayBuffer(offset + start + notes.byteLength);
  const view = new DataView(buffer, offset);
  view.setUint32(0, text.length, true);
  new Uint8Array(buffer, offset + 4).set(text);
  new Uint8Array(buffer, offset + start).set(new Uint8Array(notes.buffer));
  return view;
}

export interface FakeModel extends HostModel {
  state: State;
  sent: Record<string, unknown>[];
  saves: number;
  /** A message from the kernel. */
  receive(content: unknown, buffers?: DataView[]): void;
  /** The kernel sets a trait. */
  push<K extends keyof State>(key: K, value: State[K]): void;
  listenerCount(): number;
}

export function fakeModel(state: Partial<State> = {}): FakeModel {
  const listeners = new Map<string, Set<(...args: unknown[]) => void>>();
  const emit = (name: string, ...args: unknown[]): void => {
    for (const listener of [...(listeners.get(name) ?? [])]) {
      listener(...args);
    }
  };
  const full: State = {
    _doc: null,
    _rev: 0,
    _sound: "",
    _instruments: "",
    snap: "1/16",
    _autosave: {},
    _from: "",
    _stroke: "",
    _seen: {},
    metronome: false,
    tempo_factor: 1,
    follow: "page",
    announced: {},
    adherence: {},
    reachable: {},
    show_lanes: null,
    chords: {},
    heard_chords: [],
    chord_mode: "soft",
    show_chords: true,
    piece: {},
    show_uncertainty: false,
    caps: { model: "test", attributes: [] },
    plan: {},
    mix: {},
    takes: [],
    active_take: "",
    comp: {},
    n_takes: 1,
    selection: { cells: [] },
    attributes: {},
    realized: {},
    sampling: {},
    status: "idle",
    progress: 0,
    loop: [],
    theme: "light",
    height: 300,
    readonly: false,
    error: null,
    playing: false,
    position: 0,
    can_undo: false,
    can_redo: false,
    ...state,
  };
  const model: FakeModel = {
    state: full,
    sent: [],
    saves: 0,
    get: (key) => full[key],
    set: (key, value) => {
      if (full[key] !== value) {
        full[key] = value;
        emit(`change:${key}`);
      }
    },
    save_changes: () => {
      model.saves += 1;
    },
    send: (content) => {
      model.sent.push(content as Record<string, unknown>);
    },
    on: (name, listener) => {
      const set = listeners.get(name) ?? new Set();
      set.add(listener as never);
      listeners.set(name, set);
    },
    off: (name, listener) => {
      if (name && listener) {
        listeners.get(name)?.delete(listener as never);
      }
    },
    receive: (content, buffers = []) => emit("msg:custom", content, buffers),
    push: (key, value) => model.set(key, value),
    listenerCount: () => [...listeners.values()].reduce((n, set) => n + set.size, 0),
  };
  return model;
}
