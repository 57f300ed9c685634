// The list: "j" and "k" move, Enter opens, "/" searches.
import "./ages.js";
import "./keys.js";

const rows = [...document.querySelectorAll("tbody tr")];
let selected = -1;

function select(index) {
  if (!rows.length) return;
  rows[selected]?.classList.remove("selected");
  selected = Math.min(Math.max(index, 0), rows.length - 1);
  rows[selected].classList.add("selected");
  rows[selected].scrollIntoView({ block: "nearest" });
}

addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, button")) return;
  if (event.key === "j") select(selected + 1);
  else if (event.key === "k") select(selected - 1);
  else if (event.key === "Enter") rows[selected]?.querySelector("a")?.click();
});
