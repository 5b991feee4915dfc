"""How a page looks: on a screen, light or dark, on a telephone, and on paper."""

CSS = """
:root {
  color-scheme: light dark;
  --ground: #fff; --card: #f6f7f9; --ink: #1a1d21; --soft: #5b6470; --line: #d9dde3;
  --accent: #2563eb; --rest: #e4e8ee; --wrong: #b91c1c; --doubt: #b45309; --good: #15803d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --card: #1d2127; --ink: #e8eaed; --soft: #a3acb8; --line: #363c45;
    --accent: #6b9bff; --rest: #2c323a; --wrong: #ff8a80; --doubt: #fbbf60; --good: #6fdc8c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 16px; max-width: 1120px; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { margin: 8px 0 0; font-size: 28px; line-height: 1.2; }
h2 { margin: 40px 0 12px; padding-top: 12px; border-top: 1px solid var(--line); font-size: 22px; }
h3 { margin: 24px 0 8px; font-size: 17px; }
p { margin: 8px 0; max-width: 75ch; }
small, figcaption, .soft { color: var(--soft); font-size: 14px; }
a { color: var(--accent); }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 16px 0; }
.found { margin: 0; padding: 0; list-style: none; }
.found li {
  margin: 8px 0; padding: 10px 14px; background: var(--card); border-left: 4px solid var(--soft);
  border-radius: 4px;
}
.found li.w3 { border-color: var(--wrong); }
.found li.w2 { border-color: var(--doubt); }
.found li.none { border-color: var(--good); }
.found b { display: block; }
.scroll { overflow-x: auto; margin: 8px 0; }
table { border-collapse: collapse; font-size: 15px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 14px 4px 0; text-align: left; vertical-align: top; overflow-wrap: normal; }
thead th { border-bottom: 1px solid var(--line); vertical-align: bottom; font-weight: 600; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tbody th { font-weight: 400; }
td { min-width: 84px; white-space: nowrap; }
td small { margin-left: 6px; }
.bar { width: 90px; height: 8px; margin-right: 8px; vertical-align: middle; }
.bar rect { fill: var(--accent); }
.bar .rest { fill: var(--rest); }
.figures { display: flex; flex-wrap: wrap; gap: 16px; margin: 12px 0; }
figure { margin: 0; width: 250px; max-width: 100%; }
figure img { display: block; max-width: 100%; height: auto; border-radius: 4px; }
figure .heat {
  width: 100%; height: auto; aspect-ratio: 4 / 3; border: 1px solid var(--line);
  image-rendering: pixelated;
}
figure .pair { display: flex; gap: 4px; align-items: flex-start; }
figure .pair img { width: 50%; }
.wide figure { width: 530px; }
.charts { display: flex; flex-wrap: wrap; gap: 16px 32px; margin: 12px 0; }
.chart { width: 500px; max-width: 100%; height: auto; color: var(--soft); }
.chart * { stroke-linejoin: round; }
.chart text { fill: var(--ink); }
.matrix th, .matrix td { padding: 4px 8px; min-width: 0; text-align: right; }
.matrix tbody th { text-align: left; }
.square { max-width: 420px; }
.square img {
  width: 100%; height: auto; border: 1px solid var(--line); image-rendering: pixelated;
}
.tables { display: flex; flex-wrap: wrap; gap: 8px 40px; }
.tables > div { max-width: 100%; }
@media (max-width: 600px) {
  body { padding: 12px; }
  h1 { font-size: 24px; }
  figure, .wide figure { width: 100%; }
  .chart { width: 100%; }
  th, td { padding-right: 10px; }
  td { min-width: 72px; }
  .bar { display: block; width: 100%; margin: 5px 0 2px; }
}
@media print {
  :root {
    color-scheme: light; --ground: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb;
    --accent: #2563eb; --rest: #e4e8ee;
  }
  body { max-width: none; padding: 0; font-size: 12px; }
  table { font-size: 11px; }
  h2 { margin-top: 24px; font-size: 16px; }
  h3 { font-size: 13px; }
  small, figcaption, .soft { font-size: 10px; }
  nav { display: none; }
  .scroll { overflow: visible; }
  tr, figure, .found li { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""
