/** The rolls of a page, so that another widget can show a view of one: each widget has its own copy of this code. */
export type Show = (el: HTMLElement) => () => void;
/** What stays the same whichever proxy of a roll's model one holds. */
export type RollKey = object | string;

interface Rolls {
  readonly known: Map<RollKey, Show>;
  /** Called when another roll is there. */
  readonly waiting: Set<() => void>;
}

/** So long the code of a roll may take to come; where the host never loads it, the roll is not on the page itself. */
const PATIENCE_MS = 1500;
const KEY = Symbol.for("mgnb.rolls.1");

function rolls(): Rolls {
  const page = globalThis as unknown as Record<symbol, Rolls | undefined>;
  page[KEY] ??= { known: new Map(), waiting: new Set() };
  return page[KEY];
}

/** A roll is there. Gives what takes it back. */
export function offerRoll(key: RollKey, show: Show): () => void {
  const { known, waiting } = rolls();
  known.set(key, show);
  for (const look of [...waiting]) {
    look();
  }
  return () => known.delete(key);
}

/** Shows a roll in `el` as soon as it is there, or by `otherwise` where none comes; gives what takes that back. */
export function whenOffered(key: RollKey, el: HTMLElement, otherwise: Show): () => void {
  const { known, waiting } = rolls();
  let close: (() => void) | null = null;
  const stopWaiting = (): void => {
    waiting.delete(look);
    clearTimeout(timer);
  };
  const begin = (show: Show): void => {
    stopWaiting();
    close = show(el);
  };
  const look = (): void => {
    const show = known.get(key);
    if (show) {
      begin(show);
    }
  };
  const timer = setTimeout(() => begin(otherwise), PATIENCE_MS);
  waiting.add(look);
  look();
  return () => {
    stopWaiting();
    close?.();
  };
}
