/** The rolls of a page, so that another widget can show a view of one: each widget has its own copy of this code. */
type Show = (el: HTMLElement) => () => void;

interface Rolls {
  readonly known: WeakMap<object, Show>;
  /** Called when another roll is there. */
  readonly waiting: Set<() => void>;
}

const KEY = Symbol.for("mgnb.rolls.1");

function rolls(): Rolls {
  const page = globalThis as unknown as Record<symbol, Rolls | undefined>;
  page[KEY] ??= { known: new WeakMap(), waiting: new Set() };
  return page[KEY];
}

/** A roll is there; `key` stays the same whichever proxy of its model one holds. Gives what takes it back. */
export function offerRoll(key: object, show: Show): () => void {
  const { known, waiting } = rolls();
  known.set(key, show);
  for (const look of [...waiting]) {
    look();
  }
  return () => known.delete(key);
}

/** Shows a roll in `el` as soon as it is there; gives what takes that back. */
export function whenOffered(key: object, el: HTMLElement): () => void {
  const { known, waiting } = rolls();
  let close: (() => void) | null = null;
  const look = (): void => {
    const show = known.get(key);
    if (show) {
      waiting.delete(look);
      close = show(el);
    }
  };
  waiting.add(look);
  look();
  return () => {
    waiting.delete(look);
    close?.();
  };
}
