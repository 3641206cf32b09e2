// The viewer's texts in the visitor's language; the markup names them by their keys in the catalogs.
const TEXTS = JSON.parse(props.label);
const say = (key, values = {}) => TEXTS[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const decimal = (text) => text.replace(".", TEXTS.decimal);
for (const part of element.querySelectorAll("[data-say], [data-say-label], [data-say-title]")) {
  const { say: text, sayLabel: label, sayTitle: title } = part.dataset;
  if (text) part.textContent = say(text);
  if (label) part.setAttribute("aria-label", say(label));
  if (title) part.title = say(title);
}
