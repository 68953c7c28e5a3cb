/** A few lines that make building elements readable. */

type Child = Node | string | null | undefined | false;

export interface Props {
  class?: string;
  text?: string;
  title?: string;
  testid?: string;
  attrs?: Readonly<Record<string, string | number | boolean | null | undefined>>;
  on?: Readonly<Record<string, (event: Event) => void>>;
}

/** Makes an element; null and false attributes are left out, true becomes "true". */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  if (props.class) {
    node.className = props.class;
  }
  if (props.text !== undefined) {
    node.textContent = props.text;
  }
  if (props.title) {
    node.title = props.title;
  }
  if (props.testid) {
    node.dataset["testid"] = props.testid;
  }
  for (const [name, value] of Object.entries(props.attrs ?? {})) {
    setAttr(node, name, value);
  }
  for (const [name, handler] of Object.entries(props.on ?? {})) {
    node.addEventListener(name, handler);
  }
  node.append(...children.filter((child): child is Node | string => !!child || child === ""));
  return node;
}

/** Sets or removes an attribute; touches nothing when it is already so. */
export function setAttr(
  node: Element,
  name: string,
  value: string | number | boolean | null | undefined,
): void {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) {
      node.removeAttribute(name);
    }
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, String(value));
  }
}

export function setText(node: Element, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** 16 px line icons, drawn for this project. */
const ICONS = {
  play: "M5 3.2v9.6l8-4.8z",
  stop: "M4 4h8v8H4z",
  start: "M4 3.5h1.6v9H4zM12.5 3.5v9L6.4 8z",
  loop: "M4.5 5.5h6.2V3.6L14 6.4l-3.3 2.8V7.3H6.3v2.2H4.5zM11.5 10.5H5.3v1.9L2 9.6l3.3-2.8v1.9h4.4V6.5h1.8z",
  undo: "M6.5 3 2.6 6.6l3.9 3.6V7.7h3.2a2.2 2.2 0 0 1 0 4.4H6.2v1.6h3.5a3.8 3.8 0 0 0 0-7.6H6.5z",
  redo: "M9.5 3l3.9 3.6-3.9 3.6V7.7H6.3a2.2 2.2 0 0 0 0 4.4h3.5v1.6H6.3a3.8 3.8 0 0 1 0-7.6h3.2z",
  plus: "M7.2 3.2h1.6v4h4v1.6h-4v4H7.2v-4h-4V7.2h4z",
  minus: "M3.2 7.2h9.6v1.6H3.2z",
  fit: "M2.5 3.5h1.6v9H2.5zM11.9 3.5h1.6v9h-1.6zM5 7.2h1.4V5.6L9 8l-2.6 2.4V8.8H5z M11 7.2V8.8H9.6v1.6L7 8l2.6-2.4v1.6z",
  spark:
    "M8 1.8l1.5 4.2 4.2 1.5-4.2 1.5L8 13.2 6.5 9 2.3 7.5 6.5 6zM12.8 10.6l.6 1.6 1.6.6-1.6.6-.6 1.6-.6-1.6-1.6-.6 1.6-.6z",
  sliders: "M3 4.2h6.2M11.8 4.2H13M3 8h1.2M6.8 8H13M3 11.8h5.2M10.8 11.8H13",
  target: "M8 2.6a5.4 5.4 0 1 0 0 10.8A5.4 5.4 0 1 0 8 2.6M8 6.2a1.8 1.8 0 1 0 0 3.6A1.8 1.8 0 1 0 8 6.2",
  chevron: "M4 6l4 4 4-4",
  close: "M4 4l8 8M12 4l-8 8",
  metronome: "M6.2 2.5h3.6l2.4 11H3.8zM5 10.2h6M8.2 10.2l4-6.4",
  more: "M2.4 6.8h2.4v2.4H2.4zM6.8 6.8h2.4v2.4H6.8zM11.2 6.8h2.4v2.4h-2.4z",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3M8 7.5v4M6.3 10l1.7 1.6L9.7 10",
  pointer: "M4 2.2l8.6 6.2-3.9.5 2.2 4.2-1.7.9-2.2-4.3L4 12.4z",
  pencil: "M10.9 2.3l2.8 2.8-8 8-3.5.7.7-3.5zM9.8 5.6l.6.6",
  eraser: "M9.3 2.6l4.1 4.1-6.6 6.6H5L2.6 10.9zM5.2 7l4 4",
  velocity: "M3.5 13V8.5M8 13V3.5M12.5 13V6.5M2.3 8.5h2.4M6.8 3.5h2.4M11.3 6.5h2.4",
  bars: "M2.5 3.5h4.6v9H2.5zM8.9 3.5h4.6v9H8.9z",
  eye: "M1.8 8C3.4 5.2 5.5 3.9 8 3.9S12.6 5.2 14.2 8C12.6 10.8 10.5 12.1 8 12.1S3.4 10.8 1.8 8zM8 6.3a1.7 1.7 0 1 0 0 3.4A1.7 1.7 0 1 0 8 6.3",
} as const;

export type IconName = keyof typeof ICONS;
const STROKED = new Set<IconName>([
  "target",
  "sliders",
  "chevron",
  "metronome",
  "close",
  "file",
  "pencil",
  "eraser",
  "velocity",
  "bars",
  "eye",
]);

export function icon(name: IconName): SVGSVGElement {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", STROKED.has(name) ? "mgnb-icon mgnb-icon-line" : "mgnb-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(ns, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  if (name === "sliders") {
    for (const [x, y] of [
      [10.5, 4.2],
      [5.5, 8],
      [9.5, 11.8],
    ]) {
      const dot = document.createElementNS(ns, "circle");
      dot.setAttribute("cx", String(x));
      dot.setAttribute("cy", String(y));
      dot.setAttribute("r", "1.5");
      svg.append(dot);
    }
  }
  return svg;
}
