"""How the page looks, and what lights up under the pointer."""

CSS = """
.gradio-container { width: 100%; max-width: 1500px !important; margin: 0 auto; }
.status { min-height: 1.5em; }
.status .wrong { color: #b91c1c; font-weight: 600; }
.view h3 { margin: 0 0 6px; font-weight: 600; overflow-wrap: anywhere; }
.view h3 small { font-weight: 400; opacity: .7; }
.scene { position: relative; line-height: 0; border-radius: 8px; overflow: hidden; }
.scene img, .scene svg { width: 100%; height: auto; margin: 0; }
.scene svg { position: absolute; inset: 0; height: 100%; }
.scene path {
  fill-opacity: .35; fill-rule: evenodd; stroke-width: 1.5px; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; transition: fill-opacity .1s, opacity .1s;
}
.dim .scene path { opacity: .25; }
.scene path.lit { opacity: 1; fill-opacity: .6; stroke: #fff; stroke-width: 2.5px; }
.scene span {
  position: absolute; display: none; pointer-events: none; padding: 2px 7px; border-radius: 4px;
  background: #000c; color: #fff; font-size: 13px; line-height: 1.4; white-space: nowrap;
}
.scene span.lit { display: block; }
.instances { max-height: 340px; overflow: auto; margin-top: 8px; }
.instances table { width: 100%; border-collapse: collapse; font-size: 12px; margin: 0 !important; }
.instances :is(table, tr, thead) { border: 0 !important; }
.instances th, .instances td {
  padding: 3px 5px; text-align: right; white-space: nowrap; border: 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important;
}
.instances th:nth-child(2), .instances td:nth-child(2) { text-align: left; }
.instances th { position: sticky; top: 0; background: var(--background-fill-primary); }
.instances td { font-variant-numeric: tabular-nums; }
.instances i {
  display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 6px;
}
.saves { padding: 0 12px; }
.saves button { flex: none; min-width: 0; }
.saves [id^="save-"] { display: none !important; }
.instances tr.lit td { background: var(--color-accent-soft); }
"""

# Runs once for each view; what is in it may be replaced.
LIGHT_UP = """
const light = (event) => {
  const number = event.target.closest('[data-n]')?.dataset.n;
  element.classList.toggle('dim', number !== undefined);
  for (const each of element.querySelectorAll('[data-n]'))
    each.classList.toggle('lit', each.dataset.n === number);
};
for (const kind of ['pointerover', 'pointerleave', 'focusin', 'focusout'])
  element.addEventListener(kind, light);
"""

# The browser saves the file of the link ID.
SAVE = "() => { (document.querySelector('#ID a') ?? document.querySelector('#ID')).click(); }"
