/** Edits since the last project that the kernel gave, as they were sent, and how all of it comes back. Pure. */
import type { Op } from "../protocol.gen.ts";

export interface KeptEdit {
  k: "ops" | "undo" | "redo";
  label: string;
  ops: readonly Op[];
  records: ArrayBuffer | null;
}

interface Entry extends KeptEdit {
  /** Revision that holds it; null: not answered yet. */
  rev: number | null;
}

/** The edits of one page on one document. */
export class EditLog {
  private entries: Entry[] = [];
  /** Revision of the project; edits up to it are in there. */
  private base = 0;

  get edits(): KeptEdit[] {
    return this.entries.map(({ k, label, ops, records }) => ({ k, label, ops, records }));
  }

  /** An edit was sent; call what is returned when it is answered. */
  add(edit: KeptEdit): { carriedOut(rev: number): void; refused(): void } {
    const entry: Entry = { ...edit, rev: null };
    this.entries.push(entry);
    const drop = (): void => {
      this.entries = this.entries.filter((other) => other !== entry);
    };
    return {
      carriedOut: (rev) => {
        entry.rev = rev;
        if (rev <= this.base) {
          drop();
        }
      },
      refused: drop,
    };
  }

  /** A project of revision `rev` came. */
  reached(rev: number): void {
    this.base = rev;
    this.entries = this.entries.filter((entry) => entry.rev === null || entry.rev > rev);
  }
}

/** The frame that the request `restore` carries; see widgets/autosave.py. */
export function frameOf(base: ArrayBuffer | null, log: readonly KeptEdit[]): Uint8Array<ArrayBuffer> {
  const told = log.map(({ k, label, ops, records }) => ({ k, label, ops, bytes: records?.byteLength ?? 0 }));
  const header = new TextEncoder().encode(JSON.stringify({ base: base?.byteLength ?? 0, log: told }));
  const start = 4 + header.length + (-(4 + header.length) & 3);
  const buffers = [base, ...log.map(({ records }) => records)].filter((own) => own !== null);
  const frame = new Uint8Array(start + buffers.reduce((n, own) => n + own.byteLength, 0));
  new DataView(frame.buffer).setUint32(0, header.length, true);
  frame.set(header, 4);
  let at = start;
  for (const own of buffers) {
    frame.set(new Uint8Array(own), at);
    at += own.byteLength;
  }
  return frame;
}
