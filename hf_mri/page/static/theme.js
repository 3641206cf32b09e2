// Light or dark: the system's choice until the visitor presses the button.
const button = element.querySelector(".theme-toggle");
button.addEventListener("click", () => {
  const dark = document.body.classList.toggle("dark");
  button.setAttribute("aria-pressed", dark);
});
button.setAttribute("aria-pressed", document.body.classList.contains("dark"));
document.documentElement.lang = "en";
