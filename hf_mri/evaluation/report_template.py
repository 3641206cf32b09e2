"""The page of an evaluation, as a Jinja template: no script, no font, no address; light, dark and paper."""

from hf_mri.reports.html_template import STYLE

OWN_STYLE = """
section { margin-top: 34px; }
h3 { font-size: .95rem; margin: 22px 0 8px; }
.plots { display: grid; gap: 12px; margin: 14px 0;
  grid-template-columns: repeat(auto-fit, minmax(min(240px, 100%), 1fr)); }
.scroll + .scroll { margin-top: 16px; } summary { cursor: pointer; margin: 18px 0 4px; font-weight: 600; }
.plots figure, .strip { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px; }
.plots svg { display: block; width: 100%; height: auto; color: var(--ink); }
.plots figcaption, .strip figcaption { background: none; color: var(--soft); padding: 6px 4px 0; }
.strip img { width: 100%; border-radius: 6px; }
.strips { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 12px; }
th, td, th:nth-child(3), td:nth-child(3) { text-align: right; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 9em; }
td small { display: block; color: var(--soft); }
.key span { margin-right: 14px; }
.seen { background: var(--accent); color: #fff; border-radius: 10px; padding: 12px 16px; font-weight: 600; }
ul.plain { padding-left: 1.2em; } dl dd { margin-bottom: 4px; }
@media (max-width: 560px) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 8px; } }
@media print { .worst { break-before: page; } .plots { grid-template-columns: repeat(3, 1fr); } }
"""

MACROS = """
{% macro value(part, name) %}
{% if name in part %}{{ part[name] | figure }}{% if name in part.get("ci95", {}) %}
<small>{{ part.ci95[name] | interval }}</small>{% endif %}{% else %}–{% endif %}
{% endmacro %}
{% macro plot(name, words) %}
{% if name in plots %}
<figure>{{ plots[name] | safe }}<figcaption>{{ words }}</figcaption></figure>{% endif %}
{% endmacro %}
{% macro classification(found, prefix) %}
<div class="scroll"><table>
<thead><tr><th>figure</th><th>per slice</th>{% if "per_patient" in found %}<th>per patient</th>{% endif %}</tr></thead>
<tbody>
{% for name, words in [("accuracy", "accuracy"), ("balanced_accuracy", "balanced accuracy"),
  ("precision", "precision"), ("recall", "recall (sensitivity)"), ("specificity", "specificity"), ("f1", "F1"),
  ("roc_auc", "ROC AUC"), ("average_precision", "average precision"), ("brier", "Brier score (lower is better)"),
  ("expected_calibration_error", "expected calibration error (lower is better)")] %}
<tr><td>{{ words }}</td><td>{{ value(found, name) }}</td>
{% if "per_patient" in found %}<td>{{ value(found.per_patient, name) }}</td>{% endif %}</tr>
{% endfor %}
</tbody></table></div>
<div class="scroll"><table>
<thead><tr><th>class</th><th>precision</th><th>recall</th><th>F1</th><th>slices</th></tr></thead>
<tbody>
{% for name, part in found.by_class.items() %}
<tr><td>{{ name }}</td><td>{{ value(part, "precision") }}</td><td>{{ value(part, "recall") }}</td>
<td>{{ value(part, "f1") }}</td><td>{{ part.support | figure }}</td></tr>
{% endfor %}
</tbody></table></div>
<div class="plots">
{% if not prefix %}{{ plot("confusion", "Slices: truth by decision") }}{% endif %}
{{ plot(prefix ~ "roc", "ROC curve; the diamond is where decisions are made") }}
{{ plot(prefix ~ "precision_recall", "Precision and recall") }}
{{ plot(prefix ~ "reliability", "Reliability: on the diagonal, probabilities mean what they say") }}
</div>
{% endmacro %}
"""

TEMPLATE = (
    MACROS
    + """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ metrics.model.get("name", "Evaluation") }}: {{ headline }}</title>
<link rel="icon" href="data:,">
<style>"""
    + STYLE
    + OWN_STYLE
    + """</style>
</head>
<body>
<main>
<p class="eyebrow">Evaluation{% if "name" in metrics.model %} of {{ metrics.model.name }}{% endif %}
{% if "name" in metrics.data %} on {{ metrics.data.name }}{% endif %}
{% if "split" in metrics.data %}, {{ metrics.data.split }}{% endif %} · protocol {{ metrics.protocol }}</p>
<h1>{{ headline }}</h1>
{% if metrics.seen_in_training %}
<p class="seen">Seen in training: {{ metrics.seen_in_training.patients | length }} patients
({{ metrics.seen_in_training.images }} images) were used to train or tune this model.
These figures say nothing about its quality.</p>
{% endif %}
<div class="tiles" role="group" aria-label="Main figures">
{% for name, text in tiles %}
<div class="tile"><b>{{ text }}</b><span>{{ name }}</span></div>
{% endfor %}
</div>
<p class="note">{{ metrics.data.patients | figure }} patients, {{ metrics.data.volumes | figure }} volumes,
{{ metrics.data.slices | figure }} slices, {{ metrics.data.positive_slices | figure }} of them positive.
Small figures below a value: 95 % interval by bootstrap over patients.</p>
{% if metrics.notes %}
<ul class="warnings">
{% for note in metrics.notes %}<li>{{ note }}</li>{% endfor %}
</ul>
{% endif %}

{% if "segmentation" in metrics %}
<section id="masks"><h2>Masks</h2>
{% for label, entry in metrics.segmentation.items() %}
<h3><span class="swatch" style="background: {{ colors[label] }}"></span>{{ label | replace("_", " ") }}</h3>
<div class="scroll"><table>
<thead><tr><th>score</th>{% for words in averages.values() %}<th>{{ words }}</th>{% endfor %}</tr></thead>
<tbody>
{% for score in scores %}
<tr><td>{{ {"iou": "IoU", "tversky": "Tversky (alpha 0.7)"}.get(score, score) }}</td>
{% for average in averages %}
<td>{% if average ~ "_" ~ score == "volume_dice" %}{{ entry.volume_dice.mean | figure }}
{% if "ci95" in entry.volume_dice %}<small>{{ entry.volume_dice.ci95 | interval }}</small>{% endif %}
{% else %}{{ value(entry, average ~ "_" ~ score) }}{% endif %}</td>
{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
<div class="scroll"><table>
<thead><tr><th>per volume</th><th>median Dice</th><th>worst Dice</th><th>HD95, {{ entry.distance_unit }}</th>
<th>average distance, {{ entry.distance_unit }}</th>
<th>surface Dice at {{ entry.surface_tolerance }} {{ entry.distance_unit }}</th>
<th>missed</th><th>invented</th></tr></thead>
<tbody><tr><td>{{ entry.distance_volumes.measured }} with both surfaces</td>
<td>{{ entry.volume_dice.median | figure }}
{% if "median_ci95" in entry.volume_dice %}
<small>{{ entry.volume_dice.median_ci95 | interval }}</small>{% endif %}</td>
<td>{{ entry.volume_dice.min | figure }}</td>
<td>{{ value(entry, "hd95") }}</td><td>{{ value(entry, "average_surface_distance") }}</td>
<td>{{ value(entry, "surface_dice") }}</td>
<td>{{ entry.distance_volumes.missed }}</td><td>{{ entry.distance_volumes.invented }}</td></tr></tbody></table></div>
<div class="scroll"><table>
<thead><tr><th>lesions (connected pieces)</th><th>true</th><th>found</th><th>predicted</th><th>false</th>
<th>sensitivity</th><th>precision</th><th>F1</th><th>lesion-wise Dice</th></tr></thead>
<tbody><tr><td>in 3-D</td>
{% for name in ["truth", "found", "predicted", "false", "sensitivity", "precision", "f1", "dice"] %}
<td>{{ value(entry.lesions, name) }}</td>{% endfor %}</tr></tbody></table></div>
<div class="scroll"><table>
<thead><tr><th>volume, {{ entry.volume.unit }}</th><th>true mean</th><th>predicted mean</th><th>bias</th>
<th>limits of agreement</th><th>mean absolute error</th><th>r</th></tr></thead>
<tbody><tr><td>per volume</td><td>{{ entry.volume.truth_mean | figure }}</td>
<td>{{ entry.volume.predicted_mean | figure }}</td><td>{{ entry.volume.bias | figure }}</td>
<td>{% if "limits" in entry.volume %}{{ entry.volume.limits | interval }}{% else %}–{% endif %}</td>
<td>{{ entry.volume.mean_absolute_error | figure }}</td><td>{{ value(entry.volume, "r") }}</td></tr></tbody>
</table></div>
{% endfor %}
<div class="plots">
{{ plot("dice_by_patient", "Every patient, from the lowest to the highest") }}
{{ plot("dice_by_size", "Dice by true volume") }}
{{ plot("volume_agreement", "Agreement of volumes: bias and limits (Bland-Altman)") }}
</div>
</section>
{% endif %}

<section id="slices"><h2>Slices: {{ metrics.classification.by_class | join(" or ") }}</h2>
<p class="note">Decision: {{ metrics.classification.decision }}. Score: {{ metrics.classification.score }}.</p>
{{ classification(metrics.classification, "") }}
</section>

{% if "gate" in metrics %}
<section id="gate"><h2>The gate</h2>
<div class="scroll"><table>
<thead><tr><th>threshold {{ "%.4g" % metrics.gate.threshold }}</th><th>slices rejected</th>
<th>positive slices lost</th><th>true area lost</th>
{% if "time_saved" in metrics.gate %}<th>time saved</th>{% endif %}</tr></thead>
<tbody><tr><td>{{ metrics.gate.slices | figure }} slices</td>
<td>{{ metrics.gate.rejected | figure }} ({{ "%.0f" % (100 * metrics.gate.slices_saved) }} %)</td>
<td>{{ metrics.gate.positive_slices_lost }} of {{ metrics.gate.positive_slices }}</td>
<td>{% if "area_lost" in metrics.gate %}{{ "%.2f" % (100 * metrics.gate.area_lost) }} %{% else %}–{% endif %}</td>
{% if "time_saved" in metrics.gate %}<td>{{ "%.0f" % (100 * metrics.gate.time_saved) }} %
<small>{{ "%.1f" % metrics.gate.seconds }} instead of {{ "%.1f" % metrics.gate.seconds_without }} s</small></td>
{% endif %}
</tr></tbody></table></div>
{% if "without" in metrics.gate %}
<div class="scroll"><table>
<thead><tr><th>Dice</th><th>with the gate</th><th>without</th></tr></thead>
<tbody>
{% for label, without in metrics.gate.without.segmentation.items() %}
{% set entry = metrics.segmentation[label] %}
<tr><td>{{ label | replace("_", " ") }}, per patient</td><td>{{ entry.volume_dice.mean | figure }}</td>
<td>{{ without.volume_dice | figure }}</td></tr>
{% for name, words in [("positive_slice_dice", "positive slices"), ("pooled_dice", "pooled")] if name in without %}
<tr><td>{{ label | replace("_", " ") }}, {{ words }}</td><td>{{ entry[name] | figure }}</td>
<td>{{ without[name] | figure }}</td></tr>
{% endfor %}
{% endfor %}
{% for name in ["accuracy", "f1"] %}{% if name in metrics.gate.without.classification %}
<tr><td>slices: {{ name | replace("f1", "F1") }}</td><td>{{ value(metrics.classification, name) }}</td>
<td>{{ value(metrics.gate.without.classification, name) }}</td></tr>{% endif %}{% endfor %}
</tbody></table></div>
{% endif %}
<h3>The classifier alone at {{ "%.3g" % metrics.gate.classifier.slice_threshold }}</h3>
{{ classification(metrics.gate.classifier, "gate_") }}
</section>
{% endif %}

{% if "cardiac" in metrics %}
<section id="heart"><h2>Heart</h2>
<div class="scroll"><table>
<thead><tr><th>measure</th><th>r</th><th>bias</th><th>limits of agreement</th><th>mean absolute error</th></tr></thead>
<tbody>
{% for part in ["lv", "rv", "myocardium"] %}{% for name, entry in metrics.cardiac.get(part, {}).items() %}
<tr><td>{{ {"lv": "left ventricle", "rv": "right ventricle"}.get(part, part) }}:
{{ {"edv": "EDV, mL", "esv": "ESV, mL", "sv": "stroke volume, mL", "ef": "ejection fraction, points",
  "mass": "mass, g"}[name] }}</td>
<td>{{ value(entry, "r") }}</td><td>{{ entry.bias | figure }}</td>
<td>{% if "limits" in entry %}{{ entry.limits | interval }}{% else %}–{% endif %}</td>
<td>{{ entry.mean_absolute_error | figure }}</td></tr>
{% endfor %}{% endfor %}
</tbody></table></div>
<div class="scroll"><table>
<thead><tr><th>structure</th>{% for phase in ["ED", "ES"] %}<th>Dice {{ phase }}</th><th>HD {{ phase }}, mm</th>
<th>HD95 {{ phase }}, mm</th>{% endfor %}</tr></thead>
<tbody>
{% for label, phases in metrics.cardiac.table.items() %}
<tr><td>{{ label }}</td>{% for phase in ["ED", "ES"] %}{% for name in ["dice", "hd", "hd95"] %}
<td>{{ value(phases.get(phase, {}), name) }}</td>{% endfor %}{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% if metrics.cardiac.by_group %}
<div class="scroll"><table>
<thead><tr><th>group</th><th>patients</th>
{% for label in metrics.cardiac.table %}<th>Dice, {{ label }}</th>{% endfor %}
<th>LVEF bias, points</th><th>limits of agreement</th><th>mean absolute error</th></tr></thead>
<tbody>
{% for name, group in metrics.cardiac.by_group.items() %}
<tr><td>{{ name }}</td><td>{{ group.patients }}</td>
{% for label in metrics.cardiac.table %}<td>{{ value(group.dice, label) }}</td>{% endfor %}
<td>{{ value(group.get("lv_ef", {}), "bias") }}</td>
<td>{% if "limits" in group.get("lv_ef", {}) %}{{ group.lv_ef.limits | interval }}{% else %}–{% endif %}</td>
<td>{{ value(group.get("lv_ef", {}), "mean_absolute_error") }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endif %}
<div class="plots">{{ plot("lv_ef_agreement", "Left ventricle: ejection fraction (Bland-Altman)") }}
{{ plot("rv_ef_agreement", "Right ventricle: ejection fraction (Bland-Altman)") }}</div>
</section>
{% endif %}

{% if "competition" in metrics %}
<section id="competition"><h2>Competition score</h2>
<div class="scroll"><table>
<thead><tr><th>organ</th><th>score</th><th>Dice</th><th>1 - Hausdorff</th></tr></thead>
<tbody>
{% for organ, part in [("all", metrics.competition)] + (metrics.competition.per_organ.items() | list) %}
<tr><td>{{ organ | replace("_", " ") }}</td><td>{{ part.score | figure }}</td><td>{{ part.dice | figure }}</td>
<td>{{ part.hausdorff | figure }}</td></tr>
{% endfor %}
</tbody></table></div>
</section>
{% endif %}

{% if "breakdowns" in metrics %}
<section id="parts"><h2>Parts of the patients</h2>
{% for column, groups in metrics.breakdowns.items() %}
<details{{ " open" if column in ["site", "group", "lesion size", "size"] }}>
<summary>{{ column | replace("_", " ") }}</summary>
<div class="scroll"><table>
<thead><tr><th>value</th><th>patients</th><th>slices</th>
{% for label in metrics.get("segmentation", {}) %}<th>{{ label | replace("_", " ") }}: Dice</th>{% endfor %}
<th>accuracy</th><th>ROC AUC</th></tr></thead>
<tbody>
{% for name, group in groups.items() %}
<tr><td>{{ name }}</td><td>{{ group.patients }}</td><td>{{ group.slices | figure }}</td>
{% for part in group.get("segmentation", {}).values() %}<td>{{ part.volume_dice | figure }}
{% if "ci95" in part %}<small>{{ part.ci95 | interval }}</small>{% endif %}</td>{% endfor %}
<td>{{ value(group.classification, "accuracy") }}</td><td>{{ value(group.classification, "roc_auc") }}</td></tr>
{% endfor %}
</tbody></table></div></details>
{% endfor %}
</section>
{% endif %}

<section id="method"><h2>How it was measured</h2>
<dl>
{% for name, words in metrics.rules.items() %}<dt>{{ name | replace("_", " ") }}</dt><dd>{{ words }}</dd>{% endfor %}
{% if "thresholds" in metrics.model %}<dt>thresholds</dt>
<dd>{% for name, number in metrics.model.thresholds.items() %}
{{ name }} {{ "%.4g" % number }}{{ ", " if not loop.last }}{% endfor %}</dd>
{% endif %}
<dt>engine</dt><dd>{% for name, part in metrics.engine.items() %}{{ name | replace("_", " ") }}
{{ part | figure if part is number else part }}{{ ", " if not loop.last }}{% endfor %}</dd>
<dt>versions</dt><dd>{% for name, text in metrics.versions.items() %}
{{ name }} {{ text }}{{ ", " if not loop.last }}{% endfor %}</dd>
</dl>
</section>

{% if metrics.get("worst") %}
<section id="worst" class="worst"><h2>Worst cases</h2>
<ul class="plain">
{% for case in metrics.worst %}
<li><b>{{ case.volume }}</b>, Dice {{ case.dice | figure }}: {{ case.words }}</li>
{% endfor %}
</ul>
{% if worst %}
<p class="note key">Each strip: image, truth, prediction.
{% for label, color in colors.items() %}<span><span class="swatch" style="background: {{ color }}"></span>
{{ label | replace("_", " ") }}</span>{% endfor %}
These are pictures of patients: do not publish this page where the data's terms forbid it.</p>
{% endif %}
{% for case in worst %}
<h3>{{ case.volume }}: {% for label, dice in case.dice.items() %}{{ label | replace("_", " ") }} {{ dice | figure }}
{{ ", " if not loop.last }}{% endfor %}</h3>
<div class="strips">
{% for strip in case.strips %}
<figure class="strip"><img src="{{ strip.source }}" alt="Image, truth and prediction of slice {{ strip.index }}">
<figcaption>slice {{ strip.index }} of {{ case.slices }}</figcaption></figure>
{% endfor %}
</div>
{% endfor %}
</section>
{% endif %}
<footer>Not a medical device. Written by hf_mri {{ metrics.versions.get("hf_mri", "") }},
{{ metrics.created }}.</footer>
</main>
</body>
</html>
"""
)
