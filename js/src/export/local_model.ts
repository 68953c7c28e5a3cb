/** Stands in for the kernel in an exported page: keeps the document, answers the page's requests. */
import { noteOf } from "../edit/notes.ts";
import type { HostModel, State } from "../model.ts";
import { parseDocument, unpackNotes } from "../note_table.ts";
import { type DocHeader, NOTE_BYTES, type Op, VERSION } from "../protocol.gen.ts";
import { applyOps, type LocalDocument, packDocument, Refused } from "./local_document.ts";
import { midiBytes } from "./midi_writer.ts";
import { type FileFacts, withOwnFile } from "./own_file.ts";

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
      notes: parsed ? Array.from({ length: parsed.notes.count }, (_, row) => noteOf(parsed.notes, row)) : [],
    },
    files.midi,
    files,
  );
  let now = original;
  let rev = header.rev;
  let merged = { key: "", at: 0 };
  const past: LocalDocument[] = [];
  const future: LocalDocument[] = [];

  const show = (document: LocalDocument): void => {
    now = document;
    rev += 1;
    put("_doc", packDocument(document, header, rev));
    put("can_undo", past.length > 0);
    put("can_redo", future.length > 0);
  };
  const commit = (document: LocalDocument, key: string): void => {
    const at = performance.now();
    if (!(key && key === merged.key && at - merged.at < MERGE_MS && past.length > 0)) {
      past.push(now);
      past.splice(0, past.length - LIMIT);
    }
    merged = { key, at };
    future.length = 0;
    show(document);
  };
  const travel = (from: LocalDocument[], to: LocalDocument[]): Answer => {
    const next = from.pop();
    if (next) {
      to.push(now);
      merged = { key: "", at: 0 };
      show(next);
    }
    return [{}];
  };

  const answers: Record<string, (request: Request, buffers: ArrayBuffer[]) => Answer> = {
    ops: ({ ops, merge }, buffers) => {
      const records = new DataView(buffers[0] ?? new ArrayBuffer(0));
      const table = unpackNotes(records, 0, records.byteLength / NOTE_BYTES, now.tracks.length);
      const notes = Array.from({ length: table.count }, (_, row) => noteOf(table, row));
      commit(applyOps(now, ops as Op[], notes), String(merge ?? ""));
      return [{ rev }];
    },
    undo: () => travel(past, future),
    redo: () => travel(future, past),
    sync: () => [{ job: null }],
    midi: () => {
      const bytes = now === original ? files.midi.slice() : midiBytes(now, header.title ?? "");
      return [{ name }, [new DataView(bytes.buffer)]];
    },
    desk: () => [{}, files.desk ? [new DataView(files.desk.slice().buffer)] : []],
    sound: ({ file, part }) => {
      const whole = { bank: files.bank, worklet: files.worklet, simple: files.simple }[String(file)];
      if (!whole) {
        throw new Refused("This page carries no sampled sound");
      }
      const piece = whole.slice(Number(part) * SOUND_PART, (Number(part) + 1) * SOUND_PART);
      const parts = Math.max(1, Math.ceil(whole.length / SOUND_PART));
      return [{ parts }, [new DataView(piece.buffer)]];
    },
  };
  const unavailable = (): Answer => {
    throw new Refused(state.caps?.unavailable ?? "This is an exported page");
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
      emit("msg:custom", { ...head, k: "error", code, message, hint: "" }, []);
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
