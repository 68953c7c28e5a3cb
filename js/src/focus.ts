/** The keyboard is never lost: what has it may go away (Generate becomes Stop, takes are kept). */

/** Runs `change`; when what had the focus inside `root` can have it no more, `home` gets it. */
export function keepFocus(root: HTMLElement, home: HTMLElement, change: () => void): void {
  // the roll may stand in a shadow tree, whose document names only the tree's host
  const place = root.getRootNode() as Partial<DocumentOrShadowRoot>;
  const held = place.activeElement;
  const inside = !!held && root.contains(held);
  change();
  const now = place.activeElement;
  // removed: the page has the focus; hidden or disabled: it takes the focus a moment later
  const lost = now === held ? !!held && unable(held) : !now || !root.contains(now);
  if (inside && lost) {
    home.focus({ preventScroll: true });
  }
}

function unable(element: Element): boolean {
  return element.matches(":disabled") || element.closest("[hidden]") !== null;
}
