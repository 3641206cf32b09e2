// Light or dark: the system's choice until the visitor presses the button, then the visitor's.
const button = element.querySelector(".theme-toggle");
const KEPT = "hf-mri-theme";
const recall = () => {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // a frame that may keep nothing
  }
};
if (recall()) document.body.classList.toggle("dark", recall() === "dark");
button.addEventListener("click", () => {
  const dark = document.body.classList.toggle("dark");
  button.setAttribute("aria-pressed", dark);
  try {
    localStorage.setItem(KEPT, dark ? "dark" : "light");
  } catch {
    // the choice lasts as long as the page
  }
});
// The upload field is read aloud as it is written: Gradio's own label says something else.
const unlabel = () => document.querySelectorAll(".scan-files button[aria-label]").forEach((field) => {
  if (field.innerText.trim().length > 3) field.removeAttribute("aria-label");
});
new MutationObserver(unlabel).observe(document.body, { childList: true, subtree: true });
unlabel();
button.setAttribute("aria-pressed", document.body.classList.contains("dark"));
// Gradio takes the browser's language; what is not written in that is English here.
const { language, title } = element.querySelector(".page-head").dataset;
document.documentElement.lang = language;
document.title = title;
