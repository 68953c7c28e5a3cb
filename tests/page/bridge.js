// The page's end of bridge.py: models that speak to a Python in the test, any number of tabs.
(() => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const text = (buffer) => {
    const all = buffer instanceof ArrayBuffer ? new Uint8Array(buffer)
      : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    let s = '';
    for (let i = 0; i < all.length; i += 8192) s += String.fromCharCode(...all.subarray(i, i + 8192));
    return btoa(s);
  };
  const tabs = new Map();
  const outbox = [];
  const signal = () => {
    const slots = new Set();
    return { connect: (f) => slots.add(f), disconnect: (f) => slots.delete(f), emit: (v) => slots.forEach((f) => f(null, v)) };
  };
  window.bridge = {
    css(text) { document.head.append(Object.assign(document.createElement('style'), { textContent: text })); },
    async open(tab, esm, state, binary, host, throttled) {
      for (const [name, data] of Object.entries(binary)) state[name] = bytes(data);
      state.layout = {};
      const on = new Map(), inflight = new Map(), changed = new Set();
      const emit = (name, ...args) => { for (const f of [...(on.get(name) ?? [])]) f(...args); };
      const kernel = host ? { status: 'idle', connectionStatus: 'connected', statusChanged: signal(), connectionStatusChanged: signal() } : undefined;
      const entry = { tab, state, emit, inflight, kernel, dead: false, views: [], held: null, waits: false };
      // as ipywidgets: while one of its updates is on the way, what changes waits and goes together
      entry.tell = (sent) => {
        if (throttled && entry.waits) { entry.held = { ...entry.held, ...sent }; return; }
        entry.waits = true;
        for (const k of Object.keys(sent)) inflight.set(k, (inflight.get(k) ?? 0) + 1);
        outbox.push({ tab, state: sent });
      };
      const proxy = () => ({
        get: (k) => state[k],
        set: (k, v) => { if (state[k] !== v) { state[k] = v; changed.add(k); emit(`change:${k}`); } },
        save_changes: () => {
          if (!changed.size) return;
          const sent = {};
          for (const k of changed) sent[k] = state[k];
          changed.clear();
          if (!entry.dead) entry.tell(JSON.parse(JSON.stringify(sent)));
        },
        send: (content, _callbacks, buffers) => {
          if (!entry.dead) outbox.push({ tab, content: JSON.parse(JSON.stringify(content)), buffers: (buffers ?? []).map(text) });
        },
        on: (name, f) => on.set(name, (on.get(name) ?? new Set()).add(f)),
        off: (name, f) => (name == null ? on.clear() : f ? on.get(name)?.delete(f) : on.delete(name)),
        widget_manager: host ? { kernel } : {},
      });
      const url = URL.createObjectURL(new Blob([esm], { type: 'text/javascript' }));
      entry.widget = (await import(url)).default();
      entry.proxy = proxy;
      entry.stop = await entry.widget.initialize({ model: proxy() });
      tabs.set(tab, entry);
      await this.view(tab);
    },
    async view(tab) {
      const entry = tabs.get(tab);
      const el = document.createElement('div');
      document.getElementById('mgnb').append(el);
      const close = await entry.widget.render({ model: entry.proxy(), el });
      entry.views.push({ el, close });
    },
    closeView(tab) {
      const view = tabs.get(tab).views.pop();
      view?.close();
      view?.el.remove();
    },
    close(tab) {
      const entry = tabs.get(tab);
      while (entry.views.length) this.closeView(tab);
      entry.stop();
      tabs.delete(tab);
    },
    save(tab, name, value) { const model = tabs.get(tab).proxy(); model.set(name, value); model.save_changes(); },
    async again(tab, times) {
      const entry = tabs.get(tab);
      for (let i = 0; i < times; i++) {
        this.closeView(tab);
        entry.stop();
        entry.stop = await entry.widget.initialize({ model: entry.proxy() });
        await this.view(tab);
        for (let n = 0; n < 200 && !this.root(tab).querySelector('.mgnb-lanes'); n++) await new Promise((r) => setTimeout(r, 5));
        await new Promise((r) => setTimeout(r, 20));
      }
    },
    views: (tab) => tabs.get(tab).views.length,
    handle: (tab) => tabs.get(tab).views[0].el.querySelector('.mgnb-root').mgnb,
    root: (tab) => tabs.get(tab).views[0].el,
    click(tab, testid) {
      const button = tabs.get(tab).views[0].el.querySelector(`[data-testid=${testid}]`);
      if (button && !button.disabled && button.getAttribute('aria-disabled') !== 'true' && !button.closest('[hidden]')) { button.click(); return true; }
      return false;
    },
    kernelSays(tab, what, value) { const k = tabs.get(tab).kernel; k[what.replace('Changed', '')] = value; k[what].emit(value); },
    cut(tab, dead) { tabs.get(tab).dead = dead; },
    state: (tab, name) => tabs.get(tab).state[name],
    exchange(items) {
      for (const item of items) {
        for (const entry of tabs.values()) {
          if ((item.tab !== undefined && item.tab !== entry.tab) || item.not === entry.tab || entry.dead) continue;
          if (item.arrived) {
            for (const k of item.arrived) entry.inflight.set(k, (entry.inflight.get(k) ?? 1) - 1);
            entry.waits = false;
            if (entry.held && !entry.dead) { const { held } = entry; entry.held = null; entry.tell(held); }
          } else if (item.content) {
            entry.emit('msg:custom', item.content, item.buffers.map(bytes));
          } else {
            const fresh = { ...item.state };
            for (const [k, data] of Object.entries(item.binary ?? {})) fresh[k] = bytes(data);
            const keys = Object.keys(fresh).filter((k) => item.not === undefined || !(entry.inflight.get(k) > 0));
            for (const k of keys) entry.state[k] = fresh[k];
            for (const k of keys) entry.emit(`change:${k}`);
          }
        }
      }
      return outbox.splice(0);
    },
  };
})();
