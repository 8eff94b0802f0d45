/** What the page does beyond showing: all of it can be read without. */
const tip = document.getElementById("tip");
const texts = new Map();
for (const title of document.querySelectorAll(".mark > title")) {
  texts.set(title.parentNode, title.textContent);
  title.remove();
}

/** Shows the value of the mark under the pointer at once, on a touch screen as well. */
function show(event) {
  const mark = event.target.closest?.(".mark");
  tip.textContent = texts.get(mark) ?? "";
  if (!mark) return;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - width - 4))}px`;
  tip.style.top = `${Math.max(4, event.clientY - height - 12)}px`;
}
addEventListener("pointermove", show);
addEventListener("pointerdown", show);

/** The same request stands out in all modes: the one under the pointer, or that of the slider. */
for (const figure of document.querySelectorAll("figure[id^=timeline]")) {
  const requests = Map.groupBy(figure.querySelectorAll(".mark"), numberOf);
  const label = document.createElement("label");
  label.innerHTML = `Request <input type="range" min="1" value="1"> `;
  const slider = label.querySelector("input");
  slider.max = Math.max(...requests.keys());
  const output = document.createElement("output");
  const controls = document.createElement("p");
  controls.className = "request";
  controls.append(label, output);
  // Below, so that the figure stays where it is while the text grows.
  figure.after(controls);

  const pick = (number) => {
    for (const mark of figure.querySelectorAll(".same")) mark.classList.remove("same");
    const marks = requests.get(number) ?? [];
    for (const mark of marks) mark.classList.add("same");
    figure.classList.toggle("picked", marks.length > 0);
    if (marks.length === 0) return;
    slider.value = number;
    const told = marks.map((mark) => texts.get(mark).replace(`, request ${number}`, ""));
    output.value = `${number}: ${[...new Set(told)].join("; ")}`;
  };
  slider.addEventListener("input", () => pick(Number(slider.value)));
  slider.addEventListener("blur", () => pick());
  figure.addEventListener("pointerover", ({ target }) => pick(numberOf(target)));
  figure.addEventListener("pointerleave", () => pick());
}

function numberOf(mark) {
  return Number(/request (\d+)/.exec(texts.get(mark))?.[1]);
}

for (const head of document.querySelectorAll("thead th")) {
  const button = document.createElement("button");
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => sort(head));
}

/** Sorts a table by one of its columns, and by the same again the other way round. */
function sort(head) {
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = head.closest("table").tBodies[0];
  const keyOf = (row) => valueOf(row.cells[head.cellIndex].textContent);
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [keyOf(a), keyOf(b)];
    return (up ? 1 : -1) *
      (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y)));
  });
  body.append(...rows);
}

/** A time in milliseconds or another number; a dash is none, a name itself. */
function valueOf(text) {
  if (text === "–") return -1;
  const number = parseFloat(text.replace("(", ""));
  return Number.isNaN(number) ? text : / s\)?$/.test(text) ? number * 1000 : number;
}

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
