/** Names of chords in fields that may be too narrow for them: never a cut letter. */

/** What stands for a name that there is no room for. */
const DOT = "•";
/** After a root: more of the name is left out. */
const MORE = "·";

/** The whole name; else its root and a point, as "A·" for "Am7"; else a dot; else nothing. Pure. */
export function fitted(name: string, room: number, width: (text: string) => number): string {
  const root = /^[A-G][#b♯♭]?/.exec(name)?.[0];
  const shorter = root && root !== name ? [`${root}${MORE}`] : [];
  const forms = name ? [name, ...shorter, DOT] : [];
  return forms.find((form) => width(form) <= room) ?? "";
}

/** Measures words in the font of an element, in pixels. */
export function makeRuler(element: HTMLElement): (text: string, size: number, weight: number) => number {
  const known = new Map<string, number>();
  const context = element.ownerDocument.createElement("canvas").getContext("2d");
  let family = "";
  return (text, size, weight) => {
    if (text === "") {
      return 0;
    }
    const own = element.isConnected ? getComputedStyle(element).fontFamily : "";
    if (own !== family) {
      family = own;
      known.clear();
    }
    const key = `${weight} ${size}px ${family || "sans-serif"}`;
    const place = `${key}|${text}`;
    let width = known.get(place);
    if (width === undefined) {
      if (context) {
        context.font = key;
      }
      width = context ? Math.ceil(context.measureText(text).width) : text.length * size * 0.7;
      known.set(place, width);
    }
    return width;
  };
}
