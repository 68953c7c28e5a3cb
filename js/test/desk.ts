/** Puts the desk where the page would have fetched it: unbundled, its modules are those of the page itself. */
import { type Mock, vi } from "vitest";
import { shelfKey } from "../src/desk/door.ts";
import * as entry from "../src/desk/entry.ts";

/** Returns what runs the desk's code, to be counted. */
export function deskIsHere(): Mock {
  const page = globalThis as unknown as Record<symbol, unknown>;
  const made = vi.fn(() => entry);
  page[shelfKey("source")] = { module: { default: made }, asked: 0, asker: null, waiting: new Set() };
  return made;
}
