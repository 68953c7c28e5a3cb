/**
 * Edits of the document from this page. A gesture is shown at once and sent as one request; until the kernel's
 * snapshot holds it, it is laid over the last snapshot again and again. A refused gesture disappears with all that
 * came after it, and the kernel's state is what remains.
 */
import type { Answer } from "../model.ts";
import { NoteTable } from "../note_table.ts";
import type { Op, Requests } from "../protocol.gen.ts";
import { type EditNote, notesWith, packNotes, withChanges } from "./notes.ts";

interface Pending {
  remove: ReadonlySet<number>;
  put: readonly EditNote[];
  /** Revision that holds it, once the kernel has said so. */
  rev: number;
}

export interface EditorHost {
  nTracks(): number;
  send(payload: Requests["ops"], buffers: ArrayBuffer[]): Promise<Answer>;
  /** Notes or the note selection changed. */
  changed(): void;
  /** This page selects other notes, or takes selected ones away. */
  chosen(): void;
  refused(error: unknown): void;
}

const NEW = 0x80000000;
const UNKNOWN = Number.POSITIVE_INFINITY;

export class Editor {
  /** Ids of the selected notes. */
  selected: ReadonlySet<number> = new Set();

  private base = new NoteTable(0, 0);
  private shown = this.base;
  private pending: Pending[] = [];
  /** Revision of `base`. */
  private rev = 0;
  /** Ids must differ between the pages that show one document. */
  private nextId = Math.floor(Math.random() * 0x7fff) * 0x10000;

  constructor(private readonly host: EditorHost) {}

  /** The document's notes with what this page has done to them. */
  get notes(): NoteTable {
    return this.shown;
  }

  get waiting(): boolean {
    return this.pending.length > 0;
  }

  get selectedNotes(): EditNote[] {
    return notesWith(this.shown, this.selected);
  }

  readonly newId = (): number => {
    this.nextId = (this.nextId + 1) % NEW;
    return NEW + this.nextId;
  };

  /** A snapshot of revision `rev` came from the kernel. */
  take(table: NoteTable, rev: number): void {
    this.base = table;
    this.rev = rev;
    this.pending = this.pending.filter((edit) => edit.rev > rev);
    this.show();
  }

  select(ids: Iterable<number>): void {
    this.selected = new Set(ids);
    this.host.chosen();
    this.host.changed();
  }

  /** Whether these are the selected notes. */
  has(ids: readonly number[]): boolean {
    return ids.length === this.selected.size && ids.every((id) => this.selected.has(id));
  }

  /** The kernel says which notes are selected; those that are not here (yet) are left out. True: others than before. */
  follow(ids: readonly number[]): boolean {
    const before = this.selected;
    this.selected = new Set(notesWith(this.shown, new Set(ids)).map((note) => note.id));
    return !this.has([...before]);
  }

  /** One gesture on notes: shown now, sent now. */
  notesEdit(label: string, remove: readonly number[], put: readonly EditNote[], merge = ""): void {
    if (remove.length === 0 && put.length === 0) {
      return;
    }
    const edit: Pending = { remove: new Set(remove), put, rev: UNKNOWN };
    this.pending.push(edit);
    this.show();
    this.host.chosen();
    this.host.changed();
    const op: Op = { op: "notes", remove: [...remove], count: put.length };
    void this.send(label, [op], [packNotes(put)], merge, edit);
  }

  /** Tracks, bars, metre, tempo: shown when the kernel's snapshot comes. */
  structureEdit(label: string, ...ops: Op[]): void {
    void this.send(label, ops, [], "", null);
  }

  private async send(
    label: string,
    ops: Op[],
    buffers: ArrayBuffer[],
    merge: string,
    edit: Pending | null,
  ): Promise<void> {
    try {
      const { ok } = await this.host.send({ label, ops, ...(merge ? { merge } : {}) }, buffers);
      if (edit) {
        edit.rev = ok.rev ?? 0;
        if (edit.rev <= this.rev) {
          this.pending = this.pending.filter((other) => other !== edit);
          this.show();
          this.host.changed();
        }
      }
    } catch (error) {
      if (edit) {
        // What came after it was made on top of it.
        const from = this.pending.indexOf(edit);
        this.pending = from < 0 ? this.pending : this.pending.slice(0, from);
        this.show();
        this.host.changed();
      }
      this.host.refused(error);
    }
  }

  private show(): void {
    let table = this.base;
    for (const { remove, put } of this.pending) {
      table = withChanges(table, this.host.nTracks(), remove, put);
    }
    this.shown = table;
    if (this.selected.size > 0) {
      const alive = new Set(notesWith(table, this.selected).map((note) => note.id));
      if (alive.size !== this.selected.size) {
        this.selected = alive;
      }
    }
  }
}
