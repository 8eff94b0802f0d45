/** The look of the page, without its colours. */
export const STYLE = `
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0 auto;padding:2rem 1rem 4rem;max-width:1060px;background:var(--background);
  color:var(--text);font:16px/1.55 system-ui,sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.25rem;margin:2.5rem 0 .5rem}
h3{font-size:1.05rem;margin:2rem 0 .25rem}
p{margin:.4rem 0 .8rem;max-width:46rem}
ul{margin:.4rem 0;padding-left:1.2rem;max-width:46rem}
li{margin:.25rem 0}
.faint{color:var(--faint)}
.scroll{overflow-x:auto;margin:.75rem 0;border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .55rem;text-align:right;white-space:nowrap}
th{background:var(--panel);font-weight:600;color:var(--faint)}
th:first-child,td:first-child,.words td{text-align:left}
td+td+td:nth-child(3){color:var(--faint)}
tr+tr td{border-top:1px solid var(--line)}
tr.best td{font-weight:650}
.words td{white-space:normal;vertical-align:top}
.words td:nth-child(n){color:inherit}
figure{margin:.75rem 0;padding:1rem;background:var(--panel);border-radius:8px;min-width:0}
figure svg{display:block;width:100%;height:auto;max-width:700px;margin:auto}
figcaption{font-size:.88rem;color:var(--faint);margin-top:.5rem}
.grid{display:grid;gap:.75rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}
.grid figure{margin:0}
.mark:hover{filter:brightness(1.25)}
#tip{position:fixed;z-index:1;pointer-events:none;padding:.25rem .55rem;border-radius:6px;
  background:var(--text);color:var(--background);font-size:.85rem;max-width:min(22rem,90vw)}
#tip:empty{display:none}
details{margin:1rem 0}
summary{cursor:pointer;font-weight:600}
@media(max-width:600px){body{padding:1.2rem .8rem 3rem}figure{padding:.6rem .4rem}
  .wide{overflow-x:auto}.wide svg{min-width:520px}}
`.replaceAll(/\n\s*/g, "");

/** Shows the value of the mark under the pointer at once, on a touch screen as well. */
export const SCRIPT = `
const tip = document.getElementById("tip");
for (const mark of document.querySelectorAll(".mark")) {
  const title = mark.querySelector("title");
  mark.setAttribute("aria-label", title.textContent);
  mark.setAttribute("role", "img");
  title.remove();
}
function show(event) {
  const mark = event.target.closest?.(".mark");
  tip.textContent = mark ? mark.getAttribute("aria-label") : "";
  if (!mark) return;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(event.clientX + 12, innerWidth - width - 4)) + "px";
  tip.style.top = Math.max(4, event.clientY - height - 12) + "px";
}
addEventListener("pointermove", show);
addEventListener("pointerdown", show);
`;
