// Contrast of every text that is shown, and of the borders or fills that make controls recognisable, from computed
// styles: colours are laid over one another as the browser does it. Returns what is below the limits.
() => {
  const parse = (text) => {
    const canvas = (window.__ink ??= Object.assign(document.createElement("canvas"), { width: 1, height: 1 }));
    const ctx = canvas.getContext("2d", { willReadFrequently: true });
    ctx.clearRect(0, 0, 1, 1);
    ctx.fillStyle = text;
    ctx.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = ctx.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (node) => {
    const chain = [];
    for (let at = node; at; at = at.parentElement) chain.push(parse(getComputedStyle(at).backgroundColor));
    return chain.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const faded = (node) => {
    let share = 1;
    for (let at = node; at; at = at.parentElement) share *= Number(getComputedStyle(at).opacity);
    return share;
  };
  const shown = (node) => {
    const box = node.getBoundingClientRect();
    return box.width > 2 && box.height > 2 && node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  };
  const off = (node) => node.closest(":disabled, [aria-disabled='true'], .mgnb-hidden");
  const found = [];
  let texts = 0;
  let controls = 0;
  const root = document.querySelector(".mgnb-root");
  for (const node of root.querySelectorAll("*")) {
    if (!shown(node) || off(node)) continue;
    const style = getComputedStyle(node);
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    const written = own || (["INPUT", "SELECT"].includes(node.tagName) && node.type !== "range" && node.type !== "checkbox");
    if (written) {
      texts += 1;
      const ground = behind(node);
      const ink = over([...parse(style.color).slice(0, 3), parse(style.color)[3] * faded(node)], ground);
      const got = ratio(ink, ground);
      const large = parseFloat(style.fontSize) >= 24;
      if (got < (large ? 3 : 4.5)) found.push(["text", node.className || node.tagName, node.textContent.slice(0, 30), got.toFixed(2)]);
    }
    if (node.tagName === "svg" && node.classList.contains("mgnb-icon")) {
      controls += 1;
      const ground = behind(node);
      const ink = over([...parse(style.color).slice(0, 3), faded(node)], ground);
      if (ratio(ink, ground) < 3) found.push(["icon", node.parentElement.className, "", ratio(ink, ground).toFixed(2)]);
    }
    if (node.matches("input[type='number'], input[type='text'], select, input:not([type])")) {
      controls += 1;
      const ground = behind(node.parentElement);
      const edge = over(parse(style.borderTopColor), ground);
      if (ratio(edge, ground) < 3) found.push(["edge", node.className, "", ratio(edge, ground).toFixed(2)]);
    }
  }
  return { found, texts, controls };
}
