"""The page of a reading, as a Jinja template. Self-contained: no script, no font, no address."""

STYLE = """
:root { color-scheme: light dark; --ground: #fbfbfd; --card: #ffffff; --ink: #16202a; --soft: #5d6b79; --line: #dde3ea;
  --accent: #d6373f; --calm: #a9b8c6; --warn: #fff4d6; --warn-line: #e0b84a; }
@media (prefers-color-scheme: dark) { :root { --ground: #0f1419; --card: #182028; --ink: #e8edf2; --soft: #93a1af;
  --line: #2a353f; --accent: #ff6b72; --calm: #465665; --warn: #33290d; --warn-line: #8a6d1d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 40px; }
h1 { font-size: clamp(1.35rem, 4.5vw, 2rem); line-height: 1.25; margin: 4px 0 18px; text-wrap: balance;
  overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 30px 0 10px; }
.eyebrow, figcaption, .note, footer { color: var(--soft); font-size: .86rem; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.tile b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .84rem; }
.warnings { background: var(--warn); border: 1px solid var(--warn-line); border-radius: 10px; margin: 18px 0 0;
  padding: 10px 14px 10px 34px; }
.chart { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px; }
.chart svg { display: block; width: 100%; height: 120px; }
.axis { display: flex; justify-content: space-between; color: var(--soft); font-size: .8rem; }
rect.positive { fill: var(--accent); } rect.negative { fill: var(--calm); } rect.hit { fill: transparent; }
a:hover rect.hit, a:focus rect.hit { fill: color-mix(in srgb, var(--ink) 14%, transparent); }
.threshold { stroke: var(--soft); stroke-dasharray: 4 4; vector-effect: non-scaling-stroke; }
.curve { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 8px; }
figure { margin: 0; background: #000; border-radius: 8px; overflow: hidden; border: 2px solid transparent; }
figure.positive { border-color: var(--accent); }
figure:target { outline: 3px solid var(--ink); }
figure div { position: relative; } figure img { display: block; width: 100%; height: auto; }
figure img.outline { position: absolute; inset: 0; }
figcaption span:last-child { white-space: nowrap; }
figcaption { display: flex; justify-content: space-between; gap: 6px; padding: 4px 8px; background: #000;
  color: #c4ced8; }
.controls { display: flex; flex-wrap: wrap; gap: 6px 16px; margin: 0 0 10px; font-size: .9rem; }
main:has(#outlines:not(:checked)) img.outline { display: none; }
main:has(#findings:checked) figure.nothing { display: none; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 3px; margin-right: 6px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line); white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; } th:nth-child(3), td:nth-child(3) { text-align: left; }
tr.positive td:nth-child(2) { color: var(--accent); font-weight: 700; }
td a { color: inherit; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 0; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 32px; border-top: 1px solid var(--line); padding-top: 14px; }
footer b { color: var(--ink); }
@media print { body { background: #fff; color: #000; font-size: 11pt; } main { padding: 0; max-width: none; }
  .controls { display: none; } .grid { grid-template-columns: repeat(6, 1fr); }
  figure, .tile, tr { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""

TEMPLATE = (
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ facts.source }}: {{ headline }}</title>
<style>"""
    + STYLE
    + """</style>
</head>
<body>
<main>
<p class="eyebrow">Reading of {{ facts.source }}</p>
<h1>{{ headline }}</h1>
<section class="tiles" aria-label="Numbers">
{% for name, value in tiles %}
<div class="tile"><b>{{ value }}</b><span>{{ name }}</span></div>
{% endfor %}
</section>
{% if facts.warnings %}
<ul class="warnings" aria-label="Warnings">
{% for warning in facts.warnings %}
<li>{{ warning }}</li>
{% endfor %}
</ul>
{% endif %}

<h2>Probability by slice</h2>
<div class="chart">
<svg viewBox="0 0 {{ 10 * bars | length }} 100" preserveAspectRatio="none" role="img"
 aria-label="Probability of each slice, from the first to the last">
{% for bar in bars %}
<a href="#slice-{{ bar.name }}"><title>{{ bar.title }}</title>
<rect class="{{ bar.kind }}" x="{{ bar.x }}" y="{{ 100 - bar.height }}" width="8" height="{{ bar.height }}"/>
<rect class="hit" x="{{ bar.x - 1 }}" y="0" width="10" height="100"/></a>
{% endfor %}
<line class="threshold" x1="0" x2="{{ 10 * bars | length }}" y1="{{ 100 - 100 * facts.thresholds.slice_threshold }}"
 y2="{{ 100 - 100 * facts.thresholds.slice_threshold }}"/>
</svg>
<div class="axis"><span>1</span>
<span>dashed: called positive from {{ "%.0f" % (100 * facts.thresholds.slice_threshold) }} %</span>
<span>{{ bars | length }}</span></div>
</div>

{% if curves %}
<h2>Volume over time</h2>
<div class="chart">
<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label="Volume of each label over the cine">
{% for curve in curves %}
<polyline class="curve" stroke="{{ curve.color }}" points="{{ curve.points }}"/>
{% endfor %}
</svg>
<div class="axis"><span>phase 1</span><span>phase {{ facts.phases }}</span></div>
{% for curve in curves %}
<div class="note"><span class="swatch" style="background:{{ curve.color }}"></span>{{ curve.label }}: {{ curve.range }}
{{ "mL" if facts.spacing_mm and facts.spacing_mm[2] else "pixels" }}</div>
{% endfor %}
</div>
{% endif %}

{% if pictures %}
<h2>Slices</h2>
<div class="controls">
{% for label in facts.labels %}
<span><span class="swatch" style="background:{{ colors[label] }}"></span>{{ label | replace("_", " ") }}</span>
{% endfor %}
<label><input type="checkbox" id="outlines" checked> outlines</label>
<label><input type="checkbox" id="findings"> only slices with findings</label>
</div>
{% if pictures | length < bars | length %}
<p class="note">{{ pictures | length }} of {{ bars | length }} slices are shown:
those with findings, and others between them.</p>
{% endif %}
<div class="grid">
{% for picture in pictures %}
<figure id="slice-{{ picture.name }}" class="{{ picture.kind }}">
<div><img src="{{ picture.image }}" width="{{ size[1] }}" height="{{ size[0] }}" alt="{{ picture.title }}">
{% if picture.outline %}
<img class="outline" src="{{ picture.outline }}" width="{{ size[1] }}" height="{{ size[0] }}" alt="outlines">
{% endif %}
</div>
<figcaption><span>{{ picture.title }}</span><span>{{ picture.probability }}</span></figcaption>
</figure>
{% endfor %}
</div>
{% endif %}

<h2>Slice by slice</h2>
<div class="scroll">
<table>
<thead><tr><th>slice</th><th>probability</th><th>decided by</th>
{% for label in facts.labels %}
<th>{{ label | replace("_", " ") }}, {{ unit }}</th><th title="left, top, width, height in pixels">box</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in rows %}
<tr class="{{ "positive" if row.positive }}"><td><a href="#slice-{{ row.name }}">{{ row.title }}</a></td>
<td>{{ row.probability }}</td><td>{{ row.decided }}</td>
{% for area, box in row.areas %}
<td>{{ area }}</td><td>{{ box }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>

<h2>How it was read</h2>
<dl>
{% for name, value in facts.model.items() if value %}
<dt>{{ "model" if name == "id" else name }}</dt><dd>{{ value }}</dd>
{% endfor %}
<dt>size</dt><dd>{{ facts.size[0] }} x {{ facts.size[1] }} pixels{% if facts.spacing_mm %},
 {{ "%.3g x %.3g mm" % (facts.spacing_mm[0], facts.spacing_mm[1]) }}{% if facts.spacing_mm[2] %},
 {{ "%.3g mm" % facts.spacing_mm[2] }} from slice to slice{% endif %}{% else %}, spacing not known{% endif %}</dd>
{% for name, value in facts.thresholds.items() %}
<dt>{{ name | replace("_", " ") }}</dt><dd>{{ "%.4g" % value }}</dd>
{% endfor %}
</dl>
<footer><b>Not a medical device.</b> Made by a statistical model for research and teaching; it can miss lesions and
invent them. No diagnosis or treatment may rest on it.</footer>
</main>
</body>
</html>
"""
)
