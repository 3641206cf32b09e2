"""The page about a data set, as a Jinja template: no script, no font, no address; light, dark and paper."""

from hf_mri.reports.evaluation_template import OWN_STYLE as REPORT_STYLE
from hf_mri.reports.reading_template import STYLE

OWN_STYLE = """
.plots { grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); }
"""

TEMPLATE = (
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ facts.title }}</title>
<link rel="icon" href="data:,">
<style>"""
    + STYLE
    + REPORT_STYLE
    + OWN_STYLE
    + """</style>
</head>
<body>
<main>
<p class="eyebrow">Data set {{ facts.data.name }} · protocol {{ facts.data.protocol }}, seed {{ facts.data.seed }}</p>
<h1>{{ facts.title }}</h1>
<div class="tiles" role="group" aria-label="Counts">
{% for name in ["patients", "volumes", "slices"] %}
<div class="tile"><b>{{ "{:,}".format(facts.data[name]) }}</b><span>{{ name }}</span></div>
{% endfor %}
{% set found = facts.splits.values() | sum(attribute="positive") %}
<div class="tile"><b>{{ "%.1f" | format(100 * found / facts.data.slices) }} %</b>
<span>of slices: {{ positive }}</span></div>
</div>
{% if facts.problems %}
<h2 id="problems">What to know before training</h2>
<ul class="warnings">
{% for problem in facts.problems[:40] %}<li>{{ problem }}</li>{% endfor %}
{% if facts.problems | length > 40 %}<li>{{ facts.problems | length - 40 }} more in explore.json</li>{% endif %}
</ul>
{% endif %}

{% macro counts(title, groups) %}
<div class="scroll"><table>
<thead><tr><th>{{ title }}</th><th>patients</th><th>volumes</th><th>slices</th><th>{{ positive }}</th>
<th>share</th></tr></thead>
<tbody>
{% for name, n in groups.items() %}
<tr><td>{{ name }}</td><td>{{ n.patients }}</td><td>{{ n.volumes }}</td><td>{{ "{:,}".format(n.slices) }}</td>
<td>{{ "{:,}".format(n.positive) }}</td><td>{{ "%.1f" | format(100 * n.positive_share) }} %</td></tr>
{% endfor %}
</tbody></table></div>
{% endmacro %}
<section id="splits"><h2>Splits{% if facts.sites %} and sites{% endif %}</h2>
{{ counts("split", facts.splits) }}
{% if facts.sites %}{{ counts("site", facts.sites) }}{% endif %}
</section>

<section id="distributions"><h2>Distributions</h2>
<div class="plots">
{% for name, words in [("slices", "Slices by split"), ("patients", "How much of a patient shows foreground"),
  ("volumes", "How many slices a volume has"),
  ("areas", "Areas of the masks, where there is any"), ("intensities", "Intensities of all pixels"),
  ("positions", "Where in the volume each label lies")] %}
<figure>{{ plots[name] | safe }}<figcaption>{{ words }}</figcaption></figure>
{% endfor %}
</div>
<div class="scroll"><table>
<thead><tr><th>area in a slice</th><th>slices</th><th>1 %</th><th>25 %</th><th>median</th><th>75 %</th>
<th>99 %</th></tr></thead>
<tbody>
{% for label, area in facts.area.items() if area %}
{% for unit, values in [("pixels", area.pixels), ("mm²", area.mm2 | default({}))] if values %}
<tr><td><span class="swatch" style="background: {{ colors[label] }}"></span>
{{- label | replace("_", " ") }}, {{ unit }}</td>
<td>{{ area.slices }}</td>
{% for value in values.values() %}<td>{{ "{:,.0f}".format(value) }}</td>{% endfor %}</tr>
{% endfor %}
{% endfor %}
</tbody></table></div>
<div class="scroll"><table>
<thead><tr><th>intensity</th><th>1 %</th><th>25 %</th><th>median</th><th>75 %</th><th>99 %</th></tr></thead>
<tbody>
{% for name, channel in facts.intensity.items() %}
<tr><td>{{ name }}</td>
{% for value in channel.quantiles.values() %}<td>{{ "{:,}".format(value) }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
<p class="note">Sizes:
{% for size, n in facts.sizes.items() %}{{ size }} ({{ n }}){{ ", " if not loop.last }}{% endfor %}.
Spacing in mm (rows x columns x slices): {% for spacing, n in facts.spacings.items() %}{{ spacing }} ({{ n }})
{{- ", " if not loop.last }}{% else %}unknown{% endfor %}.</p>
</section>

<section id="pictures"><h2>Slice, mask, both</h2>
<p class="key">{% for label, color in colors.items() %}<span><i class="swatch" style="background: {{ color }}"></i>
{{- label | replace("_", " ") }}</span>{% endfor %}</p>
<div class="strips">
{% for strip in strips %}
<figure class="strip"><img src="{{ strip.source }}"
alt="Slice {{ strip.slice }} of {{ strip.patient }}, its mask, and both">
<figcaption><span>{{ strip.patient }}</span><span>slice {{ strip.slice }}, {{ strip.split }}</span></figcaption>
</figure>
{% endfor %}
</div>
<p class="note">The slice with the largest mask of {{ strips | length }} patients, spread evenly from those with few
positive slices to those with many.</p>
</section>

{% if facts.columns %}
<section id="columns"><h2>What is known of the patients</h2>
<dl>
{% for name, column in facts.columns.items() %}
<dt>{{ name }}</dt><dd>{% if "counts" in column %}
{% for value, n in column.counts.items() %}{{ value }}: {{ n }}{{ ", " if not loop.last }}{% endfor %}
{% else %}{{ column.min }} to {{ column.max }}, median {{ column.median }}{% endif %}
{% if column.missing %} (unknown: {{ column.missing }}){% endif %}</dd>
{% endfor %}
</dl>
</section>
{% endif %}

<section id="patients"><details><summary>Every patient</summary>
<div class="scroll"><table>
<thead><tr><th>patient</th><th>split</th><th>site</th><th>slices</th><th>{{ positive }}</th></tr></thead>
<tbody>
{% for patient in facts.patients %}
<tr><td>{{ patient.patient }}</td><td>{{ patient.split }}</td><td>{{ patient.site or "–" }}</td>
<td>{{ patient.slices }}</td><td>{{ patient.positive }}</td></tr>
{% endfor %}
</tbody></table></div></details></section>
<footer>Fingerprint {{ facts.data.fingerprint }}. The same figures: explore.json.</footer>
</main>
</body>
</html>
"""
)
