"use strict";
(() => {
  const make = (tag, props = {}, ...kids) => {
    const el = Object.assign(document.createElement(tag), props);
    el.append(...kids);
    return el;
  };
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const FOLD = 20; // a longer table shows this many rows until asked for all

  // Light or dark: the system's choice until a reader makes one.
  const root = document.documentElement;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = make("button", { type: "button", onclick: () => { root.dataset.theme = dark() ? "light" : "dark"; name(); } });
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; theme.title = `Show this report ${dark() ? "light" : "dark"}`; };
  name();
  document.querySelector(".bar").append(theme);

  // Which section is read now.
  const links = new Map(all("nav li a").map((a) => [a.hash.slice(1), a]));
  const seen = new Set();
  const watch = new IntersectionObserver((changes) => {
    for (const c of changes) c.isIntersecting ? seen.add(c.target.id) : seen.delete(c.target.id);
    const here = [...links.keys()].find((id) => seen.has(id));
    links.forEach((a, id) => a.classList.toggle("here", id === here));
  }, { rootMargin: "-15% 0px -70% 0px" });
  all("section").forEach((s) => watch.observe(s));

  // Tables: sort, filter, the first rows, CSV.
  const value = (cell) => cell.dataset.v !== undefined ? Number(cell.dataset.v) : null;
  const words = (cell) => cell.firstChild ? cell.firstChild.textContent.trim() : "";
  const order = (i, up) => (a, b) => {
    const [p, q] = [value(a.cells[i]), value(b.cells[i])];
    if (p !== null && q !== null) return up ? p - q : q - p;
    if (p !== null || q !== null) return p === null ? 1 : -1; // the unknown comes last either way
    return words(a.cells[i]).localeCompare(words(b.cells[i])) * (up ? 1 : -1);
  };
  const quote = (text) => /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const safe = (text) => /^[=+\-@\t]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text; // no formulas in a spreadsheet
  const csv = (table) => {
    const heads = all("thead th", table), rows = all("tbody tr", table);
    const ranged = heads.map((_, i) => rows.some((r) => r.cells[i].dataset.lo !== undefined));
    const line = (parts) => parts.flat().map((t) => quote(safe(String(t)))).join(",");
    const head = line(heads.map((h, i) => ranged[i] ? [h.dataset.key, `${h.dataset.key}_low`, `${h.dataset.key}_high`] : [h.dataset.key]));
    const body = rows.map((r) => line([...r.cells].map((c, i) => {
      const one = c.dataset.v ?? words(c);
      return ranged[i] ? [one, c.dataset.lo ?? "", c.dataset.hi ?? ""] : [one];
    })));
    return [head, ...body].join("\r\n") + "\r\n";
  };
  const save = (table) => {
    const url = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv" }));
    make("a", { href: url, download: `${table.id}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };

  const equip = (table) => {
    const body = table.tBodies[0], heads = all("thead th", table), tools = make("div", { className: "tools" });
    const state = { text: "", pick: "", open: false };
    const column = heads.findIndex((h) => h.dataset.key === table.dataset.filter);
    const count = make("span", { className: "count" });
    const more = make("button", { type: "button", onclick: () => { state.open = !state.open; draw(); } });
    const draw = () => {
      let kept = 0;
      for (const row of body.rows) {
        const fits = row.textContent.toLowerCase().includes(state.text) && (!state.pick || words(row.cells[column]) === state.pick);
        row.hidden = !fits;
        kept += fits;
        row.classList.toggle("more", fits && !state.open && kept > FOLD);
      }
      count.textContent = `${kept === body.rows.length ? kept : `${kept} of ${body.rows.length}`} row${body.rows.length === 1 ? "" : "s"}`;
      more.hidden = kept <= FOLD;
      more.textContent = state.open ? `Show the first ${FOLD}` : `Show all ${kept}`;
    };
    heads.forEach((head, i) => {
      const button = make("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      button.onclick = () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((h) => h.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        body.append(...[...body.rows].sort(order(i, up)));
        draw();
      };
    });
    if (body.rows.length > 5) tools.append(make("input", { type: "search", placeholder: "Filter rows", ariaLabel: `Filter ${table.caption.textContent}`,
      oninput: (e) => { state.text = e.target.value.toLowerCase(); draw(); } }));
    if (column >= 0 && body.rows.length > 5) {
      const kinds = [...new Set([...body.rows].map((r) => words(r.cells[column])))].sort((a, b) => a.localeCompare(b));
      const pick = make("select", { ariaLabel: heads[column].textContent, onchange: (e) => { state.pick = e.target.value; draw(); } });
      pick.append(make("option", { value: "" }, `Every ${heads[column].textContent.toLowerCase()}`), ...kinds.map((k) => make("option", { value: k }, k)));
      tools.append(pick);
    }
    tools.append(make("button", { type: "button", onclick: () => save(table) }, "CSV"), more, count);
    table.closest(".scroll").before(tools);
    draw();
  };
  all("table").forEach(equip);

  // Marks: what their titles say, at the pointer or the finger.
  const tip = make("div", { id: "tip", hidden: true, role: "status" });
  document.body.append(tip);
  all(".chart .m").forEach((mark) => {
    const title = mark.querySelector("title");
    mark.dataset.tip = title.textContent;
    title.remove();
  });
  document.addEventListener("pointermove", (e) => {
    const mark = e.target.closest && e.target.closest(".m[data-tip]");
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(e.clientX + 14, innerWidth - box.width - 8))}px`;
    tip.style.top = `${e.clientY + 20 + box.height > innerHeight ? e.clientY - box.height - 10 : e.clientY + 18}px`;
  });
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  // A legend entry brings its own marks forward.
  all(".legend li[data-color]").forEach((key) => {
    const charts = all(".chart", key.closest("figure"));
    key.setAttribute("role", "button");
    key.setAttribute("aria-pressed", "false");
    key.tabIndex = 0;
    const toggle = () => {
      const on = key.getAttribute("aria-pressed") !== "true";
      all("li", key.parentElement).forEach((k) => k.dataset.color && k.setAttribute("aria-pressed", "false"));
      key.setAttribute("aria-pressed", String(on));
      for (const chart of charts) {
        chart.classList.toggle("dim", on);
        all(".m", chart).forEach((m) => m.classList.toggle("on", on && m.getAttribute("fill") === key.dataset.color));
      }
    };
    key.onclick = toggle;
    key.onkeydown = (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); toggle(); } };
  });

  // On paper everything is open.
  addEventListener("beforeprint", () => all("details").forEach((d) => { d.open = true; }));
})();
