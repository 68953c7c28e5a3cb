/**
 * A menu that opens beside a button or at a point of the roll: arrow keys move, Enter chooses, right arrow opens the
 * next page, left arrow and Escape go back. One at a time; it gives the focus back to where it came from.
 */
import { h } from "../dom.ts";
import { strings } from "../strings.ts";

export interface MenuItem {
  label: string;
  testid?: string;
  disabled?: boolean;
  checked?: boolean;
  /** With `checked`: one of several that may be on together. */
  several?: boolean;
  /** What it does; the menu closes before. */
  run?(): void;
  /** Another page, shown in place of this one. */
  page?(): MenuPage;
}

export interface MenuPage {
  label: string;
  /** null draws a line. */
  items?: readonly (MenuItem | null)[];
  /** One value to type in. */
  field?: { value: string; type: "text" | "number"; min?: number; max?: number; commit(value: string): void };
  /** Stands above the items. */
  above?: HTMLElement;
}

const MARGIN = 6;

export class Menus {
  private element: HTMLElement | null = null;
  private opener: HTMLElement | null = null;
  private pages: MenuPage[] = [];

  /** `root`: element that menus are placed in, and stay inside of. */
  constructor(
    private readonly root: HTMLElement,
    signal: AbortSignal,
  ) {
    const outside = (event: Event): void => {
      if (this.element && !event.composedPath().includes(this.element)) {
        this.close(false);
      }
    };
    root.ownerDocument.addEventListener("pointerdown", outside, { signal, capture: true });
    signal.addEventListener("abort", () => this.close(false));
  }

  get isOpen(): boolean {
    return this.element !== null;
  }

  /** Opens below `opener`, or at a point in client pixels. A second press on the same button closes. */
  open(page: MenuPage, opener: HTMLElement, at?: { x: number; y: number }): void {
    if (this.opener === opener && this.isOpen && !at) {
      this.close();
      return;
    }
    this.close(false);
    const box = opener.getBoundingClientRect();
    this.opener = opener;
    this.pages = [page];
    this.element = h("div", { class: "mgnb-menu", testid: "mgnb-menu" });
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.root.append(this.element);
    if (!at) {
      opener.setAttribute("aria-expanded", "true");
    }
    this.show();
    this.place(at ?? { x: box.left, y: box.bottom + 3 });
    this.focusFirst();
  }

  close(refocus = true): void {
    const { element, opener } = this;
    this.element = this.opener = null;
    element?.remove();
    if (opener?.hasAttribute("aria-haspopup")) {
      opener.setAttribute("aria-expanded", "false");
    }
    if (refocus) {
      opener?.focus({ preventScroll: true });
    }
  }

  private show(): void {
    const page = this.pages[this.pages.length - 1];
    if (!page || !this.element) {
      return;
    }
    const back: (MenuItem | null)[] =
      this.pages.length > 1 ? [{ label: strings.menuBack, page: () => page, testid: "mgnb-menu-back" }] : [];
    const parts: (HTMLElement | null)[] = [page.above ?? null];
    if (page.field) {
      parts.push(this.form(page.label, page.field));
    } else if (back.length > 0 || page.items) {
      const rows = [...back, ...(page.items ?? [])].map((item, i) =>
        item ? this.row(item, back.length > 0 && i === 0) : h("div", { attrs: { role: "separator" } }),
      );
      const list = { class: "mgnb-menu-list", attrs: { role: "menu", "aria-label": page.label } };
      parts.push(h("div", list, ...rows));
    }
    this.element.replaceChildren(...parts.filter((part): part is HTMLElement => part !== null));
  }

  private row(item: MenuItem, back: boolean): HTMLElement {
    const choose = (): void => {
      if (item.disabled) {
        return;
      }
      if (back) {
        this.back();
      } else if (item.page) {
        this.pages.push(item.page());
        this.show();
        this.place();
        this.focusFirst();
      } else {
        this.close();
        item.run?.();
      }
    };
    return h("button", {
      class: `mgnb-button mgnb-menu-item${back ? " mgnb-menu-back" : item.page ? " mgnb-menu-more" : ""}`,
      text: item.label,
      ...(item.testid ? { testid: item.testid } : {}),
      attrs: {
        type: "button",
        tabindex: -1,
        role: item.checked === undefined ? "menuitem" : item.several ? "menuitemcheckbox" : "menuitemradio",
        "aria-checked": item.checked === undefined ? null : String(item.checked),
        "aria-disabled": item.disabled ? "true" : null,
        "aria-haspopup": item.page && !back ? "menu" : null,
      },
      on: { click: choose },
    });
  }

  private form(label: string, field: NonNullable<MenuPage["field"]>): HTMLElement {
    const input = h("input", {
      class: "mgnb-number mgnb-menu-field",
      testid: "mgnb-menu-field",
      attrs: {
        type: field.type,
        value: field.value,
        "aria-label": label,
        min: field.min,
        max: field.max,
        step: field.type === "number" ? "any" : null,
        maxlength: 100,
      },
    });
    const form = h(
      "form",
      { class: "mgnb-menu-form", attrs: { "aria-label": label } },
      h("span", { text: label }),
      input,
      h("button", { class: "mgnb-button mgnb-segment", text: strings.menuSet, attrs: { type: "submit" } }),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.close();
      field.commit(input.value);
    });
    return form;
  }

  private back(): void {
    if (this.pages.length > 1) {
      this.pages.pop();
      this.show();
      this.place();
      this.focusFirst();
    } else {
      this.close();
    }
  }

  private key(event: KeyboardEvent): void {
    event.stopPropagation();
    const target = event.target as HTMLElement;
    if (event.key === "Escape" || (event.key === "ArrowLeft" && target.matches(".mgnb-menu-item"))) {
      event.preventDefault();
      this.back();
      return;
    }
    if (event.key === "Tab") {
      // what stands above the items is reached with Tab; past the last it closes
      const stops = this.stops();
      const at = stops.indexOf(target) + (event.shiftKey ? -1 : 1);
      event.preventDefault();
      if (at < 0 || at >= stops.length || target.matches(".mgnb-menu-item")) {
        this.close();
      } else {
        stops[at]?.focus();
      }
      return;
    }
    const items = this.items();
    const at = items.indexOf(target);
    const next: Readonly<Record<string, number>> = {
      ArrowDown: (at + 1) % items.length,
      ArrowUp: (at - 1 + items.length) % items.length,
      Home: 0,
      End: items.length - 1,
    };
    const to = next[event.key];
    if (to !== undefined && (at >= 0 || event.key === "ArrowDown") && !target.matches("input, textarea")) {
      event.preventDefault();
      items[to]?.focus();
    } else if (event.key === "ArrowRight" && target.matches(".mgnb-menu-more")) {
      event.preventDefault();
      target.click();
    } else if (at >= 0 && event.key.length === 1 && event.key !== " ") {
      const from = [...items.slice(at + 1), ...items.slice(0, at + 1)];
      const letter = event.key.toLowerCase();
      from.find((item) => item.textContent?.trim().toLowerCase().startsWith(letter))?.focus();
    }
  }

  private items(): HTMLElement[] {
    return [...(this.element?.querySelectorAll<HTMLElement>(".mgnb-menu-item") ?? [])];
  }

  private stops(): HTMLElement[] {
    const all =
      this.element?.querySelectorAll<HTMLElement>("input, textarea, button:not(.mgnb-menu-item)") ?? [];
    return [...all, ...this.items().slice(0, 1)];
  }

  private focusFirst(): void {
    const input = this.element?.querySelector<HTMLInputElement | HTMLTextAreaElement>(".mgnb-menu-field");
    const items = this.items();
    const checked = items.find((item) => item.getAttribute("aria-checked") === "true");
    const first = items.find((item) => !item.classList.contains("mgnb-menu-back"));
    (input ?? checked ?? first ?? items[0])?.focus({ preventScroll: true });
    input?.select();
    checked?.scrollIntoView?.({ block: "nearest" });
  }

  /** Inside the root, whatever the page's length. */
  private place(at?: { x: number; y: number }): void {
    const { element, root } = this;
    if (!element) {
      return;
    }
    const box = root.getBoundingClientRect();
    const x = at ? at.x - box.left : Number.parseFloat(element.style.left);
    const y = at ? at.y - box.top : Number.parseFloat(element.style.top);
    element.style.maxHeight = `${Math.max(80, box.height - 2 * MARGIN)}px`;
    const within = (place: number, size: number, room: number): number =>
      Math.max(MARGIN, Math.min(place, room - size - MARGIN));
    element.style.left = `${within(x, element.offsetWidth, box.width)}px`;
    element.style.top = `${within(y, element.offsetHeight, box.height)}px`;
  }
}
