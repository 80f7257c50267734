"use strict";
(() => {
  const find = (query, from = document) => from.querySelector(query);
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const two = (number) => String(number).padStart(2, "0");
  const isTyping = () => /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName) && document.activeElement.type !== "checkbox";

  for (const time of all("time")) {
    const date = new Date(time.dateTime);
    if (isNaN(date)) continue;
    time.textContent = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
    time.title = `${time.dateTime.slice(0, 19).replace("T", " ")} UTC`;
  }

  // The buttons of the path lead to clean URLs, without the "?" of a form.
  for (const button of all("nav button")) {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      location.assign(button.formAction.split("?")[0]);
    });
  }

  const list = find("#list");
  const parent = find(".up a") ?? find("[data-parent]");
  if (list) listing(list);
  copying();
  document.addEventListener("keydown", onKey);

  function listing(list) {
    const rows = all("li:not(.up)", list);
    const count = find("#count"), usual = count.textContent;
    const search = find("input[name=q]");
    const state = new URL(location);
    const keys = new Map();

    // Making the sort keys of a thousand rows takes time, so each one is made when it is first needed.
    function keyOf(row) {
      if (!keys.has(row)) {
        const text = find("a bdi", row).textContent;
        keys.set(row, {
          dir: row.classList.contains("dir"),
          name: natural(text),
          text: text.toLowerCase(),
          size: Number(find("data", row)?.value ?? -1),
          date: find("time", row)?.dateTime ?? "",
        });
      }
      return keys.get(row);
    }

    function remember(name, value, usual) {
      if (value === usual) state.searchParams.delete(name); else state.searchParams.set(name, value);
      history.replaceState(null, "", state);
      for (const form of all("form[role=search], .tools form:not(#z), .head form, .pages, footer form")) {
        if (!find(`[name=${name}]:not([type=hidden])`, form) && !(name === "order" && find("[name=sort]", form))) {
          setHidden(form, name, value, usual);
        }
      }
    }

    // The other forms of the page send the state, too, so that it is not lost when they load another view.
    function setHidden(form, name, value, usual) {
      const field = find(`[name=${name}]`, form) ?? form.appendChild(document.createElement("input"));
      Object.assign(field, { type: "hidden", name, value, disabled: value === usual });
    }

    // The browser guesses the height of a list that it has not shown yet. In one list, all rows have their real height.
    function join() {
      const [first, ...others] = all("ul", list);
      first.append(...rows);
      for (const other of others) other.remove();
    }

    function filter() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      join();
      for (const row of rows) {
        const fits = words.every((word) => keyOf(row).text.includes(word));
        row.hidden = !fits;
        shown += fits;
      }
      count.textContent = words.length ? `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} entries` : usual;
      remember("q", search.value.trim(), "");
    }

    function sort(by, order) {
      const sign = order === "asc" ? 1 : -1;
      const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
      rows.sort((left, right) => {
        const a = keyOf(left), b = keyOf(right);
        return (b.dir - a.dir) || sign * compare(a[by], b[by]) || compare(a.name, b.name);
      });
      join();
      remember("sort", by, "name");
      remember("order", order, by === "name" ? "asc" : "desc");
      for (const button of all(".head button")) mark(button, button.value === by, order);
    }

    function mark(button, isOn, order) {
      const label = button.firstChild.textContent;
      button.classList.toggle("on", isOn);
      button.replaceChildren(label);
      if (isOn) {
        button.insertAdjacentHTML("beforeend", `<span class="vh">, ${order}ending</span><span aria-hidden="true">${order === "asc" ? "▲" : "▼"}</span>`);
      }
      const next = isOn ? (order === "asc" ? "desc" : "asc") : button.value === "name" ? "asc" : "desc";
      find("[name=order]", button.form).value = next;
    }

    function show(kind) {
      list.classList.toggle("grid", kind === "grid");
      list.classList.toggle("list", kind === "list");
      for (const button of all(".seg button")) button.setAttribute("aria-pressed", String(button.value === kind));
      if (kind === "grid") for (const row of rows) illustrate(row);
      remember("view", kind, "list");
    }

    function illustrate(row) {
      const link = find("a", row), isImage = row.matches(".image"), isVideo = row.matches(".video");
      if (find("img, video", row) || row.matches(".closed") || !(isImage || isVideo)) return;
      const media = document.createElement(isImage ? "img" : "video");
      Object.assign(media, isImage ? { loading: "lazy", alt: "" } : { preload: "none", muted: true });
      media.src = link.href;
      link.prepend(media);
    }

    if ("whole" in list.dataset) {
      search.addEventListener("input", filter);
      search.form.addEventListener("submit", (event) => event.preventDefault());
      for (const button of all(".head button")) {
        button.addEventListener("click", (event) => {
          event.preventDefault();
          sort(button.value, find("[name=order]", button.form).value);
        });
      }
    }
    for (const button of all(".seg button")) {
      button.addEventListener("click", (event) => {
        event.preventDefault();
        show(button.value);
      });
    }
    // A plain click on a file opens its preview; with a modifier key it opens the file itself, as links do.
    for (const button of all("[name=view]", list)) button.remove();
    list.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      const row = link?.closest("li");
      const isChoosing = list.matches(".select") && row?.matches(".dir");
      if (!row || (row.matches(".dir, .up, .closed") && !isChoosing) || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      const box = find("input[type=checkbox]", row);
      if (box) box.click();
      else location.assign(`${link.href}?view`);
    });
    list.addEventListener("change", choose);
    if (list.matches(".select")) choose();

    // If no entry is selected, the server would send the whole folder: so the buttons are disabled.
    function choose() {
      const chosen = all("input:checked", list).length;
      count.textContent = chosen ? `${chosen} selected` : usual;
      for (const button of all("#z button")) button.disabled = !chosen;
    }
  }

  function natural(name) {
    const number = (digits) => {
      const significant = digits.replace(/^0+/, "");
      return `0${String.fromCharCode(significant.length + 1)}${significant}`;
    };
    return `${name.toLowerCase().replace(/[0-9]+/g, number)}\0${name}`;
  }

  function copying() {
    const button = find("[data-copy]");
    button?.addEventListener("click", async () => {
      const text = new URL(button.dataset.copy, location).href;
      try {
        await navigator.clipboard.writeText(text);
      } catch { // a page over plain HTTP has no clipboard
        const field = document.body.appendChild(document.createElement("textarea"));
        field.value = text;
        field.select();
        document.execCommand("copy");
        field.remove();
      }
      button.lastChild.textContent = "Copied";
    });
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping()) {
      if (event.key !== "Escape" || event.isComposing) return;
      event.preventDefault(); // Chromium would empty the box, but leave the list filtered
      document.activeElement.blur();
      return;
    }
    const links = list ? all("li:not([hidden]) > a", list) : [];
    const menu = find(".menu[open]");
    const here = links.indexOf(document.activeElement?.closest("li")?.querySelector("a"));
    const actions = {
      "/": () => find("input[name=q]")?.focus(),
      j: () => links[Math.min(here + 1, links.length - 1)]?.focus(),
      k: () => links[Math.max(here - 1, 0)]?.focus(),
      Backspace: () => parent && location.assign(parent.href),
    };
    if (menu) actions.Escape = () => menu.toggleAttribute("open");
    const turn = { ArrowLeft: find("a[rel=prev]"), ArrowRight: find("a[rel=next]") }[event.key];
    if (turn) actions[event.key] = () => turn.click();
    if (!(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  }
})();
