/** State of one view that never leaves the browser: zoom, hover, cursor, drag preview. */
import { clampView, contentHeight, fitScale, type Lane, type ViewLimits, type Viewport } from "./coords.ts";
import type { EditNote } from "./edit/notes.ts";
import { HOME_TOOL, type Tool } from "./edit/tools.ts";
import type { Layer } from "./layers/scene.ts";
import type { Cell } from "./protocol.gen.ts";
import type { Selection } from "./selection.ts";

/** What has to be painted again; "pan": nothing else than time was scrolled. */
export type Dirty = "layout" | "grid" | "notes" | "overlay" | "pan";

/** Layers that come with the desk, by their place in the stack. */
export interface MoreLayers {
  /** On the rows, below bar and beat lines. */
  rows: Layer[];
  /** Below and above the notes. */
  under: Layer[];
  over: Layer[];
  /** With what moves, below the cursor. */
  top: Layer[];
}

/** Notes as a drag would leave them: some of the document's are hidden, some are shown instead. */
export interface NotePreview {
  hide: ReadonlySet<number>;
  notes: readonly EditNote[];
}

export interface Marquee {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

export class UiState {
  viewport: Viewport = { left: 0, scale: 0.1, top: 0, width: 0, height: 0 };
  lanes: Lane[] = [];
  /** Cell of the keyboard cursor, and the other corner of a rectangle being extended. */
  cursor: Cell = [0, 0];
  anchor: Cell = [0, 0];
  hover: Cell | null = null;
  /** Track shown tall, -1: none. */
  expanded = -1;
  /** The track in focus: it has all the height, the others are ghosts behind its notes. -1: none. */
  focus = -1;
  focused = false;
  /** The roll was tapped: one finger edits instead of scrolling the page. */
  touched = false;
  /** On screen; bitmaps of what is not are given back. */
  visible = true;
  /** The cursor was last moved with keys: show it. */
  keyboard = false;
  /** Selection while a drag is under way. */
  preview: Selection | null = null;
  tool: Tool = HOME_TOOL;
  notePreview: NotePreview | null = null;
  marquee: Marquee | null = null;
  /** The view follows the playhead until the user scrolls away. */
  follow = true;
  readonly more: MoreLayers = { rows: [], under: [], over: [], top: [] };
  onDirty: (what: readonly Dirty[]) => void = () => {};

  limits: ViewLimits = { endTick: 0, resolution: 480, contentHeight: 0 };

  dirty(...what: Dirty[]): void {
    this.onDirty(what);
  }

  setViewport(next: Viewport): void {
    const clamped = clampView(next, this.limits);
    const same = (Object.keys(clamped) as (keyof Viewport)[]).every(
      (key) => clamped[key] === this.viewport[key],
    );
    if (!same) {
      const was = this.viewport;
      this.viewport = clamped;
      const sized = was.width !== clamped.width || was.height !== clamped.height;
      if (was.top !== clamped.top) {
        this.dirty("grid", "notes", "overlay", "layout");
      } else if (was.scale !== clamped.scale || sized) {
        this.dirty("grid", "notes", "overlay");
      } else {
        this.dirty("pan", "overlay");
      }
    }
  }

  setLanes(lanes: Lane[], endTick: number, resolution: number): void {
    this.lanes = lanes;
    this.limits = { endTick, resolution, contentHeight: contentHeight(lanes) };
    this.viewport = clampView(this.viewport, this.limits);
    this.dirty("grid", "notes", "overlay", "layout");
  }

  /** Zoom at the first sight of a piece: all of it, unless bars would become too narrow to read. */
  showAll(nBars: number, minBarPx: number): void {
    const perBar = this.limits.endTick / Math.max(1, nBars);
    const fit = fitScale(this.viewport, this.limits);
    // a little narrower is better than a last bar cut off
    const scale = fit * perBar >= minBarPx * 0.75 ? fit : minBarPx / Math.max(1, perBar);
    this.setViewport({ ...this.viewport, scale, left: 0 });
  }

  /** Whether the whole piece is in sight (within a pixel). */
  get showsAll(): boolean {
    const { width, scale } = this.viewport;
    return width > 0 && this.limits.endTick * scale <= width + 1;
  }

  setHover(cell: Cell | null): void {
    if (cell?.[0] !== this.hover?.[0] || cell?.[1] !== this.hover?.[1]) {
      this.hover = cell;
      this.dirty("overlay");
    }
  }
}
