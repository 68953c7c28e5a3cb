/** Stands in for the kernel in an exported page: keeps the document, answers the page's requests. */
import { noteOf } from "../edit/notes.ts";
import type { HostModel, State } from "../model.ts";
import { parseDocument, unpackNotes } from "../note_table.ts";
import { type DocHeader, NOTE_BYTES, type Op, VERSION } from "../protocol.gen.ts";
import { followers, type Way, wayBack, wayOf } from "./beside.ts";
import { applyOps, type LocalDocument, packDocument, Refused } from "./local_document.ts";
import { midiBytes } from "./midi_writer.ts";
import { type FileFacts, withOwnFile } from "./own_file.ts";
import { words } from "./words.ts";

export interface ExportedFiles extends FileFacts {
  document: DataView;
  midi: Uint8Array;
  worklet?: Uint8Array | undefined;
  simple?: Uint8Array | undefined;
  desk?: Uint8Array | undefined;
  bank?: Uint8Array | undefined;
}

const SOUND_PART = 1 << 20;
const MERGE_MS = 600;
const LIMIT = 500;

interface Request extends Record<string, unknown> {
  k: string;
  id: string;
}

/** What was beside the music when a document was left, and what became of it. */
type Cuts = Record<string, readonly [whole: unknown, fitted: unknown]>;

/** A document to go to, how, and what comes back beside it if nobody has changed it since. */
interface Step {
  document: LocalDocument;
  way: Way;
  cuts: Cuts;
}

type Answer = [fields: Record<string, unknown>, buffers?: DataView[]];

export function localModel(state: Partial<State>, name: string, files: ExportedFiles): HostModel {
  const values: Record<string, unknown> = { ...state, _doc: files.document };
  const listeners = new Map<string, Set<(...args: never[]) => void>>();
  const emit = (event: string, ...args: unknown[]): void => {
    for (const listener of [...(listeners.get(event) ?? [])]) {
      listener(...(args as never[]));
    }
  };
  const put = (key: string, value: unknown): void => {
    if (values[key] !== value) {
      values[key] = value;
      emit(`change:${key}`);
    }
  };

  const parsed = parseDocument(files.document);
  const header = parsed?.header as DocHeader;
  let lastTrack = Math.max(-1, ...header.tracks.map(({ id }, i) => id ?? i));
  const original: LocalDocument = withOwnFile(
    {
      resolution: header.resolution,
      metres: header.bars.map(([numerator, denominator]) => [numerator, denominator] as const),
      tempo: header.tempo_map,
      tracks: header.tracks,
      newTrack: () => ++lastTrack,
      instruments: (state._instruments ?? "").split("|"),
      notes: parsed ? Array.from({ length: parsed.notes.count }, (_, row) => noteOf(parsed.notes, row)) : [],
    },
    files.midi,
    files,
  );
  let now = original;
  let rev = header.rev;
  let merged = { key: "", at: 0 };
  const past: Step[] = [];
  const future: Step[] = [];

  /** The way back. */
  const show = ({ document, way, cuts }: Step): Step => {
    const back: Step = { document: now, way: wayBack(way, now), cuts: {} };
    for (const [name, follow] of Object.entries(followers(way))) {
      const whole = values[name];
      if (whole) {
        const fitted = cuts[name]?.[1] === whole ? cuts[name][0] : follow(whole as never, way);
        back.cuts[name] = [whole, fitted];
        put(name, fitted);
      }
    }
    now = document;
    rev += 1;
    put("_doc", packDocument(document, header, rev));
    return back;
  };
  const steps = (): void => {
    put("can_undo", past.length > 0);
    put("can_redo", future.length > 0);
  };
  const commit = (document: LocalDocument, ops: readonly Op[], key: string): void => {
    const at = performance.now();
    const back = show({ document, way: wayOf(now, document, ops), cuts: {} });
    const last = past[past.length - 1];
    if (last && key && key === merged.key && at - merged.at < MERGE_MS) {
      for (const [name, [whole, fitted]] of Object.entries(back.cuts)) {
        const cut = last.cuts[name];
        last.cuts[name] = [cut && cut[1] === whole ? cut[0] : whole, fitted];
      }
    } else {
      past.push(back);
      past.splice(0, past.length - LIMIT);
    }
    merged = { key, at };
    future.length = 0;
    steps();
  };
  const travel = (from: Step[], to: Step[]): Answer => {
    const next = from.pop();
    if (next) {
      to.push(show(next));
      merged = { key: "", at: 0 };
      steps();
    }
    return [{}];
  };

  const answers: Record<string, (request: Request, buffers: ArrayBuffer[]) => Answer> = {
    ops: ({ ops, merge }, buffers) => {
      const records = new DataView(buffers[0] ?? new ArrayBuffer(0));
      const table = unpackNotes(records, 0, records.byteLength / NOTE_BYTES, now.tracks.length);
      const notes = Array.from({ length: table.count }, (_, row) => noteOf(table, row));
      commit(applyOps(now, ops as Op[], notes), ops as Op[], String(merge ?? ""));
      return [{ rev }];
    },
    undo: () => travel(past, future),
    redo: () => travel(future, past),
    sync: () => [{ job: null }],
    file: ({ what }) => {
      if (what !== "midi") {
        return unavailable();
      }
      const bytes = now === original ? files.midi.slice() : midiBytes(now, header.title ?? "");
      return [{ name }, [new DataView(bytes.buffer)]];
    },
    desk: () => [{}, files.desk ? [new DataView(files.desk.slice().buffer)] : []],
    sound: ({ file, part }) => {
      const whole = { bank: files.bank, worklet: files.worklet, simple: files.simple }[String(file)];
      if (!whole) {
        throw new Refused(words.noBank);
      }
      const piece = whole.slice(Number(part) * SOUND_PART, (Number(part) + 1) * SOUND_PART);
      const parts = Math.max(1, Math.ceil(whole.length / SOUND_PART));
      return [{ parts }, [new DataView(piece.buffer)]];
    },
  };
  const unavailable = (): Answer => {
    throw new Refused(state.caps?.unavailable ?? words.exported);
  };

  const receive = (request: Request, buffers: ArrayBuffer[]): void => {
    const head = { v: VERSION, id: request.id };
    try {
      const [fields, attached] = (answers[request.k] ?? unavailable)(request, buffers);
      emit("msg:custom", { ...head, k: "ok", ...fields }, attached ?? []);
    } catch (error) {
      const code = error instanceof Refused ? "exported" : "page";
      put("_doc", packDocument(now, header, ++rev)); // the page showed its edit already
      const message = error instanceof Error ? error.message : String(error);
      emit("msg:custom", { ...head, k: "error", code, message, hint: words.next }, []);
    }
  };

  return {
    get: (key) => values[key] as never,
    set: (key, value) => put(key, value),
    save_changes: () => {},
    send: (content, _callbacks, buffers) => {
      queueMicrotask(() => receive(content as Request, buffers ?? []));
    },
    on: (event, listener) => {
      const known = listeners.get(event) ?? new Set();
      known.add(listener);
      listeners.set(event, known);
    },
    off: (event, listener) => {
      if (event && listener) {
        listeners.get(event)?.delete(listener);
      } else if (event) {
        listeners.delete(event);
      } else {
        listeners.clear();
      }
    },
  };
}
