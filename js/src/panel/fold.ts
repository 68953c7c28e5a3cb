/** Keeps a row of groups on one line: those that there is no room for are hidden, in a given order. */

export interface Fold {
  /** Measures again when something that matters has changed. */
  fit(): void;
  /** Groups that are hidden now, as they stand in the row. */
  folded(): HTMLElement[];
}

/** `rest`: the last of the row; it takes the focus of what is hidden. */
export function makeFold(row: HTMLElement, order: readonly HTMLElement[], rest: HTMLElement): Fold {
  let known = "";
  /** Changes with everything that could make another choice right: width, words, style sheets that came late. */
  const shape = (): string => {
    const places = [...row.children].map((child) => (child as HTMLElement).offsetLeft);
    const shown = [...row.querySelectorAll<HTMLElement>("button, select")].filter(
      (control) => !hiddenItself(control, order),
    );
    return [row.clientWidth, ...places, ...shown.map((one) => one.dataset["testid"]), row.textContent].join();
  };
  const fit = (): void => {
    if (row.clientWidth === 0 || shape() === known) {
      return;
    }
    const { activeElement } = row.ownerDocument;
    row.classList.add("mgnb-fitting");
    const edge = row.getBoundingClientRect().right - Number.parseFloat(getComputedStyle(row).paddingRight);
    const tooWide = (): boolean => rest.getBoundingClientRect().right > edge + 0.05;
    for (const group of order) {
      group.hidden = false;
    }
    for (const group of order) {
      if (!tooWide()) {
        break;
      }
      group.hidden = true;
    }
    // What is less wide than the last one folded may fit after all.
    for (const group of order.filter((one) => one.hidden).reverse()) {
      group.hidden = false;
      group.hidden = tooWide();
    }
    row.classList.remove("mgnb-fitting");
    if (
      activeElement instanceof HTMLElement &&
      order.some((group) => group.hidden && group.contains(activeElement))
    ) {
      rest.focus();
    }
    known = shape();
  };
  return {
    fit,
    folded: () => [...row.querySelectorAll<HTMLElement>(".mgnb-fold")].filter((group) => group.hidden),
  };
}

/** Not there for a reason of its own, folded or not. */
function hiddenItself(control: HTMLElement, groups: readonly HTMLElement[]): boolean {
  let node: HTMLElement | null = control;
  while (node && !groups.includes(node)) {
    if (node.hidden) {
      return true;
    }
    node = node.parentElement;
  }
  return false;
}
